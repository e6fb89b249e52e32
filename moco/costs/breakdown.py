"""What one design costs: totals, remarks, shares of components and operators; as text, as JSON and as a table."""

from __future__ import annotations

import csv
import io
import json
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moco.costs.lowering import lower
from pimmodel import (
    ISAAC,
    Breakdown,
    Calibration,
    Estimate,
    PimConfig,
    Workload,
    breakdown,
    estimate,
    find_calibration,
)
from pimmodel.remarks import remarks
from spaces import Architecture, ArchitectureBatch, macs, n_parameters

_YEAR_S = 365.25 * 86_400
_WIDTH = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CostSheet:
    """One network on one chip and what it costs.

    Attributes:
        workload: The network as work for a chip, B = 1.
        chip: The hardware.
        calibration: Of the hardware model.
        result: Totals, B = 1.
        parts: By operator and component, B = 1; operators that the network leaves out are not in it.
        latency_ns: (L,) of each operator, in the order of `parts.operators`.
        n_macs: Multiply-accumulates of one inference.
        n_parameters: Trainable numbers without embedding tables.
        remarks: What stands out, a sentence each.
    """

    workload: Workload
    chip: PimConfig
    calibration: Calibration
    result: Estimate
    parts: Breakdown
    latency_ns: NDArray[np.float64]
    n_macs: int
    n_parameters: int
    remarks: tuple[str, ...]

    @property
    def totals(self) -> dict[str, float]:
        """The figures of the whole design by name; a lifetime without end is infinite."""
        result = self.result
        return {
            "energy_pj": float(result.energy_pj[0]),
            "latency_ns": float(result.latency_ns[0]),
            "period_ns": float(result.period_ns[0]),
            "throughput_per_s": float(result.throughput_per_s[0]),
            "throughput_per_s_mm2": float(result.throughput_per_s_mm2[0]),
            "tops_per_w": float(result.tops_per_w[0]),
            "area_mm2": float(result.area_mm2[0]),
            "power_mw": float(result.power_mw[0]),
            "cell_utilisation": float(result.cell_utilisation[0]),
            "n_crossbars": float(result.n_crossbars[0]),
            "n_macs": self.n_macs,
            "n_parameters": self.n_parameters,
            "lifetime_s": float(result.lifetime_s[0]),
        }


def cost_sheet(
    architecture: Architecture,
    hardware: PimConfig | None,
    n_dense: int,
    cardinalities: Sequence[int],
    calibration: str | Calibration = "isaac32",
) -> CostSheet:
    """Costs a network on a chip, ISAAC's when None.

    Raises:
        ValueError: The calibration is unknown, or a number of fields or rows is wrong.
    """
    if n_dense < 0:
        raise ValueError(f"the data's dense fields must be 0 or more, got {n_dense}")
    if not cardinalities or min(cardinalities) < 1:
        raise ValueError(f"every categorical field needs a table of at least one row, got {list(cardinalities)}")
    networks = ArchitectureBatch.of([architecture])
    shape = (networks, n_dense, len(cardinalities))
    return workload_sheet(
        lower(networks, n_dense, cardinalities),
        ISAAC if hardware is None else hardware,
        n_macs=int(macs(*shape)[0]),
        n_parameters=int(n_parameters(*shape)[0]),
        calibration=calibration,
    )


def workload_sheet(
    workload: Workload, chip: PimConfig, *, n_macs: int, n_parameters: int, calibration: str | Calibration = "isaac32"
) -> CostSheet:
    """Costs the work of a network on a chip.

    Args:
        workload: One network.
        chip: The hardware.
        n_macs: Multiply-accumulates of one inference.
        n_parameters: Trainable numbers without embedding tables.
        calibration: Of the hardware model.

    Raises:
        ValueError: The calibration is unknown, or there are several networks or chips.
    """
    constants = find_calibration(calibration)
    result = estimate(workload, chip, constants)
    is_present = workload.n_vectors[0] > 0
    parts = breakdown(workload, chip, constants)
    return CostSheet(
        workload=workload,
        chip=chip,
        calibration=constants,
        result=result,
        parts=Breakdown(
            operators=tuple(name for name, present in zip(workload.names, is_present, strict=True) if present),
            components=parts.components,
            energy_pj=parts.energy_pj[:, is_present],
            time_ns=parts.time_ns[:, is_present],
            area_mm2=parts.area_mm2[:, is_present],
            n_crossbars=parts.n_crossbars[:, is_present],
            n_tiles=parts.n_tiles[:, is_present],
            n_used_cells=parts.n_used_cells[:, is_present],
        ),
        latency_ns=result.latency_by_operator_ns[0, is_present],
        n_macs=n_macs,
        n_parameters=n_parameters,
        remarks=tuple(remarks(workload, chip, constants)),
    )


def cost_text(sheet: CostSheet, n_operators: int | None = 12) -> str:
    """The sheet as text of fixed width.

    Args:
        sheet: The design.
        n_operators: Operators to show, those of the most energy; None shows all, in the network's order.
    """
    lines = _totals(sheet)
    if sheet.remarks:
        lines += ["", "remarks"]
        for remark in sheet.remarks:
            lines += _wrapped(remark)
    lines += ["", *_component_table(sheet), "", *_operator_table(sheet, n_operators)]
    return "\n".join(lines)


def cost_json(sheet: CostSheet) -> str:
    """The sheet for programs; units end the names. An infinite figure, such as a lifetime without end, is null."""
    parts = sheet.parts
    by_component = [
        {
            "component": component,
            "energy_pj": float(parts.energy_pj[0, :, place].sum()),
            "time_ns": float(parts.time_ns[0, :, place].sum()),
            "area_mm2": float(parts.area_mm2[0, :, place].sum()),
        }
        for place, component in enumerate(parts.components)
    ]
    return json.dumps(
        {
            "calibration": {"name": sheet.calibration.name, "digest": sheet.calibration.digest},
            "hardware": json.loads(sheet.chip.to_json()),
            "totals": {name: value if math.isfinite(value) else None for name, value in sheet.totals.items()},
            "remarks": list(sheet.remarks),
            "by_component": by_component,
            "by_operator": _operator_rows(sheet),
        },
        indent=1,
    )


def cost_csv(sheet: CostSheet) -> str:
    """One row an operator: its totals, then energy, time and area in each component; figures in full precision."""
    rows = _operator_rows(sheet)
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _operator_rows(sheet: CostSheet) -> list[dict[str, Any]]:
    parts = sheet.parts
    tables = (("energy_pj", parts.energy_pj), ("time_ns", parts.time_ns), ("area_mm2", parts.area_mm2))
    return [
        {
            "operator": operator,
            "energy_pj": float(parts.energy_pj[0, row].sum()),
            "latency_ns": float(sheet.latency_ns[row]),
            "area_mm2": float(parts.area_mm2[0, row].sum()),
            "n_crossbars": float(parts.n_crossbars[0, row]),
            "n_tiles": float(parts.n_tiles[0, row]),
            "n_used_cells": float(parts.n_used_cells[0, row]),
            **{
                f"{component}_{name}": float(table[0, row, place])
                for name, table in tables
                for place, component in enumerate(parts.components)
            },
        }
        for row, operator in enumerate(parts.operators)
    ]


def _totals(sheet: CostSheet) -> list[str]:
    result, rate = sheet.result, float(sheet.result.throughput_per_s[0])
    way = "one at a time" if sheet.chip.execution == "layer-by-layer" else "pipelined"
    lines = [
        f"calibration   {sheet.calibration.name}, digest {sheet.calibration.digest}",
        f"energy        {result.energy_pj[0]:,.1f} pJ per inference",
        f"latency       {result.latency_ns[0]:,.1f} ns per inference",
        f"throughput    {rate:,.0f} inferences per s, {way}; {result.throughput_per_s_mm2[0]:,.0f} per s and mm2",
        f"efficiency    {result.tops_per_w[0]:.4g} TOPS/W at that rate",
        f"area          {result.area_mm2[0]:,.4f} mm2",
        f"power         {result.power_mw[0]:,.1f} mW at that rate",
        f"crossbars     {result.n_crossbars[0]:,.0f}, {result.cell_utilisation[0]:.1%} of their cells used",
        f"work          {sheet.n_macs:,} multiply-accumulates, {sheet.n_parameters:,} parameters without tables",
    ]
    lifetime_s = float(result.lifetime_s[0])
    if math.isfinite(lifetime_s):
        lines.append(f"lifetime      {lifetime_s / _YEAR_S:,.4g} years at that rate, until written cells wear out")
    return lines


def _component_table(sheet: CostSheet) -> list[str]:
    parts = sheet.parts
    energy_pj, time_ns, area_mm2 = (table[0].sum(axis=0) for table in (parts.energy_pj, parts.time_ns, parts.area_mm2))
    lines = [f"{'component':<24}{'energy pJ':>14}{'share':>8}{'time ns':>14}{'area mm2':>12}{'share':>8}"]
    for place, component in enumerate(parts.components):
        lines.append(
            f"{component:<24}{energy_pj[place]:>14,.1f}{_share(energy_pj, place)}{time_ns[place]:>14,.1f}"
            f"{area_mm2[place]:>12.5f}{_share(area_mm2, place)}"
        )
    return lines


def _operator_table(sheet: CostSheet, n_operators: int | None) -> list[str]:
    parts = sheet.parts
    energy_pj, area_mm2 = parts.energy_pj[0].sum(axis=1), parts.area_mm2[0].sum(axis=1)
    main = parts.energy_pj[0].argmax(axis=1)
    shown = np.arange(len(energy_pj)) if n_operators is None else np.argsort(-energy_pj, kind="stable")[:n_operators]
    lines = [f"{'operator':<24}{'energy pJ':>14}{'share':>8}{'latency ns':>14}{'area mm2':>12}{'share':>8}  mostly"]
    for row in shown.tolist():
        lines.append(
            f"{parts.operators[row]:<24}{energy_pj[row]:>14,.1f}{_share(energy_pj, row)}{sheet.latency_ns[row]:>14,.1f}"
            f"{area_mm2[row]:>12.5f}{_share(area_mm2, row)}  {parts.components[main[row]]}"
        )
    if len(shown) < len(energy_pj):
        rest = np.setdiff1d(np.arange(len(energy_pj)), shown)
        total_pj, total_mm2 = energy_pj.sum(), area_mm2.sum()
        lines.append(
            f"{f'{len(rest)} others':<24}{energy_pj[rest].sum():>14,.1f}{energy_pj[rest].sum() / total_pj:>8.1%}"
            f"{'':>14}{area_mm2[rest].sum():>12.5f}{area_mm2[rest].sum() / total_mm2:>8.1%}"
        )
    return lines


def _share(values: NDArray[np.float64], place: int) -> str:
    total = values.sum()
    return f"{values[place] / total if total > 0 else 0.0:>8.1%}"


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, _WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
