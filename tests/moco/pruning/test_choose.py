"""Which neurons go: the lowest scores first, until the work has fallen; every layer keeps one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from moco.design import Design
from moco.pruning import PruningStart, pruned
from moco.pruning.choose import magnitudes, without_lowest
from moco.supernet.network import Network
from spaces import from_compact


def random_scores(units: dict[str, tuple[int, ...]], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {name: rng.random(len(places)) for name, places in units.items()}


@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.2, 0.5, 0.9]))
@settings(max_examples=5)
def test_work_falls_to_the_target_and_not_a_neuron_further(networks: Any, seed: int, share: float) -> None:
    whole = pruned(networks.random_network(3, seed), {})
    assume(not any(name.endswith("_gate") for name in whole.kept))  # gates go with what they let through
    scores = random_scores(whole.kept, seed)
    target_macs = (1 - share) * whole.cut.macs
    kept = without_lowest(whole, scores, target_macs)
    small = pruned(whole, kept)
    assert all(len(layer.outputs) > 0 for layer in small.cut.layers.values())
    if small.cut.macs > target_macs:  # every unit left is one that a layer needs
        assert without_lowest(small, random_scores(small.kept, seed), target_macs) == small.kept
        return
    removed = [
        (score, name, unit)
        for name, units in whole.kept.items()
        for score, unit in zip(scores[name], units, strict=True)
        if unit not in kept[name]
    ]
    assert removed
    _, name, last = max(removed)
    with_last = pruned(whole, {**kept, name: tuple(sorted((*kept[name], last)))})
    assert with_last.cut.macs > target_macs


def test_every_layer_keeps_a_neuron(networks: Any) -> None:
    for seed in range(3):
        whole = pruned(networks.random_network(3, seed), {})
        kept = without_lowest(whole, magnitudes(whole), 0)
        assert all(len(units) > 0 for units in kept.values())
        assert sum(map(len, kept.values())) < sum(map(len, whole.kept.values()))


def test_magnitude_is_the_sum_of_incoming_weights_relative_to_the_layer() -> None:
    network = Network(from_compact("FC3|EFC2|10|0|0|0,0", embedding_dim=8), (5, 4), 2, seed=0)
    with torch.no_grad():
        network.weights["b1_fc_weight"].copy_(torch.tensor([[1.0, -1.0], [3.0, 0.0], [0.0, -4.0]]))
        merged = network.weights["b1_dense_to_sparse_weight"]
        merged.zero_()
        merged[8:16, 0] = 1.0  # row 1 of 8
        merged[63, 2] = -24.0  # row 7
    scores = magnitudes(pruned(network, {}))
    assert scores["b1_fc"] == pytest.approx([2 / 3, 1.0, 4 / 3])
    assert scores["b1_dense_to_sparse"] == pytest.approx([0, 2, 0, 0, 0, 0, 0, 6])


def test_constants_go_before_all_else() -> None:
    whole = pruned(Network(from_compact("FC8|EFC4|10|0|0|0,0", embedding_dim=8), (5, 4), 0, seed=0), {})
    kept = without_lowest(whole, magnitudes(whole), whole.cut.macs - 7 * 64)
    assert [len(kept[name]) for name in ("b1_fc", "b1_efc", "b1_dense_to_sparse")] == [1, 4, 8]


def test_what_weighs_nothing_goes_first(design: Design, start: PruningStart) -> None:
    network = Network(design.architecture, design.cardinalities, design.n_dense, seed=0)
    network.load_state_dict(start.trained.state_dict())
    with torch.no_grad():
        network.weights["b1_fc_weight"][5] = 0
        network.weights["b2_efc_weight"][2] = 0
    whole = pruned(network, {})
    kept = without_lowest(whole, magnitudes(whole), whole.cut.macs - 2)
    assert 5 not in kept["b1_fc"] or 2 not in kept["b2_efc"]
    kept = without_lowest(whole, magnitudes(whole), 0.95 * whole.cut.macs)
    assert 5 not in kept["b1_fc"]
    assert 2 not in kept["b2_efc"]
