"""Predicts with the exported network in whose folder this script lies: one probability a line for each row of a log.

    python predict.py LOG.csv > probabilities.txt
    python predict.py LOG.tsv.gz --out probabilities.txt

LOG is a csv file (or a tab-separated one: .tsv, .txt, --separator), plain or gzip, with a header line that names at
least the columns of the network; further columns are left out. Needs Python 3.10, NumPy and onnxruntime, nothing else.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

BATCH = 4096
"""Rows that are read and predicted at once."""

FORMATS = {"manifest.json": "moco export 1", "preprocessing.json": "moco preprocessing 1"}
NEGATIVE_LIMIT = 10_000_000
MASK = 2**64 - 1


class InputError(Exception):
    """A file that cannot be used; the message says which, and why."""


def spread(x: int) -> int:
    """A number spread over 64 bits (the finaliser of SplitMix64)."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def key_of(text: str, field: dict[str, Any]) -> int:
    """The number that a categorical value of a public log stands for."""
    if field["kind"] == "hex":
        if re.fullmatch("[0-9a-fA-F]{1,8}", text):
            return int(text, 16)
        due = "up to 8 hexadecimal digits"
    else:
        if re.fullmatch("-?[0-9]{1,24}", text) and -NEGATIVE_LIMIT < int(text) < 2**64 - NEGATIVE_LIMIT:
            return int(text)
        due = "a whole number"
    raise InputError(f"column {field['name']!r} must hold {due}, got {text!r}")


def log_id(key: int, field: dict[str, Any], known: dict[int, int]) -> int:
    """The id of a key of a public log, by the rule of its field."""
    rule, rows = field["rule"], field["table_rows"]
    if rule == "vocabulary":
        found = known.get(key, 0)
    elif rule == "hashed":
        found = spread(key & MASK) % (rows - 1) + 1
    else:
        if rule == "authors-token":
            if field["kind"] == "hex":  # read as decimal wherever that is possible
                digits = f"{key:x}"
                key = int(digits) if digits.isdecimal() else key
            key %= 2**31 - 1
        found = key % (rows - 1) + 1
    limit = field["limit"]
    return found if limit is None or found < limit else spread(found) % (limit - 1) + 1


def ids_of(field: dict[str, Any]) -> Callable[[str], int]:
    """From a raw cell of a categorical field to its id; an empty cell has id 0."""
    known = {value: i for i, value in enumerate(field["values"], start=1)}
    if field["rule"] == "text":
        return lambda cell: known.get(cell, 0)
    kept = None if field["kept"] is None else {id_: i for i, id_ in enumerate(field["kept"], start=1)}
    memory: dict[str, int] = {"": 0}

    def id_of(cell: str) -> int:
        if cell not in memory:
            if len(memory) > 1_000_000:
                memory.clear()
                memory[""] = 0
            found = log_id(key_of(cell, field), field, known)
            memory[cell] = found if kept is None else kept.get(found, 0)
        return memory[cell]

    return id_of


def dense_of(number: dict[str, Any]) -> Callable[[str], float]:
    """From a raw cell of a numeric field to the network's input; an empty cell is 0."""
    is_log, shift, scale = number["kind"] == "log", number["shift"], number["scale"]

    def value_of(cell: str) -> float:
        text = cell.strip()
        if not text:
            return 0.0
        try:
            if not text.isascii() or "_" in text:
                raise ValueError
            value = float(text)
        except ValueError:
            value = math.inf
        if math.isinf(value):
            raise InputError(
                f"numeric column {number['name']!r} holds {cell!r}, not a finite number; leave missing values empty"
            )
        if math.isnan(value):
            return 0.0
        scaled: float = ((math.log1p(max(value, 0.0)) if is_log else value) - shift) / scale
        if abs(scaled) > float(np.finfo(np.float32).max):
            raise InputError(f"numeric column {number['name']!r} holds {cell!r}, too large for float32")
        return scaled

    return value_of


def opened(path: Path) -> TextIO:
    """A text file, plain or gzip, without the mark that some programs put at its start."""
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def rows_of(path: Path, separator: str, named: Sequence[str] | None, needed: Sequence[str]) -> Iterator[list[str]]:
    """The needed cells of each row, in the order of `needed`; lines without a value are skipped.

    Args:
        path: csv file, plain or gzip.
        separator: Between the cells of a line.
        named: Columns of files of this kind that have no header line.
        needed: Names of columns.
    """
    with opened(path) as file:
        lines = csv.reader(file, delimiter=separator)
        header = next(lines, None)
        if header is None:
            raise InputError(f"{path} is empty; rows of a log are expected")
        first: list[list[str]] = []
        if named is not None and len(header) == len(named) and not set(needed) & set(header):
            first, header = [header], list(named)
        missing = [name for name in needed if name not in header]
        if missing:
            raise InputError(f"{path}: unknown column {', '.join(missing)}; columns are {', '.join(header)}")
        places = [header.index(name) for name in needed]
        for cells in first:
            yield [cells[place] for place in places]
        for cells in lines:
            if any(cells):
                if len(cells) != len(header):
                    raise InputError(
                        f"{path}: line {lines.line_num} has {len(cells)} fields, the first line has {len(header)}"
                    )
                yield [cells[place] for place in places]


def batches(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """Rows, so many at a time."""
    batch: list[list[str]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def inputs_of(
    batch: list[list[str]], fields: list[Callable[[str], int]], numbers: list[Callable[[str], float] | None]
) -> dict[str, np.ndarray[Any, Any]]:
    """What the ONNX graph takes: (N, F) ids and, where there are any, (N, D) dense values."""
    columns = list(zip(*batch, strict=True))
    inputs: dict[str, np.ndarray[Any, Any]] = {
        "ids": np.array(
            [[*map(of, cells)] for of, cells in zip(fields, columns, strict=False)], dtype=np.int64
        ).T.copy()
    }
    if numbers:
        dense = np.zeros((len(batch), len(numbers)), dtype=np.float32)
        given = iter(columns[len(fields) :])
        for column, of in zip(dense.T, numbers, strict=True):
            if of is not None:
                column[:] = [of(cell) for cell in next(given)]
        inputs["dense"] = dense
    return inputs


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file of this export, of the format that this script reads."""
    try:
        entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        written_as = entries["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is missing or damaged ({error})") from error
    if written_as != FORMATS[path.name]:
        raise InputError(f"{path} has format {written_as!r}, this script reads {FORMATS[path.name]!r}")
    return entries


def check_digests(folder: Path, names: Sequence[str]) -> None:
    """Refuses files that are not those that the manifest names."""
    digests = read_json(folder / "manifest.json")["sha256"]
    for name in names:
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path} is missing: copy the whole folder")
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while piece := file.read(2**20):
                digest.update(piece)
        if digest.hexdigest() != digests.get(name):
            raise InputError(f"{path} is damaged: its SHA-256 is not that of manifest.json")


def predict(folder: Path, log: Path, separator: str, out: TextIO) -> None:
    """Writes the probability of each row of a log."""
    import onnxruntime

    table = "model.onnx.table"
    check_digests(folder, ["preprocessing.json", "model.onnx", *([table] if (folder / table).exists() else [])])
    preprocessing = read_json(folder / "preprocessing.json")
    fields, numbers = preprocessing["fields"], preprocessing["dense"]
    needed = [one["name"] for one in (*fields, *numbers) if one.get("kind") != "zero"]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
    of_fields = [ids_of(field) for field in fields]
    of_numbers = [None if number["kind"] == "zero" else dense_of(number) for number in numbers]
    n_done = 0
    for batch in batches(rows_of(log, separator, preprocessing["header"], needed)):
        try:
            inputs = inputs_of(batch, of_fields, of_numbers)
        except InputError as error:
            raise InputError(f"{log}, rows {n_done + 1} to {n_done + len(batch)}: {error}") from error
        out.writelines(f"{value:.9g}\n" for value in session.run(["probability"], inputs)[0].tolist())
        n_done += len(batch)


def main() -> int:
    """Entry point; exit code 1 and one line on standard error where a file cannot be used."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("log", type=Path, help="csv or tab-separated file with a header line, plain or .gz")
    parser.add_argument("--out", type=Path, help="file of probabilities; standard output when left out")
    parser.add_argument("--separator", help="between the cells of a line; by the name of the file when left out")
    given = parser.parse_args()
    is_tabbed = given.log.name.removesuffix(".gz").endswith((".tsv", ".txt"))
    separator = given.separator or ("\t" if is_tabbed else ",")
    folder = Path(__file__).resolve().parent
    try:
        if given.out is None:
            predict(folder, given.log, separator, sys.stdout)
        else:
            with given.out.open("w", encoding="utf-8") as out:
                predict(folder, given.log, separator, out)
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is needed: pip install numpy onnxruntime", file=sys.stderr)
        return 1
    except (UnicodeDecodeError, EOFError, csv.Error) as error:
        print(f"error: {given.log} is damaged, or not csv in UTF-8, plain or .gz ({error})", file=sys.stderr)
        return 1
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
