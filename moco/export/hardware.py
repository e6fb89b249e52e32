"""The chip of a design for people and programs: each parameter with unit and meaning, the mapping, the costs."""

from __future__ import annotations

import json
import math
from typing import Any

from moco.costs.breakdown import CostSheet, cost_json
from pimmodel import Kind

FORMAT = "moco hardware 1"

PARAMETERS: dict[str, tuple[str, str]] = {
    "crossbar_size": ("wordlines, and bitlines", "rows and columns of one square crossbar"),
    "cell_bits": ("bit", "weight bits in one cell; a wider weight is sliced over bitlines"),
    "dac_bits": ("bit", "input bits driven in one cycle; a wider input takes several cycles"),
    "adc_bits": ("bit", "resolution of one conversion of a bitline's sum"),
    "adc_range": ("", "how the ADC's range is set: full-scale, unit-step or k-sigma"),
    "columns_per_adc": ("bitlines", "bitlines that take turns at one ADC; a differential pair counts two"),
    "n_active_wordlines": ("wordlines", "wordlines driven together"),
    "activation_bits": ("bit", "bits of one activation"),
    "weight_encoding": ("", "how cells hold signed weights: isaac (biased) or differential (two bitlines subtracted)"),
    "product_unit": (
        "",
        "where products of two activations are done: digital multipliers, or a crossbar written first",
    ),
    "n_copies": (
        "copies",
        "copies of the weights of operators that send several vectors per inference, at most as many",
    ),
    "execution": ("", "pipelined (operators run side by side) or layer-by-layer (one at a time, on shared crossbars)"),
    "table_memory": ("", "where embedding tables live: reram on the chip, lpddr4 or hbm2 beside it"),
    "table_bits": ("bit", "bits of one stored embedding element"),
}
"""Unit and meaning of each field of `PimConfig`."""

TOTALS: dict[str, tuple[str, str]] = {
    "energy_pj": ("pJ", "energy of one inference, leakage included"),
    "latency_ns": ("ns", "time of one inference, from lookup to result"),
    "period_ns": ("ns", "time between two inferences at full rate"),
    "throughput_per_s": ("1/s", "inferences per second at full rate"),
    "throughput_per_s_mm2": ("1/(s mm2)", "inferences per second and mm2 of chip"),
    "tops_per_w": ("TOPS/W", "tera-operations per second and watt at full rate; a multiply-accumulate counts two"),
    "area_mm2": ("mm2", "chip area; DRAM beside it takes none"),
    "power_mw": ("mW", "power at full rate"),
    "cell_utilisation": ("1", "cells that hold data over cells of the allocated crossbars"),
    "n_crossbars": ("crossbars", "allocated crossbars"),
    "n_tiles": ("tiles", "tiles of crossbars; a fraction where operators share one"),
    "n_macs": ("multiply-accumulates", "of one inference"),
    "n_parameters": ("numbers", "trainable numbers without embedding tables"),
    "lifetime_s": ("s", "until written cells wear out at full rate; null where nothing is written"),
}
"""Unit and meaning of each figure of the whole design."""


def hardware_json(sheet: CostSheet) -> str:
    """Parameters, mapping of every operator, and costs, as JSON text; an infinite figure is null."""
    costs = json.loads(cost_json(sheet))
    totals = {**sheet.totals, "n_tiles": float(sheet.parts.n_tiles[0].sum())}
    shapes = _shapes(sheet)
    return json.dumps(
        {
            "format": FORMAT,
            "calibration": costs["calibration"],
            "parameters": {
                name: {"value": value, "unit": PARAMETERS[name][0], "meaning": PARAMETERS[name][1]}
                for name, value in costs["hardware"].items()
            },
            "totals": {
                name: {
                    "value": value if math.isfinite(value) else None,
                    "unit": TOTALS[name][0],
                    "meaning": TOTALS[name][1],
                }
                for name, value in totals.items()
            },
            "remarks": costs["remarks"],
            "by_component": costs["by_component"],
            "by_operator": [{**shapes[row["operator"]], **row} for row in costs["by_operator"]],
        },
        indent=1,
        allow_nan=False,
    )


def _shapes(sheet: CostSheet) -> dict[str, dict[str, Any]]:
    """What each operator is, and how a matrix of static weights lies on crossbars: one copy takes row x column tiles.

    Weights fill the wordlines of their inputs and ceil(weight bits / cell bits) bitlines an output, twice as many where
    they are stored as pairs.
    """
    work, hardware = sheet.workload, sheet.chip
    size = int(hardware.crossbar_size)
    shapes: dict[str, dict[str, Any]] = {}
    for place, (name, kind) in enumerate(zip(work.names, work.kinds, strict=True)):
        numbers = (work.in_features, work.out_features, work.n_vectors, work.weight_bits)
        n_in, n_out, n_vectors, weight_bits = (int(column[0, place]) for column in numbers)
        shapes[name] = {"operator": name, "kind": str(kind), "n_vectors": n_vectors, "out_features": n_out}
        if kind == Kind.ELEMENTWISE:
            shapes[name]["function"] = work.functions[place]
        else:
            shapes[name]["in_features"] = n_in
        if kind == Kind.MVM:
            slices = -(-weight_bits // int(hardware.cell_bits))
            bitlines = n_out * slices * (2 if hardware.weight_encoding == "differential" else 1)
            shapes[name]["weight_bits"] = weight_bits
            shapes[name]["cells_per_weight"] = bitlines // max(n_out, 1)
            shapes[name]["row_tiles"] = -(-n_in // size)
            shapes[name]["column_tiles"] = -(-bitlines // size)
            shapes[name]["n_copies"] = min(int(hardware.n_copies), n_vectors)
    return shapes
