"""Canonical form by hand, on the networks that show one rule each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import (
    ArchitectureBatch,
    NasrecSpace,
    canonical_architecture,
    canonical_networks,
    from_compact,
    liveness,
    nasrec_space,
    to_compact,
)

FULL = nasrec_space(n_dense=13, n_sparse=26, weight_bits=(4, 8))
WITHOUT_DENSE_FIELDS = nasrec_space(n_dense=0, n_sparse=10, weight_bits=(4, 8))
NARROW = nasrec_space(n_dense=2, n_sparse=2, dense_dims=(2, 3, 16), sparse_dims=(2, 5), embedding_dim=2)


def canonical_of(line: str, n_dense: int, embedding_dim: int = 16) -> str:
    network = from_compact(line, embedding_dim=embedding_dim)
    return to_compact(canonical_architecture(network, n_dense, n_sparse=26))


LAST = "FC32|EFC32|00|{}|{}|0,0"


@pytest.mark.parametrize(
    ("line", "n_dense", "expected"),
    [
        pytest.param(
            "DP64|ATT64|11|0|0|0,0 ; FC16|EFC16|00|0|0|0,0 ; " + LAST.format(2, 2),
            13,
            "FC16|EFC16|00|0|0|0,0 ; " + LAST.format(1, 1),
            id="dead-block-goes",
        ),
        pytest.param(
            "DP64|ATT64|11|0|0|0,0 ; FC16|EFC16|00|0|0|0,0 ; SUM32|EFC32|00|1|2|2,0",
            13,
            "FC16|EFC16|00|0|0|0,0 ; SUM32|EFC32|00|0|1|0,1",
            id="sum-sorts-left-and-right-and-forgets-its-set",
        ),
        pytest.param(
            "FC64|EFC64|00|0|0|0,0 ; SG32|EFC32|00|1|0|1,0",
            13,
            "FC64|EFC16|00|0|0|0,0 ; SG32|EFC32|00|0|0|1,0",
            id="gating-keeps-left-and-right",
        ),
        pytest.param(
            "DP64|ATT64|11|0|0|0,0 ; " + LAST.format(0, 1),
            13,
            "DP64|ATT64|10|0|0|0,0 ; " + LAST.format(0, 1),
            id="merger-keeps-the-dense-operator-fm-goes",
        ),
        pytest.param(
            "SG64|ATT64|11|0|0|0,0 ; " + LAST.format(1, 0),
            13,
            "SG64|ATT64|01|0|0|0,0 ; " + LAST.format(1, 0),
            id="fm-keeps-the-sparse-operator-merger-goes",
        ),
        pytest.param(
            "FC64|ATT64|00|0|0|0,0 ; " + LAST.format("01", "0"),
            0,
            "FC64|EFC16|00|0|0|0,0 ; " + LAST.format("1", "0"),
            id="input-without-dense-fields-is-not-read-beside-others",
        ),
        pytest.param(LAST.format(0, 0), 0, LAST.format(0, 0), id="one-block-without-dense-fields"),
    ],
)
def test_canonical_network_by_hand(line: str, n_dense: int, expected: str) -> None:
    assert canonical_of(line, n_dense) == expected


def test_bits_matter_only_where_there_are_weights() -> None:
    # Embedding width 2: the sum of two widths 16 has no layer, a merger from width 16 and a factorisation machine
    # into width 2 have no projection.
    line = "FC16|EFC4|00|0|0|0,0 ; SUM16|EFC4|10|0|1|1,1 ; FC2|EFC4|01|2|2|0,0"
    batch = ArchitectureBatch.of([from_compact(line, embedding_dim=2)])
    canonical = canonical_networks(with_bits(batch, 4), n_dense=3, n_sparse=5)
    np.testing.assert_array_equal(canonical.dense_bits, [[4, 8, 4]])
    np.testing.assert_array_equal(canonical.sparse_bits, [[4, 4, 4]])
    np.testing.assert_array_equal(canonical.dense_to_sparse_bits, [[8, 8, 8]])
    np.testing.assert_array_equal(canonical.fm_bits, [[8, 8, 8]])
    without_dense = canonical_networks(with_bits(batch, 4), n_dense=0, n_sparse=5)
    np.testing.assert_array_equal(without_dense.dense_bits, [[8, 8, 4]])


def with_bits(networks: ArchitectureBatch, bits: int) -> ArchitectureBatch:
    array = np.full_like(networks.dense_bits, bits)
    return replace(networks, dense_bits=array, sparse_bits=array, dense_to_sparse_bits=array, fm_bits=array)


def test_the_order_of_live_blocks_is_kept() -> None:
    # Blocks 1 and 2 do not read each other. Written in the other order they are another network: positions tell
    # which rows of a later weight matrix belong to whom.
    lines = [
        "FC16|EFC16|00|0|0|0,0 ; FC32|EFC32|00|0|0|0,0 ; " + LAST.format("12", "12"),
        "FC32|EFC32|00|0|0|0,0 ; FC16|EFC16|00|0|0|0,0 ; " + LAST.format("12", "12"),
    ]
    assert [canonical_of(line, 13) for line in lines] == lines


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.sampled_from([FULL, WITHOUT_DENSE_FIELDS, NARROW]))
def test_a_network_without_its_dead_blocks_has_the_same_genome(seed: int, space: NasrecSpace) -> None:
    genomes = space.sample(np.random.default_rng(seed), 8)
    shorter = [
        canonical_architecture(network, space.n_dense, space.n_sparse, space.neutral_block)
        for network in space.networks(genomes)
    ]
    np.testing.assert_array_equal(space.canonical(space.genomes_of(shorter)), space.canonical(genomes))
    n_live = liveness(space.networks(genomes)).block.sum(axis=1)
    assert [len(network.blocks) for network in shorter] == n_live.tolist()


def test_batch_equals_loop_and_no_genomes_are_fine() -> None:
    space = FULL
    genomes = space.sample(np.random.default_rng(1), 20)
    one_by_one = np.concatenate([space.canonical(genome[None]) for genome in genomes])
    np.testing.assert_array_equal(space.canonical(genomes), one_by_one)
    assert space.canonical(genomes[:0]).shape == (0, len(space.blocks))
    assert space.keys(genomes[:0]) == []
