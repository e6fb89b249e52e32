"""The product that a chip computes, slice by slice, in exact integers.

Column sums are whole numbers, so the BLAS multiplies them exactly in float32 and float64 as long as every
intermediate stays below 2^24 and 2^53. The cells tell how large a column's sum can get, and where they leave
room, the cells of several weight slices are packed into one float32 and share a matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pimmodel.config import PimConfig
from pimmodel.numerics.adc import K_SIGMA, adc_reach, bit_length, check_k_sigma, largest_code, largest_sum, read_codes
from pimmodel.numerics.encoding import (
    Floats,
    Floats32,
    InputSlices,
    Ints,
    ProductFormat,
    StoredCells,
    check_encoding,
    check_one,
    wordline_groups,
)
from pimmodel.numerics.profile import ProductProfile, profile_product

SQNR_CAP_DB = 99.0
"""The most that `sqnr_db` gives: a product without loss has no finite ratio."""

_FLOAT32_INTEGERS = 2**24  # whole numbers below it are exact in float32, and so are their sums that stay below
_CHUNK = 2**17  # column sums of one weight slice at a time: 512 KiB in float32 stay in a core's cache


def exact_product(
    x: ArrayLike,
    w: ArrayLike,
    chip: PimConfig,
    *,
    weight_bits: int = 8,
    is_signed: bool = False,
    k_sigma: float = K_SIGMA,
    profile: ProductProfile | None = None,
) -> Floats:
    """x @ w as the crossbars and ADCs of a chip compute it.

    In each wordline group, every input slice drives every weight slice, an ADC reads each column sum, and
    logic shifts and adds the codes without loss. Equal to x @ w bit for bit where the ADC has
    `required_adc_bits`.

    Args:
        x: (n, in) quantised inputs.
        w: (in, out) quantised weights.
        chip: One configuration; adc_range sets the ADC's range, weight_encoding how cells hold signed weights,
            activation_bits are the bits of x.
        weight_bits: Bits of one weight, 2 to 16.
        is_signed: Inputs are two's complement rather than unsigned.
        k_sigma: Reach of a k-sigma ADC, in standard deviations.
        profile: The layer's profile that sets k-sigma ranges; if None, one made of x and w.

    Returns:
        (n, out) products, in units of x @ w.

    Raises:
        TypeError: x or w does not hold integers.
        ValueError: shapes disagree, values do not fit their bits, the chip is a batch, k_sigma is not positive,
            or the profile is of other words or another number of inputs.

    Left out: noise, drift and spread of devices, resistance of wires, non-linear converters.
    Memory: three times the result, and the cells of one wordline group; x is taken in chunks of rows.
    """
    words, inputs, matrix = _checked(x, w, chip, weight_bits, is_signed)
    check_k_sigma(k_sigma)
    slices = InputSlices.of(words, int(chip.dac_bits))
    reach = _reach(words, inputs, matrix, chip, k_sigma, profile).reshape(len(slices.place), -1)
    steps = int(largest_code(chip.adc_bits, words.encoding))
    is_narrow = np.all(reach == steps) or max(int(largest_sum(chip)), int(reach.max())) * steps < _FLOAT32_INTEGERS
    weights = [_code_weights(slices.place * (column / column[0]), steps) for column in reach.T]

    result = np.zeros((len(inputs), matrix.shape[1]))
    for group in _groups(len(matrix), chip):
        x_group, w_group = inputs[:, group], matrix[group]
        cells = StoredCells.of(w_group, words, int(chip.cell_bits))
        driven = x_group.sum(axis=1) - len(w_group) * slices.offset  # levels times their places, all rows
        result += np.outer(driven, cells.offset) + slices.offset * w_group.sum(axis=0)
        units = (reach[0] / steps * cells.place)[:, None] * cells.sign
        for rows, j, sums in _column_sums(x_group, slices, cells):
            wide: NDArray[Any] = sums if is_narrow else sums.astype(np.float64)
            codes = read_codes(wide, reach[:, j, None, None], chip.adc_bits, words.encoding)
            total = weights[j] @ codes.reshape(len(codes), -1).astype(weights[j].dtype, copy=False)
            result[rows] += total.reshape(codes.shape[1:]) * units[j]
    return result


def exact_products(
    x: ArrayLike,
    w: ArrayLike,
    chip: PimConfig,
    *,
    weight_bits: int = 8,
    is_signed: bool = False,
    k_sigma: float = K_SIGMA,
    profile: ProductProfile | None = None,
) -> Floats:
    """`exact_product` of each of N small pairs, such as products of two activations, all at once.

    Args:
        x: (N, n, in) quantised inputs.
        w: (N, in, out) quantised weights, each in cells of its own.
        chip, weight_bits, is_signed, k_sigma: See `exact_product`.
        profile: Sets k-sigma ranges, the same for all pairs; if None, one of all x and all w.

    Returns:
        (N, n, out) products, in units of x @ w.

    Raises:
        TypeError, ValueError: As `exact_product`, or there are not as many x as w.
    """
    x, w = np.asarray(x), np.asarray(w)
    if x.ndim != 3 or w.ndim != 3 or len(x) != len(w):
        raise ValueError(f"x and w must have shapes (N, n, in) and (N, in, out), got {x.shape} and {w.shape}")
    n_pairs, n_out = len(w), w.shape[2]
    words, inputs, matrix = _checked(
        x.reshape(-1, x.shape[2]), w.swapaxes(0, 1).reshape(w.shape[1], -1), chip, weight_bits, is_signed
    )
    check_k_sigma(k_sigma)
    slices = InputSlices.of(words, int(chip.dac_bits))
    reach = _reach(words, inputs, matrix, chip, k_sigma, profile).reshape(len(slices.place), -1)
    steps = int(largest_code(chip.adc_bits, words.encoding))
    is_narrow = np.all(reach == steps) or max(int(largest_sum(chip)), int(reach.max())) * steps < _FLOAT32_INTEGERS
    inputs, weights = inputs.reshape(x.shape), matrix.reshape(w.shape[1], n_pairs, n_out)

    result = np.zeros((*x.shape[:2], n_out))
    chunk = max(1, 8 * _CHUNK // (reach.size * x.shape[1] * n_out))
    for start in range(0, n_pairs, chunk):
        pairs = slice(start, min(start + chunk, n_pairs))
        n_here = pairs.stop - pairs.start
        for group in _groups(len(weights), chip):
            x_group, w_group = inputs[pairs, :, group], weights[group, pairs]
            cells = StoredCells.of(w_group.reshape(len(w_group), -1), words, int(chip.cell_bits))
            driven = x_group.sum(axis=2) - len(w_group) * slices.offset
            result[pairs] += driven[:, :, None] * cells.offset.reshape(n_here, 1, n_out)
            result[pairs] += slices.offset * w_group.sum(axis=0)[:, None]
            held = cells.cells.reshape(-1, len(w_group), n_here, n_out).transpose(2, 1, 0, 3)
            sums = slices.levels(x_group) @ held.reshape(n_here, len(w_group), -1)
            wide: NDArray[Any] = (sums if is_narrow else sums.astype(np.float64)).reshape(*sums.shape[:3], -1, n_out)
            codes = read_codes(wide, reach[:, None, None, :, None], chip.adc_bits, words.encoding)
            worth = slices.place[:, None] * (reach / steps) * cells.place
            signs = cells.sign.reshape(-1, n_here, n_out)
            for j in range(len(cells.place)):
                total = worth[:, j] @ codes[:, :, :, j].reshape(len(codes), -1)
                result[pairs] += total.reshape(n_here, -1, n_out) * signs[j][:, None]
    return result


def observed_adc_bits(
    x: ArrayLike,
    w: ArrayLike,
    chip: PimConfig,
    *,
    weight_bits: int = 8,
    is_signed: bool = False,
) -> int:
    """ADC bits with which a unit-step ADC loses nothing on these inputs.

    Set by the largest column sum that x meets, so often two or three bits below `required_adc_bits`; other
    inputs may need more. The chip's own ADC does not matter.

    Args, Raises: As `exact_product`.
    """
    words, inputs, weights = _checked(x, w, chip, weight_bits, is_signed)
    slices = InputSlices.of(words, int(chip.dac_bits))
    largest = 0
    for group in _groups(len(weights), chip):
        cells = StoredCells.of(weights[group], words, int(chip.cell_bits))
        for _, _, sums in _column_sums(inputs[:, group], slices, cells):
            largest = max(largest, int(np.abs(sums).max(initial=0)))
    return max(int(bit_length(largest)), 1) + words.is_differential


def sqnr_db(ideal: ArrayLike, computed: ArrayLike) -> float:
    """Signal to quantisation noise, 10 log10(sum ideal^2 / sum (computed - ideal)^2), at most `SQNR_CAP_DB`.

    Raises:
        ValueError: shapes differ, or all of ideal is 0.
    """
    y, y_chip = np.asarray(ideal, dtype=np.float64), np.asarray(computed, dtype=np.float64)
    if y.shape != y_chip.shape:
        raise ValueError(f"ideal and computed must have one shape, got {y.shape} and {y_chip.shape}")
    signal, noise = float(np.sum(y**2)), float(np.sum((y_chip - y) ** 2))
    if signal == 0:
        raise ValueError("the ideal product must hold a value other than 0, got only 0: the ratio has no meaning")
    if noise == 0:
        return SQNR_CAP_DB
    return min(10 * float(np.log10(signal / noise)), SQNR_CAP_DB)


def _checked(
    x: ArrayLike, w: ArrayLike, chip: PimConfig, weight_bits: int, is_signed: bool
) -> tuple[ProductFormat, Ints, Ints]:
    check_one(chip)
    words = ProductFormat(
        activation_bits=int(chip.activation_bits),
        weight_bits=weight_bits,
        is_signed=is_signed,
        encoding=check_encoding(str(chip.weight_encoding)),
    )
    return words, *words.integers(x, w)


def _groups(n_in: int, chip: PimConfig) -> tuple[slice, ...]:
    return wordline_groups(n_in, int(chip.crossbar_size), int(chip.n_active_wordlines))


def _reach(
    words: ProductFormat, x: Ints, w: Ints, chip: PimConfig, k_sigma: float, profile: ProductProfile | None
) -> Ints:
    """(S,) of a chip's ADC."""
    if profile is not None and (profile.words != words or len(profile.w) != len(w)):
        raise ValueError(
            f"the profile is of {len(profile.w)} inputs and {profile.words}, the product of {len(w)} inputs and "
            f"{words}; profile this layer with these words"
        )
    if chip.adc_range != "k-sigma" or len(x) == 0:
        n_slices = len(InputSlices.of(words, int(chip.dac_bits)).place) * words.n_weight_slices(int(chip.cell_bits))
        return adc_reach(chip, words.encoding, np.zeros(n_slices), np.zeros(n_slices), k_sigma).reshape(n_slices)
    if profile is None:
        profile = profile_product(
            x,
            w,
            activation_bits=words.activation_bits,
            weight_bits=words.weight_bits,
            encoding=words.encoding,
            is_signed=words.is_signed,
        )
    columns = profile.statistics(chip)
    return adc_reach(chip, words.encoding, columns.mean, columns.std, k_sigma).reshape(len(columns.mean))


def _column_sums(x: Ints, slices: InputSlices, cells: StoredCells) -> Iterator[tuple[slice, int, Floats32]]:
    """Column sums of a wordline group: a chunk of rows, a weight slice, and (input slice, rows, out) sums."""
    packs = _packs(cells, int(slices.n_levels.max()) - 1)
    n_slices, n_out = len(slices.place), cells.cells.shape[2]
    chunk = max(1, _CHUNK // (n_slices * n_out))
    buffers = np.empty((3, n_slices * min(chunk, len(x)), n_out), dtype=np.float32)
    for start in range(0, len(x), chunk):
        rows = slice(start, min(start + chunk, len(x)))
        driven = slices.levels(x[rows]).reshape(-1, x.shape[1])
        packed, digit, spare = buffers[:, : len(driven)]
        shape = (n_slices, rows.stop - rows.start, n_out)
        for first, bases, matrix in packs:
            np.matmul(driven, matrix, out=packed)
            for j in range(len(bases) - 1, 0, -1):
                np.divide(packed, bases[j], out=digit)
                np.rint(digit, out=digit)
                np.multiply(digit, bases[j], out=spare)
                np.subtract(packed, spare, out=packed)
                yield rows, first + j, digit.reshape(shape)
            yield rows, first, packed.reshape(shape)


def _packs(cells: StoredCells, top_level: int) -> list[tuple[int, Floats32, Floats32]]:
    """Cells of as many weight slices in one matrix as float32 holds exactly: first slice, bases and matrix.

    Sums within +-limit are digits of a number in a base above 2 * limit + 1, so rounding finds them again.
    """
    held = cells.cells
    limit = top_level * int(max(np.maximum(held, 0).sum(axis=1).max(), -np.minimum(held, 0).sum(axis=1).min()))
    base = 2 ** int(bit_length(2 * limit + 1))
    n_digits = 1
    while limit * (base ** (n_digits + 1) - 1) // (base - 1) < _FLOAT32_INTEGERS and n_digits < len(held):
        n_digits += 1
    packs = []
    for first in range(0, len(held), n_digits):
        digits = held[first : first + n_digits]
        bases = (float(base) ** np.arange(len(digits))).astype(np.float32)
        packs.append((first, bases, np.tensordot(bases, digits, axes=1)))
    return packs


def _code_weights(weights: Floats, largest: int) -> NDArray[Any]:
    """Weights of codes up to `largest`, in float32 if their sum of products is exact there, else in float64."""
    is_exact = np.all(weights == np.rint(weights)) and largest * np.abs(weights).sum() < _FLOAT32_INTEGERS
    return weights.astype(np.float32) if is_exact else weights
