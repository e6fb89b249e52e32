"""How long trainings take: before any has ended by the size of the network, and then by those that have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

MACS_OF_THE_REST = 20_000
"""Multiply-accumulates that take as long to train as all that does not grow with them, on one core: measured on
MovieLens-100k in batches of 1,024, from 1 s an epoch at 2,000 to 24 s at 490,000."""

LARGEST_SHARE = 1 / 3
"""Of the time of all networks that correct a supernet: one that takes more is left out where time is short."""


@overload
def training_time(macs: float) -> float: ...
@overload
def training_time(macs: NDArray[Any]) -> NDArray[np.float64]: ...
def training_time(macs: float | NDArray[Any]) -> float | NDArray[np.float64]:
    """How long a network of so many MACs takes to train, or each of several, in the time of one without products."""
    return 1 + macs / MACS_OF_THE_REST


def without_the_longest(macs: NDArray[Any]) -> NDArray[np.bool_]:
    """(n,) networks that take no more than LARGEST_SHARE of the time that all take to train."""
    time = training_time(macs)
    return np.asarray(time <= LARGEST_SHARE * time.sum())


@dataclass(slots=True)
class Pace:
    """How fast trainings go here, so that none is begun that would not end in time.

    Attributes:
        first: The longest `training_time` that is begun while nothing is known.
        slowest: Most seconds that one took for each unit of `training_time`; 0 while none has ended.
    """

    first: float = np.inf
    slowest: float = 0.0

    def ended(self, time: float, seconds: float) -> None:
        """Takes in a training that has ended: its `training_time` and the seconds that it took."""
        self.slowest = max(self.slowest, seconds / time)

    def longest(self, seconds: float) -> float:
        """The `training_time` that ends within so many seconds."""
        if seconds <= 0:
            return 0.0
        return seconds / self.slowest if self.slowest > 0 else self.first
