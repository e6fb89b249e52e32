from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import Architecture, from_compact, from_nasrec_json, nasrec_space, to_compact, to_nasrec_json

SPACES = [nasrec_space(n_dense=3, n_sparse=5, n_blocks=n_blocks) for n_blocks in (1, 7, 14)]
RECORD: dict[str, Any] = json.loads(to_nasrec_json(from_compact("FC16|EFC16|00|0|0|0,0 ; DP32|ATT48|11|01|1|1,0")))


@settings(max_examples=60)
@given(st.sampled_from(range(len(SPACES))), st.integers(0, 2**32 - 1))
def test_both_forms_bring_a_network_back(index: int, seed: int) -> None:
    space = SPACES[index]
    (network,) = space.networks(space.sample(np.random.default_rng(seed), 1))
    assert from_compact(to_compact(network)) == network
    assert from_nasrec_json(to_nasrec_json(network)) == network


def test_compact_line_by_hand() -> None:
    first, second = from_compact("SG128|ATT64|10|0|0|0,0;SUM32|EFC48|01|01|1|1,0", embedding_dim=8).blocks
    assert (first.dense_operator, first.dense_dim, first.sparse_operator, first.sparse_dim) == (
        "gating",
        128,
        "attention",
        64,
    )
    assert (first.has_dense_to_sparse, first.has_fm) == (True, False)
    assert (second.has_dense_to_sparse, second.has_fm) == (False, True)
    assert (second.dense_inputs, second.sparse_inputs, second.left, second.right) == ((0, 1), (1,), 1, 0)


@pytest.mark.parametrize(
    ("nodes", "written"),
    [((3,), "3"), ((1, 9), "19"), ((11,), "11+"), ((2, 11), "2+11"), ((10, 11, 12), "10+11+12")],
)
def test_nodes_of_two_digits(nodes: tuple[int, ...], written: str) -> None:
    line = " ; ".join(["FC16|EFC16|00|0|0|0,0"] * 12) + f" ; FC16|EFC16|00|{written}|{written}|12,11"
    network = from_compact(line)
    assert network.blocks[12].dense_inputs == network.blocks[12].sparse_inputs == nodes
    assert (network.blocks[12].left, network.blocks[12].right) == (12, 11)
    assert to_compact(network) == line


def test_the_authors_smaller_space_has_its_own_operator_numbers() -> None:
    # NASRec-Small: 0 FC, 1 dot product, 2 EFC; NASRec-Full: 0 FC, 1 dot product, 2 gating, 3 sum, 4 attention, 5 EFC.
    small = RECORD | {"config": "autoctr", "micro": [entry | {"active_nodes": [1, 2]} for entry in RECORD["micro"]]}
    network = from_nasrec_json(json.dumps(small))
    assert {block.dense_operator for block in network.blocks} == {"dot-product"}
    assert {block.sparse_operator for block in network.blocks} == {"efc"}
    numbers = [entry["active_nodes"] for entry in RECORD["micro"]]
    assert numbers == [[0, 5], [1, 4]]


def test_the_authors_unsorted_connections_are_sets() -> None:
    macro = [RECORD["macro"][0], RECORD["macro"][1] | {"dense_idx": [1, 0]}]
    assert from_nasrec_json(json.dumps(RECORD | {"macro": macro})) == from_nasrec_json(json.dumps(RECORD))


def test_weight_bits_are_no_part_of_either_form() -> None:
    network = from_compact("FC16|EFC16|00|0|0|0,0")
    four_bits = Architecture(blocks=(replace(network.blocks[0], dense_bits=4),))
    assert to_compact(four_bits) == to_compact(network)
    assert to_nasrec_json(four_bits) == to_nasrec_json(network)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "block 1 of the network cannot be read: ''; expected a form like 'FC128|EFC16|10|02|012|0,0'"),
        ("FC16|EFC16|00|0|0|0,0 ; FC16", "block 2 of the network cannot be read: 'FC16'"),
        ("CONV16|EFC16|00|0|0|0,0", "block 1 of the network cannot be read: 'CONV16"),
        ("FC16|EFC16|00|+|0|0,0", "block 1 of the network cannot be read"),
        ("FC16|EFC16|00|0|0++1|0,0", "block 1 of the network cannot be read"),
        ("FC16|EFC16|20|0|0|0,0", "block 1 of the network cannot be read"),
        ("FC16|EFC16|00|00|0|0,0", "dense_inputs must be 1 to 4 different nodes"),
        ("FC16|EFC16|00|01|0|0,0", "block 1 may read nodes 0 to 0"),
        ("FC0|EFC16|00|0|0|0,0", "dense_dim must be a whole number of at least 1, got 0"),
    ],
)
def test_a_wrong_line_shows_its_entry(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("|", r"\|").replace("+", r"\+")):
        from_compact(line)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (lambda: "{", "not a NASRec record: not JSON"),
        (lambda: "[]", "not a NASRec record: entry missing or of the wrong type"),
        (lambda: "{}", "entry missing or of the wrong type .*'config'"),
        (lambda: json.dumps(RECORD | {"config": "large"}), "unknown NASRec space 'large' in entry 'config'"),
        (lambda: json.dumps(RECORD | {"macro": RECORD["macro"][:1]}), "one item a block each, got 1 and 2"),
        (lambda: json.dumps(RECORD | {"micro": [{}, {}]}), "entry missing or of the wrong type .*'active_nodes'"),
        (lambda: with_operators([0, 6]), "entry missing or of the wrong type .*6"),
        (lambda: with_operators([-1, 5]), "entry missing or of the wrong type .*-1"),
        (lambda: with_operators([0]), "entry missing or of the wrong type"),
        (lambda: with_operators([5, 5]), "unknown dense_operator 'efc'"),
    ],
)
def test_a_wrong_record_names_its_entry(record: Callable[[], str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_nasrec_json(record())


def with_operators(numbers: list[int]) -> str:
    micro = [entry | {"active_nodes": numbers} for entry in RECORD["micro"]]
    return json.dumps(RECORD | {"micro": micro})
