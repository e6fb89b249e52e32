"""The second half of a preparation: parsed blocks split, counted, encoded, and written as a stored log."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moco.data.logs.arrayfile import ArrayFile
from moco.data.logs.blockfile import BlockList, field_bits
from moco.data.logs.encode import FieldTable, authors_table, vocabulary_table
from moco.data.logs.folds import parts_of, stratified_folds
from moco.data.logs.formats import LogFormat
from moco.data.logs.keys import counted
from moco.data.logs.options import Clock, LogOptions, Progress
from moco.data.logs.parse import BadLine
from moco.data.logs.stored import FORMAT, MANIFEST, file_digest
from moco.data.logs.threads import in_order
from moco.data.split import PARTS

_ROWS_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True)
class _Counts:
    missing: NDArray[np.int64]  # (3, F + D)
    unknown: NDArray[np.int64]  # (3, F)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What is encoded, and how.

    Attributes:
        log_format: Of the raw file.
        options: Of the encoding.
        parsed: The blocks.
        pool: Threads at work.
        n_threads: How many.
        progress: Called after each block.
    """

    log_format: LogFormat
    options: LogOptions
    parsed: BlockList
    pool: ThreadPoolExecutor
    n_threads: int
    progress: Callable[[Progress], None] | None

    def write(self, folder: Path, plan: dict[str, Any], bad: list[BadLine]) -> None:
        """Split, count and encode the parsed blocks, and write all files of the stored log.

        Args:
            folder: An empty folder.
            plan: What the log was made from; goes into the manifest.
            bad: The lines left out.

        Raises:
            DataError: too few rows to split.
            OSError: the folder cannot be written.
        """
        parsed = self.parsed
        n_rows = sum(parsed.n_rows)
        labels = np.concatenate([self.parsed.store.labels(index, rows) for index, _, rows in parsed])
        part_of_row = parts_of(stratified_folds(labels))
        for p, part in enumerate(PARTS):
            n_part = int(np.count_nonzero(part_of_row == p))
            with ArrayFile(folder / f"rows_{part}.npy", np.dtype("<u4"), (n_part,)) as file:
                for first in range(0, n_rows, _ROWS_AT_ONCE):
                    found = np.flatnonzero(part_of_row[first : first + _ROWS_AT_ONCE] == p) + first
                    file.append(found.astype(np.uint32))
        with ArrayFile(folder / "labels.npy", np.dtype(np.uint8), (n_rows,)) as file:
            file.append(labels)
        tables = self._tables(part_of_row)
        for table in tables:
            if table.rule == "vocabulary":
                with ArrayFile(folder / f"keys_{table.name}.npy", table.keys.dtype, table.keys.shape) as file:
                    file.append(table.keys)
        fields_of: dict[str, list[int]] = {}
        for f, table in enumerate(tables):
            fields_of.setdefault(f"ids_u{table.dtype.itemsize}", []).append(f)
        counts = self._write_rows(folder, tables, fields_of, part_of_row)
        with (folder / "bad_lines.tsv").open("w", encoding="utf-8") as lines:
            lines.writelines(f"{line.line}\t{line.reason}\t{json.dumps(line.text)}\n" for line in bad)
        names = sorted(path.name for path in folder.iterdir())
        with in_order(self.pool, self.n_threads, lambda name: file_digest(folder / name), names) as results:
            digests = list(results)
        manifest = {
            "format": FORMAT,
            "name": f"{self.log_format.title}, {self.options.encoding} encoding",
            "plan": plan,
            "options": asdict(self.options),
            "dense": list(self.log_format.dense(self.options.encoding)),
            "tables": [
                {"name": t.name, "kind": t.kind, "rule": t.rule, "table_rows": int(t.table_rows)} for t in tables
            ],
            "fields_of": fields_of,
            "n_bad_lines": len(bad),
            "parts": {
                part: {
                    "rows": int(np.count_nonzero(part_of_row == p)),
                    "positives": int(np.count_nonzero(labels[part_of_row == p])),
                    "missing": counts.missing[p].tolist(),
                    "unknown": counts.unknown[p].tolist(),
                }
                for p, part in enumerate(PARTS)
            },
            "files": {
                name: {"bytes": (folder / name).stat().st_size, "sha256": digest}
                for name, digest in zip(names, digests, strict=True)
            },
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    def _tables(self, part_of_row: NDArray[np.uint8]) -> list[FieldTable]:
        options, columns = self.options, self.log_format.categorical(self.options.encoding)
        if options.encoding == "authors":
            return [authors_table(column, self.log_format.is_token, options.max_table_rows) for column in columns]

        def table(field: int) -> FieldTable:
            def train_keys() -> Iterator[NDArray[Any]]:
                for index, first, rows in self.parsed:
                    is_missing = field_bits(self.parsed.store.missing(index, rows), field)
                    keys = self.parsed.store.keys(index, rows, field)
                    yield keys[~is_missing & (part_of_row[first : first + rows] == 0)]

            made = vocabulary_table(
                columns[field], counted(train_keys(), options.min_count), options.hash_above, options.hash_rows
            )
            made.ids(made.keys[:0], np.zeros(0, dtype=np.bool_))  # builds the hash table, once, in this thread
            return made

        with in_order(self.pool, self.n_threads, table, range(len(columns))) as tables:
            return list(tables)

    def _write_rows(
        self,
        folder: Path,
        tables: list[FieldTable],
        fields_of: dict[str, list[int]],
        part_of_row: NDArray[np.uint8],
    ) -> "_Counts":
        n_rows, n_dense = sum(self.parsed.n_rows), len(self.log_format.dense(self.options.encoding))
        n_bits = len(tables) + n_dense
        types = {name: (tables[fields[0]].dtype, len(fields)) for name, fields in fields_of.items()}
        types["dense"] = (np.dtype("<f4"), n_dense)
        types["missing"] = (np.dtype(np.uint8), (n_bits + 7) // 8)
        total = _Counts(np.zeros((3, n_bits), dtype=np.int64), np.zeros((3, len(tables)), dtype=np.int64))
        clock = Clock("encoding", self.progress)

        def encode(block: tuple[int, int, int]) -> tuple[_Counts, int]:
            index, first, rows = block
            part = part_of_row[first : first + rows]
            missing = self.parsed.store.missing(index, rows)
            out = {name: np.empty((rows, len(fields)), types[name][0]) for name, fields in fields_of.items()}
            places = {f: (name, at) for name, fields in fields_of.items() for at, f in enumerate(fields)}
            unknown = np.zeros((3, len(tables)), dtype=np.int64)
            n_missing = np.zeros((3, n_bits), dtype=np.int64)
            for field in range(n_bits):
                is_missing = field_bits(missing, field)
                n_missing[:, field] = np.bincount(part[is_missing], minlength=3)
                if field < len(tables):
                    ids = tables[field].ids(self.parsed.store.keys(index, rows, field), is_missing)
                    unknown[:, field] = np.bincount(part[ids == 0], minlength=3) - n_missing[:, field]
                    name, at = places[field]
                    out[name][:, at] = ids
            for name, array in out.items():
                files[name].write(first, array)
            files["dense"].write(first, self.parsed.store.dense(index, rows))
            files["missing"].write(first, missing)
            return _Counts(n_missing, unknown), first + rows

        with ExitStack() as stack:
            files = {
                name: stack.enter_context(ArrayFile(folder / f"{name}.npy", dtype, (n_rows, width)))
                for name, (dtype, width) in types.items()
            }
            for counts, n_done in stack.enter_context(in_order(self.pool, self.n_threads + 1, encode, self.parsed)):
                total.missing[:] += counts.missing
                total.unknown[:] += counts.unknown
                clock.tell(n_done, n_done / n_rows)
        return total
