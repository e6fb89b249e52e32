"""How much of one box several searches dominate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from studies.front import hypervolume

Points = NDArray[np.float64]

TOGETHER = "all together"


def volumes(points: Mapping[str, Points], reference: Points) -> dict[str, float]:
    """The share of a box that each search dominates, and all of them together.

    The box lies between the reference point and the least that any search reached in each objective.

    Args:
        points: (B, M) minimised points of each search.
        reference: (M,) the point that every useful design is better than.

    Returns:
        Shares between 0 and 1; all 0 where no search has a point better than the reference.
    """
    inside = {name: one[(one < reference).all(axis=1)] for name, one in points.items()}
    together = np.concatenate(list(inside.values()))
    if len(together) == 0:
        return dict.fromkeys([*points, TOGETHER], 0.0)
    sides = reference - together.min(axis=0)
    return {name: hypervolume(one / sides, reference / sides) for name, one in {**inside, TOGETHER: together}.items()}


def in_logarithms(points: Points) -> Points:
    """(B, 3) log loss as it is, energy and latency by their logarithms: where they span decades, each counts alike."""
    return np.column_stack([points[:, 0], np.log(points[:, 1:])])
