from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import PUBLISHED_NETWORKS, Architecture, ArchitectureBatch, Block, nasrec_space
from spaces.architecture import mask_of_nodes, nodes_of_mask

BLOCK = Block(
    dense_operator="gating",
    sparse_operator="attention",
    dense_inputs=(0,),
    sparse_inputs=(0,),
    left=0,
    right=0,
    dense_dim=32,
    sparse_dim=16,
    has_fm=True,
    fm_bits=4,
)
NETWORK = Architecture(blocks=(BLOCK, replace(BLOCK, dense_inputs=(0, 1), right=1)), embedding_dim=8)
SPACE = nasrec_space(n_dense=3, n_sparse=5, weight_bits=(4, 8), embedding_dim=8)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_json_and_batches_bring_networks_back(seed: int) -> None:
    networks = SPACE.networks(SPACE.sample(np.random.default_rng(seed), 5))
    architectures = list(networks)
    assert len(architectures) == len(networks) == 5
    assert [Architecture.from_json(network.to_json()) for network in architectures] == architectures
    assert list(ArchitectureBatch.of(architectures)) == architectures
    assert list(networks.take([3, 0])) == [architectures[3], architectures[0]]


@given(st.sets(st.integers(0, 40)))
def test_masks_are_sets_of_nodes(nodes: set[int]) -> None:
    assert nodes_of_mask(mask_of_nodes(sorted(nodes))) == tuple(sorted(nodes))


def test_published_networks_in_one_batch() -> None:
    batch = ArchitectureBatch.of(list(PUBLISHED_NETWORKS.values()))
    assert list(batch) == list(PUBLISHED_NETWORKS.values())
    assert batch.n_blocks == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dense_operator": "conv"},
            "unknown dense_operator 'conv'; operators are 'fc', 'dot-product', 'gating', 'sum",
        ),
        ({"sparse_operator": "fc"}, "unknown sparse_operator 'fc'; operators are 'efc', 'attention'"),
        ({"dense_inputs": ()}, r"dense_inputs must be 1 to 4 different nodes in ascending order, got \(\)"),
        ({"dense_inputs": (1, 0)}, r"dense_inputs must be 1 to 4 different nodes in ascending order, got \(1, 0\)"),
        ({"sparse_inputs": (0, 0)}, "sparse_inputs must be 1 to 4 different nodes"),
        ({"sparse_inputs": (0, 1, 2, 3, 4)}, "sparse_inputs must be 1 to 4 different nodes"),
        ({"dense_inputs": (0.0,)}, "dense_inputs must be a whole number of at least 0, got 0.0"),
        ({"left": -1}, "left must be a whole number of at least 0, got -1"),
        ({"right": True}, "right must be a whole number of at least 0, got True"),
        ({"dense_dim": 0}, "dense_dim must be a whole number of at least 1, got 0"),
        ({"sparse_dim": 16.5}, "sparse_dim must be a whole number of at least 1, got 16.5"),
        ({"fm_bits": 0}, "fm_bits must be a whole number of at least 1, got 0"),
        ({"has_fm": "no"}, "has_fm must be true or false, got 'no'"),
    ],
)
def test_a_block_names_its_fault(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(BLOCK, **changes)
    entry = json.loads(NETWORK.to_json())["blocks"][0] | changes
    with pytest.raises(ValueError, match=message):
        Architecture.from_json(json.dumps({"blocks": [entry], "embedding_dim": 8}))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Architecture(blocks=()), "needs at least one block"),
        (lambda: Architecture(blocks=(BLOCK,), embedding_dim=0), "embedding_dim must be a whole number of at least 1"),
        (
            lambda: Architecture(blocks=(BLOCK, replace(BLOCK, left=2))),
            r"block 2 may read nodes 0 to 1, got dense inputs \(0,\), sparse inputs \(0,\), left 2, right 0",
        ),
        (lambda: Architecture(blocks=(replace(BLOCK, sparse_inputs=(0, 1)),)), "block 1 may read nodes 0 to 0"),
        (lambda: Architecture.from_json("{"), "not an architecture: not JSON"),
        (lambda: Architecture.from_json("[]"), "not an architecture: entry missing or of the wrong type"),
        (lambda: Architecture.from_json('{"blocks": [{}], "embedding_dim": 8}'), "entry missing.*dense_inputs"),
        (lambda: Architecture.from_json('{"blocks": [{"depth": 1}]}'), r"block 1 .* unknown entries \['depth'\]"),
        (lambda: Architecture(blocks=(BLOCK,), has_flat_input=1), "has_flat_input must be true or false, got 1"),
        (lambda: Architecture.from_json('{"blocks": []}'), "entry missing or of the wrong type .*'embedding_dim'"),
        (
            lambda: ArchitectureBatch.of([NETWORK, Architecture(blocks=(BLOCK,), embedding_dim=8)]),
            r"one embedding_dim and one has_flat_input, got \[\(1, 8, False\), \(2, 8, False\)\]",
        ),
        (lambda: ArchitectureBatch.of([]), r"one embedding_dim and one has_flat_input, got \[\]"),
        (
            lambda: replace(ArchitectureBatch.of([NETWORK]), left=np.zeros((1, 3), dtype=np.int64)),
            r"left must have shape \(B, L\) = \(1, 2\), got \(1, 3\)",
        ),
    ],
)
def test_errors_say_what_to_do(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
