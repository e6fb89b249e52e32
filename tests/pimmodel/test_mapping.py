from __future__ import annotations

from dataclasses import dataclass, fields
from math import ceil, log2
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pimmodel import Operators, PimConfig
from pimmodel.mapping import CrossbarWork, crossbar_work, n_adcs


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A product of one design."""

    in_features: int
    out_features: int
    weight_bits: int = 8
    n_vectors: int = 1
    n_copies: int = 1


def mapped(matrices: list[Matrix], config: PimConfig) -> CrossbarWork:
    def each(name: str) -> NDArray[np.float64]:
        return np.array([getattr(matrix, name) for matrix in matrices], dtype=np.float64)

    operators = Operators(
        n_designs=1,
        design=np.zeros(len(matrices), dtype=np.intp),
        in_features=each("in_features"),
        out_features=each("out_features"),
        n_vectors=each("n_vectors"),
        weight_bits=each("weight_bits"),
    )
    return crossbar_work(operators, each("n_copies"), config)


def varied(config: PimConfig, **changes: Any) -> PimConfig:
    return PimConfig(**({field.name: getattr(config, field.name) for field in fields(config)} | changes))


def work(in_features: int, out_features: int, config: PimConfig, **numbers: int) -> CrossbarWork:
    return mapped([Matrix(in_features=in_features, out_features=out_features, **numbers)], config)


@pytest.mark.parametrize(
    ("in_features", "expected_crossbars", "expected_conversions"),
    [
        # ISAAC: a 16-bit weight is 8 cells; 128 x 128 weights fill the 8 crossbars of an IMA, and each of
        # 8 input cycles converts 1024 bitlines
        pytest.param(128, 8, 8 * 1024, id="one-IMA"),
        pytest.param(129, 16, 8 * 2048, id="second-row-of-tiles"),
        pytest.param(256, 16, 8 * 2048, id="second-row-of-tiles-full"),
        pytest.param(1, 8, 8 * 1024, id="one-wordline-converts-as-many"),
    ],
)
def test_tiles_and_conversions(in_features: int, expected_crossbars: int, expected_conversions: int) -> None:
    counts = work(in_features, 128, PimConfig(), weight_bits=16)
    assert counts.n_crossbars.item() == expected_crossbars
    assert counts.n_conversions.item() == expected_conversions


def test_counts_by_hand() -> None:
    # 200 x 10 weights of 5 bits in 2-bit cells: 3 slices, 30 bitlines; 64 x 64 crossbars: 4 x 1 tiles, the
    # last of 8 wordlines. Groups of 24: 3 + 3 + 3 + 1. 6-bit inputs by 4-bit DACs: 2 cycles.
    config = PimConfig(crossbar_size=64, columns_per_adc=16, n_active_wordlines=24, activation_bits=6, dac_bits=4)
    counts = work(200, 10, config, n_vectors=5, weight_bits=5, n_copies=2)
    assert counts.n_crossbars.item() == 4 * 2
    assert counts.n_cells.item() == 200 * 30
    assert counts.n_used_cells.item() == 200 * 30 * 2
    assert counts.n_conversions.item() == 5 * 2 * 10 * 30
    assert counts.n_wordline_drives.item() == 5 * 2 * 200
    assert counts.n_cell_reads.item() == 5 * 2 * 200 * 30
    assert counts.n_partial_sums.item() == 5 * 4 * 10
    assert counts.n_merges.item() == 5 * 3 * 10
    assert counts.n_input_loads.item() == 5 * 200
    assert counts.n_cycles.item() == 3 * 2 * 3  # vectors per copy, input cycles, groups
    assert counts.n_in_turn.item() == 8  # 30 bitlines over 4 ADCs
    assert counts.n_driven.item() == 24


def test_unused_columns_are_not_converted() -> None:
    # 4 outputs of 4 slices: 16 of the 128 columns
    counts = work(16, 4, PimConfig())
    assert counts.n_conversions.item() == 8 * 16
    assert counts.n_in_turn.item() == 16
    assert counts.n_driven.item() == 16


@pytest.mark.parametrize(
    ("in_features", "n_active_wordlines", "expected_groups"),
    [
        # 64 wordlines: rows 64 + 64 + 8
        pytest.param(136, 64, 3, id="a-group-per-row-tile"),
        pytest.param(136, 32, 2 + 2 + 1, id="rest-fits-one"),
        pytest.param(136, 63, 2 + 2 + 1, id="one-wordline-left-over"),
        pytest.param(136, 5, 13 + 13 + 2, id="by-fives"),
        pytest.param(136, 1, 136, id="one-by-one"),
        pytest.param(40, 16, 3, id="unused-wordlines-make-no-group"),
    ],
)
def test_wordline_groups(in_features: int, n_active_wordlines: int, expected_groups: int) -> None:
    config = PimConfig(crossbar_size=64, columns_per_adc=64, n_active_wordlines=n_active_wordlines)
    counts = work(in_features, 10, config, n_vectors=3)
    assert counts.n_conversions.item() == 3 * 8 * expected_groups * 40
    # row tiles work side by side: time follows the fullest
    assert counts.n_cycles.item() == 3 * 8 * ceil(min(in_features, 64) / n_active_wordlines)
    # however they are grouped, each wordline is driven and each cell read once per cycle
    assert counts.n_wordline_drives.item() == 3 * 8 * in_features
    assert counts.n_cell_reads.item() == 3 * 8 * in_features * 40


def test_differential_by_hand() -> None:
    # 200 x 20 weights of 5 bits: 60 pairs of bitlines on 2 x 60 of 64 a crossbar: 2 column tiles, not 1. A crossbar
    # holds 32 pairs, 8 for each of its 4 ADCs; without pairs 60 bitlines are 15 for each.
    chip = PimConfig(crossbar_size=64, columns_per_adc=16, n_active_wordlines=24, activation_bits=6, dac_bits=4)
    single, pairs = (
        work(200, 20, varied(chip, weight_encoding=encoding), n_vectors=5, weight_bits=5, n_copies=2)
        for encoding in ("isaac", "differential")
    )
    assert (single.n_crossbars.item(), pairs.n_crossbars.item()) == (4 * 2, 4 * 2 * 2)
    assert (single.n_in_turn.item(), pairs.n_in_turn.item()) == (15, 8)
    assert pairs.n_cells.item() == 200 * 120
    assert pairs.n_used_cells.item() == 200 * 120 * 2
    assert pairs.n_cell_reads.item() == 5 * 2 * 200 * 120
    assert pairs.n_conversions.item() == single.n_conversions.item() == 5 * 2 * 10 * 60
    assert (single.n_wordline_drives.item(), pairs.n_wordline_drives.item()) == (2000, 4000)  # once per column tile
    assert (single.n_input_loads.item(), pairs.n_input_loads.item()) == (1000, 2000)
    assert pairs.n_merges.item() == single.n_merges.item() == 5 * 3 * 20
    assert pairs.n_cycles.item() == single.n_cycles.item()


def test_columns_that_do_not_divide_take_another_adc() -> None:
    assert n_adcs(PimConfig(columns_per_adc=np.array([100, 128, 1]))).tolist() == [2, 1, 128]


def test_extreme_chips() -> None:
    # an ADC for each bitline of the smallest crossbar: 1000 x 7 one-bit weights on 125 x 1 of them, none waits
    small = work(1000, 7, PimConfig(crossbar_size=8, columns_per_adc=1, n_active_wordlines=8), weight_bits=1)
    assert small.n_crossbars.item() == 125
    assert small.n_in_turn.item() == 1
    # the largest by one ADC, wordlines one by one, 16-bit inputs: 4 slices of 10^9 rows
    chip = PimConfig(crossbar_size=1024, columns_per_adc=1024, n_active_wordlines=1, activation_bits=16)
    large = work(10**9, 1000, chip)
    assert large.n_crossbars.item() == ceil(10**9 / 1024) * 4
    assert large.n_conversions.item() == 16 * 10**9 * 4000
    assert large.n_cycles.item() == 16 * 1024
    assert large.n_in_turn.item() == 1024


def test_no_products() -> None:
    for execution in ("pipelined", "layer-by-layer"):
        counts = mapped([], PimConfig(execution=execution))
        assert all(getattr(counts, field.name).size == 0 for field in fields(counts))


@st.composite
def chips(draw: st.DrawFn, /, **fixed: Any) -> PimConfig:
    size = draw(st.sampled_from([8, 16, 32, 1024]))
    values: dict[str, Any] = {
        "crossbar_size": size,
        "cell_bits": draw(st.integers(1, 4)),
        "columns_per_adc": draw(st.integers(1, size)),
        "n_active_wordlines": draw(st.integers(1, size)),
        "weight_encoding": draw(st.sampled_from(["isaac", "differential"])),
    }
    return PimConfig(**(values | fixed))


MATRICES = st.lists(
    st.builds(
        Matrix,
        in_features=st.integers(1, 70),
        out_features=st.integers(1, 40),
        weight_bits=st.integers(1, 9),
        n_vectors=st.just(3),
        n_copies=st.integers(1, 3),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60)
@given(matrices=MATRICES, config=chips())
def test_pairs_double_cells_and_never_conversions(matrices: list[Matrix], config: PimConfig) -> None:
    single, pairs = (mapped(matrices, varied(config, weight_encoding=name)) for name in ("isaac", "differential"))
    for name in ("n_cells", "n_used_cells", "n_cell_reads"):
        assert np.array_equal(getattr(pairs, name), 2 * getattr(single, name))
    for name in ("n_conversions", "n_cycles", "n_merges", "n_partial_sums", "n_driven"):
        assert np.array_equal(getattr(pairs, name), getattr(single, name))
    assert np.all(pairs.n_in_turn <= single.n_in_turn)
    assert np.all(pairs.n_crossbars >= single.n_crossbars)
    assert np.all(pairs.n_crossbars <= 2 * single.n_crossbars)


def test_packing_by_hand() -> None:
    # Crossbars of 128. A, 296 x 160: 2 full crossbars, right edges 1 x 1/4 twice, lower edge 40/128 -> 1/2 x 1, corner
    # 1/2 x 1/4. B, 20 x 100: 1/4 x 1. C, 64 x 64 twice: 1/2 x 1/2. Shelves of height 1: 2 + 2/4 -> 3; of 1/2:
    # 1 + 1/4 + 2/2 -> 3; of 1/4: 1. Crossbars: 3 + 3/2 + 1/4 -> 5, where 6 + 1 + 2 = 9 stand alone.
    chip = PimConfig(cell_bits=4, execution="layer-by-layer")
    matrices = [
        Matrix(in_features=296, out_features=160, weight_bits=4),
        Matrix(in_features=20, out_features=100, weight_bits=4),
        Matrix(in_features=64, out_features=64, weight_bits=4, n_vectors=3, n_copies=2),
    ]
    areas = np.array([2 + 2 / 4 + 1 / 2 + 1 / 8, 1 / 4, 2 / 4])
    assert mapped(matrices, chip).n_crossbars == pytest.approx(5 * areas / areas.sum())
    assert mapped(matrices, varied(chip, execution="pipelined")).n_crossbars.tolist() == [6, 1, 2]


def pieces(extent: int, size: int) -> list[int]:
    """Lengths of the tiles along one side of a matrix."""
    return [min(size, extent - start) for start in range(0, extent, size)]


def crossbars_of_a_real_placement(matrices: list[Matrix], config: PimConfig) -> tuple[int, int]:
    """Puts every tile of every copy on a grid of cells; the crossbars that takes, and the cells that hold data."""
    size, cell_bits = int(config.crossbar_size), int(config.cell_bits)
    bitlines_per_slice = 2 if config.weight_encoding == "differential" else 1
    tiles = [
        (rows, columns)
        for matrix in matrices
        for rows in pieces(matrix.in_features, size)
        for columns in pieces(
            matrix.out_features * ceil(matrix.weight_bits / cell_bits) * bitlines_per_slice,
            size,
        )
        for _ in range(matrix.n_copies)
    ]
    grid = np.zeros((len(tiles), size, size), dtype=np.bool_)
    fill = [0] * len(tiles)  # wordlines of each crossbar given to shelves
    shelves: list[list[int]] = []  # crossbar, first wordline, height, first free bitline
    for rows, columns in sorted(tiles, key=lambda tile: [-(2 ** ceil(log2(side))) for side in tile]):
        height, width = (2 ** ceil(log2(side)) for side in (rows, columns))
        shelf = next((shelf for shelf in shelves if shelf[2] == height and shelf[3] + width <= size), None)
        if shelf is None:
            crossbar = next(index for index, used in enumerate(fill) if used + height <= size)
            shelf = [crossbar, fill[crossbar], height, 0]
            fill[crossbar] += height
            shelves.append(shelf)
        crossbar, top, _, left = shelf
        cells = grid[crossbar, top : top + rows, left : left + columns]
        assert cells.shape == (rows, columns)
        assert not cells.any()  # nothing lies there yet
        cells[:] = True
        shelf[3] += width
    return int(np.count_nonzero(fill)), int(np.count_nonzero(grid))


@settings(max_examples=60)
@given(matrices=MATRICES, size=st.sampled_from([8, 16, 32]), config=chips())
def test_packing_is_a_placement_that_exists(matrices: list[Matrix], size: int, config: PimConfig) -> None:
    chip = varied(config, crossbar_size=size, columns_per_adc=1, n_active_wordlines=1, execution="layer-by-layer")
    counts = mapped(matrices, chip)
    n_crossbars, n_cells = crossbars_of_a_real_placement(matrices, chip)
    assert counts.n_crossbars.sum() == pytest.approx(n_crossbars)
    assert counts.n_used_cells.sum() == n_cells


@settings(max_examples=60)
@given(matrices=MATRICES, config=chips(), order=st.randoms(use_true_random=False))
def test_packing_is_between_the_cells_and_a_crossbar_each(
    matrices: list[Matrix], config: PimConfig, order: Any
) -> None:
    packed, apart = (mapped(matrices, varied(config, execution=name)) for name in ("layer-by-layer", "pipelined"))
    n_crossbars = round(packed.n_crossbars.sum())
    assert packed.n_crossbars.sum() == pytest.approx(n_crossbars)
    assert ceil(packed.n_used_cells.sum() / int(config.crossbar_size) ** 2) <= n_crossbars <= apart.n_crossbars.sum()
    for field in fields(packed):
        if field.name != "n_crossbars":
            assert np.array_equal(getattr(packed, field.name), getattr(apart, field.name))
    shuffled = order.sample(range(len(matrices)), len(matrices))
    again = mapped([matrices[index] for index in shuffled], varied(config, execution="layer-by-layer"))
    assert np.array_equal(again.n_crossbars, packed.n_crossbars[shuffled])


def test_each_design_packs_its_own() -> None:
    # a quarter of a crossbar each: three of design 0 share one, design 1 has one for itself, design 2 runs pipelined
    operators = Operators(
        n_designs=3,
        design=np.array([0, 1, 0, 2, 0, 2]),
        in_features=np.full(6, 64.0),
        out_features=np.full(6, 16.0),
        n_vectors=np.ones(6),
        weight_bits=np.full(6, 8.0),
    )
    config = PimConfig(execution=np.array(["layer-by-layer", "layer-by-layer", "pipelined"]))
    n_crossbars = crossbar_work(operators, np.ones(1), config).n_crossbars
    assert n_crossbars == pytest.approx(np.array([1 / 3, 1, 1 / 3, 1, 1 / 3, 1]))
