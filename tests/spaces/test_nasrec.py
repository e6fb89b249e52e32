from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import NasrecSpace, Space, from_compact, nasrec_space
from spaces.nasrec import connection_sets

FULL = nasrec_space(n_dense=13, n_sparse=26)
SMALL = nasrec_space("nasrec-small", n_dense=13, n_sparse=26)


def test_connection_sets_are_those_of_one_to_four_nodes() -> None:
    # sum of C(n, j) for j = 1 to min(4, n)
    assert [len(connection_sets(n)) for n in range(1, 8)] == [1, 3, 7, 15, 30, 56, 98]
    assert connection_sets(3) == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


@pytest.mark.parametrize(
    ("space", "n_operators", "magnitude"),
    # All combinations of the public code's choices: 8.07e43 for NASRec-Full, 4.92e39 for NASRec-Small.
    [(FULL, 4 * 2, 8.066e43), (SMALL, 2 * 1, 4.923e39)],
)
def test_cardinality(space: NasrecSpace, n_operators: int, magnitude: float) -> None:
    sets = (1, 3, 7, 15, 30, 56, 98)
    assert space.cardinality == math.prod(c**2 * n**2 * n_operators * 8 * 4 * 2 * 2 for n, c in enumerate(sets, 1))
    assert space.cardinality == pytest.approx(magnitude, rel=1e-4)


def test_two_weight_bits_multiply_the_space_by_four_choices_a_block() -> None:
    assert nasrec_space(n_dense=13, n_sparse=26, weight_bits=(4, 8)).cardinality == FULL.cardinality * 2 ** (4 * 7)


def test_widths_and_bits_are_ordered_and_the_rest_is_not() -> None:
    ordered = {block.name for block in FULL.blocks if block.is_ordered}
    fields = ("dense_dim", "sparse_dim", "dense_bits", "sparse_bits", "dense_to_sparse_bits", "fm_bits")
    assert ordered == {f"b{number}.{field}" for number in range(1, 8) for field in fields}


@settings(max_examples=30)
@given(
    st.sampled_from(["nasrec-full", "nasrec-small"]),
    st.integers(1, 9),
    st.integers(0, 4),
    st.lists(st.integers(1, 16), min_size=1, max_size=3, unique=True).map(sorted),
    st.integers(0, 2**32 - 1),
)
def test_every_genome_is_a_legal_network(kind: str, n_blocks: int, n_dense: int, bits: list[int], seed: int) -> None:
    space = nasrec_space(kind, n_dense=n_dense, n_sparse=3, n_blocks=n_blocks, weight_bits=bits, dense_dims=(1, 7))
    genomes = space.sample(np.random.default_rng(seed), 10)
    networks = space.networks(genomes)
    np.testing.assert_array_equal(space.genomes(networks), genomes)
    architectures = list(networks)  # built and so checked one by one
    np.testing.assert_array_equal(space.genomes_of(architectures), genomes)
    for architecture, design in zip(architectures, space.decode(genomes), strict=True):
        for number, block in enumerate(architecture.blocks, start=1):
            for field in type(block).__dataclass_fields__:
                assert getattr(block, field) == design[f"b{number}.{field}"]
    again = NasrecSpace.from_json(space.to_json())
    assert again == space
    assert again.digest == space.digest


def test_digest_changes_with_every_argument() -> None:
    spaces = [
        FULL,
        SMALL,
        nasrec_space(n_dense=12, n_sparse=26),
        nasrec_space(n_dense=13, n_sparse=25),
        nasrec_space(n_dense=13, n_sparse=26, n_blocks=6),
        nasrec_space(n_dense=13, n_sparse=26, dense_dims=(16, 32)),
        nasrec_space(n_dense=13, n_sparse=26, sparse_dims=(16, 32)),
        nasrec_space(n_dense=13, n_sparse=26, weight_bits=(4,)),
        nasrec_space(n_dense=13, n_sparse=26, embedding_dim=8),
    ]
    assert len({space.digest for space in spaces}) == len(spaces)


def test_a_shorter_network_keeps_its_last_block_last() -> None:
    short = from_compact("DP64|EFC32|01|0|0|0,0 ; FC128|ATT16|10|01|1|0,1")
    (network,) = FULL.networks(FULL.genomes_of([short]))
    assert network.blocks[0] == short.blocks[0]
    assert network.blocks[1:6] == (FULL.neutral_block,) * 5
    assert network.blocks[6] == short.blocks[1]
    assert FULL.genomes_of([]).shape == (0, len(FULL.blocks))


def test_the_neutral_block_is_every_first_choice() -> None:
    space = nasrec_space("nasrec-small", n_dense=0, n_sparse=2, dense_dims=(3, 5), sparse_dims=(2,), weight_bits=(2, 4))
    (first,) = space.networks(np.zeros((1, len(space.blocks)), dtype=np.int64))
    assert first.blocks == (space.neutral_block,) * 7


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nasrec_space("nasrec-large", n_dense=1, n_sparse=1),
            "unknown network space 'nasrec-large'; spaces are 'nasrec-full', 'nasrec-small'",
        ),
        (lambda: nasrec_space(n_dense=-1, n_sparse=1), "n_dense must be a whole number between 0 and .*got -1"),
        (lambda: nasrec_space(n_dense=2.5, n_sparse=1), "n_dense must be a whole number .*got 2.5"),
        (lambda: nasrec_space(n_dense=0, n_sparse=0), "n_sparse must be a whole number between 1"),
        (lambda: nasrec_space(n_dense=0, n_sparse=1, n_blocks=31), "n_blocks must be .* between 1 and 30, got 31"),
        (lambda: nasrec_space(n_dense=0, n_sparse=1, embedding_dim=0), "embedding_dim must be a whole number"),
        (
            lambda: nasrec_space(n_dense=0, n_sparse=1, dense_dims=(32, 16)),
            r"dense_dims must be ascending whole numbers from 1 to 1048576, got \(32, 16\)",
        ),
        (lambda: nasrec_space(n_dense=0, n_sparse=1, dense_dims=()), r"dense_dims must be ascending .*got \(\)"),
        (lambda: nasrec_space(n_dense=0, n_sparse=1, dense_dims=(16.5,)), "dense_dims must be .*whole numbers"),
        (lambda: nasrec_space(n_dense=0, n_sparse=1, sparse_dims=(0, 16)), "sparse_dims must be ascending"),
        (lambda: nasrec_space(n_dense=0, n_sparse=1, weight_bits=(8, 32)), "weight_bits must be .* from 1 to 16"),
        (lambda: nasrec_space(n_dense=0, n_sparse=1, weight_bits=(8, 8)), "weight_bits must be ascending"),
        (lambda: NasrecSpace.from_json('{"kind": "nasrec-full"}'), "not a NASRec space: .*n_dense"),
        (lambda: NasrecSpace.from_dict({"n_dense": 1, "n_sparse": 1, "depth": 2}), "not a NASRec space: .*depth"),
        (lambda: NasrecSpace.from_dict({"n_dense": 1, "n_sparse": 1, "dense_dims": 4}), "not a NASRec space: "),
        (lambda: Space.from_json(FULL.to_json()), "not a search space"),
        (
            lambda: SMALL.genomes_of([from_compact("SG16|EFC16|00|0|0|0,0")]),
            "unknown choice 'gating' in choice block 'b7.dense_operator'; choices are 'fc', 'dot-product'",
        ),
        (
            lambda: FULL.genomes_of([from_compact("FC17|EFC16|00|0|0|0,0")]),
            "unknown choice 17 in choice block 'b7.dense_dim'; choices are 16, 32,",
        ),
        (
            lambda: FULL.genomes_of([from_compact(" ; ".join(["FC16|EFC16|00|0|0|0,0"] * 8))]),
            "space 'nasrec-full' has networks of 7 blocks, got one of 8",
        ),
        (
            lambda: FULL.genomes_of([from_compact("FC16|EFC16|00|0|0|0,0", embedding_dim=8)]),
            "7 blocks and embedding_dim 16, got 7 blocks and embedding_dim 8",
        ),
        (lambda: FULL.networks([[0, 1]]), r"genomes must have shape \(B, 98\)"),
    ],
)
def test_errors_say_what_to_do(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
