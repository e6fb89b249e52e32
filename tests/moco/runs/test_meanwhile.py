"""Work beside a block: it ends with the block, fails with it, and dies with a block that fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moco.runs.meanwhile import meanwhile


def counting(file: Path) -> Callable[[Callable[[], bool]], None]:
    """Work that adds a byte to a file now and then until it is over."""

    def work(is_over: Callable[[], bool]) -> None:
        while not is_over():
            with file.open("a") as out:
                out.write(".")
            time.sleep(0.01)

    return work


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_work_goes_on_until_the_block_ends(tmp_path: Path) -> None:
    file = tmp_path / "counted"
    with meanwhile(counting(file)):
        wait_for(file)
    size = file.stat().st_size
    time.sleep(0.1)
    assert file.stat().st_size == size > 0


def test_a_block_that_fails_ends_the_work_at_once(tmp_path: Path) -> None:
    file = tmp_path / "counted"

    def block() -> None:
        with meanwhile(counting(file)):
            wait_for(file)
            raise KeyError

    with pytest.raises(KeyError):
        block()
    time.sleep(0.1)
    size = file.stat().st_size
    time.sleep(0.1)
    assert file.stat().st_size == size


def test_what_the_work_raises_is_raised_at_the_end() -> None:
    def work(is_over: Callable[[], bool]) -> None:
        raise ValueError("this work cannot be done")

    with pytest.raises(ValueError, match="this work cannot be done"), meanwhile(work):
        pass
