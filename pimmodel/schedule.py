"""When results are ready: the longest path through each network's graph, or one operator after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pimmodel.batch import Chunk
from pimmodel.costs import Floats
from pimmodel.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """Times of the B designs of a chunk.

    Attributes:
        operator_ns: (L, B) own time of each operator.
        latency_ns: (B,) from lookup to result.
        period_ns: (B,) between inferences.
    """

    operator_ns: Floats
    latency_ns: Floats
    period_ns: Floats


def schedule(workload: Workload, chunk: Chunk) -> Schedule:
    """Times of a chunk's designs: pipelined, the longest path and the busiest operator; otherwise the sum of all."""
    n_rows = chunk.rows.stop - chunk.rows.start
    operator_ns = np.zeros((len(workload.names), n_rows))
    serial_ns, period_ns = np.zeros((2, n_rows))
    for group in chunk.groups:
        own_ns = group.costs.busy_ns + group.costs.overhead_ns
        operator_ns[group.position, group.operators.design] = own_ns
        serial_ns += group.operators.total(own_ns)
        np.maximum(period_ns, group.operators.largest(group.costs.busy_ns), out=period_ns)
    is_serial = np.atleast_1d(chunk.config.execution) == "layer-by-layer"
    path_ns = critical_path_ns(operator_ns, workload.edges, chunk.is_active_edge)
    return Schedule(
        operator_ns=operator_ns,
        latency_ns=np.where(is_serial, serial_ns, path_ns),
        period_ns=np.where(is_serial, serial_ns, period_ns),
    )


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
    start_ns, path_ns = np.empty((2, latency_ns.shape[1]))
    is_used_by_all: NDArray[np.bool_] = np.all(is_active_edge, axis=1)
    order = np.argsort(edges[:, 1], kind="stable")  # a consumer's producers have their final times
    last_consumer = -1
    for edge, (producer, consumer) in zip(order.tolist(), edges[order].tolist(), strict=True):
        if consumer != last_consumer:
            if last_consumer >= 0:
                finish_ns[last_consumer] += start_ns
            start_ns.fill(0.0)
            last_consumer = consumer
        if is_used_by_all[edge]:
            np.maximum(start_ns, finish_ns[producer], out=start_ns)
        else:
            np.multiply(finish_ns[producer], is_active_edge[edge], out=path_ns)
            np.maximum(start_ns, path_ns, out=start_ns)
    if last_consumer >= 0:
        finish_ns[last_consumer] += start_ns
    last_ns: Floats = finish_ns.max(axis=0, initial=0.0)
    return last_ns
