"""What an ADC makes of a column sum: ranges, codes, and the bits that lose nothing.

An ADC reads a column sum p as step * code. Codes run from 0 to 2^a - 1 where column sums are unsigned, from
-(2^(a-1) - 1) to 2^(a-1) - 1 where they are signed. The largest sum that it resolves is its reach, a whole
number, and step = reach / largest code; a sum is a whole number of units, so no step is finer than one unit.

    full-scale  the largest sum that the driven wordlines could give, whatever the data
    unit-step   step = 1: exact as far as the codes go, saturating beyond
    k-sigma     |mean| + k standard deviations, for each pair of input and weight slice, from a profile of the
                layer; no more than full-scale, and never a finer step than unit-step, so the best of both

A sum is divided by the step, rounded to the nearest code, ties to even, and clamped. A signed 1-bit ADC is a
sense amplifier: it tells p >= 0 from p < 0 and reads half a reach, up or down. An unsigned one compares with
half a reach.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pimmodel.config import PimConfig, lossless_adc_bits
from pimmodel.numerics.encoding import Encoding, Floats, Ints

K_SIGMA = 4.0
"""Reach of a k-sigma ADC unless stated: 2 to 3 suit 3- and 4-bit converters better, 4 those of 6 bits and more."""


def required_adc_bits(chip: PimConfig) -> Ints:
    """ADC bits that lose nothing whatever the data, at any range policy: `lossless_adc_bits` of each chip.

    May exceed the 12 bits that a PimConfig's ADC can have.

    Args:
        chip: One configuration or a batch of B.

    Returns:
        () or (B,) bits.
    """
    return lossless_adc_bits(chip.n_active_wordlines, chip.dac_bits, chip.cell_bits, chip.weight_encoding)


def largest_code(adc_bits: ArrayLike, encoding: Encoding) -> Ints:
    """Steps between 0 and the reach; 1 for a sense amplifier, which reads plus or minus half a step."""
    bits = np.asarray(adc_bits, dtype=np.int64)
    return 2**bits - 1 if encoding == "isaac" else np.maximum(2 ** (bits - 1) - 1, 1)


def adc_reach(chip: PimConfig, encoding: Encoding, mean: Floats, std: Floats, k_sigma: float) -> Ints:
    """Largest column sum that the ADC of each chip resolves, for each pair of input and weight slice.

    Args:
        chip: B configurations, or one.
        encoding: How cells hold signed weights.
        mean, std: (S,) mean and standard deviation of column sums; used by k-sigma ranges alone.
        k_sigma: Standard deviations beyond the mean. A range always starts at 0, or is symmetric about it, so
            it spans |mean| + k_sigma * std.

    Returns:
        (B, S) whole numbers, at least the largest code.
    """
    policy = np.asarray(chip.adc_range).reshape(-1, 1)
    largest = largest_sum(chip).reshape(-1, 1)
    # Inversion keeps the sum of a column's cells at or under half of what they could hold.
    full_scale = np.maximum(largest // 2, 1) if encoding == "isaac" else largest
    steps = largest_code(chip.adc_bits, encoding).reshape(-1, 1)
    spread = np.ceil(np.abs(mean) + k_sigma * std).astype(np.int64)
    calibrated = np.where(policy == "k-sigma", np.minimum(spread, full_scale), 1)
    top = np.where(policy == "full-scale", full_scale, calibrated)
    return np.broadcast_to(np.maximum(top, steps), (len(chip), len(mean)))


def read_codes(sums: NDArray[Any], reach: NDArray[Any], adc_bits: ArrayLike, encoding: Encoding) -> NDArray[Any]:
    """Codes that ADCs give for column sums; a code is worth reach / largest_code.

    Args:
        sums: Column sums, whole numbers in a float array, which is overwritten. Codes are exact where
            reach * largest code and sum * largest code are below 2^24 in float32, 2^53 in float64.
        reach: Of each ADC; broadcasts against sums.
        adc_bits: Of each ADC; broadcasts against sums.
        encoding: How cells hold signed weights.

    Returns:
        Codes in the shape of sums: whole numbers, or -1/2 and 1/2 from a sense amplifier.
    """
    bits = np.asarray(adc_bits)
    steps = largest_code(bits, encoding).astype(sums.dtype)
    is_sense_amplifier = (bits == 1) & (encoding == "differential")
    is_up = sums >= 0 if is_sense_amplifier.any() else None
    if np.any(reach != steps):
        np.multiply(sums, steps, out=sums)
        np.divide(sums, reach.astype(sums.dtype), out=sums)
        np.rint(sums, out=sums)
    np.clip(sums, 0 if encoding == "isaac" else -steps, steps, out=sums)
    if is_up is not None:
        np.copyto(sums, np.where(is_up, 0.5, -0.5), where=is_sense_amplifier, casting="same_kind")
    return sums


def check_k_sigma(k_sigma: float) -> None:
    """Raises ValueError where k_sigma is not a positive, finite number."""
    if not 0 < k_sigma < np.inf:
        raise ValueError(f"k_sigma must be positive and finite, got {k_sigma}; {K_SIGMA} is usual")


def bit_length(values: ArrayLike) -> Ints:
    """Bits of non-negative integers, 0 for 0."""
    lengths: Ints = np.frexp(np.asarray(values, dtype=np.float64))[1].astype(np.int64)
    return lengths


def largest_sum(chip: PimConfig) -> Ints:
    """() or (B,) column sum of n_active_wordlines full cells at the highest input level."""
    n, d, c = (np.asarray(bits, dtype=np.int64) for bits in (chip.n_active_wordlines, chip.dac_bits, chip.cell_bits))
    return n * (2**d - 1) * (2**c - 1)
