"""Canonical form: the same network always written the same way.

Parts that the head does not depend on, and choices that change nothing, are set to those of a neutral block; live
blocks move to the front, in their order, and the last block stays last. Two networks that differ in nothing else
become equal, so they are trained, costed and counted once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.architecture import (
    BLOCK_FIELDS,
    DENSE_OPERATORS,
    DOT_PRODUCT,
    FC,
    GATING,
    MERGER_ROWS,
    SPARSE_OPERATORS,
    SUM,
    Architecture,
    ArchitectureBatch,
    Block,
)
from spaces.liveness import Liveness, liveness
from spaces.shapes import input_width, widths

NEUTRAL = Block(
    dense_operator="fc",
    sparse_operator="efc",
    dense_inputs=(0,),
    sparse_inputs=(0,),
    left=0,
    right=0,
    dense_dim=16,
    sparse_dim=16,
)
"""What a part that changes nothing is written as, unless a space has other first choices."""


def canonical_networks(
    networks: ArchitectureBatch, n_dense: int, n_sparse: int, neutral: Block = NEUTRAL
) -> ArchitectureBatch:
    """The canonical form of each network, with as many blocks as before.

    Args:
        networks: B networks.
        n_dense: Dense fields of the data. With none, node 0 has no dense output unless it is the embeddings, so reading
            it beside others changes nothing, and a layer on it alone has no weights.
        n_sparse: Categorical fields of the data.
        neutral: What a part that changes nothing is set to; it reads node 0 only.
    """
    live = liveness(networks)
    matters = _choices_that_matter(networks, live, n_dense, n_sparse)
    values: dict[str, Any] = {
        name: np.where(matters[name], getattr(networks, name), value) for name, value in _coded(neutral).items()
    }
    order = _live_first(live.block)
    values = {name: np.take_along_axis(array, order, axis=1) for name, array in values.items()}
    new_node = np.zeros((len(networks), networks.n_blocks + 1), dtype=np.int64)
    np.put_along_axis(new_node, order + 1, np.arange(1, networks.n_blocks + 1)[None, :], axis=1)
    for name in ("dense_inputs", "sparse_inputs"):
        values[name] = _renumbered_masks(values[name], new_node)
    for name in ("left", "right"):
        values[name] = np.take_along_axis(new_node, values[name], axis=1)
    if input_width(networks, n_dense, n_sparse) == 0:
        inputs = values["dense_inputs"]
        values["dense_inputs"] = np.where(inputs > 1, inputs & ~1, inputs)
    is_sum = values["dense_operator"] == SUM  # a sum does not know left from right
    left, right = values["left"], values["right"]
    values["left"] = np.where(is_sum, np.minimum(left, right), left)
    values["right"] = np.where(is_sum, np.maximum(left, right), right)
    return replace(networks, **values)


def canonical_architecture(
    architecture: Architecture, n_dense: int, n_sparse: int, neutral: Block = NEUTRAL
) -> Architecture:
    """The canonical form of one network, with its dead blocks dropped."""
    batch = canonical_networks(ArchitectureBatch.of([architecture]), n_dense, n_sparse, neutral)
    *first, last = batch[0].blocks
    n_live = int(liveness(batch).block.sum())
    return replace(architecture, blocks=(*first[: n_live - 1], last))


def _choices_that_matter(
    networks: ArchitectureBatch, live: Liveness, n_dense: int, n_sparse: int
) -> dict[str, NDArray[np.bool_]]:
    size = widths(networks, n_dense, n_sparse)
    operator, width = networks.dense_operator, networks.embedding_dim
    is_pair = (operator == GATING) | (operator == SUM)
    dense_has_weights = (
        ((operator == FC) & (size.dense_in > 0))
        | (operator == DOT_PRODUCT)
        | (is_pair & (size.pair_in > 0) & ((operator == GATING) | (size.pair_in != networks.dense_dim)))
    )
    return {
        "dense_operator": live.dense_operator,
        "sparse_operator": live.sparse_operator,
        "dense_inputs": live.reads_dense_inputs,
        "sparse_inputs": live.reads_sparse_inputs,
        "left": live.reads_left_right,
        "right": live.reads_left_right,
        "dense_dim": live.dense_operator,
        "sparse_dim": live.sparse_operator,
        "has_dense_to_sparse": live.dense_to_sparse,
        "has_fm": live.fm,
        "dense_bits": live.dense_operator & dense_has_weights,
        "sparse_bits": live.sparse_operator,
        "dense_to_sparse_bits": live.dense_to_sparse & (networks.dense_dim != MERGER_ROWS * width),
        "fm_bits": live.fm & (networks.dense_dim != width),
    }


def _coded(block: Block) -> dict[str, int | bool]:
    codes = {name: getattr(block, name) for name in BLOCK_FIELDS}
    return {
        **codes,
        "dense_operator": DENSE_OPERATORS.index(block.dense_operator),
        "sparse_operator": SPARSE_OPERATORS.index(block.sparse_operator),
        "dense_inputs": 1,
        "sparse_inputs": 1,
        "left": 0,
        "right": 0,
        "has_dense_to_sparse": False,
        "has_fm": False,
    }


def _live_first(is_live: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(B, L) old column of each new column: live blocks, then dead ones, the last block last."""
    n_blocks = is_live.shape[1]
    rank = np.where(is_live, 0, n_blocks) + np.arange(n_blocks)
    rank[:, -1] = 2 * n_blocks
    return np.argsort(rank, axis=1)


def _renumbered_masks(masks: NDArray[np.int64], new_node: NDArray[np.int64]) -> NDArray[np.int64]:
    renumbered = np.zeros_like(masks)
    for node in range(new_node.shape[1] - 1):
        renumbered |= (masks >> node & 1) << new_node[:, node, None]
    return renumbered
