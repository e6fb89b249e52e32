"""One whole front against another: what a cost comes to at every accuracy that the other front offers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studies import is_non_dominated

COSTS = {"energy_pj": 1, "latency_ns": 2}
"""Columns of log loss, energy and latency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontGain:
    """One search against the front of another, in one cost.

    Attributes:
        seed: Of both.
        search: Its name.
        against: The name of the other.
        cost: "energy_pj" or "latency_ns".
        n_designs: Of the other's front in log loss and this cost.
        n_matched: Of them, those that the search has a design for whose log loss is no worse.
        gain: Geometric mean over these of how many times less the cheapest such design costs; NaN where none is.
    """

    seed: int
    search: str
    against: str
    cost: str
    n_designs: int
    n_matched: int
    gain: float


def front_gains(
    search: str, points: NDArray[np.float64], against: str, others: NDArray[np.float64], seed: int
) -> list[FrontGain]:
    """A search against the front of another, cost by cost.

    Args:
        search, against, seed: As in `FrontGain`.
        points: (B, 3) log loss, energy and latency of the search's useful designs.
        others: (B', 3) of the other's.
    """
    found = []
    for cost, column in COSTS.items():
        front = others[is_non_dominated(others[:, [0, column]])] if len(others) else others
        matched = [
            math.log(reference[column] / good.min())
            for reference in front
            if len(good := points[points[:, 0] <= reference[0], column])
        ]
        found.append(
            FrontGain(
                seed=seed,
                search=search,
                against=against,
                cost=cost,
                n_designs=len(front),
                n_matched=len(matched),
                gain=math.exp(sum(matched) / len(matched)) if matched else math.nan,
            )
        )
    return found
