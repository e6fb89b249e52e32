"""When results are ready: the longest path through each network's graph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pimmodel.components import Floats


def critical_path_ns(latency_ns: Floats, edges: NDArray[np.int64], is_active_edge: NDArray[np.bool_]) -> Floats:
    """Time until the last operator of each network has finished.

    An operator starts when all its active producers have finished. One of latency 0 passes
    time through.

    Args:
        latency_ns: (L, B) own time of each operator, in topological order.
        edges: (K, 2) producer and consumer positions, producer before consumer.
        is_active_edge: (K, B) edges each network uses; (K, 1) holds for all.

    Returns:
        (B,) ns.
    """
    finish_ns = latency_ns.copy()
    start_ns = np.empty(latency_ns.shape[1])
    for consumer in np.unique(edges[:, 1]):  # ascending: its producers have their final times
        start_ns.fill(0.0)
        for edge in np.flatnonzero(edges[:, 1] == consumer):
            np.maximum(start_ns, finish_ns[edges[edge, 0]], out=start_ns, where=is_active_edge[edge])
        finish_ns[consumer] += start_ns
    last_ns: Floats = finish_ns.max(axis=0, initial=0.0)
    return last_ns
