"""A calibration as a TOML or JSON file, every quantity with its unit.

    name = "mychip"
    source = "our test chip, measured in 2025"
    base = "isaac32"  # has every constant that is not given here
    row_write = "0.05 us"

    [dac_energy]
    unit = "fJ"
    values = [400, 800, 1600, 3200, 6400, 12800, 25600, 51200]

    [tile_parts.edram]
    power = "18 mW"

An entry is named as its constant without the unit: `row_write_ns` is `row_write`. Where that would name two constants
of a table, both keep their whole names: `burst_bytes` and `burst_ns`. A quantity is a string of a number and a unit,
several are a table of one unit and the values; numbers without a unit are counts and shares. 1 KB is 1024 B.
Without `base`, `arithmetic` says what kind of chip it is, and every constant must be there.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from textwrap import fill, indent
from typing import Any, TypeAlias, get_args, get_origin, get_type_hints

from pimmodel.calibration import Calibration
from pimmodel.calibrations import CALIBRATIONS
from pimmodel.units import converted, dimension, quantity, split_unit

Entries: TypeAlias = dict[str, Any]
"""A table of a file: strings, numbers, lists of numbers and further tables."""

_SIZES = {"GB": 2**30, "MB": 2**20, "KB": 2**10, "B": 1}  # largest first, for sizes that are whole numbers of them
_POSITIVE = {dimension(unit) for unit in ("ns", "1/ns", "B", "B/ns", "nm", "V", "ohm", "1")}


def read_calibration(path: str | Path) -> Calibration:
    """The calibration in a .toml or .json file. Nothing in the file is run.

    Raises:
        ValueError: The file cannot be read, or an entry is missing, unknown, in a wrong unit or out of range.
    """
    try:
        return calibration_from_dict(_parsed(Path(path)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def calibration_from_dict(entries: Entries) -> Calibration:
    """The calibration whose file holds these entries.

    Raises:
        ValueError: An entry is missing, unknown, in a wrong unit or out of range.
    """
    kinds = {_arithmetic(type(named)): type(named) for named in CALIBRATIONS.values()}
    constants = dict(entries)
    base = constants.pop("base", None)
    if base is not None:
        base = CALIBRATIONS[_choice(base, CALIBRATIONS, "base")]
        if missing := [name for name in ("name", "source") if name not in entries]:
            raise ValueError(f"{missing[0]} is missing; a calibration that is not its base needs its own")
        constants.setdefault("arithmetic", _arithmetic(type(base)))
    if "arithmetic" not in constants:
        raise ValueError(
            f"arithmetic is missing; it is one of {_quoted(kinds)}; or give a base, {_quoted(CALIBRATIONS)}"
        )
    kind = kinds[_choice(constants.pop("arithmetic"), kinds, "arithmetic")]
    if base is not None and type(base) is not kind:
        raise ValueError(f"arithmetic must be that of base {base.name!r}, got {_arithmetic(kind)!r}; leave it out")
    calibration: Calibration = _record(kind, constants, base, "")
    if calibration != CALIBRATIONS.get(calibration.name, calibration):
        raise ValueError(f"name {calibration.name!r} is that of a calibration with other constants; give another name")
    return calibration


def calibration_dict(calibration: Calibration) -> Entries:
    """The entries of a complete file in the units of the code, ready for JSON."""
    entries = _entries(calibration)
    head = {key: entries.pop(key) for key in ("name", "source")}
    return head | {"arithmetic": _arithmetic(type(calibration))} | entries


def calibration_text(calibration: Calibration) -> str:
    """A complete TOML file. Reading it gives an equal calibration with the same digest."""
    return "\n".join(_toml_lines(calibration_dict(calibration), ())) + "\n"


def _arithmetic(kind: type[Calibration]) -> str:
    """What `arithmetic` says in a file: "isaac" for IsaacCalibration."""
    return kind.__name__.removesuffix("Calibration").lower()


def _keys(kind: Any) -> dict[str, str]:
    """Field names of a dataclass by the names of their entries."""
    stems = {field.name: split_unit(field.name)[0] for field in fields(kind)}
    count = Counter(stems.values())
    return {stem if count[stem] == 1 else name: name for name, stem in stems.items()}


def _parsed(path: Path) -> Entries:
    form = path.suffix.lower()
    if form not in (".toml", ".json"):
        raise ValueError(f"a calibration file must end in .toml or .json, got {form!r}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        entries = tomllib.loads(text) if form == ".toml" else json.loads(text, object_pairs_hook=_unique)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid {form[1:].upper()}: {error}") from error
    if not isinstance(entries, dict):
        raise ValueError(f"a calibration must be a JSON object, got {_shown(entries)}")
    return entries


def _unique(pairs: list[tuple[str, Any]]) -> Entries:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError(f"entry {Counter(key for key, _ in pairs).most_common(1)[0][0]!r} is there twice")
    return entries


def _record(kind: Any, table: object, base: Any, path: str) -> Any:
    """The dataclass that a table holds; what the table leaves out is as in `base`."""
    keys, hints = _keys(kind), get_type_hints(kind)
    entries = _table(table, kind, path)
    if unknown := [key for key in entries if key not in keys]:
        raise ValueError(f"unknown entry {_joined(path, unknown[0])!r}; {_suggestion(unknown[0], keys)}")
    optional = {field.name for field in fields(kind) if field.default is not MISSING}
    values = {}
    for key, name in keys.items():
        unit, known = split_unit(name)[1], getattr(base, name, None)
        if key in entries:
            values[name] = _value(hints[name], entries[key], unit, known, _joined(path, key))
        elif base is not None:
            values[name] = known
        elif name not in optional:
            raise ValueError(f"{_joined(path, key)} is missing; it is {_form(hints[name], unit)}")
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}" if path else str(error)) from error


def _value(hint: Any, entry: object, unit: str, base: Any, path: str) -> Any:
    """A constant from its entry, in the unit of the code, "" for a plain number."""
    if is_dataclass(hint):
        return _record(hint, entry, base, path)
    if get_origin(hint) is Mapping:
        key_kind, kind = get_args(hint)
        values = dict(base or {})
        for name, item in _table(entry, hint, path).items():
            if key_kind is int and not re.fullmatch("[0-9]{1,9}", name):
                raise ValueError(f"names in {path} must be whole numbers, got {name!r}")
            key = key_kind(name)
            try:
                values[key] = _value(kind, item, unit, values.get(key), _joined(path, name))
            except ValueError as error:
                if base is None or key in base:
                    raise
                raise ValueError(f"{error}; the base has no {name!r} in {path}, {_suggestion(name, base)}") from error
        return values
    if get_origin(hint) is tuple:
        return _numbers(get_args(hint)[0], entry, unit, path)
    if hint is str and isinstance(entry, str) and entry.strip():
        return entry
    if hint is not str and not unit and _is_number(entry):
        return _number(hint, repr(entry), "1", "1", path)
    if hint is not str and unit and isinstance(entry, str):
        number, _, given = entry.strip().partition(" ")
        if given:
            return _number(hint, number, given.strip(), unit, path)
    raise ValueError(f"{path} must be {_form(hint, unit)}, got {_shown(entry)}")


def _numbers(kind: Any, entry: object, unit: str, path: str) -> tuple[float, ...]:
    given, values = "1", entry
    if unit:
        if not isinstance(entry, dict) or entry.keys() != {"unit", "values"} or not isinstance(entry["unit"], str):
            raise ValueError(f"{path} must be {_form(tuple[kind, ...], unit)}, got {_shown(entry)}")
        given, values = entry["unit"], entry["values"]
    if not isinstance(values, list) or not all(map(_is_number, values)):
        raise ValueError(f"{path} must hold a list of numbers, got {_shown(values)}")
    return tuple(_number(kind, repr(value), given, unit or "1", path) for value in values)


def _number(kind: Any, number: str, given: str, unit: str, path: str) -> float:
    try:
        value = converted(number, given, unit)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error
    name = path.rpartition(".")[2]
    is_share = name.endswith("_share")
    may_be_zero = is_share or "overhead" in name or dimension(unit) not in _POSITIVE
    if not isfinite(value) or value < 0 or (value == 0 and not may_be_zero) or (is_share and value > 1):
        rule = "between 0 and 1" if is_share else "0 or more" if may_be_zero else "more than 0"
        raise ValueError(f"{path} must be {rule} and finite, got {number}")
    if kind is int:
        if value != int(value):
            raise ValueError(f"{path} must be a whole number{f' of {unit}' * (unit != '1')}, got {number} {given}")
        return int(value)
    return value


def _table(entry: object, hint: Any, path: str) -> Entries:
    if not isinstance(entry, dict):
        raise ValueError(f"{path} must be {_form(hint, '')}, got {_shown(entry)}")
    return entry


def _form(hint: Any, unit: str) -> str:
    """How an entry is written."""
    if is_dataclass(hint):
        return f"a table of {', '.join(_keys(hint))}"
    if get_origin(hint) is Mapping:
        return "a table of tables"
    if get_origin(hint) is tuple:
        return f'{quantity(unit)}: a table of unit, "{unit}", and values, a list' if unit else "a list of numbers"
    if hint is str:
        return "a string"
    return f'{quantity(unit)}, written "1.5 {unit}"' if unit else "a whole number" if hint is int else "a number"


def _suggestion(name: str, names: Iterable[Any]) -> str:
    close = get_close_matches(name, map(str, names), 1)
    return f"did you mean {close[0]!r}?" if close else f"choices are {_quoted(names)}"


def _choice(value: object, choices: Iterable[str], path: str) -> str:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"unknown {path} {_shown(value)}; {_suggestion(str(value), choices)}")
    return value


def _quoted(names: Iterable[Any]) -> str:
    return ", ".join(repr(str(name)) for name in names)


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _shown(entry: object) -> str:
    if isinstance(entry, dict):
        return f"a table of {', '.join(map(str, entry))}" if entry else "an empty table"
    return "a list" if isinstance(entry, list) else repr(entry)


def _is_number(entry: object) -> bool:
    return isinstance(entry, int | float) and not isinstance(entry, bool)


def _entries(record: Any) -> Entries:
    keys, hints = _keys(type(record)), get_type_hints(type(record))
    return {key: _entry(hints[name], getattr(record, name), split_unit(name)[1]) for key, name in keys.items()}


def _entry(hint: Any, value: Any, unit: str) -> Any:
    """A constant, given in the unit of the code, as it stands in a file."""
    if is_dataclass(hint):
        return _entries(value)
    if get_origin(hint) is Mapping:
        return {str(key): _entry(get_args(hint)[1], item, unit) for key, item in value.items()}
    if get_origin(hint) is tuple:
        return {"unit": unit, "values": list(value)} if unit else list(value)
    if unit == "B":
        value, unit = next((value // size, name) for name, size in _SIZES.items() if value % size == 0)
    return f"{value!r} {unit}" if unit else value


def _toml_lines(table: Entries, path: tuple[str, ...]) -> list[str]:
    tables = {key: value for key, value in table.items() if isinstance(value, dict)}
    lines = [f"{_toml_key(key)} = {_toml(value)}" for key, value in table.items() if key not in tables]
    if path and (lines or not tables):
        lines = ["", f"[{'.'.join(map(_toml_key, path))}]", *lines]
    return lines + [line for key, inner in tables.items() for line in _toml_lines(inner, (*path, key))]


def _toml_key(key: str) -> str:
    return key if re.fullmatch("[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: str | float | list[float]) -> str:
    if isinstance(value, str):  # escapes of JSON are escapes of TOML; TOML asks for one more
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        line = ", ".join(map(repr, value))
        return f"[{line}]" if len(line) < 100 else f"[\n{indent(fill(line, 110), '  ')}\n]"
    return repr(value)
