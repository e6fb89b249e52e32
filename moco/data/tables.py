"""Any log of the user's own in a file, and the checked reading of csv that all readers share."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from moco.data.dataset import CtrDataset
from moco.data.encode import NumericKind
from moco.data.frames import SplitKind, split_and_encoded
from moco.data.libsvm import LIBSVM_ENDS, is_libsvm, read_libsvm
from moco.data.npz import read_npz
from moco.data.packed import PACKED_ENDS, POLARS_ERRORS, require_packed
from moco.data.rows import DataError
from moco.data.schema import TableSchema
from moco.data.split import PARTS

CsvEncoding = Literal["utf8", "utf8-lossy"]
_TABLE_ENDS = (
    *(f"{table}{packed}" for table in (".csv", ".tsv") for packed in PACKED_ENDS),
    ".parquet",
    ".npz",
    *LIBSVM_ENDS,
)


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
    try:
        require_packed(path)
        frame = pl.read_csv(
            path,
            separator=separator,
            has_header=names is None,
            encoding=encoding,
            infer_schema=False,
        )
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{path} is empty; rows of a log are expected") from error
    except (OSError, *POLARS_ERRORS) as error:
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
            separator="\x00",  # no text has it
            has_header=False,
            quote_char=None,
            infer_schema=False,
            truncate_ragged_lines=True,
        )
        records = csv.reader((f"{line or ''}\n" for line in lines.to_series()), delimiter=separator)
        sizes = [len(record) for record in records]
    except (OSError, csv.Error, *POLARS_ERRORS):
        return  # not even lines: the caller's own error says why
    for line, size in enumerate(sizes, start=1):
        if size not in (0, sizes[0]):
            raise DataError(
                f"{path}: line {line} has {size} fields, the first line has {sizes[0]}; "
                "complete it or quote its separators"
            )


def table_files(path: Path) -> tuple[Path, ...]:
    """The log itself, or the train, valid and test files of a folder.

    Raises:
        DataError: nothing is there, or a part has no file or several.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise DataError(f"{path} does not exist; a csv, parquet, npz or libsvm file, or a folder of parts, is expected")
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
    fields: Sequence[str] | None = None,
    split: SplitKind | None = None,
    split_column: str | None = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    min_count: int = 1,
    numeric_transform: NumericKind = "log",
    seed: int = 0,
) -> CtrDataset:
    """A log of the user's own: csv, parquet or npz with a schema, libsvm or libFM without.

    Args:
        files: From `table_files`: one log to split, or its three parts.
        schema: The declared columns. In an npz an array (N, k) is declared by its name, or a column of it as name_0
            to name_{k-1}. A libsvm declares itself: see `read_libsvm`.
        separator: Of the fields of a csv.
        fields: Names for the fields of a libsvm, in the order of its entries.
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
    are_libsvm = {is_libsvm(path) for path in files}
    if len(are_libsvm) > 1:
        raise DataError(f"parts must all be libsvm or none, got {', '.join(path.name for path in files)}")
    if True in are_libsvm:
        if schema is not None:
            raise DataError(f"{files[0].name} declares its own columns; leave the schema out, and name them by fields")
        if split == "time" or split_column is not None:
            raise DataError(f"{files[0].name} has neither times nor a split column; split it 'stratified' or in three")
        schema, frames = read_libsvm(files, fields)
        logs = {path.name: frame for path, frame in zip(files, frames, strict=True)}
    else:
        if schema is None:
            raise DataError("data set 'table' needs a schema: TableSchema(label=..., categorical=(...), numeric=(...))")
        if fields is not None:
            raise DataError(f"fields name the entries of a libsvm, but {files[0].name} names its columns; leave it out")
        schema, logs = _declared_logs(files, schema, separator, split_column)
    return split_and_encoded(
        (files[0] if len(files) == 1 else files[0].parent).name.split(".")[0],
        schema,
        logs,
        split=split,
        split_column=split_column,
        valid_fraction=valid_fraction,
        test_fraction=test_fraction,
        min_count=min_count,
        numeric_transform=numeric_transform,
        seed=seed,
    )


def _declared_logs(
    files: tuple[Path, ...], schema: TableSchema, separator: str, split_column: str | None
) -> tuple[TableSchema, dict[str, pl.DataFrame]]:
    """The schema with a name for each column, and the raw log of each file by the file's name."""
    logs: dict[str, pl.DataFrame] = {}
    schemas: dict[str, TableSchema] = {}
    for path in files:
        if path.suffix == ".npz":
            schemas[path.name], logs[path.name] = read_npz(path, schema, split_column)
        else:
            schemas[path.name] = schema
            logs[path.name] = _read_parquet(path) if path.suffix == ".parquet" else read_csv(path, separator)
    (first, named), *others = schemas.items()
    for other, its_own in others:
        if its_own != named:
            raise DataError(
                f"parts must have the same columns, but the schema means {_n_columns(named)} columns in {first} and "
                f"{_n_columns(its_own)} in {other}"
            )
    return named, logs


def _n_columns(schema: TableSchema) -> int:
    return 1 + len(schema.categorical) + len(schema.numeric)


def _read_parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, *POLARS_ERRORS) as error:
        raise DataError(f"cannot read {path} as parquet: {str(error).splitlines()[0]}") from error
