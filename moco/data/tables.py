"""Any csv or parquet log with declared columns, and the checked reading of csv that all readers share."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from moco.data.dataset import CtrDataset
from moco.data.encode import NumericKind
from moco.data.rows import DataError
from moco.data.schema import TableSchema, require_columns, typed_log
from moco.data.split import PARTS, PartRows, stratified_rows, time_rows

CsvEncoding = Literal["utf8", "utf8-lossy"]
SplitKind = Literal["stratified", "time", "given"]
_MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}
_TABLE_ENDS = (*(f"{table}{packed}" for table in (".csv", ".tsv") for packed in ("", *_MAGIC)), ".parquet")


def read_csv(
    path: Path, separator: str = ",", *, names: Sequence[str] | None = None, encoding: CsvEncoding = "utf8"
) -> pl.DataFrame:
    """A csv file, plain, gzip or zstd, as text columns; an empty cell is null, a blank line is skipped.

    Args:
        path: The file; one that ends in .gz or .zst must be packed so.
        separator: One character.
        names: Column names of a file without a header line.
        encoding: "utf8-lossy" puts a mark in place of each byte that is not UTF-8; "utf8" refuses it.

    Raises:
        DataError: the file is empty, not packed as its name says, cut short, not UTF-8, or has a row with more or
            fewer fields than the first line.
    """
    magic = _MAGIC.get(path.suffix, b"")
    try:
        with path.open("rb") as file:
            if file.read(len(magic)) != magic:
                raise DataError(f"{path} ends in {path.suffix} but is not packed so; rename or pack it")
        frame = pl.read_csv(
            path,
            separator=separator,
            has_header=names is None,
            encoding=encoding,
            infer_schema=False,
        )
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{path} is empty; rows of a log are expected") from error
    except (OSError, pl.exceptions.PolarsError) as error:
        _require_equal_lengths(path, separator)
        raise DataError(f"cannot read {path} as csv: {str(error).splitlines()[0]}") from error
    if names is not None:
        if frame.width != len(names):
            raise DataError(f"{path} must have the {len(names)} columns {', '.join(names)}, got {frame.width}")
        frame.columns = list(names)
    if frame[:, -1].null_count():  # where a short row or a blank line would show
        _require_equal_lengths(path, separator)
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame


def _require_equal_lengths(path: Path, separator: str) -> None:
    """Raise DataError for the first row that has another number of fields than the first line."""
    try:
        lines = pl.read_csv(
            path,
            separator="\x1f",
            has_header=False,
            quote_char=None,
            infer_schema=False,
            truncate_ragged_lines=True,
        )
        records = csv.reader((f"{line or ''}\n" for line in lines.to_series()), delimiter=separator)
        sizes = [len(record) for record in records]
    except (OSError, csv.Error, pl.exceptions.PolarsError):
        return  # not even lines: the caller's own error says why
    for line, size in enumerate(sizes, start=1):
        if size not in (0, sizes[0]):
            raise DataError(
                f"{path}: line {line} has {size} fields, the first line has {sizes[0]}; "
                "complete it or quote its separators"
            )


def _read_any(path: Path, separator: str) -> pl.DataFrame:
    if path.suffix != ".parquet":
        return read_csv(path, separator)
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"cannot read {path} as parquet: {str(error).splitlines()[0]}") from error


def table_files(path: Path) -> tuple[Path, ...]:
    """The log itself, or the train, valid and test files of a folder.

    Raises:
        DataError: nothing is there, or a part has no file or several.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise DataError(f"{path} does not exist; a csv or parquet file, or a folder of parts, is expected")
    files: list[Path] = []
    for part in PARTS:
        found = [path / f"{part}{end}" for end in _TABLE_ENDS if (path / f"{part}{end}").is_file()]
        if len(found) != 1:
            raise DataError(
                f"{path} must hold one file for part {part!r} ({part}.csv, {part}.csv.gz, {part}.parquet, ...), "
                f"found {len(found)}"
            )
        files += found
    return tuple(files)


def read_table(
    files: tuple[Path, ...],
    *,
    schema: TableSchema | None = None,
    separator: str = ",",
    split: SplitKind | None = None,
    split_column: str | None = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    min_count: int = 1,
    numeric_transform: NumericKind = "log",
    seed: int = 0,
) -> CtrDataset:
    """A log of the user's own.

    Args:
        files: From `table_files`: one log to split, or its three parts.
        schema: The declared columns.
        separator: Of the fields of a csv.
        split: "stratified" by the label (the default for one file), "time" (the latest rows are test), or "given"
            (the default for three files) by them or by split_column.
        split_column: Column that says train, valid or test in each row of one file.
        valid_fraction: Share of the rows for valid, unless the split is given.
        test_fraction: Share of the rows for test, unless the split is given.
        min_count: A value seen in fewer train rows shares id 0.
        numeric_transform: "log" is ln(max(x, 0) + 1); "standard" has mean 0 and deviation 1 on train; or "none".
        seed: Of the stratified split.

    Raises:
        DataError: the log cannot be read as declared; the message names file, column, value and row.
    """
    if schema is None:
        raise DataError("data set 'table' needs a schema: TableSchema(label=..., categorical=(...), numeric=(...))")
    split = split or ("stratified" if len(files) == 1 and split_column is None else "given")
    if split not in get_args(SplitKind):
        raise DataError(f"unknown split {split!r}; splits are {', '.join(map(repr, get_args(SplitKind)))}")
    if len(files) > 1 and (split != "given" or split_column is not None):
        raise DataError(f"three files are a given split of their own, got split={split!r}; leave split out")
    parts = [typed_log(_read_any(path, separator), schema, path.name) for path in files]
    if len(parts) > 1:
        frames = dict(zip(PARTS, parts, strict=True))
    elif split == "given":
        frames = _frames_by_column(parts[0], split_column, files[0].name)
    else:
        frame = parts[0]
        if split == "stratified":
            rows = stratified_rows(frame[schema.label].to_numpy(), valid_fraction, test_fraction, seed)
        else:
            if schema.time is None:
                raise DataError("split 'time' needs schema.time, the column that orders the rows")
            require_columns(frame, (schema.time,), files[0].name)
            rows = time_rows(frame[schema.time], valid_fraction, test_fraction, files[0].name)
        frames = frames_of(frame, rows)
    name = (files[0] if len(files) == 1 else files[0].parent).name.split(".")[0]
    return CtrDataset.from_frames(name, schema, frames, min_count=min_count, numeric_transform=numeric_transform)


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
