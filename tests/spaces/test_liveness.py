"""Liveness of whole batches, against a slow search through one network's reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import Architecture, ArchitectureBatch, from_compact, liveness, nasrec_space
from spaces.liveness import everything

SPACES = [
    nasrec_space(n_dense=13, n_sparse=26),
    nasrec_space("nasrec-small", n_dense=0, n_sparse=4),
    nasrec_space(n_dense=2, n_sparse=4, n_blocks=2),
    nasrec_space(n_dense=2, n_sparse=4, n_blocks=12),
]

Part = tuple[str, int]


def reads_of(network: Architecture, part: Part) -> list[Part]:
    """What one part of a network reads."""
    kind, number = part
    if number == 0:
        return []
    block = network.blocks[number - 1]
    if kind == "dense":
        return [("dense operator", number)] + [("fm", number)] * block.has_fm
    if kind == "sparse":
        return [("sparse operator", number)] + [("merger", number)] * block.has_dense_to_sparse
    if kind == "fm":
        return [("sparse operator", number)]
    if kind == "merger":
        return [("dense operator", number)]
    dense = [("dense", node) for node in block.dense_inputs]
    sparse = [("sparse", node) for node in block.sparse_inputs]
    if kind == "sparse operator":
        return sparse
    return {
        "fc": dense,
        "dot-product": dense + sparse,
        "gating": [("dense", block.left), ("dense", block.right)],
        "sum": [("dense", block.left), ("dense", block.right)],
    }[block.dense_operator]


def live_parts(network: Architecture) -> set[Part]:
    """Every part that the head depends on."""
    last = len(network.blocks)
    live: set[Part] = set()
    waiting: list[Part] = [("dense", last), ("sparse", last)]
    while waiting:
        part = waiting.pop()
        if part not in live:
            live.add(part)
            waiting += reads_of(network, part)
    return live


@settings(max_examples=60)
@given(st.sampled_from(range(len(SPACES))), st.integers(0, 2**32 - 1))
def test_liveness_is_what_a_search_from_the_head_finds(index: int, seed: int) -> None:
    networks = SPACES[index].networks(SPACES[index].sample(np.random.default_rng(seed), 10))
    found = liveness(networks)
    for row, network in enumerate(networks):
        live = live_parts(network)
        numbers = range(1, len(network.blocks) + 1)
        for name, array in (("dense", found.dense_node), ("sparse", found.sparse_node)):
            assert array[row].tolist() == [(name, node) in live for node in (0, *numbers)]
        for name, array in (
            ("dense operator", found.dense_operator),
            ("sparse operator", found.sparse_operator),
            ("merger", found.dense_to_sparse),
            ("fm", found.fm),
        ):
            assert array[row].tolist() == [(name, number) in live for number in numbers]
        for number, block in enumerate(network.blocks, start=1):
            has_dense = ("dense operator", number) in live
            is_pair = block.dense_operator in ("gating", "sum")
            is_dot = block.dense_operator == "dot-product"
            column = number - 1
            assert found.reads_dense_inputs[row, column] == (has_dense and not is_pair)
            assert found.reads_left_right[row, column] == (has_dense and is_pair)
            has_sparse = ("sparse operator", number) in live
            assert found.reads_sparse_inputs[row, column] == (has_sparse or (has_dense and is_dot))
            assert found.block[row, column] == (has_dense or has_sparse)


@pytest.mark.parametrize(
    ("first", "last", "dense_is_live", "sparse_is_live"),
    [
        pytest.param("FC16|EFC16|00|0|0|0,0", "FC16|EFC16|00|0|0|0,0", False, False, id="nobody-reads-it"),
        pytest.param("FC16|EFC16|00|0|0|0,0", "FC16|EFC16|00|1|0|0,0", True, False, id="dense-output-read"),
        pytest.param("FC16|EFC16|00|0|0|0,0", "SUM16|EFC16|00|1|0|0,0", False, False, id="a-sum-has-no-set"),
        pytest.param("FC16|EFC16|00|0|0|0,0", "SUM16|EFC16|00|0|0|0,1", True, False, id="a-sum-reads-right"),
        pytest.param("FC16|EFC16|00|0|0|0,0", "DP16|EFC16|00|0|1|0,0", False, True, id="rows-read"),
        pytest.param("FC16|EFC16|01|0|0|0,0", "FC16|EFC16|00|1|0|0,0", True, True, id="fm-keeps-the-rows"),
        pytest.param("FC16|EFC16|10|0|0|0,0", "FC16|EFC16|00|0|1|0,0", True, True, id="merger-keeps-the-dense-part"),
        pytest.param("DP16|EFC16|00|0|0|0,0", "FC16|EFC16|00|1|0|0,0", True, False, id="dot-reads-nodes-not-own-rows"),
    ],
)
def test_liveness_by_hand(first: str, last: str, dense_is_live: bool, sparse_is_live: bool) -> None:
    found = liveness(ArchitectureBatch.of([from_compact(f"{first} ; {last}")]))
    assert found.dense_operator.tolist() == [[dense_is_live, True]]
    assert found.sparse_operator.tolist() == [[sparse_is_live, True]]


def test_everything_holds_every_operator_that_is_switched_on() -> None:
    networks = SPACES[0].networks(SPACES[0].sample(np.random.default_rng(3), 50))
    every = everything(networks)
    assert every.block.all()
    np.testing.assert_array_equal(every.fm, networks.has_fm)
    np.testing.assert_array_equal(every.dense_to_sparse, networks.has_dense_to_sparse)
    assert (every.reads_dense_inputs ^ every.reads_left_right).all()
