"""What operators of each kind cost: work outside crossbars from a calibration's records, products by its arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pimmodel.calibration import Calibration
from pimmodel.components import by_bits
from pimmodel.config import PimConfig
from pimmodel.costs import OperatorCosts, Operators
from pimmodel.mapping import per_design
from pimmodel.workload import FUNCTIONS


def mvm_costs(operators: Operators, config: PimConfig, calibration: Calibration) -> OperatorCosts:
    """Static weights on crossbars, n_copies of them where an operator sends several vectors."""
    n_copies = np.minimum(operators.n_vectors, operators.each(per_design(config.n_copies)))
    return calibration.mvm_costs(operators, n_copies, config)


def crossbar_product_costs(operators: Operators, config: PimConfig, calibration: Calibration) -> OperatorCosts:
    """Products of two activations whose second operand is written into cells first.

    Column tiles and row tiles are written side by side, the wordlines of one crossbar in turn.
    Left out: write verification.
    """
    activation_bits = operators.each(per_design(config.activation_bits))
    stored = replace(operators, weight_bits=np.broadcast_to(activation_bits, operators.design.shape))
    costs = calibration.mvm_costs(stored, np.ones(1), config)
    write_pj = costs.n_used_cells * calibration.cell_write_energy_pj
    size = operators.each(per_design(config.crossbar_size))
    write_ns = np.minimum(operators.in_features, size) * calibration.row_write_ns
    moved = calibration.movement.energy_pj(
        operators.in_features * operators.out_features * (activation_bits / 8), np.zeros(1)
    )
    energy_pj = costs.energy_pj | {name: costs.energy_pj.get(name, 0.0) + extra for name, extra in moved.items()}
    energy_pj["crossbar"] = energy_pj["crossbar"] + write_pj
    return replace(
        costs,
        energy_pj=energy_pj,
        time_ns=costs.time_ns | {"crossbar": costs.time_ns["crossbar"] + write_ns},
        busy_ns=costs.busy_ns + write_ns,
    )


def digital_product_costs(operators: Operators, config: PimConfig, calibration: Calibration) -> OperatorCosts:
    """Products of two activations on digital multiply-accumulators."""
    digital = calibration.digital
    bits = np.atleast_1d(config.activation_bits)
    element_bytes = operators.each(bits / 8)
    n_stored = operators.in_features * operators.out_features
    n_inputs = operators.n_vectors * operators.in_features + n_stored
    n_outputs = operators.n_vectors * operators.out_features
    n_macs = operators.n_vectors * n_stored
    energy_pj = calibration.movement.energy_pj(n_inputs * element_bytes, n_outputs * element_bytes)
    energy_pj["digital"] = n_macs * operators.each(by_bits(digital.mac_energy_pj, bits))
    busy_ns = np.ceil(n_macs / digital.n_lanes) * digital.clock_ns
    n_lanes = np.minimum(digital.n_lanes, n_macs)
    return OperatorCosts(
        energy_pj=energy_pj,
        time_ns={"digital": busy_ns},
        area_um2={"digital": n_lanes * operators.each(by_bits(digital.mac_area_um2, bits))},
        busy_ns=busy_ns,
        overhead_ns=np.full(1, digital.overhead_clocks * digital.clock_ns),
    )


_WORK = np.array(list(FUNCTIONS.values()), dtype=np.float64).T
"""(4, n_functions) additions, multiplications, table reads and operands per element."""
_FUNCTION_INDEX = {name: index for index, name in enumerate(FUNCTIONS)}


def function_indices(functions: Sequence[str]) -> NDArray[np.intp]:
    """Rows of `elementwise_costs`' function table; -1 for operators without a function."""
    return np.array([_FUNCTION_INDEX.get(name, -1) for name in functions], dtype=np.intp)


def elementwise_costs(
    operators: Operators, functions: NDArray[np.intp], config: PimConfig, calibration: Calibration
) -> OperatorCosts:
    """Element-wise functions on pipelined digital lanes, no more lanes than elements.

    Args:
        functions: (n,) from `function_indices`.
    """
    digital = calibration.digital
    bits = np.atleast_1d(config.activation_bits)
    n_adds, n_multiplies, n_tables, n_operands = _WORK[:, functions]
    n_elements = operators.n_vectors * operators.out_features * (n_operands > 0)
    n_bytes = n_elements * operators.each(bits / 8)
    energy_pj = calibration.movement.energy_pj(n_bytes * n_operands, n_bytes)
    energy_pj["digital"] = n_elements * (
        n_adds * operators.each(by_bits(digital.add_energy_pj, bits))
        + n_multiplies * operators.each(by_bits(digital.multiply_energy_pj, bits))
        + n_tables * digital.table_energy_pj
    )
    lane_um2 = (
        n_adds * operators.each(by_bits(digital.add_area_um2, bits))
        + n_multiplies * operators.each(by_bits(digital.multiply_area_um2, bits))
        + n_tables * digital.table_area_um2
    )
    busy_ns = np.ceil(n_elements / digital.n_lanes) * digital.clock_ns
    return OperatorCosts(
        energy_pj=energy_pj,
        time_ns={"digital": busy_ns},
        area_um2={"digital": np.minimum(digital.n_lanes, n_elements) * lane_um2},
        busy_ns=busy_ns,
        overhead_ns=(n_elements > 0) * (digital.overhead_clocks * digital.clock_ns),
    )


def lookup_costs(operators: Operators, config: PimConfig, calibration: Calibration) -> OperatorCosts:
    """Rows read from embedding tables.

    DRAM moves whole bursts per row and takes no chip area; each operator has a channel of its own.
    ReRAM on the chip senses the cells of a row together, bit by bit, rows in turn, one conversion of
    cell_bits per cell. Left out: caches, hot rows, the power of an idle DRAM.
    """
    memory, tables = np.atleast_1d(config.table_memory), calibration.table_memory
    table_bits = operators.each(per_design(config.table_bits))
    cell_bits = operators.each(np.atleast_1d(config.cell_bits))
    n_rows, row_elements = operators.n_vectors, operators.out_features
    row_bytes = row_elements * (table_bits / 8)

    row_cells = row_elements * np.ceil(table_bits / cell_bits)
    is_on_chip = operators.each(memory == "reram")
    n_chip_rows = n_rows * is_on_chip
    memory_pj = n_chip_rows * row_cells * by_bits(tables.sense_energy_pj, cell_bits)
    busy_ns = n_chip_rows * cell_bits * tables.sense_ns
    overhead_ns = np.zeros(1)
    for name, dram in calibration.drams.items():
        is_in_dram = operators.each(memory == name)
        n_bursts = n_rows * is_in_dram * np.ceil(row_bytes / dram.burst_bytes)
        memory_pj = memory_pj + n_bursts * (dram.burst_bytes * 8 * dram.energy_pj_per_bit)
        busy_ns = busy_ns + n_bursts * dram.burst_ns
        overhead_ns = overhead_ns + is_in_dram * dram.access_ns
    n_table_cells = is_on_chip * operators.in_features * row_cells
    return OperatorCosts(
        energy_pj=calibration.movement.energy_pj(np.zeros(1), n_rows * row_bytes) | {"embedding_memory": memory_pj},
        time_ns={"embedding_memory": busy_ns},
        area_um2={"embedding_memory": n_table_cells * tables.cell_area_um2},
        busy_ns=busy_ns,
        overhead_ns=overhead_ns,
    )
