"""Files that polars reads: packed as their names say, and what it raises where they are damaged."""

from pathlib import Path

import polars as pl

from moco.data.rows import DataError

POLARS_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""Damaged bytes also make its parsers panic, which is no Exception."""

_MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}
PACKED_ENDS = ("", *_MAGIC)


def require_packed(path: Path) -> None:
    """Raise DataError when the file is not packed as its name says.

    Raises:
        OSError: the file cannot be read.
    """
    magic = _MAGIC.get(path.suffix, b"")
    with path.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise DataError(f"{path} ends in {path.suffix} but is not packed so; rename or pack it")
