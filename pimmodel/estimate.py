"""Energy, latency, area and power of networks on chips, whole batches at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from pimmodel.batch import chunks, n_designs
from pimmodel.calibration import Calibration
from pimmodel.catalogue import find_calibration
from pimmodel.config import PimConfig
from pimmodel.costs import COMPONENTS, Floats
from pimmodel.mapping import per_design
from pimmodel.schedule import schedule
from pimmodel.workload import Kind, Workload

_INDEX = {component: index for index, component in enumerate(COMPONENTS)}
_LEAKAGE = _INDEX["leakage"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """What B designs cost; C components, L operators.

    Attributes:
        energy_pj: (B,) one inference, leakage over its latency included.
        latency_ns: (B,) longest path through the graph, from lookup to result; layer by layer, the sum of all
            operators.
        period_ns: (B,) time between inferences: the operator that is busy longest; layer by layer, the latency.
        area_mm2: (B,) the chip; DRAM beside it takes none.
        power_mw: (B,) at one inference per period: dynamic energy per period, plus static power; 0 for a
            network without operators.
        cell_utilisation: (B,) cells that hold data over cells of the allocated crossbars; 0 without
            crossbars.
        n_crossbars: (B,) allocated crossbars.
        n_macs: (B,) multiply-accumulates of one inference.
        lifetime_s: (B,) until cells written in every inference wear out at that rate; infinite where
            nothing is written.
        components: (C,) names of the columns by component.
        operators: (L,) names of the columns by operator.
        energy_by_component_pj, area_by_component_mm2: (B, C).
        energy_by_operator_pj, latency_by_operator_ns, area_by_operator_mm2: (B, L).
    """

    energy_pj: Floats
    latency_ns: Floats
    period_ns: Floats
    area_mm2: Floats
    power_mw: Floats
    cell_utilisation: Floats
    n_crossbars: Floats
    n_macs: Floats
    lifetime_s: Floats
    components: tuple[str, ...]
    operators: tuple[str, ...]
    energy_by_component_pj: Floats
    area_by_component_mm2: Floats
    energy_by_operator_pj: Floats
    latency_by_operator_ns: Floats
    area_by_operator_mm2: Floats

    @classmethod
    def concatenate(cls, parts: Sequence[Estimate]) -> Estimate:
        """The rows of several estimates of the same operators, one after the other."""
        names = ("components", "operators")
        arrays = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(cls)
            if field.name not in names
        }
        return cls(components=parts[0].components, operators=parts[0].operators, **arrays)

    @property
    def throughput_per_s(self) -> Floats:
        """(B,) inferences per second; infinite for a network without operators."""
        with np.errstate(divide="ignore"):
            return 1e9 / self.period_ns

    @property
    def throughput_per_s_mm2(self) -> Floats:
        """(B,) inferences per second and mm2 of chip; 0 for a network that takes no chip."""
        area_mm2 = self.area_mm2
        return np.divide(self.throughput_per_s, area_mm2, out=np.zeros(len(area_mm2)), where=area_mm2 > 0)

    @property
    def tops_per_w(self) -> Floats:
        """(B,) tera-operations per second and watt at that rate; a multiply-accumulate is two operations."""
        work = 2 * self.n_macs  # per pJ, of energy and of static power over the period
        return np.divide(work, self.power_mw * self.period_ns, out=np.zeros(len(work)), where=work > 0)


def estimate(
    workload: Workload, config: PimConfig, calibration: str | Calibration = "isaac32", *, by_operator: bool = True
) -> Estimate:
    """Cost every network of a workload on its chip.

    Args:
        workload: B networks, or one for all chips.
        config: B chips, or one for all networks.
        calibration: Name in CALIBRATIONS, or one of your own.
        by_operator: False leaves the breakdowns by operator out (L = 0): a million designs then take 0.3 GB.

    Returns:
        One row per design.

    Raises:
        ValueError: the lengths differ and neither is 1, or no calibration has that name.

    In a pipeline every operator has crossbars and digital lanes of its own, so that all can be busy.
    Left out: links between chips and to the host, writing the weights, contention, idle converters.
    """
    constants = find_calibration(calibration)
    n_rows, n_components = n_designs(workload, config), len(COMPONENTS)
    n_operators = len(workload.names) if by_operator else 0
    component_pj, component_mm2 = np.zeros((2, n_components, n_rows))
    operator_pj, operator_ns, operator_mm2 = np.zeros((3, n_operators, n_rows))
    latency, period, static_mw, n_crossbars, n_used_cells, n_macs = np.zeros((6, n_rows))
    is_written = np.zeros(n_rows, dtype=np.bool_)
    for chunk in chunks(workload, config, constants):
        rows, times = chunk.rows, schedule(workload, chunk)
        latency[rows], period[rows] = times.latency_ns, times.period_ns
        if by_operator:
            operator_ns[:, rows] = times.operator_ns
        for group in chunk.groups:
            operators, costs = group.operators, group.costs
            energy_pj, area_mm2 = np.zeros((2, len(operators)))
            for component, part_pj in costs.energy_pj.items():
                component_pj[_INDEX[component], rows] += operators.total(part_pj)
                energy_pj += part_pj
            for component, part_um2 in costs.area_um2.items():
                part_mm2 = part_um2 / 1e6
                component_mm2[_INDEX[component], rows] += operators.total(part_mm2)
                area_mm2 += part_mm2
            if by_operator:
                columns = group.position, operators.design + rows.start
                operator_pj[columns] = energy_pj + costs.static_mw * operators.each(times.latency_ns)
                operator_mm2[columns] = area_mm2
            static_mw[rows] += operators.total(costs.static_mw)
            n_crossbars[rows] += operators.total(costs.n_crossbars)
            n_used_cells[rows] += operators.total(costs.n_used_cells)
            if group.kind in (Kind.MVM, Kind.PRODUCT):
                n_macs[rows] += operators.total(operators.in_features * operators.out_features * operators.n_vectors)
            is_written[operators.design + rows.start] |= group.is_written
    dynamic_pj = component_pj.sum(axis=0)
    component_pj[_LEAKAGE] = static_mw * latency
    n_cells = n_crossbars * per_design(config.crossbar_size) ** 2
    return Estimate(
        energy_pj=dynamic_pj + component_pj[_LEAKAGE],
        latency_ns=latency,
        period_ns=period,
        area_mm2=component_mm2.sum(axis=0),
        power_mw=static_mw + np.divide(dynamic_pj, period, out=np.zeros(n_rows), where=period > 0),
        cell_utilisation=np.divide(n_used_cells, n_cells, out=np.zeros(n_rows), where=n_cells > 0),
        n_crossbars=n_crossbars,
        n_macs=n_macs,
        lifetime_s=np.where(is_written, constants.cell_endurance_writes * period * 1e-9, np.inf),
        components=COMPONENTS,
        operators=workload.names[:n_operators],
        energy_by_component_pj=component_pj.T,
        area_by_component_mm2=component_mm2.T,
        energy_by_operator_pj=operator_pj.T,
        latency_by_operator_ns=operator_ns.T,
        area_by_operator_mm2=operator_mm2.T,
    )
