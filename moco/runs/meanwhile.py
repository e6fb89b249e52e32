"""Work in another process beside this one: a core that would be idle does what comes later anyway."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from joblib.externals.loky import ProcessPoolExecutor


@dataclass(frozen=True, slots=True)
class IsOver:
    """Whether the process that asked for the work wants no more of it, or is gone.

    Attributes:
        marker: File that is there as long as work is wanted.
        parent: Number of the process that asked.
    """

    marker: Path
    parent: int

    def __call__(self) -> bool:
        return not self.marker.exists() or os.getppid() != self.parent


@contextmanager
def meanwhile(work: Callable[[Callable[[], bool]], object]) -> Iterator[None]:
    """Does work in a process of its own until the block ends, and then waits for the piece that was begun.

    A block that fails does not wait.

    Args:
        work: Gets a function that says when to begin nothing more. What it raises is raised at the end of the block.
    """
    with TemporaryDirectory(prefix="moco-meanwhile-") as folder:
        marker = Path(folder) / "wanted"
        marker.touch()
        executor = ProcessPoolExecutor(max_workers=1)
        ended = executor.submit(work, IsOver(marker, os.getpid()))
        is_done = False
        try:
            yield
            marker.unlink()
            ended.result()
            is_done = True
        finally:
            executor.shutdown(wait=is_done, kill_workers=not is_done)
