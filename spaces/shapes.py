"""Widths and matrix products of every operator of a batch of networks; their multiply-accumulates and parameters.

This is the one place that says which products an operator makes. The hardware lowering and the counts read it, and
the supernet is tested against it.

Source of the operators: NASRec (arXiv 2207.07187) and its public code; of the counting rule: matrix products only,
biases on every linear layer, layer norms only inside attention, a projection that would not change the width is left
out. It reproduces the published networks' figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spaces.architecture import (
    ATTENTION,
    DOT_PRODUCT,
    EFC,
    FC,
    GATING,
    HEAD_BITS,
    MERGER_ROWS,
    SUM,
    Architecture,
    ArchitectureBatch,
)
from spaces.liveness import Liveness, everything, liveness, reads

BLOCK_PRODUCTS = (
    "fc",
    "dot_dense",
    "dot_sparse",
    "dot_gram",
    "dot_pairs",
    "gate",
    "resize",
    "efc",
    "attention_rows",
    "attention_qkv",
    "attention_scores",
    "attention_context",
    "attention_out",
    "attention_ffn1",
    "attention_ffn2",
    "dense_to_sparse",
    "fm",
)
"""Products that a block can make, in order of computation.

fc: the FC layer. dot_dense, dot_sparse: the projections before the dot product; dot_gram: its Gram matrix of
activations; dot_pairs: the layer on the pairs. gate: sigmoid gating's square layer; resize: the layer of gating and
sum that brings the wider input to dense_dim. attention_*: projection of rows, query-key-value, scores and context
(products of activations), output layer, feed-forward layers. dense_to_sparse, fm: the mergers' projections.
"""

ACTIVATION_PRODUCTS = frozenset({"dot_gram", "attention_scores", "attention_context"})
"""Products of two activations; all others multiply by static weights."""


@dataclass(frozen=True, slots=True)
class Widths:
    """Sizes that follow from the choices, for B networks of L blocks.

    Attributes:
        dense: (B, L + 1) width of each node's dense output.
        sparse: (B, L + 1) rows of each node's sparse output, merger rows included.
        dense_in: (B, L) width of the concatenated dense inputs.
        sparse_in: (B, L) rows of the concatenated sparse inputs.
        pair_in: (B, L) width of the wider of left and right.
        dot_rows: (B, L) rows k that enter the dot product beside the dense row, round(sqrt(2 dense_dim)).
        head_in: (B,) inputs of the head.
    """

    dense: NDArray[np.int64]
    sparse: NDArray[np.int64]
    dense_in: NDArray[np.int64]
    sparse_in: NDArray[np.int64]
    pair_in: NDArray[np.int64]
    dot_rows: NDArray[np.int64]
    head_in: NDArray[np.int64]


def widths(networks: ArchitectureBatch, n_dense: int, n_sparse: int) -> Widths:
    """Sizes of every node and input, for data with n_dense dense and n_sparse categorical fields."""
    n_networks, n_blocks = networks.dense_operator.shape
    dense = np.empty((n_networks, n_blocks + 1), dtype=np.int64)
    sparse = np.empty_like(dense)
    dense[:, 0], sparse[:, 0] = input_width(networks, n_dense, n_sparse), n_sparse
    dense[:, 1:] = networks.dense_dim
    sparse[:, 1:] = networks.sparse_dim + MERGER_ROWS * networks.has_dense_to_sparse
    dense_in = np.zeros((n_networks, n_blocks), dtype=np.int64)
    sparse_in = np.zeros_like(dense_in)
    for node in range(n_blocks):
        dense_in += dense[:, node, None] * reads(networks.dense_inputs, node)
        sparse_in += sparse[:, node, None] * reads(networks.sparse_inputs, node)
    pair_in = np.maximum(
        np.take_along_axis(dense, networks.left, axis=1), np.take_along_axis(dense, networks.right, axis=1)
    )
    return Widths(
        dense=dense,
        sparse=sparse,
        dense_in=dense_in,
        sparse_in=sparse_in,
        pair_in=pair_in,
        dot_rows=dot_product_rows(networks.dense_dim),
        head_in=dense[:, -1] + sparse[:, -1] * networks.embedding_dim,
    )


def input_width(networks: Architecture | ArchitectureBatch, n_dense: int, n_sparse: int) -> int:
    """Width of node 0's dense output."""
    return n_dense + n_sparse * networks.embedding_dim * networks.has_flat_input


def dot_product_rows(dense_dim: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows k = round(sqrt(2 dense_dim)), so that the k (k + 1) / 2 pairs balance dense_dim."""
    rows: NDArray[np.int64] = np.rint(np.sqrt(2.0 * dense_dim)).astype(np.int64)
    return rows


@dataclass(frozen=True, slots=True)
class Products:
    """Every matrix product of B networks: (n_vectors x in_features) times (in_features x out_features).

    The S columns are BLOCK_PRODUCTS of block 1, of block 2, ... and the head. An absent product has n_vectors 0
    and whatever other numbers.
    Columns are contiguous in memory.

    Attributes:
        names: (S,) such as "b1.fc" and "head".
        in_features: (B, S).
        out_features: (B, S).
        n_vectors: (B, S) input vectors per inference.
        weight_bits: (B, S) 0 where two activations are multiplied.
        is_activation_product: (S,).
        n_norm_parameters: (B,) trainable numbers of layer norms.
    """

    names: tuple[str, ...]
    in_features: NDArray[np.int64]
    out_features: NDArray[np.int64]
    n_vectors: NDArray[np.int64]
    weight_bits: NDArray[np.int64]
    is_activation_product: NDArray[np.bool_]
    n_norm_parameters: NDArray[np.int64]

    @property
    def macs(self) -> NDArray[np.int64]:
        """(B,) multiply-accumulates per inference."""
        macs: NDArray[np.int64] = (self.n_vectors * self.in_features * self.out_features).sum(axis=1)
        return macs

    @property
    def n_outputs(self) -> NDArray[np.int64]:
        """(B,) numbers that all products of one inference put out."""
        outputs: NDArray[np.int64] = (self.n_vectors * self.out_features).sum(axis=1)
        return outputs

    @property
    def n_parameters(self) -> NDArray[np.int64]:
        """(B,) trainable numbers without the embedding tables: weights, biases, layer norms."""
        is_static = (self.n_vectors > 0) & ~self.is_activation_product
        linear: NDArray[np.int64] = (is_static * (self.in_features + 1) * self.out_features).sum(axis=1)
        return linear + self.n_norm_parameters


def products(networks: ArchitectureBatch, n_dense: int, n_sparse: int, live: Liveness | None = None) -> Products:
    """The matrix products of each network; of its live parts unless another liveness is given."""
    live = liveness(networks) if live is None else live
    size = widths(networks, n_dense, n_sparse)
    n_networks, n_blocks = networks.dense_operator.shape
    width = networks.embedding_dim
    n_slots = len(BLOCK_PRODUCTS)
    tables = np.empty((4, n_blocks * n_slots + 1, n_networks), dtype=np.int64)
    in_features, out_features, n_vectors, bits = tables[:, :-1].reshape(4, n_blocks, n_slots, n_networks)
    for table, head in zip(tables, (size.head_in, 1, 1, HEAD_BITS), strict=True):
        table[-1] = head

    def put(
        name: str, is_present: NDArray[np.bool_], n_in: object, n_out: object, vectors: object, weight_bits: object
    ) -> None:
        slot = BLOCK_PRODUCTS.index(name)
        for array, value in ((in_features, n_in), (out_features, n_out), (bits, weight_bits)):
            array[:, slot] = np.asarray(value).T
        n_vectors[:, slot] = np.where(is_present, np.asarray(vectors), 0).T

    d, s, k = networks.dense_dim, networks.sparse_dim, size.dot_rows
    is_dense = {operator: live.dense_operator & (networks.dense_operator == operator) for operator in range(4)}
    is_resized = (is_dense[GATING] | is_dense[SUM]) & (size.pair_in != d)
    put("fc", is_dense[FC], size.dense_in, d, 1, networks.dense_bits)
    dot = is_dense[DOT_PRODUCT]
    put("dot_dense", dot & (size.dense_in != width), size.dense_in, width, 1, networks.dense_bits)
    put("dot_sparse", dot & (size.sparse_in != k), size.sparse_in, k, width, networks.dense_bits)
    put("dot_gram", dot, width, k + 1, k + 1, 0)
    put("dot_pairs", dot, k * (k + 1) // 2, d, 1, networks.dense_bits)
    put("gate", is_dense[GATING], size.pair_in, size.pair_in, 1, networks.dense_bits)
    put("resize", is_resized, size.pair_in, d, 1, networks.dense_bits)
    efc = live.sparse_operator & (networks.sparse_operator == EFC)
    attention = live.sparse_operator & (networks.sparse_operator == ATTENTION)
    put("efc", efc, size.sparse_in, s, width, networks.sparse_bits)
    put("attention_rows", attention, size.sparse_in, s, width, networks.sparse_bits)
    put("attention_qkv", attention, width, 3 * width, s, networks.sparse_bits)
    put("attention_scores", attention, width, s, s, 0)
    put("attention_context", attention, s, width, s, 0)
    for name in ("attention_out", "attention_ffn1", "attention_ffn2"):
        put(name, attention, width, width, s, networks.sparse_bits)
    merged = MERGER_ROWS * width
    put("dense_to_sparse", live.dense_to_sparse & (d != merged), d, merged, 1, networks.dense_to_sparse_bits)
    put("fm", live.fm & (d != width), width, d, 1, networks.fm_bits)

    names = tuple(f"b{block}.{name}" for block in range(1, n_blocks + 1) for name in BLOCK_PRODUCTS)
    return Products(
        names=(*names, "head"),
        in_features=tables[0].T,
        out_features=tables[1].T,
        n_vectors=tables[2].T,
        weight_bits=tables[3].T,
        is_activation_product=np.array([name in ACTIVATION_PRODUCTS for name in BLOCK_PRODUCTS] * n_blocks + [False]),
        n_norm_parameters=(attention * (4 * width)).sum(axis=1),
    )


def macs(networks: ArchitectureBatch, n_dense: int, n_sparse: int, *, live_only: bool = True) -> NDArray[np.int64]:
    """(B,) multiply-accumulates per inference, of the live part or of all blocks."""
    return products(networks, n_dense, n_sparse, None if live_only else everything(networks)).macs


def n_parameters(
    networks: ArchitectureBatch, n_dense: int, n_sparse: int, *, live_only: bool = True
) -> NDArray[np.int64]:
    """(B,) trainable numbers without the embedding tables, of the live part or of all blocks."""
    return products(networks, n_dense, n_sparse, None if live_only else everything(networks)).n_parameters
