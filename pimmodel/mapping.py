"""How products lie on crossbars, and the events one inference then takes.

Weights of in_features x out_features are cut into row tiles of crossbar_size wordlines; each weight
takes ceil(weight_bits / cell_bits) bitlines, or as many pairs of them where positive and negative parts are
subtracted before the ADC; bitlines fill column tiles. A crossbar belongs to one operator, unless no two run at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pimmodel.config import PimConfig
from pimmodel.costs import Floats, Operators


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossbarWork:
    """Crossbars that n products take and their events per inference, (n,) each.

    Attributes:
        n_crossbars: Allocated, partly used ones included, all copies; fractions where crossbars are shared.
        n_used_cells: Cells that hold a weight slice, all copies.
        n_cells: Cells of one copy that hold a weight slice.
        n_conversions: Bitlines, or differential pairs, sampled and converted: every used one, once per cycle,
            row tile and wordline group.
        n_wordline_drives: Wordlines driven, once per cycle and column tile.
        n_cell_reads: Cells in a driven wordline and a used bitline, once per cycle.
        n_partial_sums: Outputs of every row tile.
        n_input_loads: Inputs copied to the crossbars: once per column tile.
        n_merges: Additions that merge row tiles.
        n_cycles: Cycles in turn: vectors per copy, input cycles and wordline groups.
        n_driven: Wordlines driven together.
        n_in_turn: Conversions that take turns at one ADC in one cycle.
    """

    n_crossbars: Floats
    n_used_cells: Floats
    n_cells: Floats
    n_conversions: Floats
    n_wordline_drives: Floats
    n_cell_reads: Floats
    n_partial_sums: Floats
    n_input_loads: Floats
    n_merges: Floats
    n_cycles: Floats
    n_driven: Floats
    n_in_turn: Floats


def crossbar_work(operators: Operators, n_copies: Floats, config: PimConfig) -> CrossbarWork:
    """Map products onto crossbars and count what one inference does.

    Args:
        operators: Stored matrices and input vectors.
        n_copies: (n,) or (1,) copies of the matrix, at most n_vectors.
        config: B configurations, or one.

    Source: ISAAC's mapping (Shafiee et al., ISCA 2016). A wordline group is driven, sampled and
    converted before the next: ceil(used wordlines / n_active_wordlines) groups in each row tile.
    Used bitlines are spread evenly over a crossbar's ADCs.
    """
    size = operators.each(per_design(config.crossbar_size))
    active = operators.each(per_design(config.n_active_wordlines))
    cell_bits = operators.each(per_design(config.cell_bits))
    arrays = operators.each(n_arrays(config))
    input_cycles = operators.each(np.ceil(per_design(config.activation_bits) / per_design(config.dac_bits)))
    adcs = operators.each(n_adcs(config))
    n_in, n_out, n_vectors = operators.in_features, operators.out_features, operators.n_vectors

    columns = n_out * np.ceil(operators.weight_bits / cell_bits)
    bitlines = columns * arrays
    row_tiles = np.ceil(n_in / size)
    column_tiles = np.ceil(bitlines / size)
    n_cells = n_in * bitlines

    full_row_tiles = np.floor(n_in / size)
    groups = full_row_tiles * np.ceil(size / active) + np.ceil((n_in - full_row_tiles * size) / active)
    vector_cycles = n_vectors * input_cycles
    n_input_loads = n_in * column_tiles * n_vectors
    n_outputs = n_out * n_vectors
    n_partial_sums = row_tiles * n_outputs

    n_crossbars = row_tiles * column_tiles * n_copies
    is_shared = np.atleast_1d(config.execution) == "layer-by-layer"
    if is_shared.any():
        packed = _packed_crossbars(operators, n_in / size, bitlines / size, n_copies)
        n_crossbars = np.where(operators.each(is_shared), packed, n_crossbars)
    return CrossbarWork(
        n_crossbars=n_crossbars,
        n_used_cells=n_cells * n_copies,
        n_cells=n_cells,
        n_conversions=vector_cycles * groups * columns,
        n_wordline_drives=n_input_loads * input_cycles,
        n_cell_reads=n_cells * vector_cycles,
        n_partial_sums=n_partial_sums,
        n_input_loads=n_input_loads,
        n_merges=n_partial_sums - n_outputs,
        n_cycles=np.ceil(n_vectors / n_copies) * input_cycles * np.ceil(np.minimum(n_in, size) / active),
        n_driven=np.minimum(n_in, active),
        n_in_turn=np.ceil(np.minimum(columns, size / arrays) / adcs),
    )


_SHELVES = 11  # heights 1, 1/2, ... 1/1024 of a crossbar: the largest has 1024 wordlines


def _packed_crossbars(operators: Operators, rows: Floats, columns: Floats, n_copies: Floats) -> Floats:
    """(n,) crossbars of each operator where the operators of a design share them.

    Full tiles fill crossbars. The tiles at the right and lower edge are rounded up to heights and widths
    of 1, 1/2, 1/4, ... of a crossbar: widths fill shelves of their height, but for the last of each height, and
    shelves fill crossbars, but for the last (shelf packing; powers of two leave no holes). A design's crossbars
    are shared out by the area that its operators take.

    Args:
        rows, columns: (n,) wordlines and bitlines of each matrix, in crossbar sizes.
        n_copies: (n,) or (1,).
    """
    full_rows, full_columns = np.floor(rows), np.floor(columns)
    edge_rows, edge_columns = rows - full_rows, columns - full_columns
    area = full_rows * full_columns * n_copies
    shelf_widths = np.zeros((operators.n_designs, _SHELVES))
    shelf_widths[:, 0] = operators.total(area)
    for height, width, n_tiles in (
        (np.ones(1), edge_columns, full_rows),
        (edge_rows, np.ones(1), full_columns),
        (edge_rows, edge_columns, np.ones(1)),
    ):
        n_tiles = n_tiles * n_copies * (height > 0) * (width > 0)
        shelf, narrowing = (_halvings(part) for part in (height, width))
        width_taken = n_tiles * 0.5**narrowing
        area = area + width_taken * 0.5**shelf
        slot = (operators.design * _SHELVES + shelf.astype(np.intp)).ravel()
        shelf_widths += np.bincount(slot, width_taken, minlength=shelf_widths.size).reshape(shelf_widths.shape)
    heights = 0.5 ** np.arange(_SHELVES)
    n_crossbars = np.ceil(np.ceil(shelf_widths) @ heights)
    total_area = operators.total(area)
    packed: Floats = area * operators.each(np.divide(n_crossbars, total_area, where=total_area > 0, out=total_area))
    return packed


def _halvings(part: Floats) -> Floats:
    """How often 1 can be halved and still is at least `part`, which is at most 1; 0 where part is 0."""
    fraction, exponent = np.frexp(part)
    return np.asarray((fraction == 0.5) - exponent, dtype=np.float64) * (part > 0)


def per_design(values: object) -> Floats:
    """A field of a configuration as floats, (B,) or (1,)."""
    return np.atleast_1d(np.asarray(values, dtype=np.float64))


def n_arrays(config: PimConfig) -> Floats:
    """(B,) bitlines behind one conversion: 2 where pairs of them are subtracted, else 1; (1,) for a scalar config."""
    arrays: Floats = 1.0 + (np.atleast_1d(config.weight_encoding) == "differential")
    return arrays


def n_adcs(config: PimConfig) -> Floats:
    """(B,) ADCs of one crossbar, ceil(crossbar_size / columns_per_adc); (1,) for a scalar config."""
    adcs: Floats = np.ceil(per_design(config.crossbar_size) / per_design(config.columns_per_adc))
    return adcs
