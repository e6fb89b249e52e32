"""Batches cut into chunks that stay in cache, and the costs of every operator that a chunk's designs hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pimmodel.calibration import Calibration
from pimmodel.config import PimConfig
from pimmodel.costs import OperatorCosts, Operators
from pimmodel.operators import (
    crossbar_product_costs,
    digital_product_costs,
    elementwise_costs,
    function_indices,
    lookup_costs,
    mvm_costs,
)
from pimmodel.workload import Kind, Workload

_CHUNK_OPERATORS = 2**16  # worked on at once: intermediate arrays stay in cache


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """Operators costed alike in a chunk of designs.

    Attributes:
        kind: Their kind.
        position: (n,) column of each in the workload.
        operators: Their numbers.
        costs: Their costs.
        is_written: True where one operand of each product is written into cells.
    """

    kind: Kind
    position: NDArray[np.intp]
    operators: Operators
    costs: OperatorCosts
    is_written: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Some designs of a batch.

    Attributes:
        rows: Which.
        config: Their chips, or one for all.
        groups: Their operators and costs; each operator is in one group.
        is_active_edge: (K, B) edges they use; (K, 1) holds for all.
    """

    rows: slice
    config: PimConfig
    groups: list[Group]
    is_active_edge: NDArray[np.bool_]


def n_designs(workload: Workload, config: PimConfig) -> int:
    """B of a workload and its chips.

    Raises:
        ValueError: the lengths differ and neither is 1.
    """
    if len(workload) != len(config) and 1 not in (len(workload), len(config)):
        raise ValueError(
            f"workload and config must have one length, or one of them length 1, "
            f"got {len(workload)} networks and {len(config)} configurations"
        )
    return len(workload) if len(config) == 1 else len(config)


def chunks(workload: Workload, config: PimConfig, calibration: Calibration) -> Iterator[Chunk]:
    """The whole batch, some designs at a time."""
    n_rows = n_designs(workload, config)
    n_present = max(1, int(np.count_nonzero(workload.n_vectors)) // max(1, len(workload)))  # of a design, on average
    step = max(1, _CHUNK_OPERATORS // n_present)
    columns = {kind: np.flatnonzero([other is kind for other in workload.kinds]) for kind in Kind}
    functions = function_indices(workload.functions)
    numbers = [
        array.T for array in (workload.n_vectors, workload.in_features, workload.out_features, workload.weight_bits)
    ]
    for start in range(0, n_rows, step):
        rows = slice(start, min(start + step, n_rows))
        chip = config if len(config) == 1 else config.take(rows)
        groups: list[Group] = []
        for kind, positions in columns.items():
            if positions.size:
                position, operators = _present(numbers, positions, rows)
                groups += _groups(kind, position, operators, functions, chip, calibration)
        yield Chunk(
            rows=rows,
            config=chip,
            groups=groups,
            is_active_edge=np.ascontiguousarray(workload.is_active_edge.T[:, rows if len(workload) > 1 else slice(1)]),
        )


def _present(
    numbers: list[NDArray[np.int64]], columns: NDArray[np.intp], rows: slice
) -> tuple[NDArray[np.intp], Operators]:
    """The operators in `columns` that the designs of a slice hold, and the column of each.

    Args:
        numbers: n_vectors, in_features, out_features and weight_bits, (L, B) or (L, 1) for one network.
    """
    n_rows, n_networks = rows.stop - rows.start, numbers[0].shape[1]
    is_one = n_networks == 1
    is_present = numbers[0][columns, slice(1) if is_one else rows] > 0
    column, design = np.nonzero(np.broadcast_to(is_present, (len(columns), n_rows)))
    position = columns[column]
    place = (position, 0) if is_one else (position, design + rows.start)
    n_vectors, in_features, out_features, weight_bits = (array[place].astype(np.float64) for array in numbers)
    return position, Operators(
        n_designs=n_rows,
        design=design,
        in_features=in_features,
        out_features=out_features,
        n_vectors=n_vectors,
        weight_bits=weight_bits,
    )


def _groups(
    kind: Kind,
    position: NDArray[np.intp],
    operators: Operators,
    functions: NDArray[np.intp],
    chip: PimConfig,
    calibration: Calibration,
) -> list[Group]:
    """The costs of the operators of one kind; products of two activations by where they are done."""
    match kind:
        case Kind.MVM:
            costs = mvm_costs(operators, chip, calibration)
        case Kind.ELEMENTWISE:
            costs = elementwise_costs(operators, functions[position], chip, calibration)
        case Kind.LOOKUP:
            costs = lookup_costs(operators, chip, calibration)
        case Kind.PRODUCT:
            is_crossbar = np.atleast_1d(chip.product_unit) == "crossbar"
            is_written = np.broadcast_to(operators.each(is_crossbar), operators.design.shape)
            written, digital = operators.take(is_written), operators.take(~is_written)
            return [
                Group(
                    kind=kind,
                    position=position[is_written],
                    operators=written,
                    costs=crossbar_product_costs(written, chip, calibration),
                    is_written=True,
                ),
                Group(
                    kind=kind,
                    position=position[~is_written],
                    operators=digital,
                    costs=digital_product_costs(digital, chip, calibration),
                ),
            ]
    return [Group(kind=kind, position=position, operators=operators, costs=costs)]
