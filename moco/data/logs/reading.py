"""The first half of a preparation: a raw file to parsed blocks, on all cores."""

import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from moco.data.logs.blockfile import BlockRecord, BlockStore
from moco.data.logs.formats import LogFormat
from moco.data.logs.options import Clock, LogOptions, Progress
from moco.data.logs.parse import BadLine, check_first_line, parse_block
from moco.data.logs.profiles import Profiles
from moco.data.logs.source import Block, blocks
from moco.data.logs.threads import in_order
from moco.data.rows import DataError

_FEW_BAD_LINES = 100  # beyond the share, before the whole file is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is read, how, and where it goes.

    Attributes:
        file: The raw file of the rows.
        log_format: Its format.
        options: Encoding and share of bad lines.
        store: Where the parsed blocks go; those that a killed job left there are not parsed again.
        profiles: The users of KDD Cup 2012, else None.
    """

    file: Path
    log_format: LogFormat
    options: LogOptions
    store: BlockStore
    profiles: Profiles | None

    def parsed(
        self,
        pool: ThreadPoolExecutor,
        n_threads: int,
        block_bytes: int,
        progress: Callable[[Progress], None] | None,
    ) -> tuple[list[BlockRecord], list[BadLine]]:
        """Every block parsed and written; the records, and the bad lines by their number in the file.

        Raises:
            DataError: the file cannot be read, is of another format, or has too many bad lines.
            OSError: the store cannot be written.
        """
        clock = Clock("reading", progress)
        records: list[BlockRecord] = []
        bad: list[BadLine] = []
        n_lines, n_rows = int(self.log_format.has_header), 0
        with in_order(pool, n_threads + 1, self._parse, enumerate(blocks(self.file, block_bytes))) as results:
            for record, share_read in results:
                records.append(record)
                bad.extend(BadLine(n_lines + line.line, line.reason, line.text) for line in record.bad)
                n_lines += record.n_lines
                n_rows += record.n_rows
                self._check_bad(bad, n_lines, _FEW_BAD_LINES)
                clock.tell(n_rows, share_read)
        self._check_bad(bad, n_lines, 0)
        if not n_rows:
            raise DataError(f"{self.file} has no rows; lines of {self.log_format.title} are expected")
        return records, bad

    def _parse(self, numbered: tuple[int, Block]) -> tuple[BlockRecord, float]:
        index, block = numbered
        text = block.text
        if index == 0:
            end = text.index(b"\n") + 1
            check_first_line(text[:end], self.log_format, str(self.file))
            text = text[end:] if self.log_format.has_header else text
        crc = zlib.crc32(text)
        record = self.store.found(index, crc)
        if record is None:
            record = self.store.put(
                index, parse_block(text, self.log_format, self.options.encoding, self.profiles), crc
            )
        return record, block.share_read

    def _check_bad(self, bad: list[BadLine], n_lines: int, few: int) -> None:
        if len(bad) > self.options.max_bad_share * n_lines + few:
            raise DataError(
                f"{self.file}: {len(bad):,} of {n_lines:,} lines do not fit {self.log_format.title}, more than "
                f"max_bad_share={self.options.max_bad_share:g}; the first is line {bad[0].line}: {bad[0].reason}"
            )
