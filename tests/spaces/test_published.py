"""The published networks, against the figures of NASRec's README and an exact recount of its code."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spaces import (
    PUBLISHED_NETWORKS,
    ArchitectureBatch,
    from_nasrec_json,
    liveness,
    macs,
    n_parameters,
    nasrec_space,
    to_nasrec_json,
)

FIELDS = {"criteo": (13, 26), "avazu": (1, 23), "kdd2012": (3, 10)}

# The authors' records: active_nodes, dense_in_dims, sparse_in_dims, dense_sparse_interact, deep_fm of each block; then
# dense_idx | sparse_idx | dense_left_idx | dense_right_idx.
RECORDS = {
    "avazu-full": (
        "xlarge",
        "[[[1,4],32,48,1,0],[[1,5],768,64,1,0],[[0,5],512,48,1,0],[[3,4],768,16,1,1],[[1,5],768,64,0,0],"
        "[[2,5],1024,64,1,0],[[2,4],768,16,1,0]]",
        "[0]|[0]|0|0; [1,0]|[0,1]|0|0; [0]|[0]|0|0; [1,0,3,2]|[3]|1|0; [3,2,4]|[2]|0|3; [0,5,2,1]|[4,0]|0|3; "
        "[2,5,1,3]|[2,3]|0|2",
    ),
    "avazu-small": (
        "autoctr",
        "[[[1,2],512,64,1,0],[[0,2],1024,48,1,0],[[0,2],512,16,0,1],[[1,2],768,48,1,1],[[0,2],128,16,1,1],"
        "[[0,2],128,64,1,0],[[0,2],512,32,1,1]]",
        "[0]|[0]|0|0; [0,1]|[0]|0|0; [2,0]|[0]|1|2; [3]|[0,3]|2|0; [0,2,3]|[0,1]|2|3; [4,1,3]|[0,1,3]|0|3; "
        "[5]|[6,2,1]|0|1",
    ),
    "kdd2012-full": (
        "xlarge",
        "[[[1,4],128,48,1,0],[[2,4],768,64,1,0],[[2,5],16,48,0,0],[[3,4],64,16,1,0],[[3,5],64,48,0,0],"
        "[[0,5],128,32,0,1],[[2,5],768,16,1,0]]",
        "[0]|[0]|0|0; [1]|[1]|0|0; [1]|[2,1]|1|0; [2,0,3]|[1]|2|2; [0,1,2,4]|[0,2]|0|2; [4,3]|[5,1,4,0]|4|2; "
        "[5,3,1,6]|[3,5,4,1]|5|5",
    ),
    "kdd2012-small": (
        "autoctr",
        "[[[0,2],768,48,1,1],[[1,2],128,64,1,0],[[1,2],32,48,1,1],[[0,2],256,64,0,0],[[0,2],1024,64,0,0],"
        "[[1,2],768,64,0,0],[[1,2],1024,48,1,0]]",
        "[0]|[0]|0|0; [0,1]|[0,1]|0|1; [1,0,2]|[0,1]|0|2; [3,0,2,1]|[0,2,3]|1|2; [4,3]|[2,1,4,0]|0|2; "
        "[5,2,1]|[4,5]|4|5; [3,4,6,2]|[2,0,1,4]|0|2",
    ),
}


def record(config: str, micro: str, macro: str) -> str:
    """One of the authors' JSON records."""
    names = ("active_nodes", "dense_in_dims", "sparse_in_dims", "dense_sparse_interact", "deep_fm")
    connections: list[dict[str, Any]] = []
    for entry in macro.split(";"):
        dense, sparse, left, right = (json.loads(part) for part in entry.split("|"))
        connections.append(
            {"dense_idx": dense, "sparse_idx": sparse, "dense_left_idx": [left], "dense_right_idx": [right]}
        )
    blocks = [dict(zip(names, values, strict=True)) for values in json.loads(micro)]
    return json.dumps({"micro": blocks, "macro": connections, "num_blocks": 7, "use_layernorm": 1, "config": config})


def batch_and_fields(name: str) -> tuple[ArchitectureBatch, int, int]:
    return ArchitectureBatch.of([PUBLISHED_NETWORKS[name]]), *FIELDS[name.partition("-")[0]]


@pytest.mark.parametrize("name", RECORDS)
def test_compact_and_json_forms_agree(name: str) -> None:
    assert from_nasrec_json(record(*RECORDS[name])) == PUBLISHED_NETWORKS[name]


@pytest.mark.parametrize("name", PUBLISHED_NETWORKS)
def test_json_round_trip(name: str) -> None:
    assert from_nasrec_json(to_nasrec_json(PUBLISHED_NETWORKS[name])) == PUBLISHED_NETWORKS[name]


@pytest.mark.parametrize(
    ("name", "mega_macs"),
    [
        # README of NASRec, column FLOPs: multiply-accumulates of one sample.
        ("criteo-small", 2.20),
        ("criteo-full", 1.45),
        ("avazu-small", 3.08),
        ("avazu-full", 1.87),
        ("kdd2012-small", 3.48),
        ("kdd2012-full", 1.09),
    ],
)
def test_macs_of_the_readme(name: str, mega_macs: float) -> None:
    assert macs(*batch_and_fields(name))[0] / 1e6 == pytest.approx(mega_macs, rel=0.012)


@pytest.mark.parametrize(
    ("name", "live_macs", "all_macs", "live_parameters", "all_parameters"),
    [
        # Recount of the public code, matrix products only.
        ("criteo-small", 2_207_808, 2_415_376, 1_743_288, 1_779_720),
        ("criteo-full", 1_448_297, 3_161_913, 749_764, 2_217_268),
    ],
)
def test_exact_counts_on_criteo(
    name: str, live_macs: int, all_macs: int, live_parameters: int, all_parameters: int
) -> None:
    network = batch_and_fields(name)
    assert macs(*network)[0] == live_macs
    assert macs(*network, live_only=False)[0] == all_macs
    assert n_parameters(*network)[0] == live_parameters
    assert n_parameters(*network, live_only=False)[0] == all_parameters


@pytest.mark.parametrize(
    ("name", "dead_blocks"),
    [
        ("criteo-full", {4, 5, 6}),
        ("avazu-full", {4, 5, 6}),
        ("kdd2012-full", {6}),
    ],
)
def test_blocks_that_never_reach_the_output(name: str, dead_blocks: set[int]) -> None:
    network, *_ = batch_and_fields(name)
    is_live = liveness(network).block[0]
    assert {number for number in range(1, 8) if not is_live[number - 1]} == dead_blocks


@pytest.mark.parametrize("name", PUBLISHED_NETWORKS)
def test_each_is_in_its_space(name: str) -> None:
    data, _, size = name.partition("-")
    n_dense, n_sparse = FIELDS[data]
    space = nasrec_space(f"nasrec-{size}", n_dense=n_dense, n_sparse=n_sparse)
    (network,) = space.networks(space.genomes_of([PUBLISHED_NETWORKS[name]]))
    assert network == PUBLISHED_NETWORKS[name]
