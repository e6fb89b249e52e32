"""Slices and cells give back the integers that went in, and drive and hold nothing that hardware cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimmodel import PimConfig
from pimmodel.numerics.encoding import InputSlices, ProductFormat, StoredCells, check_one, wordline_groups

laws = settings(max_examples=60)


def product_format(**changes: Any) -> ProductFormat:
    values: dict[str, Any] = {"activation_bits": 8, "weight_bits": 8, "is_signed": False, "encoding": "isaac"}
    return ProductFormat(**(values | changes))


formats = st.builds(
    ProductFormat,
    activation_bits=st.integers(1, 16),
    weight_bits=st.integers(2, 16),
    is_signed=st.booleans(),
    encoding=st.sampled_from(["isaac", "differential"]),
)


@pytest.mark.parametrize(
    ("n_in", "crossbar_size", "n_active_wordlines", "expected"),
    [
        pytest.param(128, 128, 128, [(0, 128)], id="one-full-crossbar"),
        pytest.param(33, 128, 128, [(0, 33)], id="narrow-layer"),
        pytest.param(33, 32, 32, [(0, 32), (32, 33)], id="second-row-tile"),
        pytest.param(70, 64, 48, [(0, 48), (48, 64), (64, 70)], id="a-group-ends-with-its-tile"),
    ],
)
def test_wordline_groups(
    n_in: int, crossbar_size: int, n_active_wordlines: int, expected: list[tuple[int, int]]
) -> None:
    groups = wordline_groups(n_in, crossbar_size, n_active_wordlines)
    assert [(group.start, group.stop) for group in groups] == expected


@laws
@given(words=formats, dac_bits=st.integers(1, 8), seed=st.integers(0, 2**16))
def test_levels_make_up_the_inputs(words: ProductFormat, dac_bits: int, seed: int) -> None:
    top = 2**words.activation_bits
    low, high = (-top // 2, top // 2) if words.is_signed else (0, top)
    ends = np.array([[low, high - 1, 0]])
    x = np.concatenate([ends, np.random.default_rng(seed).integers(low, high, (5, 3))])
    slices = InputSlices.of(words, dac_bits)
    levels = slices.levels(x)
    assert len(levels) == -(-words.activation_bits // dac_bits)
    assert levels.min() >= 0
    assert np.all(levels < slices.n_levels[:, None, None])
    assert slices.n_levels.max() <= 2**dac_bits
    np.testing.assert_array_equal(np.tensordot(slices.place, levels, axes=1) + slices.offset, x)


def test_levels_of_signed_inputs_by_hand() -> None:
    x = np.array([[-8, -1, 0, 7]])
    # 4-bit two's complement: -8 = 1000, -1 = 1111, 0 = 0000, 7 = 0111; the sign bit counts -8.
    one_bit = InputSlices.of(product_format(activation_bits=4, is_signed=True), 1)
    np.testing.assert_array_equal(one_bit.levels(x)[:, 0], [[0, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 1], [1, 1, 0, 0]])
    np.testing.assert_array_equal(one_bit.place, [1, 2, 4, -8])
    assert one_bit.offset == 0
    # 2-bit DACs: the top slice -2, -1, 0, 1 is driven as 1 - it, so it counts -4 and logic adds 4.
    two_bit = InputSlices.of(product_format(activation_bits=4, is_signed=True), 2)
    np.testing.assert_array_equal(two_bit.levels(x)[:, 0], [[0, 3, 0, 3], [3, 2, 1, 0]])
    np.testing.assert_array_equal(two_bit.place, [1, -4])
    assert two_bit.offset == 4


@laws
@given(words=formats, cell_bits=st.integers(1, 4), n_rows=st.integers(1, 12), seed=st.integers(0, 2**16))
def test_cells_make_up_the_weights(words: ProductFormat, cell_bits: int, n_rows: int, seed: int) -> None:
    top = 2 ** (words.weight_bits - 1)
    low = 1 - top if words.is_differential else -top
    w = np.random.default_rng(seed).integers(low, top, (n_rows, 6))
    w[:, 0], w[:, 1] = low, top - 1
    stored = StoredCells.of(w, words, cell_bits)
    assert len(stored.cells) == words.n_weight_slices(cell_bits)
    assert np.abs(stored.cells).max() < 2**cell_bits
    if words.is_differential:
        assert np.all(stored.cells * w >= 0)  # a weight's cells lie in the array of its sign
    else:
        assert stored.cells.min() >= 0
        assert stored.cells.sum(axis=1).max() <= n_rows * (2**cell_bits - 1) // 2  # what inversion is for
    signed = stored.cells * stored.sign[:, None]
    np.testing.assert_array_equal(np.tensordot(stored.place, signed, axes=1) + stored.offset, w)


def test_isaac_inverts_by_hand() -> None:
    # 2-bit weights in 2-bit cells hold w + 2. Column 0: 3, 3, 0 sum to 6 of 9, above half: stored as 0, 0, 3.
    # Column 1: 2, 2, 0 sum to 4, below half.
    stored = StoredCells.of(np.array([[1, 0], [1, 0], [-2, -2]]), product_format(weight_bits=2), 2)
    np.testing.assert_array_equal(stored.cells, [[[0, 2], [0, 2], [3, 0]]])
    np.testing.assert_array_equal(stored.sign, [[-1, 1]])
    np.testing.assert_array_equal(stored.offset, [3 - 2, -2])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"activation_bits": 0}, ValueError, "activation_bits must be between 1 and 16, got 0"),
        ({"activation_bits": 7.5}, TypeError, "activation_bits must be an int, got 7.5"),
        ({"weight_bits": 1}, ValueError, "weight_bits must be between 2 and 16, got 1"),
        ({"weight_bits": -8}, ValueError, "weight_bits must be between 2 and 16, got -8"),
        ({"weight_bits": True}, TypeError, "weight_bits must be an int, got True"),
        ({"is_signed": 1}, TypeError, "is_signed must be True or False, got 1"),
        ({"encoding": "offset"}, ValueError, "unknown encoding 'offset'; choices are 'isaac', 'differential'"),
    ],
)
def test_wrong_formats(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        product_format(**changes)


@pytest.mark.parametrize(
    ("x", "w", "changes", "error", "message"),
    [
        ([[0.5]], [[1]], {}, TypeError, "x must hold integers, got float64; quantise it first"),
        ([[1]], [[1.0]], {}, TypeError, "w must hold integers, got float64"),
        ([1, 2], [[1], [2]], {}, ValueError, r"x must have shape \(n, in\), got \(2,\)"),
        ([[1, 2]], [[[1]]], {}, ValueError, r"w must have shape \(in, out\), got \(1, 1, 1\)"),
        ([[1, 2]], [[1]], {}, ValueError, "x has 2 inputs, w has 1 rows; the two must agree"),
        (np.zeros((3, 0), int), np.zeros((0, 2), int), {}, ValueError, "w must have at least one row and one column"),
        ([[256]], [[1]], {}, ValueError, "x must be between 0 and 255 for 8-bit unsigned inputs, got 256 to 256"),
        ([[-1]], [[1]], {}, ValueError, "x must be between 0 and 255 for 8-bit unsigned inputs, got -1 to -1"),
        ([[128]], [[1]], {"is_signed": True}, ValueError, "x must be between -128 and 127 for 8-bit signed inputs"),
        ([[1]], [[128]], {}, ValueError, "w must be between -128 and 127 for 8-bit isaac weights, got 128 to 128"),
        ([[1]], [[-128]], {"encoding": "differential"}, ValueError, "w must be between -127 and 127 for 8-bit diff"),
    ],
)
def test_wrong_integers(x: Any, w: Any, changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        product_format(**changes).integers(x, w)


def test_one_chip_is_asked_for() -> None:
    check_one(PimConfig())
    with pytest.raises(ValueError, match=r"one chip is needed here, got a batch of 2; pick one with take\(i\)"):
        check_one(PimConfig(adc_bits=np.array([6, 8])))
