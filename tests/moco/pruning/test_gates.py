"""Learned masks: gates find neurons that do nothing, and leave the network as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from moco.data import CtrDataset
from moco.design import Design
from moco.pruning import GatedNetwork, GateSettings, PruningStart, learned_gates, pruned
from moco.pruning.gates import unit_costs
from moco.settings import FinalSettings
from moco.supernet.checkpoint import weights_digest
from moco.supernet.network import Network


def gates_of(data: CtrDataset, network: Any, settings: FinalSettings, **options: Any) -> dict[str, Any]:
    gates = GateSettings(epochs=4, **options)
    return learned_gates(data, network, {"test": 1}, gate_settings=gates, settings=settings, seed=0)


def test_gates_shut_what_does_nothing(
    data: CtrDataset, design: Design, start: PruningStart, settings: FinalSettings
) -> None:
    network = Network(design.architecture, design.cardinalities, design.n_dense, seed=0)
    network.load_state_dict(start.trained.state_dict())
    with torch.no_grad():
        for name, unit in (("b1_fc", 5), ("b2_efc", 2)):
            network.weights[f"{name}_weight"][unit] = 0
            network.weights[f"{name}_bias"][unit] = 0
    whole = pruned(network, {})
    before = weights_digest(whole.state_dict())
    gates = gates_of(data, whole, settings)
    assert weights_digest(whole.state_dict()) == before
    assert all(parameter.requires_grad for parameter in whole.parameters())
    for name, unit in (("b1_fc", 5), ("b2_efc", 2)):
        assert gates[name][unit] < 0.5
    opened = np.concatenate(list(gates.values()))
    assert (opened > 0).all()
    assert (opened < 1).all()
    assert gates["b1_fc"].max() > gates["b1_fc"][5] + 0.2
    again = gates_of(data, whole, settings)
    assert all(np.array_equal(gates[name], again[name]) for name in gates)


def test_a_higher_penalty_shuts_more(data: CtrDataset, start: PruningStart, settings: FinalSettings) -> None:
    whole = pruned(start.trained, {})
    low, high = (
        np.concatenate(list(gates_of(data, whole, settings, penalty=penalty).values())) for penalty in (1e-4, 10.0)
    )
    assert high.mean() < low.mean() - 0.2


def test_the_penalty_is_in_the_gradient_and_not_in_the_loss(networks: Any) -> None:
    whole = pruned(networks.random_network(3, 1), {})
    costs = {name: np.arange(1.0, 1 + len(units)) for name, units in whole.kept.items()}
    rows = networks.random_rows(3, 1)
    gradients = []
    for network in (GatedNetwork(whole), GatedNetwork(whole, costs)):
        logits = network(*rows)
        logits.sum().backward()
        gradients.append((logits.detach(), network.weights["gate_logits"].grad))
    (logits, without), (same_logits, with_costs) = gradients
    assert torch.equal(logits, same_logits)
    slope = torch.sigmoid(torch.tensor(3.0)) * torch.sigmoid(torch.tensor(-3.0))
    expected = torch.from_numpy(np.concatenate(list(costs.values()))).float() * slope
    torch.testing.assert_close(with_costs - without, expected, atol=1e-4, rtol=1e-3)


def test_costs_are_what_removal_saves(networks: Any) -> None:
    whole = pruned(networks.random_network(3, 2), {})
    costs = unit_costs(whole)
    for name, units in whole.kept.items():
        assert len(costs[name]) == len(units)
        without = {name: units[:-1]}
        saved = whole.cut.macs - pruned(whole, without).cut.macs
        assert costs[name][-1] * whole.cut.macs == pytest.approx(saved)


def test_wrong_settings() -> None:
    with pytest.raises(ValueError, match="penalty must be positive, got 0"):
        GateSettings(penalty=0)
