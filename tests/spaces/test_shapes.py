"""Widths, products and counts of two small networks by hand; the published ones are in test_published.py."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import Architecture, ArchitectureBatch, from_compact, macs, n_parameters, nasrec_space, products, widths
from spaces.shapes import dot_product_rows

# Embedding width 2, 3 dense and 4 categorical fields. Block 1: dot product of k = round(sqrt(2 * 8)) = 4 rows beside
# the dense one; 4 rows come in, so they are not projected. It gives 3 + 8 rows. Block 2 gates width 3 by width 8.
GATED = from_compact("DP8|EFC3|10|0|0|0,0 ; SG5|ATT6|01|01|01|1,0", embedding_dim=2)
GATED_PRODUCTS = [
    # name, vectors, inputs, outputs, weight bits
    ("b1.dot_dense", 1, 3, 2, 8),
    ("b1.dot_gram", 5, 2, 5, 0),
    ("b1.dot_pairs", 1, 10, 8, 8),
    ("b1.efc", 2, 4, 3, 8),
    ("b1.dense_to_sparse", 1, 8, 16, 8),
    ("b2.gate", 1, 8, 8, 8),
    ("b2.resize", 1, 8, 5, 8),
    ("b2.attention_rows", 2, 15, 6, 8),
    ("b2.attention_qkv", 6, 2, 6, 8),
    ("b2.attention_scores", 6, 2, 6, 0),
    ("b2.attention_context", 6, 6, 2, 0),
    ("b2.attention_out", 6, 2, 2, 8),
    ("b2.attention_ffn1", 6, 2, 2, 8),
    ("b2.attention_ffn2", 6, 2, 2, 8),
    ("b2.fm", 1, 2, 5, 8),
    ("head", 1, 17, 1, 8),
]

# Embedding width 4, no dense and 3 categorical fields. The layer of block 1 is its bias alone.
SUMMED = from_compact("FC4|EFC2|00|0|0|0,0 ; SUM6|EFC5|11|01|1|0,1", embedding_dim=4)
SUMMED_PRODUCTS = [
    ("b1.fc", 1, 0, 4, 8),
    ("b1.efc", 4, 3, 2, 8),
    ("b2.resize", 1, 4, 6, 8),
    ("b2.efc", 4, 2, 5, 8),
    ("b2.dense_to_sparse", 1, 6, 32, 8),
    ("b2.fm", 1, 4, 6, 8),
    ("head", 1, 58, 1, 8),
]


def test_widths_by_hand() -> None:
    gated = widths(ArchitectureBatch.of([GATED]), n_dense=3, n_sparse=4)
    assert gated.dense.tolist() == [[3, 8, 5]]
    assert gated.sparse.tolist() == [[4, 11, 6]]
    assert gated.dense_in.tolist() == [[3, 11]]
    assert gated.sparse_in.tolist() == [[4, 15]]
    assert gated.pair_in.tolist() == [[3, 8]]
    assert gated.dot_rows.tolist() == [[4, 3]]
    assert gated.head_in.tolist() == [5 + 6 * 2]
    summed = widths(ArchitectureBatch.of([SUMMED]), n_dense=0, n_sparse=3)
    assert summed.dense.tolist() == [[0, 4, 6]]
    assert summed.sparse.tolist() == [[3, 2, 13]]
    assert summed.dense_in.tolist() == [[0, 4]]
    assert summed.pair_in.tolist() == [[0, 4]]
    assert summed.head_in.tolist() == [6 + 13 * 4]


@pytest.mark.parametrize(
    ("network", "n_dense", "n_sparse", "expected"),
    [
        pytest.param(GATED, 3, 4, GATED_PRODUCTS, id="dot-gating-attention"),
        pytest.param(SUMMED, 0, 3, SUMMED_PRODUCTS, id="no-dense-fields"),
    ],
)
def test_products_by_hand(
    network: Architecture, n_dense: int, n_sparse: int, expected: list[tuple[str, int, int, int, int]]
) -> None:
    made = products(ArchitectureBatch.of([network]), n_dense, n_sparse)
    columns = (made.n_vectors[0], made.in_features[0], made.out_features[0], made.weight_bits[0])
    every = zip(made.names, *(column.tolist() for column in columns), strict=True)
    assert [entry for entry in every if entry[1] > 0] == expected
    assert {name for name, is_product in zip(made.names, made.is_activation_product, strict=True) if is_product} == {
        f"b{block}.{name}" for block in (1, 2) for name in ("dot_gram", "attention_scores", "attention_context")
    }


def test_counts_by_hand() -> None:
    gated, summed = ArchitectureBatch.of([GATED]), ArchitectureBatch.of([SUMMED])
    # 6 + 50 + 80 + 24 + 128 + 64 + 40 + 180 + 72 + 72 + 72 + 3 * 24 + 10 + 17
    assert macs(gated, 3, 4).tolist() == [887]
    # 2 + 25 + 8 + 6 + 16 + 8 + 5 + 12 + 36 + 36 + 12 + 12 + 12 + 12 + 5 + 1
    assert products(gated, 3, 4).n_outputs.tolist() == [208]
    # biases: 8 + 88 + 15 + 144 + 72 + 45 + 96 + 18 + 3 * 6 + 15 + 18, and two layer norms of width 2
    assert n_parameters(gated, 3, 4).tolist() == [545]
    # 0 + 24 + 24 + 40 + 192 + 24 + 58
    assert macs(summed, 0, 3).tolist() == [362]
    # 4 + 8 + 6 + 20 + 32 + 6 + 1
    assert products(summed, 0, 3).n_outputs.tolist() == [77]
    # 4 + 8 + 30 + 15 + 224 + 30 + 59
    assert n_parameters(summed, 0, 3).tolist() == [370]


def test_dead_operators_count_only_when_asked_for() -> None:
    network = ArchitectureBatch.of([from_compact("FC4|EFC2|00|0|0|0,0 ; FC6|EFC5|00|0|1|0,0", embedding_dim=4)])
    live = 4 * 3 * 2 + 7 * 6 + 4 * 2 * 5 + (6 + 5 * 4)
    assert macs(network, 7, 3).tolist() == [live]
    assert macs(network, 7, 3, live_only=False).tolist() == [live + 7 * 4]
    assert n_parameters(network, 7, 3, live_only=False)[0] - n_parameters(network, 7, 3)[0] == 8 * 4


@pytest.mark.parametrize(
    ("dense_dim", "n_rows", "n_pairs"),
    # NASRec's code: the pairs follow the width of the output.
    [
        (16, 6, 21),
        (32, 8, 36),
        (64, 11, 66),
        (128, 16, 136),
        (256, 23, 276),
        (512, 32, 528),
        (768, 39, 780),
        (1024, 45, 1035),
    ],
)
def test_dot_product_rows_of_nasrec(dense_dim: int, n_rows: int, n_pairs: int) -> None:
    (k,) = dot_product_rows(np.array([dense_dim])).tolist()
    assert (k, k * (k + 1) // 2) == (n_rows, n_pairs)


@settings(max_examples=30)
@given(st.integers(0, 3), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_counts_of_a_batch_are_those_of_each_network_and_grow_with_dead_parts(
    n_dense: int, n_sparse: int, seed: int
) -> None:
    space = nasrec_space(n_dense=n_dense, n_sparse=n_sparse, n_blocks=4)
    networks = space.networks(space.sample(np.random.default_rng(seed), 12))
    for count in (macs, n_parameters):
        live = count(networks, n_dense, n_sparse)
        assert live.tolist() == [count(networks.take([row]), n_dense, n_sparse)[0] for row in range(12)]
        assert (live <= count(networks, n_dense, n_sparse, live_only=False)).all()
