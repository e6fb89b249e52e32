"""Integers as crossbars hold and drive them: wordline groups, input slices, cells.

A product y = x @ w is cut into column sums p = (one input slice) @ (the cells of one weight slice), one for
each wordline group. Digital logic after the ADC shifts, adds and puts back what the encodings left out:

    x = sum over i of place_i * level_i + offset                 (`InputSlices`)
    w = sum over j of place_j * sign_j * cell_j + offset         (`StoredCells`, one wordline group)
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pimmodel.config import PimConfig

Encoding: TypeAlias = Literal["isaac", "differential"]
"""How cells, which hold no negative number, hold signed weights.

"isaac": one array holds w + 2^(W-1). In each wordline group, a column whose cells sum to more than half of
what they could is stored inverted, cell by cell, which saves the ADC one bit. Logic subtracts the bias and
turns inverted columns back with the sum of the driven inputs. ISAAC reads that sum from a column of ones;
here it is exact, as if counted beside the input register. Source: Shafiee et al., ISCA 2016, section V.

"differential": the W - 1 magnitude bits of positive and of negative weights lie in two arrays whose column
currents are subtracted before the ADC. Column sums are signed.
"""

ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Floats32: TypeAlias = NDArray[np.float32]

_WEIGHT_BITS = (2, 16)
_ACTIVATION_BITS = (1, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFormat:
    """The numbers of one product.

    Attributes:
        activation_bits: Bits A of one input, 1 to 16.
        weight_bits: Bits W of one weight, 2 to 16: -2^(W-1) to 2^(W-1) - 1, without the lowest if differential.
        is_signed: Inputs are two's complement, -2^(A-1) to 2^(A-1) - 1; otherwise 0 to 2^A - 1.
        encoding: How cells hold signed weights, see `Encoding`.

    Raises:
        TypeError: bits are no ints, or is_signed is no bool.
        ValueError: bits are out of range, or the encoding is unknown.
    """

    activation_bits: int
    weight_bits: int
    is_signed: bool
    encoding: Encoding

    def __post_init__(self) -> None:
        for name, (low, high) in (("activation_bits", _ACTIVATION_BITS), ("weight_bits", _WEIGHT_BITS)):
            bits = getattr(self, name)
            if isinstance(bits, bool) or not isinstance(bits, int | np.integer):
                raise TypeError(f"{name} must be an int, got {bits!r}; word lengths are whole numbers of bits")
            if not low <= bits <= high:
                raise ValueError(f"{name} must be between {low} and {high}, got {bits}")
        if not isinstance(self.is_signed, bool):
            raise TypeError(f"is_signed must be True or False, got {self.is_signed!r}")
        check_encoding(self.encoding)

    @property
    def is_differential(self) -> bool:
        """Column sums are signed."""
        return self.encoding == "differential"

    def n_weight_slices(self, cell_bits: int) -> int:
        """Cells that hold one weight, in each array."""
        return len(_slices(self._stored_bits, cell_bits)[0])

    @property
    def _stored_bits(self) -> int:
        return self.weight_bits - 1 if self.is_differential else self.weight_bits

    def integers(self, x: ArrayLike, w: ArrayLike) -> tuple[Ints, Ints]:
        """x and w as integer arrays, checked.

        Raises:
            TypeError: x or w does not hold integers.
            ValueError: x is not (n, in) or w not (in, out) with in and out at least 1, or values do not fit.
        """
        inputs, weights = np.asarray(x), np.asarray(w)
        for name, array, axes in (("x", inputs, "(n, in)"), ("w", weights, "(in, out)")):
            if array.dtype.kind not in "iu":
                raise TypeError(f"{name} must hold integers, got {array.dtype}; quantise it first")
            if array.ndim != 2:
                raise ValueError(f"{name} must have shape {axes}, got {array.shape}")
        if inputs.shape[1] != weights.shape[0]:
            raise ValueError(f"x has {inputs.shape[1]} inputs, w has {weights.shape[0]} rows; the two must agree")
        if weights.size == 0:
            raise ValueError(f"w must have at least one row and one column, got shape {weights.shape}")
        top = 2 ** (self.weight_bits - 1)
        bottom = 1 - top if self.is_differential else -top
        _check_fit("w", weights, bottom, top - 1, f"{self.weight_bits}-bit {self.encoding} weights")
        top = 2**self.activation_bits
        low, high = (-top // 2, top // 2 - 1) if self.is_signed else (0, top - 1)
        sign = "signed" if self.is_signed else "unsigned"
        _check_fit("x", inputs, low, high, f"{self.activation_bits}-bit {sign} inputs")
        return inputs.astype(np.int64, copy=False), weights.astype(np.int64, copy=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSlices:
    """How a DAC's levels make up an input.

    Attributes:
        shift: (S,) lowest bit of each slice, low to high.
        n_levels: (S,) levels of each slice, 2^dac_bits, fewer where bits are left over at the top.
        place: (S,) worth of one level.
        offset: What levels leave out: x = sum of place * level + offset.
    """

    shift: Ints
    n_levels: Ints
    place: Floats
    offset: int
    is_signed: bool

    @classmethod
    def of(cls, words: ProductFormat, dac_bits: int) -> InputSlices:
        """Slices of dac_bits.

        Unsigned inputs: the bits themselves. Signed inputs: two's complement, whose top slice t, -2^(b-1) to
        2^(b-1) - 1 in its b bits, counts by its negative: a DAC drives 2^(b-1) - 1 - t >= 0 and logic
        subtracts. With 1-bit DACs this is ISAAC's last cycle, the sign bit subtracted (ISCA 2016, section V);
        with wider ones an input of zero drives its top slice at mid level.
        """
        shift, n_levels = _slices(words.activation_bits, dac_bits)
        place, offset = _powers_of_two(shift), 0
        if words.is_signed:
            offset = int(place[-1]) * (int(n_levels[-1]) // 2 - 1)
            place[-1] *= -1
        return cls(shift=shift, n_levels=n_levels, place=place, offset=offset, is_signed=words.is_signed)

    def levels(self, x: Ints) -> Floats32:
        """(S, n, rows) levels that DACs drive for (n, rows) inputs."""
        narrow = x.astype(np.int32)
        levels = np.empty((len(self.shift), *x.shape), dtype=np.float32)
        for index, (shift, n_levels) in enumerate(zip(self.shift.tolist(), self.n_levels.tolist(), strict=True)):
            if self.is_signed and index == len(self.shift) - 1:
                levels[index] = n_levels // 2 - 1 - (narrow >> shift)
            else:
                levels[index] = (narrow >> shift) & (n_levels - 1)
        return levels


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCells:
    """Weights of one wordline group as cells.

    Attributes:
        cells: (S, rows, out) cell values; negative ones lie in the negative array of a differential pair.
        place: (S,) worth of one unit.
        sign: (S, out) -1 where a column is stored inverted, else 1.
        offset: (out,) what cells leave out: w = sum of place * sign * cell + offset.
    """

    cells: Floats32
    place: Floats
    sign: Floats32
    offset: Floats

    @classmethod
    def of(cls, w: Ints, words: ProductFormat, cell_bits: int) -> StoredCells:
        """Cells that hold (rows, out) weights."""
        stored = np.abs(w) if words.is_differential else w + 2 ** (words.weight_bits - 1)
        narrow = stored.astype(np.int32)
        shift, n_levels = _slices(words._stored_bits, cell_bits)
        cells = np.empty((len(shift), *w.shape), dtype=np.float32)
        for index, (low, levels) in enumerate(zip(shift.tolist(), n_levels.tolist(), strict=True)):
            cells[index] = (narrow >> low) & (levels - 1)
        place = _powers_of_two(shift)
        sign = np.ones((len(shift), w.shape[1]), dtype=np.float32)
        if words.is_differential:
            cells *= np.sign(w)
            return cls(cells=cells, place=place, sign=sign, offset=np.zeros(w.shape[1]))
        largest = (n_levels - 1).astype(np.float32)[:, None]
        is_inverted = 2 * cells.sum(axis=1) > len(w) * largest
        sign[is_inverted] = -1
        inverted = (largest - cells.transpose(1, 0, 2)).transpose(1, 0, 2)
        cells = np.where(is_inverted[:, None], inverted, cells)
        offset = place @ (is_inverted * largest) - 2.0 ** (words.weight_bits - 1)
        return cls(cells=cells, place=place, sign=sign, offset=offset)


def check_one(chip: PimConfig) -> None:
    """One chip, in scalars.

    Raises:
        ValueError: the configuration is a batch.
    """
    if any(np.ndim(getattr(chip, field.name)) for field in fields(chip)):
        raise ValueError(f"one chip is needed here, got a batch of {len(chip)}; pick one with take(i)")


def check_encoding(encoding: str) -> Encoding:
    """The encoding, if there is one of that name.

    Raises:
        ValueError: there is none.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"unknown encoding {encoding!r}; choices are {', '.join(map(repr, ENCODINGS))}")
    return encoding


def wordline_groups(n_in: int, crossbar_size: int, n_active_wordlines: int) -> tuple[slice, ...]:
    """Rows of w that are driven together: row tiles of crossbar_size, each cut into groups, the last ones short."""
    return tuple(
        slice(start, min(start + n_active_wordlines, tile + crossbar_size, n_in))
        for tile in range(0, n_in, crossbar_size)
        for start in range(tile, min(tile + crossbar_size, n_in), n_active_wordlines)
    )


def _slices(n_bits: int, slice_bits: int) -> tuple[Ints, Ints]:
    """Lowest bit and number of levels of each slice, low to high."""
    shift = np.arange(0, n_bits, slice_bits, dtype=np.int64)
    return shift, 2 ** np.minimum(slice_bits, n_bits - shift)


def _powers_of_two(exponents: Ints) -> Floats:
    powers: Floats = np.ldexp(1.0, exponents)
    return powers


def _check_fit(name: str, values: NDArray[np.integer], low: int, high: int, kind: str) -> None:
    if values.size == 0:
        return
    smallest, largest = int(values.min()), int(values.max())
    if smallest < low or largest > high:
        raise ValueError(f"{name} must be between {low} and {high} for {kind}, got {smallest} to {largest}")
