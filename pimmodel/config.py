"""The hardware of a design: crossbars, converters, copies and where embedding tables live."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntField: TypeAlias = int | NDArray[np.int64]
StrField: TypeAlias = str | NDArray[np.str_]

_RANGES = {
    "crossbar_size": (8, 1024),
    "cell_bits": (1, 4),
    "dac_bits": (1, 8),
    "adc_bits": (1, 12),
    "columns_per_adc": (1, 1024),
    "n_active_wordlines": (1, 1024),
    "activation_bits": (1, 16),
    "n_copies": (1, 2**31),
    "table_bits": (1, 32),
}
_CHOICES = {
    "adc_range": ("full-scale", "unit-step", "k-sigma"),
    "weight_encoding": ("isaac", "differential"),
    "product_unit": ("digital", "crossbar"),
    "execution": ("pipelined", "layer-by-layer"),
    "table_memory": ("reram", "lpddr4", "hbm2"),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PimConfig:
    """One chip configuration, or a batch of B of them.

    Each field is a scalar or a (B,) array; scalars hold for the whole batch. The defaults are
    ISAAC-CE's crossbar and converters (Shafiee et al., ISCA 2016, Table I,
    doi:10.1109/ISCA.2016.12), at 8-bit activations where ISAAC uses 16.

    Attributes:
        crossbar_size: Wordlines and bitlines of one square crossbar, a power of two, 8 to 1024.
        cell_bits: Weight bits in one cell, 1 to 4; a wider weight is sliced over bitlines.
        dac_bits: Input bits driven in one cycle, 1 to 8; a wider input takes several cycles.
        adc_bits: Resolution of one conversion, 1 to 12.
        adc_range: How the ADC's range is set: "full-scale", "unit-step" or "k-sigma". Changes what
            a product loses, not what it costs.
        columns_per_adc: Bitlines that take turns at one ADC, 1 to crossbar_size; a differential pair counts two.
        n_active_wordlines: Wordlines driven together, 1 to crossbar_size.
        activation_bits: Bits of one activation, 1 to 16.
        weight_encoding: How cells hold signed weights. "isaac": biased, a column stored inverted where that
            makes its sum smaller. "differential": positive and negative parts on two bitlines, subtracted
            before the ADC.
        product_unit: Where products of two activations are done: "digital" multipliers, or a
            "crossbar" into which one operand is written first.
        n_copies: Copies of the weights of operators that send several vectors per inference; an
            operator never holds more copies than it has vectors.
        execution: "pipelined": operators that wait for nothing run side by side and the next inference
            follows as soon as the busiest is free. "layer-by-layer": one operator at a time, one
            inference at a time; small operators then share crossbars, as no two are in use at once, static
            weights with each other and written operands with each other.
        table_memory: Where embedding tables live: "reram" on the chip, "lpddr4" or "hbm2" beside it.
        table_bits: Bits of one stored embedding element, 1 to 32.

    Raises:
        TypeError: a field holds values of the wrong type.
        ValueError: a value is out of its range, or arrays differ in length.
    """

    crossbar_size: IntField = 128
    cell_bits: IntField = 2
    dac_bits: IntField = 1
    adc_bits: IntField = 8
    adc_range: StrField = "full-scale"
    columns_per_adc: IntField = 128
    n_active_wordlines: IntField = 128
    activation_bits: IntField = 8
    weight_encoding: StrField = "isaac"
    product_unit: StrField = "digital"
    n_copies: IntField = 1
    execution: StrField = "pipelined"
    table_memory: StrField = "lpddr4"
    table_bits: IntField = 8

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            value = _integers(name, getattr(self, name))
            _check_range(name, value, low, high)
            object.__setattr__(self, name, value)
        for name, choices in _CHOICES.items():
            object.__setattr__(self, name, _strings(name, getattr(self, name), choices))
        lengths = {
            field.name: len(value)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), np.ndarray)
        }
        if len(set(lengths.values())) > 1:
            raise ValueError(
                "array fields must have one length, got "
                + ", ".join(f"{name} {length}" for name, length in lengths.items())
                + "; give every field that varies one value per design"
            )
        size = np.asarray(self.crossbar_size)
        if np.any(size & (size - 1)):
            got = size[(size & (size - 1)) != 0].flat[0]
            raise ValueError(f"crossbar_size must be a power of two, got {got}; crossbars are built in doublings")
        for name in ("columns_per_adc", "n_active_wordlines"):
            value = np.asarray(getattr(self, name))
            if np.any(value > size):
                wrong = np.argmax(value > size)
                got, limit = (np.broadcast_to(a, (len(self),))[wrong] for a in (value, size))
                raise ValueError(
                    f"{name} must be between 1 and crossbar_size, got {got} with crossbar_size {limit}; "
                    f"set it to {limit} or less"
                )

    def __len__(self) -> int:
        """B, the number of configurations; 1 when every field is a scalar."""
        return max((len(value) for value in self._values() if isinstance(value, np.ndarray)), default=1)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PimConfig):
            return NotImplemented
        return all(np.array_equal(mine, theirs) for mine, theirs in zip(self._values(), other._values(), strict=True))

    def take(self, indices: int | slice | NDArray[np.int64]) -> PimConfig:
        """The configurations at `indices`: one design in scalars for an int, else a batch of arrays."""
        picked = object.__new__(PimConfig)  # values that were checked at birth are not checked again
        for field, value in zip(fields(self), self._values(), strict=True):
            chosen = np.broadcast_to(value, (len(self),))[indices]
            object.__setattr__(picked, field.name, chosen.item() if chosen.ndim == 0 else _frozen(chosen))
        return picked

    @classmethod
    def concatenate(cls, configs: Sequence[PimConfig]) -> PimConfig:
        """All configurations as one batch, in order."""
        columns = {
            field.name: np.concatenate([np.broadcast_to(getattr(one, field.name), (len(one),)) for one in configs])
            for field in fields(cls)
        }
        return cls(**columns)

    def to_json(self) -> str:
        """One design as JSON text, one key per field, in the units of the attributes.

        Raises:
            ValueError: the configuration holds arrays.
        """
        values = asdict(self)
        arrays = [name for name, value in values.items() if isinstance(value, np.ndarray)]
        if arrays:
            raise ValueError(f"to_json writes one design, got arrays in {', '.join(arrays)}; pick one with take(i)")
        return json.dumps(values, indent=2)

    @classmethod
    def from_json(cls, text: str) -> PimConfig:
        """The design that `to_json` wrote.

        Raises:
            ValueError: the text is not a JSON object with exactly the fields of a design.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"a hardware design must be a JSON object, got invalid JSON: {error}") from error
        if not isinstance(values, dict):
            raise ValueError(f"a hardware design must be a JSON object, got {type(values).__name__}")
        names = {field.name for field in fields(cls)}
        if unknown := sorted(values.keys() - names):
            raise ValueError(
                f"unknown field {unknown[0]!r} in a hardware design; fields are {', '.join(sorted(names))}"
            )
        if missing := sorted(names - values.keys()):
            raise ValueError(f"field {missing[0]!r} is missing from the hardware design; name every field")
        for name, value in values.items():
            if not isinstance(value, int | str):
                raise ValueError(f"{name} must be one value, got {value!r}; a design file holds one design")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"wrong value in a hardware design: {error}") from error

    def _values(self) -> list[Any]:
        return [getattr(self, field.name) for field in fields(self)]


def lossless_adc_bits(
    n_active_wordlines: ArrayLike, dac_bits: ArrayLike, cell_bits: ArrayLike, weight_encoding: ArrayLike = "isaac"
) -> NDArray[np.int64]:
    """ADC bits that hold every column sum without loss.

    A column of n driven cells sums to at most m = n * (2^dac_bits - 1) * (2^cell_bits - 1), which needs
    ceil(log2(m + 1)) bits. ISAAC stores a column inverted when its sum could exceed half of m, and so saves one
    bit: 8 for 128 wordlines, 1-bit DACs and 2-bit cells. The difference of a pair of columns takes one more, for
    its sign.

    Args:
        n_active_wordlines, dac_bits, cell_bits: Integers or arrays that broadcast together.
        weight_encoding: "isaac" or "differential", one or an array of them.

    Returns:
        Bits, at least 1, in the broadcast shape.

    Raises:
        ValueError: a number is below 1, or an encoding is unknown.

    Source: Shafiee et al., ISCA 2016, section V.
    """
    n, d, c = (np.asarray(a, dtype=np.int64) for a in (n_active_wordlines, dac_bits, cell_bits))
    for name, value in (("n_active_wordlines", n), ("dac_bits", d), ("cell_bits", c)):
        if np.any(value < 1):
            raise ValueError(f"{name} must be at least 1, got {value.min()}")
    encoding = np.asarray(_strings("weight_encoding", weight_encoding, _CHOICES["weight_encoding"]))
    largest_sum = n * (2**d - 1) * (2**c - 1)
    n_bits = np.frexp(largest_sum.astype(np.float64))[1].astype(np.int64)  # bit length of an integer
    return np.maximum(n_bits + np.where(encoding == "differential", 1, -1), 1)


def _integers(name: str, value: object) -> IntField:
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.ndim > 1:
        raise TypeError(f"{name} must be an int or a (B,) array of ints, got {_shown(value, array)}")
    return array.item() if array.ndim == 0 else _frozen(array.astype(np.int64))


def _strings(name: str, value: object, choices: tuple[str, ...]) -> StrField:
    array = np.asarray(value)
    if array.dtype.kind != "U" or array.ndim > 1:
        raise TypeError(f"{name} must be a str or a (B,) array of str, got {_shown(value, array)}")
    is_known = np.zeros(array.shape, dtype=np.bool_)
    for choice in choices:
        is_known |= array == choice
    if not is_known.all():
        got = str(array[~is_known].flat[0])
        raise ValueError(f"unknown {name} {got!r}; choices are {', '.join(map(repr, choices))}")
    return array.item() if array.ndim == 0 else _frozen(array.copy())


def _check_range(name: str, value: IntField, low: int, high: int) -> None:
    array = np.atleast_1d(value)
    if array.size == 0:
        raise ValueError(f"{name} must hold at least one design, got an empty array")
    is_outside = (array < low) | (array > high)
    if is_outside.any():
        got = array[is_outside][0]
        raise ValueError(
            f"{name} must be between {low} and {high}, got {got}; no component data lie outside that range"
        )


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _shown(value: object, array: NDArray[Any]) -> str:
    return repr(value) if array.ndim == 0 else f"an array of {array.dtype} with shape {array.shape}"


ISAAC = PimConfig()
"""ISAAC-CE's crossbars and converters at 8-bit activations: the naive mapping's hardware."""
