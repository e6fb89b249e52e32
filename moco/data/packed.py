"""Files that end in .gz or .zst and must be packed so."""

from pathlib import Path

from moco.data.rows import DataError

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
