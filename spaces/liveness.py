"""What of a network reaches its head: liveness of every output and operator, for a batch of networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces.architecture import DOT_PRODUCT, FC, GATING, SUM, ArchitectureBatch


@dataclass(frozen=True, slots=True)
class Liveness:
    """Which parts of B networks of L blocks the head depends on. Node 0 is the input, node b the output of block b.

    Attributes:
        dense_node: (B, L + 1) the node's dense output is read.
        sparse_node: (B, L + 1) the node's sparse rows are read.
        dense_operator: (B, L) the block's dense operator is computed.
        sparse_operator: (B, L) the block's sparse operator is computed.
        dense_to_sparse: (B, L) the merger from dense to sparse is on and its rows are read.
        fm: (B, L) the factorisation machine is on and its sum is read.
        reads_dense_inputs: (B, L) the block's set of dense inputs matters.
        reads_sparse_inputs: (B, L) the block's set of sparse inputs matters.
        reads_left_right: (B, L) the block's left and right inputs matter.
    """

    dense_node: NDArray[np.bool_]
    sparse_node: NDArray[np.bool_]
    dense_operator: NDArray[np.bool_]
    sparse_operator: NDArray[np.bool_]
    dense_to_sparse: NDArray[np.bool_]
    fm: NDArray[np.bool_]
    reads_dense_inputs: NDArray[np.bool_]
    reads_sparse_inputs: NDArray[np.bool_]
    reads_left_right: NDArray[np.bool_]

    @property
    def block(self) -> NDArray[np.bool_]:
        """(B, L) anything of the block is computed."""
        return self.dense_operator | self.sparse_operator


def liveness(networks: ArchitectureBatch) -> Liveness:
    """Liveness of every part, found from the head backwards.

    A factorisation machine reads its own block's sparse operator, a dense-to-sparse merger its own block's dense
    operator, so either can keep an operator alive whose own output nobody reads.
    """
    n_networks, n_blocks = networks.dense_operator.shape
    dense_node = np.zeros((n_networks, n_blocks + 1), dtype=bool)
    sparse_node = np.zeros_like(dense_node)
    dense_node[:, -1] = sparse_node[:, -1] = True
    parts = {
        name: np.zeros((n_networks, n_blocks), dtype=bool)
        for name in ("dense_operator", "sparse_operator", "dense_to_sparse", "fm", "dense_in", "sparse_in", "pair_in")
    }
    for block in range(n_blocks - 1, -1, -1):
        node = block + 1
        merger = networks.has_dense_to_sparse[:, block] & sparse_node[:, node]
        fm = networks.has_fm[:, block] & dense_node[:, node]
        dense = dense_node[:, node] | merger
        sparse = sparse_node[:, node] | fm
        operator = networks.dense_operator[:, block]
        dense_in = dense & ((operator == FC) | (operator == DOT_PRODUCT))
        sparse_in = sparse | (dense & (operator == DOT_PRODUCT))
        pair_in = dense & ((operator == GATING) | (operator == SUM))
        for name, value in zip(parts, (dense, sparse, merger, fm, dense_in, sparse_in, pair_in), strict=True):
            parts[name][:, block] = value
        for earlier in range(node):
            dense_node[:, earlier] |= dense_in & reads(networks.dense_inputs[:, block], earlier)
            dense_node[:, earlier] |= pair_in & (networks.left[:, block] == earlier)
            dense_node[:, earlier] |= pair_in & (networks.right[:, block] == earlier)
            sparse_node[:, earlier] |= sparse_in & reads(networks.sparse_inputs[:, block], earlier)
    return Liveness(dense_node, sparse_node, *parts.values())


def everything(networks: ArchitectureBatch) -> Liveness:
    """The liveness in which every operator that is switched on counts, dead or not."""
    n_networks, n_blocks = networks.dense_operator.shape
    node = np.ones((n_networks, n_blocks + 1), dtype=bool)
    block = np.ones((n_networks, n_blocks), dtype=bool)
    reads_pair = (networks.dense_operator == GATING) | (networks.dense_operator == SUM)
    return Liveness(
        node, node, block, block, networks.has_dense_to_sparse, networks.has_fm, ~reads_pair, block, reads_pair
    )


def reads(inputs: NDArray[np.int64], node: int) -> NDArray[np.bool_]:
    """Whether bit `node` is set in each connection mask."""
    return (inputs >> node & 1).astype(bool)
