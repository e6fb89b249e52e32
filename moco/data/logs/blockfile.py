"""Parsed blocks on disk between reading and encoding: each one whole or not there, so that a killed job goes on."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moco.data.logs.formats import EncodingName, LogFormat
from moco.data.logs.parse import BadLine, ParsedBlock


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """What is known of a parsed block without its rows.

    Attributes:
        n_rows: Good lines.
        n_lines: All lines.
        text_crc: CRC-32 of the raw lines.
        rows_crc: CRC-32 of the file of rows.
        bad: The bad lines, numbered within the block.
    """

    n_rows: int
    n_lines: int
    text_crc: int
    rows_crc: int
    bad: tuple[BadLine, ...]


class BlockStore:
    """The blocks of one log in a folder, by their number.

    Args:
        folder: Where they lie.
        log_format: Of the raw file.
        encoding: Decides which columns there are.
    """

    def __init__(self, folder: Path, log_format: LogFormat, encoding: EncodingName) -> None:
        self._folder = folder
        categorical = log_format.categorical(encoding)
        n_dense = len(log_format.dense(encoding))
        self._key_types = [np.dtype("<u4" if column.kind == "hex" else "<u8") for column in categorical]
        self._row_bytes = (1, 4 * n_dense, (len(categorical) + n_dense + 7) // 8)
        # Where each column begins, in bytes a row.
        self._offsets = np.cumsum([0, *self._row_bytes, *(dtype.itemsize for dtype in self._key_types)]).tolist()

    def put(self, index: int, block: ParsedBlock, text_crc: int) -> BlockRecord:
        """Write a block.

        Raises:
            OSError: the disk is full, or the folder cannot be written.
        """
        crc = 0
        with self._rows_file(index).open("wb") as file:
            for array in (block.labels, block.dense, block.missing, *block.keys):
                data = np.ascontiguousarray(array).data
                file.write(data)
                crc = zlib.crc32(data, crc)
        record = BlockRecord(block.labels.size, block.n_lines, text_crc, crc, block.bad)
        partial = self._folder / f"{index:06d}.partial"
        partial.write_text(json.dumps(asdict(record)), encoding="utf-8")
        partial.replace(self._record_file(index))
        return record

    def found(self, index: int, text_crc: int) -> BlockRecord | None:
        """The record of a block that an earlier run wrote from the same text; None where it must be parsed."""
        try:
            record = json.loads(self._record_file(index).read_text(encoding="utf-8"))
            bad = tuple(BadLine(**line) for line in record.pop("bad"))
            found = BlockRecord(**record, bad=bad)
            rows = self._rows_file(index).read_bytes()
        except (OSError, ValueError, TypeError, KeyError):
            return None
        is_whole = len(rows) == found.n_rows * self._offsets[-1] and zlib.crc32(rows) == found.rows_crc
        return found if is_whole and found.text_crc == text_crc else None

    def labels(self, index: int, n_rows: int) -> NDArray[np.uint8]:
        """(N,) labels."""
        return self._read(index, n_rows, 0, np.dtype(np.uint8))

    def dense(self, index: int, n_rows: int) -> NDArray[np.float32]:
        """(N, D) dense inputs."""
        n_dense = self._row_bytes[1] // 4
        return self._read(index, n_rows, 1, np.dtype("<f4"), n_dense).reshape(n_rows, n_dense)

    def missing(self, index: int, n_rows: int) -> NDArray[np.uint8]:
        """(N, ceil((F + D) / 8)) bits of the empty cells."""
        return self._read(index, n_rows, 2, np.dtype(np.uint8), self._row_bytes[2]).reshape(n_rows, self._row_bytes[2])

    def keys(self, index: int, n_rows: int, field: int) -> NDArray[Any]:
        """(N,) keys of a categorical field."""
        return self._read(index, n_rows, 3 + field, self._key_types[field])

    def _read(self, index: int, n_rows: int, column: int, dtype: np.dtype[Any], width: int = 1) -> NDArray[Any]:
        offset = n_rows * self._offsets[column]
        return np.fromfile(self._rows_file(index), dtype, n_rows * width, offset=offset)

    def _rows_file(self, index: int) -> Path:
        return self._folder / f"{index:06d}.rows"

    def _record_file(self, index: int) -> Path:
        return self._folder / f"{index:06d}.json"


@dataclass(frozen=True, slots=True)
class BlockList:
    """All blocks of a log in order.

    Attributes:
        store: Where they lie.
        n_rows: (B,) rows of each.
    """

    store: BlockStore
    n_rows: tuple[int, ...]

    @classmethod
    def of(cls, store: BlockStore, records: list[BlockRecord]) -> Self:
        """The blocks that records tell of."""
        return cls(store, tuple(record.n_rows for record in records))

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Index, first row and rows of each block."""
        first = 0
        for index, n_rows in enumerate(self.n_rows):
            yield index, first, n_rows
            first += n_rows


def field_bits(missing: NDArray[np.uint8], field: int) -> NDArray[np.bool_]:
    """(N,) whether the cell of a field was empty."""
    bits: NDArray[np.bool_] = (missing[:, field >> 3] & np.uint8(128 >> (field & 7))) != 0
    return bits
