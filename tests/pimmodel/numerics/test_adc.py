"""Published ADC bits, and ranges and codes by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pimmodel import PimConfig
from pimmodel.numerics.adc import adc_reach, bit_length, check_k_sigma, largest_code, read_codes, required_adc_bits
from pimmodel.numerics.encoding import Encoding

NO_SLICES: NDArray[np.float64] = np.zeros(1)


@pytest.mark.parametrize(
    ("n", "dac_bits", "cell_bits", "isaac", "differential"),
    [
        # ISAAC (ISCA 2016), section V: 128 rows, 1-bit DACs and 2-bit cells need 9 bits, 8 with inversion.
        # An unsigned column sums to 128 * 3 = 384 < 2^9; the sign of a differential pair takes a tenth bit.
        pytest.param(128, 1, 2, 8, 10, id="ISAAC"),
        pytest.param(128, 1, 1, 7, 9, id="128-of-1"),  # 128 takes 8 bits
        pytest.param(128, 2, 2, 10, 12, id="128-of-9"),  # 1152 takes 11 bits
        pytest.param(127, 1, 1, 6, 8, id="127-of-1"),  # 127 takes 7 bits
        pytest.param(1, 1, 1, 1, 2, id="one-cell"),
    ],
)
def test_required_adc_bits(n: int, dac_bits: int, cell_bits: int, isaac: int, differential: int) -> None:
    chip = PimConfig(n_active_wordlines=n, dac_bits=dac_bits, cell_bits=cell_bits)
    assert required_adc_bits(chip) == isaac
    assert required_adc_bits(replace(chip, weight_encoding="differential")) == differential


def test_required_adc_bits_of_a_batch() -> None:
    chips = PimConfig(cell_bits=np.array([1, 2, 2]), dac_bits=np.array([1, 1, 2]))
    np.testing.assert_array_equal(required_adc_bits(chips), [7, 8, 10])
    np.testing.assert_array_equal(required_adc_bits(replace(chips, weight_encoding="differential")), [9, 10, 12])


@given(st.integers(0, 2**40))
def test_bit_length(value: int) -> None:
    assert bit_length(value) == value.bit_length()


@pytest.mark.parametrize(
    ("adc_bits", "encoding", "expected"),
    [(1, "isaac", 1), (8, "isaac", 255), (1, "differential", 1), (2, "differential", 1), (8, "differential", 127)],
)
def test_largest_code(adc_bits: int, encoding: Encoding, expected: int) -> None:
    assert largest_code(adc_bits, encoding) == expected


@pytest.mark.parametrize(
    ("adc_range", "adc_bits", "encoding", "expected"),
    [
        # 128 wordlines, 1-bit DAC, 2-bit cells: 384 at most, 192 where columns are inverted.
        pytest.param("full-scale", 6, "differential", 384, id="full-scale"),
        pytest.param("full-scale", 6, "isaac", 192, id="full-scale-inverted"),
        pytest.param("full-scale", 10, "differential", 511, id="no-step-below-one-unit"),
        pytest.param("unit-step", 6, "differential", 31, id="unit-step"),
        pytest.param("unit-step", 6, "isaac", 63, id="unit-step-unsigned"),
        pytest.param("k-sigma", 6, "differential", 44, id="k-sigma"),  # |-3.5| + 4 * 10 = 43.5
        pytest.param("k-sigma", 7, "differential", 63, id="k-sigma-no-step-below-one-unit"),
    ],
)
def test_adc_reach(adc_range: str, adc_bits: int, encoding: Encoding, expected: int) -> None:
    chip = PimConfig(adc_range=adc_range, adc_bits=adc_bits)
    reach = adc_reach(chip, encoding, np.array([-3.5]), np.array([10.0]), 4.0)
    np.testing.assert_array_equal(reach, [[expected]])


def test_k_sigma_never_reaches_beyond_full_scale() -> None:
    chip = PimConfig(adc_range="k-sigma", adc_bits=4)
    np.testing.assert_array_equal(adc_reach(chip, "differential", NO_SLICES, np.array([1e4]), 4.0), [[384]])


def test_adc_reach_of_a_batch() -> None:
    chips = PimConfig(adc_range=np.array(["full-scale", "unit-step", "k-sigma"]), adc_bits=6)
    reach = adc_reach(chips, "isaac", np.array([10.0, 0.0]), np.array([20.0, 1.0]), 4.0)
    np.testing.assert_array_equal(reach, [[192, 192], [63, 63], [90, 63]])


@pytest.mark.parametrize(
    ("adc_bits", "encoding", "reach", "sums", "expected"),
    [
        # 3 bits, signed: codes -3 to 3, one unit each.
        pytest.param(3, "differential", 3, [-9, -3, -1, 0, 2, 4], [-3, -3, -1, 0, 2, 3], id="unit-step-saturates"),
        # A reach of 12 makes steps of 4: 2 and 6 lie half-way, ties go to the even code.
        pytest.param(
            3, "differential", 12, [-13, -6, -2, 1, 2, 3, 6, 12], [-3, -2, 0, 0, 0, 1, 2, 3], id="ties-to-even"
        ),
        pytest.param(2, "isaac", 3, [0, 1, 3, 7], [0, 1, 3, 3], id="unsigned"),
        # Steps of 128/7: 64 is 3.5 steps, an exact tie that 64 / (128/7) in floats would miss.
        pytest.param(4, "differential", 128, [64, 63, -64], [4, 3, -4], id="exact-tie-of-a-fractional-step"),
        pytest.param(1, "differential", 10, [-7, -1, 0, 9], [-0.5, -0.5, 0.5, 0.5], id="sense-amplifier"),
        pytest.param(1, "isaac", 10, [0, 4, 5, 6, 99], [0, 0, 0, 1, 1], id="unsigned-comparator"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_read_codes(
    adc_bits: int, encoding: Encoding, reach: int, sums: list[int], expected: list[float], dtype: type[np.floating]
) -> None:
    codes = read_codes(np.array(sums, dtype=dtype), np.array([reach]), adc_bits, encoding)
    assert codes.dtype == dtype
    np.testing.assert_array_equal(codes, expected)


def test_read_codes_of_several_adcs() -> None:
    sums = np.full((3, 2), [5.0, -5.0])
    codes = read_codes(sums, np.array([[8], [1], [7]]), np.array([[1], [2], [4]]), "differential")
    np.testing.assert_array_equal(codes, [[0.5, -0.5], [1, -1], [5, -5]])


@pytest.mark.parametrize("k_sigma", [0.0, -1.0, np.nan, np.inf])
def test_wrong_k_sigma(k_sigma: float) -> None:
    with pytest.raises(ValueError, match="k_sigma must be positive and finite"):
        check_k_sigma(k_sigma)
