"""Pareto fronts of minimised points: non-domination, hypervolume and knee."""

from __future__ import annotations

import moocore
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


def is_non_dominated(points: Points) -> NDArray[np.bool_]:
    """(B,) whether no other of the (B, M) minimised points is at least as good everywhere and better somewhere.

    Equal points do not dominate each other: they are different designs, and all are kept.
    """
    if len(points) == 0:
        return np.zeros(0, dtype=bool)
    if points.shape[1] == 1:
        return np.asarray(points[:, 0] == points[:, 0].min())
    return np.asarray(moocore.is_nondominated(points, keep_weakly=True), dtype=bool)


def merged(front_points: Points, new_points: Points) -> Points:
    """The front of a front and of further minimised points."""
    points = np.concatenate([front_points, new_points])
    return points[is_non_dominated(points)]


def hypervolume(points: Points, reference: Points) -> float:
    """Volume that the (B, M) minimised points dominate, bounded by the (M,) reference point.

    Points that are not better than the reference point in every objective add nothing.
    Source of the algorithm: Guerreiro and Fonseca, doi:10.1109/TEVC.2017.2729550, as built in moocore.
    """
    is_inside = (points < reference).all(axis=1)
    return float(moocore.hypervolume(points[is_inside], ref=reference)) if is_inside.any() else 0.0


def knee(points: Points) -> int:
    """Index of the front's knee: the point that lies farthest below the plane through the extremes.

    Each objective is scaled to 0..1 over the front first; the plane is then sum = 1, so the knee has the least sum.
    Source: Das, Structural Optimization 18 (1999), doi:10.1007/BF01195985.

    Raises:
        ValueError: There are no points.
    """
    if len(points) == 0:
        raise ValueError("an empty front has no knee: points must have at least one row, got 0")
    span = np.ptp(points, axis=0)
    scaled = (points - points.min(axis=0)) / np.where(span == 0, 1.0, span)
    return int(scaled.sum(axis=1).argmin())
