"""One block of lines to columns: labels, dense inputs, keys of categorical values, and the lines that do not fit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moco.data.logs.cells import PAD, Cells
from moco.data.logs.formats import EncodingName, LogFormat
from moco.data.logs.profiles import Profiles
from moco.data.rows import DataError

_SHOWN_BYTES = 200


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out.

    Attributes:
        line: Its number, counted from 1.
        reason: Why.
        text: Its first characters.
    """

    line: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class ParsedBlock:
    """The good lines of a block: N rows, F categorical and D dense fields.

    Attributes:
        labels: (N,) 0 or 1.
        dense: (N, D) ln(max(x, 0) + 1); 0 for a missing number.
        missing: (N, ceil((F + D) / 8)) a bit for each field, categorical first, set where the cell was empty.
        keys: F arrays (N,): the number that a hex (uint32) or decimal (uint64, modulo 2**64) value stands for.
        n_lines: Lines of the block, good and bad.
        bad: The bad lines, numbered within the block.
    """

    labels: NDArray[np.uint8]
    dense: NDArray[np.float32]
    missing: NDArray[np.uint8]
    keys: tuple[NDArray[Any], ...]
    n_lines: int
    bad: tuple[BadLine, ...]


def parse_block(
    text: bytes, log_format: LogFormat, encoding: EncodingName, profiles: Profiles | None = None
) -> ParsedBlock:
    """Read the lines of a block, each of which ends in a newline or in CR and newline.

    A line is bad when it has another number of columns than the format, a cell that is not of its column's kind, or a
    label that is not 0 or 1 (for clicks: not a whole number).
    """
    cells = Cells(text)
    n_columns = len(log_format.columns)
    is_end = cells.bytes == ord("\n")
    marks = np.flatnonzero(is_end | (cells.bytes == ord(log_format.separator)))
    line_marks = np.flatnonzero(is_end[marks])  # where lines end, counted in marks
    n_cells = np.diff(line_marks, prepend=-1)
    line_ends = marks[line_marks]
    line_starts = np.concatenate(([PAD], line_ends[:-1] + 1))
    fits = n_cells == n_columns
    lines = np.flatnonzero(fits)
    if lines.size == n_cells.size:
        ends = marks.reshape(-1, n_columns).T.copy()
    else:
        ends = marks[np.arange(n_columns)[:, None] + (line_marks[lines] - n_columns + 1)]
    starts = np.concatenate((line_starts[lines][None], ends[:-1] + 1))
    ends[-1] -= cells.bytes[ends[-1] - 1] == ord("\r")

    bad_column = np.full(lines.size, -1, dtype=np.int16)
    labels = np.zeros(lines.size, dtype=np.uint8)
    numbers: dict[str, tuple[NDArray[np.float32], NDArray[np.bool_]]] = {}
    keys: dict[str, tuple[NDArray[Any], NDArray[np.bool_]]] = {}
    last: NDArray[np.uint64] = np.zeros(lines.size, dtype=np.uint64)
    for j, column in enumerate(log_format.columns):
        if column.kind == "hex":
            hex_value, is_empty, wrong = cells.hex(starts[j], ends[j])
            keys[column.name] = hex_value, is_empty
        else:
            value, is_empty, is_negative, wrong = cells.decimal(starts[j], ends[j])
            if column.kind == "label":
                wrong |= is_empty | is_negative
                if not log_format.counts_clicks:
                    wrong |= value > 1
                labels[:] = value > 0
            elif column.kind == "number":
                counts = np.where(is_negative, np.uint64(0), value).astype(np.float64)
                numbers[column.name] = np.log1p(counts).astype(np.float32), is_empty
            else:
                keys[column.name] = value, is_empty
                last = value
        if wrong.any():
            bad_column[wrong & (bad_column < 0)] = j
    never = np.zeros(lines.size, dtype=np.bool_)
    if profiles is not None:
        for column, joined in zip(log_format.joined, profiles.of(last), strict=True):
            keys[column.name] = joined, never

    categorical = [column.name for column in log_format.categorical(encoding)]
    dense_names = log_format.dense(encoding)
    constant = (np.zeros(lines.size, dtype=np.float32), never)
    used = [numbers.get(name, constant) for name in dense_names]
    dense = np.empty((lines.size, len(used)), dtype=np.float32)
    is_missing = np.empty((lines.size, len(categorical) + len(used)), dtype=np.bool_)
    for f, name in enumerate(categorical):
        is_missing[:, f] = keys[name][1]
    for d, (values, is_empty) in enumerate(used):
        dense[:, d] = values
        is_missing[:, len(categorical) + d] = is_empty
    missing = np.packbits(is_missing, axis=1)
    columns = [keys[name][0] for name in categorical]
    bad: tuple[BadLine, ...] = ()
    good = bad_column < 0
    if lines.size < n_cells.size or not good.all():
        reasons = np.full(n_cells.size, -1, dtype=np.int64)
        reasons[lines] = bad_column
        reasons[~fits] = n_columns
        bad = tuple(
            _bad_line(log_format, text, line, *(int(x[line]) for x in (line_starts, line_ends, n_cells, reasons)))
            for line in np.flatnonzero(reasons >= 0).tolist()
        )
        labels, dense, missing = labels[good], dense[good], missing[good]
        columns = [column[good] for column in columns]
    return ParsedBlock(labels, dense, missing, tuple(columns), n_cells.size, bad)


def _bad_line(
    log_format: LogFormat, text: bytes, line: int, start: int, end: int, n_cells: int, column: int
) -> BadLine:
    raw = text[start - PAD : end - PAD].removesuffix(b"\r")
    shown = raw[:_SHOWN_BYTES].decode("utf-8", "replace")
    if column == len(log_format.columns):
        reason = f"{n_cells} columns, not {column}" if raw else "a blank line"
    else:
        cell = raw.split(log_format.separator.encode())[column][:40].decode("utf-8", "replace")
        due = {
            "label": "a count of clicks" if log_format.counts_clicks else "0 or 1",
            "number": "a whole number",
            "decimal": "a whole number",
            "hex": "up to 8 hexadecimal digits",
        }[log_format.columns[column].kind]
        reason = f"{log_format.columns[column].name} must be {due}, got {cell!r}"
    return BadLine(line + 1, reason, shown)


def check_first_line(line: bytes, log_format: LogFormat, source: str) -> None:
    """Refuse a file whose first line is not what the format begins with.

    Raises:
        DataError: a header where none belongs, none where one belongs, or one that names other columns.
    """
    text = line.decode("utf-8", "replace").removeprefix("\ufeff").strip("\r\n")
    cells = text.split(log_format.separator)
    if log_format.has_header:
        if tuple(cells) == log_format.header:
            return
        is_row = len(cells) == len(log_format.columns) and not any(cell in log_format.header for cell in cells)
        what = "has no header line" if is_row else "has another header line"
        raise DataError(
            f"{source} {what}: line 1 of {log_format.title} must be "
            f"{log_format.separator.join(log_format.header)!r}, got {text[:_SHOWN_BYTES]!r}"
        )
    label = cells[0].strip("\"' ")
    if label and label[0].isalpha() and label.isascii() and len(cells) > 1:
        raise DataError(
            f"{source} begins with a header line, {text[:_SHOWN_BYTES]!r}; {log_format.title} has none in its "
            "raw file: remove it"
        )
