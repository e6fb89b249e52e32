"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import uuid
from contextlib import suppress
from pathlib import Path


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
