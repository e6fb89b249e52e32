"""Tables with declared columns, from files or from memory: split in three parts and encoded."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, get_args

import polars as pl

from moco.data.arrays import declared_columns
from moco.data.dataset import CtrDataset
from moco.data.encode import NumericKind
from moco.data.rows import DataError
from moco.data.schema import TableSchema, require_columns, typed_log
from moco.data.split import PARTS, PartRows, require_seed, rows_in_time, stratified_rows, time_rows
from moco.data.stretches import label_means

SplitKind = Literal["stratified", "time", "given"]


def dataset_from_frame(
    frame: Any,
    schema: TableSchema,
    *,
    name: str = "table",
    split: SplitKind | None = None,
    split_column: str | None = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    min_count: int = 1,
    numeric_transform: NumericKind = "log",
    seed: int = 0,
) -> CtrDataset:
    """A log that is in memory, split and encoded as one of the same rows in a file.

    Args:
        frame: A polars or a pandas DataFrame, or a mapping of names to arrays (N,), in which an array (N, k) stands for
            the columns name_0 to name_{k-1}. None and NaN are missing.
        schema: The declared columns.
        name: Of the data set.
        split: "stratified" by the label (the default), "time" (the latest rows are test), or "given" by split_column.
        split_column: Column that says train, valid or test in each row.
        valid_fraction: Share of the rows for valid, unless the split is given.
        test_fraction: Share of the rows for test, unless the split is given.
        min_count: A value seen in fewer train rows shares id 0.
        numeric_transform: "log" is ln(max(x, 0) + 1); "standard" has mean 0 and deviation 1 on train; or "none".
        seed: Of the stratified split.

    Raises:
        DataError: the frame cannot be read as declared; the message names column, value and row.
        TypeError: frame or schema is of another type.
    """
    if not isinstance(schema, TableSchema):
        raise TypeError(f"schema must be a TableSchema, got {type(schema).__name__}")
    require_seed(seed)
    if not isinstance(frame, pl.DataFrame):
        schema, frame = declared_columns(_arrays(frame), schema, split_column, name)
    return split_and_encoded(
        name,
        schema,
        {name: frame},
        split=split,
        split_column=split_column,
        valid_fraction=valid_fraction,
        test_fraction=test_fraction,
        min_count=min_count,
        numeric_transform=numeric_transform,
        seed=seed,
    )


def _arrays(frame: Any) -> Mapping[Any, Any]:
    if isinstance(frame, Mapping):
        return frame
    if not (hasattr(frame, "iloc") and hasattr(frame, "columns")):  # those of pandas, which need not be installed
        hint = "; call its collect()" if isinstance(frame, pl.LazyFrame) else ""
        raise TypeError(
            "frame must be a polars or pandas DataFrame or a mapping of names to arrays, "
            f"got {type(frame).__name__}{hint}"
        )
    columns = {column: frame.iloc[:, place] for place, column in enumerate(frame.columns)}
    if len(columns) != len(frame.columns):
        names = list(frame.columns)
        twice = next(column for column in names if names.count(column) > 1)
        raise DataError(f"frame must name each column once, got {twice!r} more than once; rename or drop one")
    return columns


def split_and_encoded(
    name: str,
    schema: TableSchema,
    logs: Mapping[str, pl.DataFrame],
    *,
    split: SplitKind | None,
    split_column: str | None,
    valid_fraction: float,
    test_fraction: float,
    min_count: int,
    numeric_transform: NumericKind,
    seed: int,
) -> CtrDataset:
    """One raw log to split, or its three parts, as a data set; the options are those of `dataset_from_frame`.

    Args:
        name: Of the data set.
        schema: The declared columns.
        logs: The raw log, or train, valid and test in this order, under what error messages call each.

    Raises:
        DataError: a column, a value or an option cannot be used.
    """
    split = split or ("stratified" if len(logs) == 1 and split_column is None else "given")
    if split not in get_args(SplitKind):
        raise DataError(f"unknown split {split!r}; splits are {', '.join(map(repr, get_args(SplitKind)))}")
    if len(logs) > 1 and (split != "given" or split_column is not None):
        raise DataError(f"three files are a given split of their own, got split={split!r}; leave split out")
    typed = {source: typed_log(log, schema, source) for source, log in logs.items()}
    source, frame = next(iter(typed.items()))
    means, order = _label_means(frame, schema, source) if len(typed) == 1 else ((), "")
    if len(typed) > 1:
        frames = dict(zip(PARTS, typed.values(), strict=True))
    elif split == "given":
        frames = _frames_by_column(frame, split_column, source)
    else:
        if split == "stratified":
            rows = stratified_rows(frame[schema.label].to_numpy(), valid_fraction, test_fraction, seed)
        else:
            if schema.time is None:
                raise DataError("split 'time' needs schema.time, the column that orders the rows")
            require_columns(frame, (schema.time,), source)
            rows = time_rows(frame[schema.time], valid_fraction, test_fraction, source)
        frames = frames_of(frame, rows)
    return CtrDataset.from_frames(
        name,
        schema,
        frames,
        min_count=min_count,
        numeric_transform=numeric_transform,
        label_means=means,
        order=order,
    )


def _label_means(frame: pl.DataFrame, schema: TableSchema, source: str) -> tuple[tuple[float, ...], str]:
    """Along the time of a log where its times are declared and complete, else along its rows."""
    labels = frame[schema.label].to_numpy()
    if schema.time in frame.columns:
        with suppress(DataError):  # a time is missing or cannot be ordered: no matter unless the log is split by it
            return label_means(labels[rows_in_time(frame[schema.time], source)]), f"by {schema.time}"
    return label_means(labels), "in the order of the rows"


def frames_of(frame: pl.DataFrame, rows: PartRows) -> dict[str, pl.DataFrame]:
    """The parts of a frame by name."""
    return {part: frame[part_rows] for part, part_rows in zip(PARTS, rows, strict=True)}


def _frames_by_column(frame: pl.DataFrame, column: str | None, source: str) -> dict[str, pl.DataFrame]:
    if column is None:
        raise DataError("split 'given' of one file needs split_column, the column that says train, valid or test")
    require_columns(frame, (column,), source)
    wrong = ~frame[column].cast(pl.String).is_in(PARTS).fill_null(False)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise DataError(
            f"{source}: split column {column!r} must say 'train', 'valid' or 'test', "
            f"got {frame[column][row]!r} in row {row + 1}"
        )
    return {part: frame.filter(pl.col(column) == part) for part in PARTS}
