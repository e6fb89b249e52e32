"""A raw file as blocks of whole lines: plain, gzip or zstd, told apart by their first bytes, not by their name."""

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import polars as pl

from moco.data.packed import POLARS_ERRORS
from moco.data.rows import DataError

MAX_LINE_BYTES = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_LINES_PER_READ = 50_000


@dataclass(frozen=True, slots=True)
class Block:
    """Some whole lines of a file.

    Attributes:
        text: The lines; each one, also the last of the file, ends in a newline.
        share_read: Share of the file that has been read, 0 where the packing does not tell.
    """

    text: bytes
    share_read: float


def file_state(path: Path) -> tuple[str, int, int]:
    """Path, size in bytes and time of change in ns: what tells one state of a file from another.

    Raises:
        DataError: the file is not there.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; put the file back and run again") from error
    return str(path.resolve()), stat.st_size, stat.st_mtime_ns


def blocks(path: Path, block_bytes: int) -> Iterator[Block]:
    """The file in blocks of whole lines of about block_bytes each; the same content gives the same blocks.

    Raises:
        DataError: the file cannot be read, is damaged or cut short, changes meanwhile, or is not lines of text.
    """
    state = file_state(path)
    try:
        with path.open("rb") as raw:
            rest = b""
            stream = _unpacked(path, raw)
            while chunk := stream.read(block_bytes):
                cut = chunk.rfind(b"\n") + 1
                if len(rest) + (cut or len(chunk)) > block_bytes + MAX_LINE_BYTES:
                    raise DataError(f"{path} has a line longer than {MAX_LINE_BYTES:,} bytes; is it a log in text?")
                if cut:
                    share = raw.tell() / state[1] if not isinstance(stream, _ZstdLines) else 0.0
                    yield Block(rest + chunk[:cut], share)
                    rest = chunk[cut:]
                else:
                    rest += chunk
            if rest:
                yield Block(rest + b"\n", 1.0)
    except (OSError, EOFError, zlib.error, *POLARS_ERRORS) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"cannot read {path} to its end ({reason}); it is damaged, cut short or not text: copy it again"
        ) from error
    if file_state(path) != state:
        raise DataError(f"{path} changed while it was read; let it rest and run again")


def _unpacked(path: Path, raw: IO[bytes]) -> "IO[bytes] | gzip.GzipFile | _ZstdLines":
    magic = raw.read(4)
    raw.seek(0)
    if magic == _ZSTD:
        return _ZstdLines(path)
    return gzip.GzipFile(fileobj=raw) if magic.startswith(_GZIP) else raw


class _ZstdLines:
    """The text of a zstd file through polars, which unpacks it line by line (Python gets zstd in 3.14)."""

    def __init__(self, path: Path) -> None:
        self._batches = pl.scan_lines(path, glob=False).collect_batches(chunk_size=_LINES_PER_READ, maintain_order=True)
        self._text = io.BytesIO()

    def read(self, n_bytes: int) -> bytes:
        while not (text := self._text.read(n_bytes)):
            batch = next(self._batches, None)
            if batch is None:
                return b""
            if batch.height:
                self._text = io.BytesIO(batch.to_series().str.join("\n").item().encode() + b"\n")
        return text
