"""A whole public log on disk, opened at once and read row by row in any order, never loaded whole.

A stored log is a folder of plain NumPy arrays and a manifest:

    manifest.json     format version, fields and their tables, counts, options, states and digests of all files
    labels.npy        (N,) uint8
    dense.npy         (N, D) float32
    ids_u1.npy ...    (N, F1) the fields whose ids fit one byte; ids_u2.npy two bytes, ids_u4.npy four
    missing.npy       (N, ceil((F + D) / 8)) a bit for each field, set where the raw cell was empty
    rows_train.npy    (N1,) which of the N rows are train, likewise valid and test
    keys_C1.npy ...   the vocabulary of a field, key i has id i + 1
    bad_lines.tsv     the lines left out: number, reason, text

All N rows lie in the order of the raw file. Fields of one width share an array, so that a row drawn at random costs
about five places in memory, not one for each of forty columns.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data.encode import NumericTransform
from moco.data.logs.cells import PAD, Cells, hex_text, signed
from moco.data.logs.encode import FieldTable
from moco.data.logs.formats import LOG_FORMATS
from moco.data.logs.keys import mixed
from moco.data.rows import DataError, Rows
from moco.data.schema import typed_features
from moco.data.split import PARTS
from moco.data.stretches import label_means, label_means_text

FORMAT = "moco-log-1"
MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredLog:
    """An opened log: F categorical and D dense fields.

    Attributes:
        folder: Where it lies.
        manifest: What `manifest.json` holds.
        tables: (F,) the table of each categorical field.
        max_table_rows: Limit on the rows of each table; None for the tables as they were stored.
    """

    folder: Path
    manifest: dict[str, Any]
    tables: tuple[FieldTable, ...]
    _arrays: dict[str, NDArray[Any]]
    max_table_rows: int | None = None

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a stored log. The arrays are mapped, not read; nothing in the folder is executed.

        Raises:
            DataError: there is no stored log, it has another format, or a file is missing or cut short.
        """
        folder = Path(folder)
        if not is_stored(folder):
            raise DataError(f"no stored log in {folder}: {MANIFEST} is expected there")
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            written_as = manifest["format"]
            if written_as == FORMAT:
                for name, state in manifest["files"].items():
                    if (folder / name).stat().st_size != state["bytes"]:
                        raise DataError(f"{name} has another size than the manifest says")
                names = [name.removesuffix(".npy") for name in manifest["files"] if name.endswith(".npy")]
                arrays = {name: _mapped(folder / f"{name}.npy") for name in names}
                tables = tuple(
                    FieldTable(**fields, keys=arrays.get(f"keys_{fields['name']}", np.zeros(0, dtype=np.uint64)))
                    for fields in manifest["tables"]
                )
                return cls(folder=folder, manifest=manifest, tables=tables, _arrays=arrays)
        except Exception as error:  # damaged bytes make the parsers raise nearly anything
            raise DataError(f"the stored log in {folder} is damaged ({error}); make it anew") from error
        raise DataError(f"{folder} has format {written_as!r}, this version reads {FORMAT!r}; make the log anew")

    @property
    def name(self) -> str:
        """What the rows are and how they are encoded."""
        return str(self.manifest["name"])

    @property
    def encoding(self) -> str:
        """ "vocabulary" or "authors"."""
        return str(self.manifest["options"]["encoding"])

    @property
    def categorical(self) -> tuple[str, ...]:
        """(F,) names of the categorical fields."""
        return tuple(table.name for table in self.tables)

    @property
    def dense(self) -> tuple[str, ...]:
        """(D,) names of the dense inputs, ln(max(x, 0) + 1) each."""
        return tuple(self.manifest["dense"])

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """(F,) rows of each field's table, row 0 included."""
        limit = self.max_table_rows
        return tuple(table.table_rows if limit is None else min(table.table_rows, limit) for table in self.tables)

    @property
    def digest(self) -> str:
        """SHA-256 over the fields and the digests of all files; equal digests mean equal content."""
        files = {name: state["sha256"] for name, state in self.manifest["files"].items()}
        fields = [self.manifest["tables"], self.manifest["dense"], self.max_table_rows]
        return hashlib.sha256(json.dumps([files, fields], sort_keys=True).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self._arrays["labels"])

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the folder for itself; the arrays are not sent."""
        return _reopened, (self.folder, self.max_table_rows)

    def capped(self, max_table_rows: int | None) -> "StoredLog":
        """The same log with tables of at most so many rows: small ones for search, None for full ones.

        Ids below the limit keep their row. Ids from it on, the rarer values of a vocabulary, are hashed into rows
        1 to max_table_rows - 1 and share them.

        Raises:
            DataError: the limit is not a whole number of at least 2.
        """
        if max_table_rows is not None and (not isinstance(max_table_rows, int) or max_table_rows < 2):
            raise DataError(f"max_table_rows must be a whole number of at least 2, got {max_table_rows!r}")
        return replace(self, max_table_rows=max_table_rows)

    def part(self, name: str) -> "LogPart":
        """The rows of train, valid or test.

        Raises:
            DataError: another name.
        """
        if name not in PARTS:
            raise DataError(f"unknown part {name!r}; parts are {', '.join(map(repr, PARTS))}")
        return LogPart(self, name, self._arrays[f"rows_{name}"])

    @property
    def train(self) -> "LogPart":
        """Rows to fit on."""
        return self.part("train")

    @property
    def valid(self) -> "LogPart":
        """Rows to select on."""
        return self.part("valid")

    @property
    def test(self) -> "LogPart":
        """Rows to touch once, at the end."""
        return self.part("test")

    def gather(self, at: NDArray[np.int64]) -> Rows:
        """Rows by their number in the log, counted from 0, in the order asked for."""
        ids = np.empty((len(at), len(self.tables)), dtype=np.int32)
        for array, fields in self.manifest["fields_of"].items():
            ids[:, fields] = self._arrays[array][at]
        for column, table, rows in zip(ids.T, self.tables, self.cardinalities, strict=True):
            if rows < table.table_rows:
                column[:] = _limited(column, rows)
        dense = self._arrays["dense"][at] if self.dense else np.zeros((len(at), 0), dtype=np.float32)
        return Rows(ids, dense, self._arrays["labels"][at].astype(np.float32))

    def n_missing(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """(F + D,) empty raw cells of each field, categorical first, among some rows of the log."""
        bits = np.unpackbits(self._arrays["missing"][at], axis=1, count=len(self.tables) + len(self.dense))
        counts: NDArray[np.int64] = bits.sum(axis=0, dtype=np.int64)
        return counts

    def values(self, field: int, ids: NDArray[np.int64]) -> pl.Series:
        """What ids of a field, none of them 0, stand for: raw values, or "row 7" where values share rows."""
        table = self.tables[field]
        if table.rule != "vocabulary" or self.cardinalities[field] < table.table_rows:
            return pl.Series(table.name, [f"row {i}" for i in ids.tolist()], dtype=pl.String)
        keys = np.asarray(table.keys[ids - 1])
        text = hex_text(keys).astype(str).tolist() if table.kind == "hex" else map(str, signed(keys))
        return pl.Series(table.name, list(text), dtype=pl.String)

    def encode(self, frame: pl.DataFrame) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Encode new raw rows as this log is encoded.

        Args:
            frame: Raw columns, at least the categorical and dense fields of this log.

        Returns:
            (N, F) ids and (N, D) dense inputs.

        Raises:
            DataError: a column is absent, or a value is not of the kind of its column.
        """
        numeric = tuple(name for name in self.dense if name != "constant_0")
        typed = typed_features(frame, self.categorical, numeric, "new rows")
        ids = np.zeros((frame.height, len(self.tables)), dtype=np.int32)
        for column, table, rows in zip(ids.T, self.tables, self.cardinalities, strict=True):
            keys, is_missing = _keys_of(typed[table.name], table)
            column[:] = table.ids(keys, is_missing)
            if rows < table.table_rows:
                column[:] = _limited(column, rows)
        transform = NumericTransform("log", (0.0,) * len(numeric), (1.0,) * len(numeric))
        dense = transform.dense(typed, numeric, "new rows")
        return ids, dense if numeric == self.dense else np.zeros((frame.height, len(self.dense)), dtype=np.float32)

    def verify(self) -> None:
        """Read every file and compare it with its digest.

        Raises:
            DataError: a file is damaged.
        """
        for name, state in self.manifest["files"].items():
            if file_digest(self.folder / name) != state["sha256"]:
                raise DataError(f"{self.folder / name} is damaged: its digest does not match; make the log anew")

    def describe(self) -> str:
        """A printable account: rows and label mean of each part, then each field with what is missing in it."""
        lines = [f"{self.name}   digest {self.digest[:12]}", "", f"{'part':<8}{'rows':>13}{'label mean':>12}"]
        parts = self.manifest["parts"]
        for part in PARTS:
            n_rows = parts[part]["rows"]
            lines.append(f"{part:<8}{n_rows:>13,}{parts[part]['positives'] / n_rows:>12.4f}")
        is_in_time = LOG_FORMATS[self.manifest["plan"]["log"]].is_in_time
        order = "in the order of the raw file" + (", that of time" if is_in_time else ", not known to be that of time")
        lines += ["", label_means_text(label_means(self._arrays["labels"]), order)]
        width = max(len(name) for name in ("field", *self.categorical, *self.dense)) + 2
        lines += ["", f"{'field':<{width}}{'table rows':>12}{'missing':>10}{'unknown in test':>17}  rule"]
        for f, (table, rows) in enumerate(zip(self.tables, self.cardinalities, strict=True)):
            missing = sum(parts[part]["missing"][f] for part in PARTS) / len(self)
            unknown = parts["test"]["unknown"][f] / parts["test"]["rows"]
            lines.append(f"{table.name:<{width}}{rows:>12,}{missing:>10.2%}{unknown:>17.2%}  {table.rule}")
        for d, name in enumerate(self.dense, start=len(self.tables)):
            missing = sum(parts[part]["missing"][d] for part in PARTS) / len(self)
            lines.append(f"{name:<{width}}{'number':>12}{missing:>10.2%}")
        n_bad = self.manifest["n_bad_lines"]
        return "\n".join([*lines, "", f"{sum(self.cardinalities):,} table rows in all; {n_bad:,} bad lines left out"])


@dataclass(frozen=True, slots=True, eq=False)
class LogPart:
    """One part of a stored log.

    Attributes:
        log: Whose part it is.
        name: "train", "valid" or "test".
        row_numbers: (N,) the rows of the log that belong to it, in the order of the raw file.
    """

    log: StoredLog
    name: str
    row_numbers: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.row_numbers)

    @property
    def label_mean(self) -> float:
        """Share of rows with label 1."""
        counts = self.log.manifest["parts"][self.name]
        return float(counts["positives"] / counts["rows"])

    def rows(self, indices: NDArray[np.integer[Any]]) -> Rows:
        """Rows by their index in this part, from 0 to len - 1, in the order asked for; repeats are allowed."""
        return self.log.gather(self.row_numbers[indices].astype(np.int64))


def _reopened(folder: Path, max_table_rows: int | None) -> StoredLog:
    return StoredLog.open(folder).capped(max_table_rows)


def is_stored(folder: Path) -> bool:
    """Whether a folder holds a stored log."""
    return (folder / MANIFEST).is_file()


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mapped(path: Path) -> NDArray[Any]:
    array = np.load(path, mmap_mode=None if path.stat().st_size < 4096 else "r", allow_pickle=False)
    plain: NDArray[Any] = np.asarray(array).view(np.ndarray)
    return plain


def _limited(ids: NDArray[np.int32], rows: int) -> NDArray[np.int32]:
    """Ids from `rows` on hashed into 1 to rows - 1."""
    hashed = mixed(ids) % np.uint64(rows - 1)
    limited: NDArray[np.int32] = np.where(ids < rows, ids, hashed.astype(np.int32) + np.int32(1))
    return limited


def _keys_of(column: pl.Series, table: FieldTable) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Keys of text values and which are missing."""
    text = column.fill_null("")
    cells = Cells("".join([*text, "\n"]).encode())
    length = text.str.len_bytes().to_numpy().astype(np.int64)
    end = PAD + np.cumsum(length)
    start = end - length
    keys: NDArray[Any]
    if table.kind == "hex":
        keys, is_missing, wrong = cells.hex(start, end)
    else:
        keys, is_missing, _, wrong = cells.decimal(start, end)
    if wrong.any():
        row = int(wrong.argmax())
        due = "up to 8 hexadecimal digits" if table.kind == "hex" else "a whole number"
        raise DataError(f"new rows: column {table.name!r} must hold {due}, got {column[row]!r} in row {row + 1}")
    return keys, is_missing
