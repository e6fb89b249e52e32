"""How long trainings take: before any has ended by what the network computes, and then by those that have."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moco.supernet import TrainProgress
from spaces import ArchitectureBatch, products
from spaces.nasrec import NasrecSpace

OUTPUTS_OF_THE_REST, MACS_OF_THE_REST = 500, 100_000
"""Numbers that products put out, and multiply-accumulates, that take as long to train as all that grows with neither.

Small products take their time by what they write and read, not by what they multiply. Measured on one core for 108
designs of MovieLens-100k, Frappe and `synthetic` (BENCHMARKS.md)."""

MARGIN = 1.25
"""Times as long as expected, for which there must be time: laws are off by a factor of 1.2, and networks differ in the
epochs to their valid minimum by as much."""

LARGEST_SHARE = 1 / 3
"""Of the time of all networks that correct a supernet: one that takes more is left out where time is short."""


def training_time(space: NasrecSpace, networks: ArchitectureBatch) -> NDArray[np.float64]:
    """(B,) how long networks of a space take to train, in the time of one without products."""
    made = products(networks, space.n_dense, space.n_sparse)
    taken: NDArray[np.float64] = 1 + made.n_outputs / OUTPUTS_OF_THE_REST + made.macs / MACS_OF_THE_REST
    return taken


def without_the_longest(time: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n,) trainings that take no more than LARGEST_SHARE of the time that all of them take."""
    return np.asarray(time <= LARGEST_SHARE * time.sum())


@dataclass(slots=True)
class Pace:
    """How fast trainings go here, so that none is begun that would hardly end in time.

    Attributes:
        first: The longest `training_time` that is begun while nothing is known.
        time: `training_time` of all that have ended.
        seconds: That they took.
    """

    first: float = np.inf
    time: float = 0.0
    seconds: float = 0.0

    def ended(self, time: float, seconds: float) -> None:
        """Takes in a training that has ended: its `training_time` and the seconds that it took."""
        self.time += time
        self.seconds += seconds

    def longest(self, seconds: float) -> float:
        """The `training_time` that ends within so many seconds, MARGIN left."""
        if seconds <= 0:
            return 0.0
        return seconds * self.time / (MARGIN * self.seconds) if self.seconds > 0 else self.first


def rows_per_s(train: Callable[[Callable[[TrainProgress], None]], object], n_rows: int) -> float:
    """Rows a second at the beginning of a training, which is ended after so many.

    Args:
        train: Trains, and calls what it is given with its progress.
        n_rows: After which the speed is known well enough.
    """
    marks: list[tuple[int, float]] = []

    class _Enough(Exception):
        pass

    def mark(state: TrainProgress) -> None:
        marks.append((state.n_rows, time.monotonic()))
        if state.n_rows >= n_rows:
            raise _Enough

    with suppress(_Enough):
        train(mark)
    (first, start_s), (last, end_s) = marks[0], marks[-1]
    return (last - first) / max(end_s - start_s, 1e-9)
