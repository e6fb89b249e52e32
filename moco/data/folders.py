"""Folders that appear whole or not at all."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from moco.data.rows import DataError


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to write into, which takes the place of `folder` only when the block ends without error.

    A block that fails, a full disk or a killed process never leaves `folder` half written.

    Raises:
        DataError: the folder or something in it cannot be written.
    """
    partial = folder.parent / f".{folder.name}.{uuid.uuid4().hex}.partial"
    replaced = partial.with_suffix(".replaced")
    try:
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            folder.rename(replaced)
        partial.rename(folder)
    except OSError as error:
        raise DataError(
            f"cannot write {folder} ({error}); free disk space or permissions there, or choose another folder"
        ) from error
    finally:
        for leftover in (partial, replaced):
            shutil.rmtree(leftover, ignore_errors=True)
