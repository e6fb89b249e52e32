"""How products lie on crossbars, and the events one inference then takes.

Weights of in_features x out_features are cut into row tiles of crossbar_size wordlines; each weight
takes ceil(weight_bits / cell_bits) bitlines; bitlines fill column tiles. A crossbar belongs to one operator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pimmodel.components import Calibration, Floats, n_adcs
from pimmodel.config import PimConfig
from pimmodel.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Shapes:
    """Shape numbers of l operators of one kind, (l, B) or broadcastable; `Kind` says what they mean."""

    in_features: Floats
    out_features: Floats
    n_vectors: Floats
    weight_bits: Floats

    @classmethod
    def of(cls, workload: Workload, networks: slice, positions: NDArray[np.intp]) -> Shapes:
        """Those of the operators at `positions`, in the networks of a slice."""

        def table(array: NDArray[np.int64]) -> Floats:
            return np.ascontiguousarray(array[networks][:, positions].T, dtype=np.float64)

        return cls(
            in_features=table(workload.in_features),
            out_features=table(workload.out_features),
            n_vectors=table(workload.n_vectors),
            weight_bits=table(workload.weight_bits),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossbarWork:
    """Crossbars that products take and their events per inference, (l, B) each.

    Attributes:
        n_crossbars: Allocated, partly used ones included, all copies.
        n_used_cells: Cells that hold a weight slice, all copies.
        n_cells: Cells of one copy that hold a weight slice.
        n_conversions: Bitlines sampled and converted: every used one, once per cycle, row tile and
            wordline group.
        n_wordline_drives: Wordlines driven, once per cycle and column tile.
        n_cell_reads: Cells in a driven wordline and a used bitline, once per cycle.
        n_partial_sums: Outputs of every row tile.
        n_input_loads: Inputs copied to the crossbars: once per column tile.
        n_merges: Additions that merge row tiles.
        n_cycles: Cycles in turn: vectors per copy, input cycles and wordline groups.
        cycle_ns: Crossbar read or the conversions that take turns at one ADC, whichever is longer; the
            sample-and-hold lets the two overlap.
        n_rows_written: Wordlines of the fullest crossbar.
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
    cycle_ns: Floats
    n_rows_written: Floats


def crossbar_work(shapes: Shapes, n_copies: Floats, config: PimConfig, calibration: Calibration) -> CrossbarWork:
    """Map products onto crossbars and count what one inference does.

    Args:
        shapes: (l, B) stored matrices and input vectors; n_vectors is 0 where a product is absent.
        n_copies: (l, B) copies of the matrix, at most n_vectors.
        config: B configurations, or one.
        calibration: Read time and ADC rate.

    Source: ISAAC's mapping (Shafiee et al., ISCA 2016). A wordline group is driven, sampled and
    converted before the next: ceil(used wordlines / n_active_wordlines) groups in each row tile.
    Used bitlines are spread evenly over a crossbar's ADCs.
    """
    size, cell_bits, dac_bits, active, activation_bits = (
        np.atleast_1d(np.asarray(value, dtype=np.float64))
        for value in (
            config.crossbar_size,
            config.cell_bits,
            config.dac_bits,
            config.n_active_wordlines,
            config.activation_bits,
        )
    )
    n_in, n_out, n_vectors = shapes.in_features, shapes.out_features, shapes.n_vectors

    bitlines = n_out * np.ceil(shapes.weight_bits / cell_bits)
    row_tiles = np.ceil(n_in / size)
    column_tiles = np.ceil(bitlines / size)
    n_cells = n_in * bitlines

    full_row_tiles = np.floor(n_in / size)
    rest = n_in - full_row_tiles * size
    groups = full_row_tiles * np.ceil(size / active) + np.ceil(rest / active)
    rows = np.minimum(n_in, size)

    input_cycles = np.ceil(activation_bits / dac_bits)
    vector_cycles = n_vectors * input_cycles
    n_input_loads = n_in * column_tiles * n_vectors
    n_partial_sums = row_tiles * n_out * n_vectors

    columns_in_turn = np.ceil(np.minimum(bitlines, size) / n_adcs(config))
    return CrossbarWork(
        n_crossbars=row_tiles * column_tiles * n_copies,
        n_used_cells=n_cells * n_copies,
        n_cells=n_cells,
        n_conversions=vector_cycles * groups * bitlines,
        n_wordline_drives=n_input_loads * input_cycles,
        n_cell_reads=n_cells * vector_cycles,
        n_partial_sums=n_partial_sums,
        n_input_loads=n_input_loads,
        n_merges=n_partial_sums - n_out * n_vectors,
        n_cycles=np.ceil(n_vectors / np.maximum(n_copies, 1)) * input_cycles * np.ceil(rows / active),
        cycle_ns=np.maximum(
            calibration.read_ns_per_wordline * np.minimum(n_in, active),
            columns_in_turn / calibration.adc_samples_per_ns,
        ),
        n_rows_written=rows,
    )
