"""Logs in the form of libsvm and libFM: each line is `label index:value index:value ...`, one entry for each field."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data.packed import PACKED_ENDS, POLARS_ERRORS, require_packed
from moco.data.rows import DataError
from moco.data.schema import TableSchema

LIBSVM_ENDS = tuple(f"{table}{packed}" for table in (".libsvm", ".svm", ".libfm") for packed in PACKED_ENDS)
_LABEL = "label"


def is_libsvm(path: Path) -> bool:
    """Whether a file's name says that it is in this form."""
    return path.name.endswith(LIBSVM_ENDS)


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """The N lines of a file that have F entries each.

    Attributes:
        path: The file.
        line: (N,) line numbers from 1.
        labels: (N,) 0 or 1.
        indices: (N, F).
        values: (N, F), all finite.
    """

    path: Path
    line: NDArray[np.int64]
    labels: NDArray[np.float64]
    indices: NDArray[np.int64]
    values: NDArray[np.float64]


def read_libsvm(
    files: tuple[Path, ...], fields: Sequence[str] | None = None
) -> tuple[TableSchema, tuple[pl.DataFrame, ...]]:
    """The columns of one log or of its parts, and what they are.

    The k-th entry of a line is field k. A field whose values are all 1 is categorical, and its index is what the row
    has there; a field with one index throughout is numeric, and its value is.

    Args:
        files: Plain, gzip or zstd; `#` starts a comment, blank lines are skipped. Labels are 0 and 1, or -1 and 1.
        fields: A name for each field; field_1, field_2, ... when not given.

    Returns:
        The schema, and a frame for each file.

    Raises:
        DataError: a line is not of the form, lines differ in their number of entries, or a field is neither
            categorical nor numeric; the message names the line.
    """
    parts = [_entries(path) for path in files]
    n_fields = parts[0].indices.shape[1]
    for part in parts:
        if part.indices.shape[1] != n_fields:
            raise DataError(
                f"{part.path} has {part.indices.shape[1]} entries in a line, {parts[0].path} has {n_fields}; "
                "all parts need an entry for each field"
            )
    names = _field_names(fields, n_fields, files[0].name)
    is_categorical = np.all([(part.values == 1.0).all(axis=0) for part in parts], axis=0)
    lowest = np.min([part.indices.min(axis=0) for part in parts], axis=0)
    highest = np.max([part.indices.max(axis=0) for part in parts], axis=0)
    for k in np.flatnonzero(~is_categorical & (lowest != highest)).tolist():
        _refuse_field(parts, k, names[k], (int(lowest[k]), int(highest[k])))
    schema = TableSchema(
        label=_LABEL,
        categorical=tuple(name for name, given in zip(names, is_categorical, strict=True) if given),
        numeric=tuple(name for name, given in zip(names, is_categorical, strict=True) if not given),
    )
    frames = []
    for part in parts:
        columns = [
            pl.Series(name, part.indices[:, k] if is_categorical[k] else part.values[:, k])
            for k, name in enumerate(names)
        ]
        frames.append(pl.DataFrame([pl.Series(_LABEL, part.labels), *columns]))
    return schema, tuple(frames)


def _field_names(fields: Sequence[str] | None, n_fields: int, source: str) -> tuple[str, ...]:
    if fields is None:
        return tuple(f"field_{k}" for k in range(1, n_fields + 1))
    if not isinstance(fields, list | tuple) or not all(isinstance(name, str) for name in fields):
        raise DataError(f"fields must be a list of names, one for each entry of a line, got {fields!r}")
    quoted = ", ".join(map(repr, fields))
    if len(fields) != n_fields:
        raise DataError(f"{source}: each line has {n_fields} entries, but there are {len(fields)} fields: {quoted}")
    if len({_LABEL, *fields}) != n_fields + 1:
        raise DataError(f"fields must be different names and none of them {_LABEL!r}, got {quoted}")
    return tuple(fields)


def _refuse_field(parts: list[_Entries], k: int, name: str, indices: tuple[int, int]) -> None:
    part = next(part for part in parts if (part.values[:, k] != 1.0).any())
    row = int((part.values[:, k] != 1.0).argmax())
    raise DataError(
        f"{part.path}: entry {k + 1} of the lines ({name}) has value {part.values[row, k]:g} in line {part.line[row]}, "
        f"and its indices run from {indices[0]} to {indices[1]}: a categorical field has only the value 1, a numeric "
        "field only one index; give each field its own place in the line"
    )


def _entries(path: Path) -> _Entries:
    text, line = _lines(path)
    tokens = text.str.split(" ")
    n_tokens = tokens.list.len().to_numpy()
    if (n_tokens != n_tokens[0]).any():
        row = int((n_tokens != n_tokens[0]).argmax())
        raise DataError(
            f"{path}: line {line[row]} has {n_tokens[row] - 1} entries, line {line[0]} has {n_tokens[0] - 1}; "
            "each line needs an entry for each field, so sparse or multi-valued fields are not read"
        )
    n_fields = int(n_tokens[0]) - 1
    if not n_fields:
        raise DataError(f"{path}: line {line[0]} is {text[0]!r}, not label index:value index:value ...")
    flat = tokens.explode(empty_as_null=True, keep_nulls=True)
    is_entry = np.arange(len(flat)) % (n_fields + 1) != 0
    entries = flat.filter(pl.Series(is_entry))
    pairs = entries.str.splitn(":", 2).struct.unnest()
    index = pairs["field_0"].cast(pl.Int64, strict=False)
    value = pairs["field_1"].cast(pl.Float64, strict=False)
    is_right = (index >= 0).fill_null(False) & value.is_finite().fill_null(False)
    if not is_right.all():
        place = int((~is_right).arg_true()[0])
        raise DataError(
            f"{path}: line {line[place // n_fields]} holds {entries[place]!r}, not index:value with a whole number "
            "and a finite one"
        )
    labels = _labels(flat.filter(pl.Series(~is_entry)), path, line)
    shape = (len(line), n_fields)
    return _Entries(path, line, labels, index.to_numpy().reshape(shape), value.to_numpy().reshape(shape))


def _lines(path: Path) -> tuple[pl.Series, NDArray[np.int64]]:
    """The lines that say something, their words one space apart, and their numbers from 1."""
    try:
        require_packed(path)
        text = pl.read_lines(path, glob=False).to_series()
    except (OSError, *POLARS_ERRORS) as error:
        raise DataError(f"cannot read {path} as lines of text: {str(error).splitlines()[0]}") from error
    text = text.str.replace("#.*", "").str.replace_all(r"\s+", " ").str.strip_chars()
    is_log = text != ""
    if not is_log.any():
        raise DataError(f"{path} is empty; rows of a log are expected")
    return text.filter(is_log), np.flatnonzero(is_log.to_numpy()) + 1


def _labels(column: pl.Series, path: Path, line: NDArray[np.int64]) -> NDArray[np.float64]:
    labels = column.cast(pl.Float64, strict=False)
    wrong = ~labels.is_in([-1.0, 0.0, 1.0]).fill_null(False)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise DataError(f"{path}: label must be 0 or 1, or -1 or 1, got {column[row]!r} in line {line[row]}")
    numbers = labels.to_numpy()
    is_zero, is_minus = numbers == 0.0, numbers == -1.0
    if is_zero.any() and is_minus.any():
        raise DataError(
            f"{path}: labels must be 0 and 1, or -1 and 1, got 0 in line {line[is_zero.argmax()]} and "
            f"-1 in line {line[is_minus.argmax()]}"
        )
    return np.where(is_minus, 0.0, numbers)
