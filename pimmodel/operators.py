"""What operators of each kind cost: counts times the costs of a calibration.

Arrays are (l, B): the l operators of one kind by B designs. Every operator reads its inputs once from
the tile buffer over the tile bus, which all its crossbars listen to, and sends its results over bus and
router, one hop, into a buffer. Left out: waiting for a busy buffer, bus or router; longer ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pimmodel.components import Calibration, Floats, by_bits
from pimmodel.config import PimConfig
from pimmodel.mapping import Shapes, crossbar_work
from pimmodel.workload import FUNCTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCosts:
    """Costs of operators of one kind, arrays (l, B) or broadcastable.

    Attributes:
        energy_pj: By component, one inference, leakage excluded.
        area_um2: By component, crossbars and their shares of IMA and tile excluded.
        busy_ns: Time until it can take the next inference.
        overhead_ns: Time a result needs beyond that.
        n_crossbars: Crossbars it occupies.
        n_used_cells: Cells of them that hold data.
    """

    energy_pj: dict[str, Floats]
    area_um2: dict[str, Floats]
    busy_ns: Floats
    overhead_ns: Floats
    n_crossbars: Floats | float = 0.0
    n_used_cells: Floats | float = 0.0


def mvm_costs(shapes: Shapes, config: PimConfig, calibration: Calibration) -> OperatorCosts:
    """Static weights on crossbars, n_copies of them where an operator sends several vectors."""
    n_copies = np.minimum(shapes.n_vectors, np.atleast_1d(config.n_copies))
    return _crossbar_costs(shapes, n_copies, config, calibration, is_written=False)


def crossbar_product_costs(shapes: Shapes, config: PimConfig, calibration: Calibration) -> OperatorCosts:
    """Products of two activations whose second operand is written into cells first.

    Designs with product_unit "digital" cost nothing here. Column tiles and row tiles are written
    side by side, the wordlines of one crossbar in turn. Left out: write verification, wear.
    """
    is_used = (shapes.n_vectors > 0) & (np.atleast_1d(config.product_unit) == "crossbar")
    written = Shapes(
        in_features=shapes.in_features * is_used,
        out_features=shapes.out_features,
        n_vectors=shapes.n_vectors * is_used,
        weight_bits=np.atleast_1d(np.asarray(config.activation_bits, dtype=np.float64)),
    )
    return _crossbar_costs(written, is_used.astype(np.float64), config, calibration, is_written=True)


def _crossbar_costs(
    shapes: Shapes, n_copies: Floats, config: PimConfig, calibration: Calibration, *, is_written: bool
) -> OperatorCosts:
    work = crossbar_work(shapes, n_copies, config, calibration)
    element_bytes = np.atleast_1d(config.activation_bits) / 8
    n_inputs = shapes.in_features * shapes.n_vectors
    n_outputs = shapes.out_features * shapes.n_vectors
    crossbar_pj = work.n_cell_reads * calibration.cell_read_energy_pj
    busy_ns = work.n_cycles * work.cycle_ns
    if is_written:
        n_inputs = n_inputs + shapes.in_features * shapes.out_features
        crossbar_pj += work.n_cells * calibration.cell_write_energy_pj
        busy_ns += work.n_rows_written * calibration.row_write_ns
    energy_pj = _movement_pj(n_inputs * element_bytes, n_outputs * element_bytes, calibration)
    energy_pj["buffer"] += element_bytes * (
        work.n_input_loads * calibration.ima_parts["input_register"].energy_pj
        + work.n_partial_sums * calibration.ima_parts["output_register"].energy_pj
        + n_outputs * calibration.tile_parts["output_register"].energy_pj
    )
    energy_pj |= {
        "adc": work.n_conversions * by_bits(calibration.adc_energy_pj, np.atleast_1d(config.adc_bits)),
        "dac": work.n_wordline_drives * by_bits(calibration.dac_energy_pj, np.atleast_1d(config.dac_bits)),
        "crossbar": crossbar_pj,
        "sample_hold": work.n_conversions * calibration.sample_energy_pj,
        "shift_add": work.n_conversions * calibration.shift_add_energy_pj
        + work.n_merges * calibration.tile_parts["shift_add"].energy_pj,
    }
    return OperatorCosts(
        energy_pj=energy_pj,
        area_um2={},
        busy_ns=busy_ns,
        overhead_ns=calibration.pipeline_overhead_cycles * work.cycle_ns * (shapes.n_vectors > 0),
        n_crossbars=work.n_crossbars,
        n_used_cells=work.n_used_cells,
    )


def digital_product_costs(shapes: Shapes, config: PimConfig, calibration: Calibration) -> OperatorCosts:
    """Products of two activations on digital multiply-accumulators.

    Designs with product_unit "crossbar" cost nothing here.
    """
    digital = calibration.digital
    bits = np.atleast_1d(config.activation_bits)
    is_used = (shapes.n_vectors > 0) & (np.atleast_1d(config.product_unit) == "digital")
    n_stored = shapes.in_features * shapes.out_features * is_used
    n_inputs = shapes.n_vectors * shapes.in_features * is_used + n_stored
    n_outputs = shapes.n_vectors * shapes.out_features * is_used
    n_macs = shapes.n_vectors * n_stored
    n_lanes = np.minimum(digital.n_lanes, n_macs)
    energy_pj = _movement_pj(n_inputs * (bits / 8), n_outputs * (bits / 8), calibration)
    energy_pj["digital"] = n_macs * by_bits(digital.mac_energy_pj, bits)
    return OperatorCosts(
        energy_pj=energy_pj,
        area_um2={"digital": n_lanes * by_bits(digital.mac_area_um2, bits)},
        busy_ns=np.ceil(n_macs / digital.n_lanes) * digital.clock_ns,
        overhead_ns=np.where(is_used, digital.overhead_clocks * digital.clock_ns, 0.0),
    )


def elementwise_costs(
    shapes: Shapes, functions: Sequence[str], config: PimConfig, calibration: Calibration
) -> OperatorCosts:
    """Element-wise functions on pipelined digital lanes, no more lanes than elements.

    Args:
        functions: (l,) keys of FUNCTIONS.
    """
    digital = calibration.digital
    bits = np.atleast_1d(config.activation_bits)
    n_adds, n_multiplies, n_tables, n_operands = (
        np.array(column, dtype=np.float64)[:, None]
        for column in zip(*(FUNCTIONS[function] for function in functions), strict=True)
    )
    n_elements = shapes.n_vectors * shapes.out_features * (n_operands > 0)
    n_lanes = np.minimum(digital.n_lanes, n_elements)
    energy_pj = _movement_pj(n_elements * n_operands * (bits / 8), n_elements * (bits / 8), calibration)
    energy_pj["digital"] = n_elements * (
        n_adds * by_bits(digital.add_energy_pj, bits)
        + n_multiplies * by_bits(digital.multiply_energy_pj, bits)
        + n_tables * digital.table_energy_pj
    )
    lane_um2 = (
        n_adds * by_bits(digital.add_area_um2, bits)
        + n_multiplies * by_bits(digital.multiply_area_um2, bits)
        + n_tables * digital.table_area_um2
    )
    return OperatorCosts(
        energy_pj=energy_pj,
        area_um2={"digital": n_lanes * lane_um2},
        busy_ns=np.ceil(n_elements / digital.n_lanes) * digital.clock_ns,
        overhead_ns=np.where(n_elements > 0, digital.overhead_clocks * digital.clock_ns, 0.0),
    )


def lookup_costs(shapes: Shapes, config: PimConfig, calibration: Calibration) -> OperatorCosts:
    """Rows read from embedding tables.

    DRAM moves whole bursts per row and takes no chip area; each operator has a channel of its own.
    ReRAM on the chip senses the cells of a row together, bit by bit, rows in turn, one conversion of
    cell_bits per cell. Left out: caches, hot rows, the power of an idle DRAM.
    """
    memory = np.atleast_1d(config.table_memory)
    table_bits, cell_bits = np.atleast_1d(config.table_bits), np.atleast_1d(config.cell_bits)
    n_rows, row_elements = shapes.n_vectors, shapes.out_features
    row_bytes = row_elements * (table_bits / 8)

    row_cells = row_elements * np.ceil(table_bits / cell_bits)
    n_chip_rows = n_rows * (memory == "reram")
    sense_pj = by_bits(calibration.adc_energy_pj, cell_bits) + calibration.cell_read_energy_pj
    memory_pj = n_chip_rows * row_cells * sense_pj
    busy_ns = n_chip_rows * cell_bits * calibration.table_sense_ns
    overhead_ns: Floats = np.zeros(1)
    for name, dram in calibration.drams.items():
        n_bursts = n_rows * (memory == name) * np.ceil(row_bytes / dram.burst_bytes)
        memory_pj += n_bursts * (dram.burst_bytes * 8 * dram.energy_pj_per_bit)
        busy_ns += n_bursts * dram.burst_ns
        overhead_ns = overhead_ns + (n_bursts > 0) * dram.access_ns
    n_table_cells = (n_chip_rows > 0) * shapes.in_features * row_cells
    return OperatorCosts(
        energy_pj=_movement_pj(np.zeros(1), n_rows * row_bytes, calibration) | {"embedding_memory": memory_pj},
        area_um2={"embedding_memory": n_table_cells * calibration.table_cell_area_um2},
        busy_ns=busy_ns,
        overhead_ns=overhead_ns,
    )


def _movement_pj(bytes_in: Floats, bytes_out: Floats, calibration: Calibration) -> dict[str, Floats]:
    """Energy of reading inputs from and writing results to the tile buffers, by component."""
    parts = calibration.tile_parts
    n_bytes = bytes_in + bytes_out
    return {
        "buffer": n_bytes * parts["edram"].energy_pj,
        "interconnect": n_bytes * parts["bus"].energy_pj + bytes_out * parts["router"].energy_pj,
    }
