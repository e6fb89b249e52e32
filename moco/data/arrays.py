"""Columns of a log that come as arrays: of NumPy, of pandas, or plain sequences."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data.rows import DataError
from moco.data.schema import TableSchema, require_columns

_SCALARS = str | int | float | Decimal | np.generic
_POLARS_TIME_UNITS = ("ms", "us", "ns")
_MAX_EXACT_FLOAT = 2.0**53  # above it float64 has no longer every whole number


def declared_columns(
    arrays: Mapping[Any, Any], schema: TableSchema, split_column: str | None, source: str
) -> tuple[TableSchema, pl.DataFrame]:
    """The declared columns of a set of named arrays; the other arrays are not looked at.

    An array (N, k) stands for k columns: its name means all of them, name_0 to name_{k-1} mean one each.
    NumPy has no missing integer: whole numbers beside NaN, declared categorical, are read as integers.

    Args:
        arrays: (N,) or (N, k) each; None and NaN are missing.
        schema: May name arrays (N, k).
        split_column: Another column to take, of the part of each row.
        source: Where the arrays come from, for error messages.

    Returns:
        The schema with a name for each column, and the columns.

    Raises:
        DataError: a column is absent, of another length than the rest, or of a kind that has no column.
    """
    columns = _Columns(arrays, source)
    categorical = columns.take(schema.categorical)
    label = columns.take_one("label", schema.label)
    numeric = columns.take(schema.numeric)
    time = None if schema.time is None else columns.take_one("time", schema.time)
    named = replace(schema, label=label, categorical=categorical, numeric=numeric, time=time)
    if split_column is not None and columns.take_one("split_column", split_column) != split_column:
        raise DataError(f"{source}: split_column {split_column!r} must have one axis; each row needs one part")
    lengths = {name: len(column) for name, column in columns.taken.items()}
    other = next((name for name in lengths if lengths[name] != lengths[label]), None)
    if other is not None:
        raise DataError(
            f"{source}: declared columns must have one length, got {lengths[label]} rows of {label!r} and "
            f"{lengths[other]} of {other!r}"
        )
    for name in categorical:
        if not isinstance(columns.read.get(name), pl.Series):
            columns.taken[name] = _whole(columns.taken[name])
    return named, pl.DataFrame(list(columns.taken.values()))


@dataclass(slots=True)
class _Columns:
    """The columns taken so far; an array is read once, for the arrays of a file are read at each access."""

    arrays: Mapping[Any, Any]
    source: str
    taken: dict[str, pl.Series] = field(default_factory=dict)
    read: dict[str, Any] = field(default_factory=dict)

    def take(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the columns that the names stand for."""
        return tuple(column for name in names for column in self._columns_of(name))

    def take_one(self, role: str, name: str) -> str:
        columns = self._columns_of(name)
        if len(columns) != 1:
            raise DataError(
                f"{self.source}: {role} must be one column, but array {name!r} has {len(columns)}; "
                f"name one of them, as {name}_0"
            )
        return columns[0]

    def _columns_of(self, name: str) -> tuple[str, ...]:
        if name in self.arrays:
            array = self._array(name)
            if len(array.shape) == 1:
                return self._added({name: array})
            return self._added({f"{name}_{place}": array[:, place] for place in range(array.shape[1])})
        stem, _, digits = name.rpartition("_")
        if stem not in self.arrays or len(self._array(stem).shape) == 1:
            names = [name for name in self.arrays if isinstance(name, str)]
            require_columns(pl.DataFrame(schema=names), (name,), self.source)
        array = self._array(stem)
        place = next((place for place in range(array.shape[1]) if str(place) == digits), None)
        if place is None:
            raise DataError(
                f"{self.source}: unknown column {name!r}; array {stem!r} has the columns {stem}_0 to "
                f"{stem}_{array.shape[1] - 1}"
            )
        return self._added({name: array[:, place]})

    def _array(self, name: str) -> Any:
        if name not in self.read:
            self.read[name] = _as_array(self.arrays[name], name, self.source)
        return self.read[name]

    def _added(self, arrays: dict[str, Any]) -> tuple[str, ...]:
        for name, array in arrays.items():
            if name not in self.taken:
                self.taken[name] = _as_column(array, name, self.source)
        return tuple(arrays)


def _as_array(values: Any, name: str, source: str) -> Any:
    """The values with one axis or two: a masked array where some may be missing; polars stays as it is."""
    if isinstance(values, pl.Series):
        return values
    if isinstance(values, str | bytes | Mapping) or not (hasattr(values, "__array__") or hasattr(values, "__len__")):
        raise DataError(f"{source}: column {name!r} must be an array, got {type(values).__name__}")
    try:
        if hasattr(values, "isna"):  # of pandas, where each type has a missing value of its own
            array: NDArray[Any] = np.ma.MaskedArray(values.to_numpy(), mask=np.asarray(values.isna(), dtype=bool))
        elif hasattr(values, "__array__"):
            array = np.asanyarray(values)
        else:
            array = np.asarray(values, dtype=object)  # NumPy would make text of a list of several types
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{source}: column {name!r} cannot be read as an array ({error})") from error
    if array.ndim not in (1, 2) or array.shape[1:] == (0,):
        raise DataError(f"{source}: array {name!r} must have shape (N,) or (N, k), got {array.shape}")
    return array


def _as_column(array: Any, name: str, source: str) -> pl.Series:
    if isinstance(array, pl.Series):
        return array.alias(name)
    missing = np.ma.getmaskarray(array)
    values = np.ma.getdata(array)
    kind = values.dtype.kind
    if kind == "O":
        present = (None if gone else value for value, gone in zip(values.tolist(), missing, strict=True))
        return _of_objects(list(present), name, source)
    if kind == "S":
        try:
            values = np.strings.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{source}: column {name!r} holds bytes that are not UTF-8 ({error})") from error
    elif kind in "Mm" and np.datetime_data(values.dtype)[0] not in _POLARS_TIME_UNITS:
        values = values.astype(f"{kind}8[us]")
    elif kind == "f" and values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    elif kind not in "biufUTMm":
        raise DataError(f"{source}: column {name!r} of type {values.dtype} is neither numbers, text nor times")
    column = pl.Series(name, np.ascontiguousarray(values))
    if column.dtype.is_float():
        column = column.fill_nan(None)
    return column.set(pl.Series(missing), None) if missing.any() else column


def _of_objects(values: list[Any], name: str, source: str) -> pl.Series:
    values = [None if isinstance(value, float | np.floating) and np.isnan(value) else value for value in values]
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        # Several types in one column are read as text; a numeric column becomes numbers again.
        strange = next((value for value in values if not isinstance(value, _SCALARS | None)), None)
        if strange is not None:
            raise DataError(
                f"{source}: column {name!r} holds {strange!r} of type {type(strange).__name__}; "
                "give one plain value per row"
            ) from error
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def _whole(column: pl.Series) -> pl.Series:
    """Floats with missing values as integers, if that is what they are; see `declared_columns`."""
    if not column.dtype.is_float() or not column.null_count():
        return column
    is_whole = bool(((column == column.round()) & (column.abs() <= _MAX_EXACT_FLOAT)).all())
    return column.cast(pl.Int64) if is_whole else column
