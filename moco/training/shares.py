"""How far trainings in other processes are: each writes its share into a file that a thread reads now and then."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from moco.supernet import TrainProgress

SECONDS_BETWEEN_LOOKS = 2.0


class Shares:
    """The shares of several trainings, told while a `with` block lasts.

    Args:
        n_trainings: All of them, those done before included.
        progress: Called with the trainings done, begun ones in part, and all.
    """

    def __init__(self, n_trainings: int, progress: Callable[[float, float], None] | None) -> None:
        self._n_trainings, self._progress = n_trainings, progress
        self._n_done = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="moco-shares-")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._folder.cleanup()

    def file(self, name: str) -> Path:
        """Where a training writes its share."""
        return Path(self._folder.name) / name

    def tell(self, n_done: int, ended: str | None = None) -> None:
        """So many trainings are done; `ended` names one that has just ended."""
        self._n_done = n_done
        if ended is not None:
            self.file(ended).unlink(missing_ok=True)
        if self._progress is not None:
            self._progress(n_done, self._n_trainings)

    def _look(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_LOOKS):
            shares = 0.0
            for file in Path(self._folder.name).iterdir():
                with suppress(OSError, ValueError):  # gone meanwhile, or half written
                    shares += float(file.read_text())
            if self._progress is not None and shares and not self._ended.is_set():
                self._progress(min(self._n_done + shares, self._n_trainings), self._n_trainings)


def share_writer(file: Path) -> Callable[[TrainProgress], None]:
    """Progress of a training that is written into a file."""
    next_s = 0.0

    def write(state: TrainProgress) -> None:
        nonlocal next_s
        if time.monotonic() >= next_s:
            next_s = time.monotonic() + SECONDS_BETWEEN_LOOKS / 2
            with suppress(OSError):  # the reader has given up
                file.write_text(f"{state.n_rows / state.n_rows_total:.6f}")

    return write
