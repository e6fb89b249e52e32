"""Units of quantities in files, and the one unit each has in the code, which is the end of its name.

A unit is a symbol or one over another: "pJ", "um2", "pJ/bit", "1/ns". Factors are exact fractions: a value is
rounded once, and in the code's own unit not at all.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import TypeAlias

Dimension: TypeAlias = tuple[int, ...]
"""Powers of J, s, m, V and B."""

_POWERS = {"a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "c": -2, "": 0, "k": 3, "M": 6, "G": 9}
_FAMILIES: dict[str, tuple[str, Dimension]] = {  # symbol: prefixes, dimension
    "J": ("afpnum", (1, 0, 0, 0, 0)),
    "s": ("pnum", (0, 1, 0, 0, 0)),
    "m": ("numc", (0, 0, 1, 0, 0)),
    "W": ("pnum", (1, -1, 0, 0, 0)),
    "V": ("um", (0, 0, 0, 1, 0)),
    "ohm": ("kM", (-1, 1, 0, 2, 0)),
    "Hz": ("kMG", (0, -1, 0, 0, 0)),
    "S": ("kMG", (0, 0, 0, 0, 0)),  # samples, for GS/s
    "1": ("", (0, 0, 0, 0, 0)),  # for 1/ns
}
_BYTES = {"bit": Fraction(1, 8), "B": Fraction(1), "KB": Fraction(2**10), "MB": Fraction(2**20), "GB": Fraction(2**30)}
_SYMBOLS: dict[str, tuple[Fraction, Dimension]] = {
    prefix + symbol: (Fraction(10) ** _POWERS[prefix], powers)
    for symbol, (prefixes, powers) in _FAMILIES.items()
    for prefix in (*prefixes, "")
} | {symbol: (n_bytes, (0, 0, 0, 0, 1)) for symbol, n_bytes in _BYTES.items()}
_IN_NAMES = {symbol.lower(): symbol for symbol in reversed(_SYMBOLS) if symbol != "1"}  # "ms": time before samples
_IN_NAMES |= {"bits": "bit", "byte": "B", "bytes": "B", "volt": "V"}
_QUANTITIES = {"pJ": "an energy", "mW": "a power", "um2": "an area", "ns": "a time", "nm": "a length", "V": "a voltage"}
_QUANTITIES |= {"ohm": "a resistance", "B": "a data size", "1/ns": "a rate", "B/ns": "a data rate"}


def split_unit(name: str) -> tuple[str, str]:
    """A name of the code without its unit, and that unit: "adc_energy_pj" is "adc_energy" in "pJ".

    A counted word stays in the name: "read_ns_per_wordline" is "read_per_wordline" in "ns". "events_per_ns" is
    "events" in "1/ns"; a name without a unit, "n_lanes", has the unit "".
    """
    left, per, right = name.partition("_per_")
    stem, _, last = left.rpartition("_")
    above, below = _in_names(last) if stem else "", _in_names(right)
    if above:
        return (stem, f"{above}/{below}") if below else (stem + per + right, above)
    return (left, f"1/{below}") if below else (name, "")


def dimension(unit: str) -> Dimension | None:
    """Powers of J, s, m, V and B, equal for units that convert into each other; None if the unit is unknown."""
    parsed = _parsed(unit)
    return parsed and parsed[1]


def quantity(unit: str) -> str:
    """What a unit measures, by example: "an energy such as pJ"."""
    names = (name for known, name in _QUANTITIES.items() if dimension(known) == dimension(unit))
    return f"{next(names, 'a quantity')} such as {unit}"


def converted(number: str, unit: str, ours: str) -> float:
    """The number from `unit` in the unit `ours`, rounded once; an int where it is one and needs no conversion.

    Raises:
        ValueError: `number` is no number, or `unit` is unknown or measures something else than `ours`.
    """
    try:
        value = float(number)
    except ValueError:
        raise ValueError(f"must be a number, got {number!r}") from None
    given, wanted = _parsed(unit), _parsed(ours)
    if given is None or wanted is None or given[1] != wanted[1]:
        alike = " per ".join(", ".join(_alike(part)) for part in ours.split("/"))
        raise ValueError(f"must be {quantity(ours)}, got {unit!r}; units are {alike}")
    if given[0] == wanted[0] or not value or not isfinite(value):
        return int(number) if isfinite(value) and re.fullmatch(r"\s*[+-]?\d+\s*", number) else value
    try:
        return float(Fraction(Decimal(number)) * given[0] / wanted[0])
    except OverflowError:
        return float("inf")


def _in_names(word: str) -> str:
    """The symbol that a word of a name stands for: "KB" for "kb", "um2" for "um2"; "" if none."""
    base = word.rstrip("23")
    return _IN_NAMES[base] + word[len(base) :] if base in _IN_NAMES else ""


def _parsed(unit: str) -> tuple[Fraction, Dimension] | None:
    """Factor to J, s, m, V and B, and the dimension; None if the unit is unknown."""
    factor, powers = Fraction(1), [0] * 5
    for part, sign in zip(unit.split("/", 1), (1, -1), strict=False):
        match = re.fullmatch("([A-Za-z]+|1)([23]?)", part)
        if match is None or match[1] not in _SYMBOLS:
            return None
        exponent = sign * int(match[2] or 1)
        scale, more = _SYMBOLS[match[1]]
        factor *= scale**exponent
        powers = [a + exponent * b for a, b in zip(powers, more, strict=True)]
    return factor, tuple(powers)


def _alike(symbol: str) -> list[str]:
    """Symbols of the same dimension, with the same exponent."""
    base = symbol.rstrip("23")
    return [other + symbol[len(base) :] for other in _SYMBOLS if _SYMBOLS[other][1] == _SYMBOLS[base][1]]
