"""The work of a hand-made network is exactly what its logits compute, and the graph waits for what they read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from moco.baselines import BASELINES, HAND_MADE, HandMade, baseline_costs, baseline_workload
from moco.baselines.autoint import AutoInt
from moco.baselines.catalogue import predictor_of
from moco.baselines.dcn import DcnV2
from moco.baselines.deep import DeepFm, DeepStructure
from moco.baselines.finalmlp import FinalMlp
from moco.baselines.hand_made import Structure
from moco.baselines.linear import FactorisationMachine, LogisticRegression
from moco.baselines.xdeepfm import XDeepFm
from moco.costs.breakdown import cost_sheet
from moco.supernet.numerics import FLOAT, FLOAT_BITS, Linear
from pimmodel import ISAAC, Kind, estimate

Product = tuple[str, str, int, int, int, int]
"""Name, kind, inputs, outputs, vectors of one sample, weight bits."""


class Recording:
    """Float arithmetic that remembers every product of a batch of N samples."""

    def __init__(self, n_samples: int) -> None:
        self._n_samples = n_samples
        self.products: list[Product] = []

    def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        n_out, n_in = layer[0].shape
        assert x.shape[0] == n_in
        assert x.shape[1] % self._n_samples == 0
        self.products.append((name, "mvm", n_in, n_out, x.shape[1] // self._n_samples, bits))
        return FLOAT.product(name, x, layer, bits)

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        n_samples, n_vectors, n_in = left.shape
        assert n_samples == self._n_samples
        self.products.append((name, "product", n_in, right.shape[2], n_vectors, 0))
        return FLOAT.activation_product(name, left, right)


widths = st.integers(1, 12)
hidden = st.lists(widths, max_size=3).map(tuple)


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    structure = BASELINES[draw(st.sampled_from(HAND_MADE))].network
    assert isinstance(structure, Structure)
    if isinstance(structure, LogisticRegression):
        return structure
    structure = replace(structure, embedding_dim=draw(widths))
    if isinstance(structure, DeepStructure) and not isinstance(structure, FinalMlp):
        structure = replace(structure, hidden=draw(hidden), has_batch_norm=draw(st.booleans()))
    if isinstance(structure, FinalMlp):
        return replace(structure, hidden=(10,), second_hidden=(7, 5), gate_hidden=draw(hidden))
    if isinstance(structure, DcnV2):
        return replace(structure, n_cross=draw(st.integers(0, 3)))
    if isinstance(structure, XDeepFm):
        return replace(structure, n_maps=draw(st.lists(widths, min_size=1, max_size=3).map(tuple)))
    if isinstance(structure, AutoInt):
        return replace(structure, n_layers=draw(st.integers(0, 2)), n_heads=2, attention_dim=2 * draw(widths))
    return structure


@given(
    structures(),
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(0, 3),
    st.sampled_from((None, 4, 8)),
    st.integers(2, 4),
)
@settings(max_examples=60)
def test_the_workload_lists_exactly_the_products_of_the_logits(
    structure: Structure, cardinalities: list[int], n_dense: int, weight_bits: int | None, n_samples: int
) -> None:
    network = HandMade(structure, cardinalities, n_dense, seed=0, weight_bits=weight_bits)
    recording = Recording(n_samples)
    rows = torch.randn(n_samples, len(cardinalities), structure.table_width)
    with torch.no_grad():
        logits = network.logits(torch.randn(n_samples, n_dense), rows, recording)
    assert logits.shape == (n_samples,)

    workload = baseline_workload(network, n_dense, cardinalities, weight_bits or FLOAT_BITS)
    shapes = (workload.in_features, workload.out_features, workload.n_vectors, workload.weight_bits)
    listed = [
        (name, str(kind), *(int(shape[0, column]) for shape in shapes))
        for column, (name, kind) in enumerate(zip(workload.names, workload.kinds, strict=True))
        if kind in (Kind.MVM, Kind.PRODUCT)
    ]
    assert sorted(listed) == sorted(recording.products)
    assert estimate(workload, ISAAC).n_macs[0] == sum(
        n_in * n_out * n_vectors for _, _, n_in, n_out, n_vectors, _ in recording.products
    )
    n_parameters = sum(weight.numel() for weight in network.weights.values())
    assert baseline_costs(network, n_dense, cardinalities).n_parameters == n_parameters


def by_name(network: Structure, n_dense: int = 0) -> dict[str, tuple[str, int, int]]:
    """Function, results and vectors of each operator."""
    workload = baseline_workload(network, n_dense, (5, 7, 3))
    return {
        name: (workload.functions[column], int(workload.out_features[0, column]), int(workload.n_vectors[0, column]))
        for column, name in enumerate(workload.names)
    }


def test_work_of_a_factorisation_machine_by_hand() -> None:
    assert by_name(FactorisationMachine(embedding_dim=4)) == {
        "embedding": ("", 5, 3),  # of each field a row of four numbers and that of first order
        "add_1": ("add", 3, 1),  # first order
        "multiply_1": ("multiply", 16, 1),  # squares of 3 x 4 elements and of 4 sums
        "add_2": ("add", 24, 1),  # both sums
        "add_3": ("add", 4, 1),  # over the columns
        "add_4": ("add", 1, 1),
        "add_5": ("add", 1, 1),  # bias
        "sigmoid_1": ("sigmoid", 1, 1),
    }


def test_batch_normalisation_and_constants_cost_nothing() -> None:
    with_norm, without = (by_name(DeepFm(hidden=(6,), has_batch_norm=flag)) for flag in (True, False))
    assert with_norm == without


@pytest.mark.parametrize(
    ("structure", "n_dense", "path"),
    [
        # Dense values are there at once, rows wait for the lookup; the head for the slower of deep part and crosses.
        pytest.param(
            DcnV2(hidden=(8,), n_cross=2),
            0,
            [
                ["embedding", "cross_1", "multiply_1", "add_1", "cross_2", "multiply_2", "add_2", "head", "sigmoid_1"],
                ["embedding", "deep_1", "relu_1", "head", "sigmoid_1"],
            ],
            id="parallel-parts",
        ),
        pytest.param(
            AutoInt(hidden=(), n_layers=1, n_heads=1, attention_dim=4),
            0,
            [
                [
                    "embedding",
                    "attention_1_qkv",
                    "attention_1_scores_1",
                    "softmax_1",
                    "attention_1_context_1",
                    "add_1",
                    "layernorm_1",
                    "relu_1",
                    "attention_head",
                    "add_2",
                    "sigmoid_1",
                ]
            ],
            id="attention",
        ),
    ],
)
def test_latency_is_the_longest_path_drawn_by_hand(structure: Structure, n_dense: int, path: list[list[str]]) -> None:
    result = estimate(baseline_workload(structure, n_dense, (5, 7, 3)), ISAAC)
    own = dict(zip(result.operators, result.latency_by_operator_ns[0].tolist(), strict=True))
    assert all(own[name] > 0 for names in path for name in names)
    assert result.latency_ns[0] == pytest.approx(max(sum(own[name] for name in names) for names in path))


def test_published_networks_cost_what_they_cost_elsewhere() -> None:
    name, cardinalities = "NASRec criteo-small", (5, 7, 3)
    costs = baseline_costs(name, 2, cardinalities)
    network = BASELINES[name].network
    assert not isinstance(network, Structure)
    sheet = cost_sheet(network, None, 2, cardinalities)
    assert (costs.n_macs, costs.n_parameters) == (sheet.n_macs, sheet.n_parameters)
    assert costs.energy_pj == pytest.approx(sheet.totals["energy_pj"])
    assert costs.n_table_parameters == 15 * 16
    predictor = predictor_of(network, cardinalities, 2, seed=0)
    assert sum(one.numel() for one in predictor.parameters()) == costs.n_parameters + costs.n_table_parameters


def test_costs_grow_with_bits_and_width() -> None:
    narrow, wide = (baseline_costs(DeepFm(hidden=(n,)), 0, (50, 60)).energy_pj for n in (128, 512))
    assert narrow < wide
    few, many = (baseline_costs("DeepFM", 0, (50, 60), weight_bits=bits).area_mm2 for bits in (4, 8))
    assert few < many
    assert baseline_costs("LR", 0, (50, 60)).n_macs == 0
    assert np.isfinite(baseline_costs("LR", 0, (50, 60)).area_mm2)


def test_what_is_no_baseline() -> None:
    with pytest.raises(ValueError, match="unknown baseline 'DeepFm'; baselines are 'LR', 'FM', 'DNN'"):
        baseline_workload("DeepFm", 0, (3,))
    with pytest.raises(ValueError, match="dense fields must be 0 or more, got -1"):
        baseline_workload("DeepFM", -1, (3,))
    with pytest.raises(ValueError, match="every categorical field needs a table of at least one row"):
        baseline_workload("LR", 0, ())
