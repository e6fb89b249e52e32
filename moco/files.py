"""Files that appear whole or not at all, and what a run reads back from them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

Kept = TypeVar("Kept")


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file beside its place and then puts it there, so that a full disk or a killed process never leaves
    half a file, nor loses the one that was there.

    Raises:
        OSError: The file cannot be written; the message says where and what to do.
    """
    partial = path.parent / f".{path.name}.{uuid.uuid4().hex}.partial"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OSError(
            error.errno, f"cannot write {path} ({error.strerror}); free disk space or permissions there and run again"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def write_text_whole(path: Path, text: str) -> None:
    """`write_whole` of UTF-8 text."""
    write_whole(path, text.encode())


def read_kept(file: Path, read: Callable[[str], Kept]) -> Kept | None:
    """What a run keeps in a file; None where there is none.

    Args:
        file: Of text.
        read: Makes it of the text; ValueError where it is something else.

    Raises:
        ValueError: The file cannot be used; says which.
    """
    if not file.exists():
        return None
    try:
        return read(file.read_text())
    except ValueError as error:
        raise ValueError(
            f"{file}: {error}; it is damaged or of another version of moco: take that version, or a new folder"
        ) from error
