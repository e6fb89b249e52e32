"""Which columns of a raw table are label, categorical, numeric and time, and their checked reading."""

from dataclasses import dataclass

import polars as pl

from moco.data.rows import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """The declared columns of a log; columns that it does not name are left out.

    Attributes:
        label: Column of 0 and 1 (a click, a purchase).
        categorical: Columns whose values are names, however they look: users, items, hours, ad sizes.
        numeric: Columns whose values are amounts: counts, prices, ages.
        time: Column that orders the rows, for a split by time: numbers, or text that sorts as time does
            (ISO 8601).
    """

    label: str
    categorical: tuple[str, ...]
    numeric: tuple[str, ...] = ()
    time: str | None = None

    def __post_init__(self) -> None:
        for role in ("categorical", "numeric"):
            names = getattr(self, role)
            if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
                raise TypeError(f"{role} must be a tuple of column names, got {names!r}")
            object.__setattr__(self, role, tuple(names))  # JSON declares columns as lists
        if not self.categorical:
            raise DataError("categorical must name at least one column, got none")
        features = [self.label, *self.categorical, *self.numeric]
        twice = sorted({name for name in features if features.count(name) > 1})
        if twice:
            raise DataError(
                f"label, categorical and numeric must name each column once, got {_quoted(twice)} more than once"
            )


def typed_log(frame: pl.DataFrame, schema: TableSchema, source: str) -> pl.DataFrame:
    """A raw log with its features and label typed; a missing feature is null.

    Args:
        frame: Raw columns, text where they come from a csv.
        schema: The declared columns.
        source: Where the log comes from, for error messages.

    Raises:
        DataError: there are no rows, a declared column is absent, or a value does not fit its declaration.
    """
    if not frame.height:
        raise DataError(f"{source} has no rows")
    require_columns(frame, (schema.label,), source)
    typed = typed_features(frame, schema.categorical, schema.numeric, source)
    return typed.with_columns(_label(frame[schema.label], source))


def typed_features(
    frame: pl.DataFrame, categorical: tuple[str, ...], numeric: tuple[str, ...], source: str
) -> pl.DataFrame:
    """The feature columns of a raw frame, typed; a missing value is null.

    Args:
        frame: Raw columns of any type; text where they come from a csv.
        categorical: Columns to read as text; empty text is missing.
        numeric: Columns to read as float64; empty text and NaN are missing.
        source: Where the frame comes from, for error messages.

    Returns:
        The columns in the order given, categorical first, and any other columns of the frame after them.

    Raises:
        DataError: a column is absent, holds text where a number is due, or is of a nested type.
    """
    require_columns(frame, (*categorical, *numeric), source)
    columns = [_as_text(frame[name], source) for name in categorical]
    columns += [as_numbers(frame[name], source) for name in numeric]
    return pl.DataFrame(columns).hstack(frame.drop(*categorical, *numeric).get_columns())


def as_numbers(column: pl.Series, source: str) -> pl.Series:
    """A column as float64 in which null means missing.

    Raises:
        DataError: a value is not a finite number; the message names the column, the value and its row,
            counted from 1 after the header.
    """
    raw = column
    if raw.dtype == pl.String:
        raw = raw.str.strip_chars()
        raw = raw.set(raw == "", None)
    numbers = _cast(raw, pl.Float64, source)
    wrong = (raw.is_not_null() & numbers.is_null()) | numbers.is_infinite().fill_null(False)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise DataError(
            f"{source}: numeric column {column.name!r} holds {column[row]!r} in row {row + 1}, not a finite number; "
            "leave missing values empty, or declare the column categorical"
        )
    return numbers.fill_nan(None)


def require_columns(frame: pl.DataFrame, names: tuple[str, ...], source: str) -> None:
    """Raise DataError when one of the names is not a column of the frame."""
    unknown = [name for name in names if name not in frame.columns]
    if unknown:
        raise DataError(f"{source}: unknown column {_quoted(unknown)}; columns are {_quoted(frame.columns)}")


def _label(column: pl.Series, source: str) -> pl.Series:
    text_or_number = column.str.strip_chars() if column.dtype == pl.String else column
    labels = _cast(text_or_number, pl.Float64, source)
    wrong = (labels.is_null() | ~labels.is_in([0.0, 1.0])).fill_null(True)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        value = column[row]
        raise DataError(
            f"{source}: label {column.name!r} must be 0 or 1, got {'nothing' if value is None else repr(value)} "
            f"in row {row + 1}"
        )
    return labels.cast(pl.Float32)


def _as_text(column: pl.Series, source: str) -> pl.Series:
    if column.dtype.is_float():
        column = column.fill_nan(None)
    text = _cast(column, pl.String, source)
    return text.set(text == "", None)


def _cast(column: pl.Series, dtype: type[pl.DataType], source: str) -> pl.Series:
    """The column as another type, null where a value has no such form."""
    try:
        if not column.dtype.is_nested():
            return column.cast(dtype, strict=False)
    except pl.exceptions.PolarsError:
        pass  # a type that has no such form at all, like a nested one
    raise DataError(
        f"{source}: column {column.name!r} of type {column.dtype} cannot be read as {dtype.__name__}; "
        "give one plain value per row"
    )


def _quoted(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
