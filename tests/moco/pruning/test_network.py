"""A pruned network is the whole one without the neurons removed: same numbers, smaller layers, every operator."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.pruning import GatedNetwork, PrunedNetwork, cut, pruned
from moco.pruning.cut import PRUNABLE
from moco.supernet.numerics import FloatArithmetic
from spaces import from_compact, macs, n_parameters
from spaces.architecture import ArchitectureBatch

cases = given(n_dense=st.sampled_from((0, 1, 3, 8)), seed=st.integers(0, 10_000))


@torch.no_grad()
def gated(whole: PrunedNetwork, small: PrunedNetwork) -> GatedNetwork:
    """The whole network, its gates open for what the small one keeps and shut for the rest."""
    network = GatedNetwork(whole)
    logits = [
        torch.inf if unit in small.kept[name] else -torch.inf for name, units in whole.kept.items() for unit in units
    ]
    network.weights["gate_logits"].copy_(torch.tensor(logits))
    return network


@cases
@settings(max_examples=60)
def test_masked_and_compacted_networks_compute_the_same(networks: Any, n_dense: int, seed: int) -> None:
    whole = pruned(networks.random_network(n_dense, seed), {})
    small = pruned(whole, networks.random_kept(whole, seed))
    networks.silence(whole, small)
    rows = networks.random_rows(n_dense, seed)
    with torch.no_grad():
        expected, got = gated(whole, small)(*rows), small(*rows)
    assert torch.isfinite(got).all()
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


@cases
@settings(max_examples=30)
def test_with_all_kept_it_is_the_network(networks: Any, n_dense: int, seed: int) -> None:
    network = networks.random_network(n_dense, seed)
    whole = pruned(network, {})
    networks.silence(network, whole)  # the padding of gates
    rows = networks.random_rows(n_dense, seed)
    with torch.no_grad():
        torch.testing.assert_close(whole(*rows), network(*rows), atol=1e-4, rtol=1e-4)


@cases
@settings(max_examples=30)
def test_in_two_steps_it_is_the_same_network(networks: Any, n_dense: int, seed: int) -> None:
    network = networks.random_network(n_dense, seed)
    between = pruned(network, networks.random_kept(pruned(network, {}), seed))
    kept = networks.random_kept(between, seed + 1)
    at_once, in_two = pruned(network, kept), pruned(between, kept)
    assert at_once.kept == in_two.kept
    for name, weight in at_once.state_dict().items():
        assert torch.equal(weight, in_two.state_dict()[name]), name


@cases
@settings(max_examples=30)
def test_less_is_never_more(networks: Any, n_dense: int, seed: int) -> None:
    network = networks.random_network(n_dense, seed)
    whole = pruned(network, {})
    small = pruned(whole, networks.random_kept(whole, seed))
    assert small.cut.macs <= whole.cut.macs
    for name, layer in small.cut.layers.items():
        assert set(layer.inputs) <= set(whole.cut.layers[name].inputs)
        assert small.weights[f"{name}_weight"].shape == (len(layer.outputs), len(layer.inputs))
    n_weights = sum(weight.numel() for weight in small.weights.values())
    assert n_weights == small.cut.n_parameters


@cases
@settings(max_examples=30)
def test_uncut_it_has_the_counted_work(networks: Any, n_dense: int, seed: int) -> None:
    network = networks.random_network(n_dense, seed)
    whole = cut(network.architecture, n_dense, len(networks.cardinalities))
    has_gate = any(name.endswith("_gate") for name in whole.layers)
    has_single_row = any(
        name.endswith(("_efc", "_attention_rows")) and layer.n_out == 1 for name, layer in whole.layers.items()
    )
    shape = ArchitectureBatch.of([network.architecture]), n_dense, len(networks.cardinalities)
    counted = macs(*shape)[0], n_parameters(*shape)[0]
    if has_gate or has_single_row:  # padding, and pairs of a single row, are always zero
        assert whole.macs <= counted[0]
    else:
        assert (whole.macs, whole.n_parameters) == counted


def test_random_networks_have_every_prunable_layer(networks: Any) -> None:
    met: Counter[str] = Counter()
    for seed in range(60):
        small = networks.small_of(networks.n_dense[seed % 4], seed)
        for name, layer in small.cut.layers.items():
            if len(layer.outputs) < layer.n_out:
                met[name.partition("_")[2]] += 1
        met.update("gram" for name, rows in small.cut.gram_rows.items() if len(rows) > 1)
    assert set(met) == {*PRUNABLE, "gram"}


class CountedProducts(FloatArithmetic):
    """Plain numbers, and the multiply-accumulates of every product."""

    def __init__(self) -> None:
        self.macs = 0

    def product(self, name, x, layer, bits):  # type: ignore[no-untyped-def]
        self.macs += layer[0].numel() * x.shape[1]
        return super().product(name, x, layer, bits)

    def activation_product(self, name, left, right):  # type: ignore[no-untyped-def]
        self.macs += left.numel() * right.shape[2]
        return super().activation_product(name, left, right)


@cases
@settings(max_examples=30)
def test_every_product_has_the_size_that_is_left(networks: Any, n_dense: int, seed: int) -> None:
    small, counted = networks.small_of(n_dense, seed), CountedProducts()
    ids, dense = networks.random_rows(n_dense, seed)
    small.logits(dense[:1], small.embedding(ids[:1]), counted)
    assert counted.macs == small.cut.macs


@pytest.mark.parametrize(
    ("network", "kept", "expected"),
    [
        # 3 dense fields, 5 rows of 8. Two of the first FC's outputs left: 3 x 2 and 2 x 16; the head reads 16 + 2 x 8.
        pytest.param(
            "FC8|EFC2|00|0|0|0,0 ; FC16|EFC2|00|1|0|0,0",
            {"b1_fc": (1, 5)},
            {"b1_fc": (3, 2), "b2_fc": (2, 16), "b2_efc": (5, 2), "head": (32, 1)},
            id="fc-into-fc",
        ),
        # k = round(sqrt(32)) = 6 rows, 3 left: 3 * 4 / 2 = 6 pairs, one output of 16 left.
        pytest.param(
            "DP16|EFC2|00|0|0|0,0",
            {"b1_dot_sparse": (0, 2, 5), "b1_dot_pairs": (7,)},
            {"b1_dot_dense": (3, 8), "b1_dot_sparse": (5, 3), "b1_dot_pairs": (6, 1), "head": (1 + 16, 1)},
            id="dot-product-rows-and-outputs",
        ),
        # Left is 4 wide, right 16: 4 inputs; where right has only places 0 and 9, no other gate says anything.
        pytest.param(
            "FC16|EFC2|00|0|0|0,0 ; FC4|EFC2|00|0|0|0,0 ; SG16|EFC2|00|0|0|2,1",
            {"b1_fc": (0, 9)},
            {"b2_fc": (3, 4), "b3_gate": (4, 2), "head": (2 + 16, 1)},
            id="gates-follow-what-they-let-through",
        ),
        # The sum has the places of either.
        pytest.param(
            "FC16|EFC2|00|0|0|0,0 ; FC16|EFC2|00|0|0|0,0 ; SUM8|EFC2|00|0|0|1,2",
            {"b1_fc": (0, 1), "b2_fc": (1, 2, 3)},
            {"b3_sum_resize": (4, 8)},
            id="a-sum-loses-what-both-lose",
        ),
        # The machine keeps place 3, the operator place 4: the head reads both.
        pytest.param(
            "FC16|EFC2|01|0|0|0,0",
            {"b1_fc": (4,), "b1_fm": (3,)},
            {"b1_fc": (3, 1), "b1_fm": (8, 1), "head": (2 + 16, 1)},
            id="a-factorisation-machine-keeps-places",
        ),
        # Of a single row there are no pairs: the machine gives its bias alone.
        pytest.param(
            "FC16|EFC2|01|0|0|0,0", {"b1_efc": (1,)}, {"b1_efc": (5, 1), "b1_fm": (0, 16)}, id="pairs-of-one-row"
        ),
        pytest.param(
            "FC16|ATT6|00|0|0|0,0",
            {"b1_attention_rows": (0, 2), "b1_attention_ffn1": (1, 2, 3)},
            {
                "b1_attention_rows": (5, 2),
                "b1_attention_qkv": (8, 24),
                "b1_attention_ffn1": (8, 3),
                "b1_attention_ffn2": (3, 8),
                "head": (16 + 16, 1),
            },
            id="attention",
        ),
        # Two of eight merger rows: two of the four rows that the next block reads.
        pytest.param(
            "FC16|EFC2|10|0|0|0,0 ; FC8|EFC3|00|0|1|0,0",
            {"b1_dense_to_sparse": (0, 7)},
            {"b1_dense_to_sparse": (16, 16), "b2_efc": (4, 3)},
            id="merger-rows",
        ),
    ],
)
def test_by_hand(network: str, kept: dict[str, tuple[int, ...]], expected: dict[str, tuple[int, int]]) -> None:
    found = cut(from_compact(network, embedding_dim=8), 3, 5, kept)
    shapes = {name: (len(layer.inputs), len(layer.outputs)) for name, layer in found.layers.items()}
    assert {name: shapes[name] for name in expected} == expected


def test_gradients_reach_every_weight_that_is_left(networks: Any) -> None:
    for seed in range(8):
        small = networks.small_of(3, seed)
        small(*networks.random_rows(3, seed)).square().sum().backward()
        for name, weight in small.weights.items():
            assert weight.numel() == 0 or weight.grad is not None, name


def test_wrong_units(networks: Any) -> None:
    network = networks.random_network(3, 0)
    name = next(name for name, units in pruned(network, {}).kept.items() if len(units) > 1)
    small = pruned(network, {name: (0,)})
    with pytest.raises(ValueError, match=rf"layer '{name}' has no units \[1\] to keep, it has 1 units"):
        pruned(small, {name: (0, 1)})
    with pytest.raises(ValueError, match="'head' is not a layer"):
        pruned(network, {"head": (0,)})
