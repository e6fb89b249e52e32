"""Files appear whole or not at all, and a failed write leaves what was there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from moco.files import write_text_whole


def test_writes_and_replaces(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "note.txt"
    write_text_whole(file, "first")
    write_text_whole(file, "second, für alle")
    assert file.read_text(encoding="utf-8") == "second, für alle"
    assert [entry.name for entry in file.parent.iterdir()] == ["note.txt"]


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "note.txt"
    write_text_whole(file, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write .*note\.txt \(No space left on device\); free disk space"):
        write_text_whole(file, "new")
    assert file.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["note.txt"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot write"):
        write_text_whole(tmp_path / "file" / "note.txt", "text")
