"""The chip is charged for exactly what a pruned network computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from moco.costs.lowering import lower
from moco.design import Design
from moco.pruning import PruningStart, pruned, pruned_workload
from moco.pruning.work import stuck_operators
from moco.supernet.numerics import FloatArithmetic, Linear
from pimmodel import ISAAC, Kind, estimate
from spaces.architecture import ATTENTION_HEADS, ArchitectureBatch

cases = given(n_dense=st.sampled_from((0, 1, 3, 8)), seed=st.integers(0, 10_000))


class Recorded(FloatArithmetic):
    """Plain numbers, and the shape of every product of one row: vectors, inputs, outputs, weight bits."""

    def __init__(self) -> None:
        self.shapes: dict[str, tuple[int, int, int, int]] = {}

    def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        n_out, n_in = layer[0].shape
        if n_in > 0:
            self.shapes[name] = x.shape[1], n_in, n_out, bits
        return super().product(name, x, layer, bits)

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        n_heads, n_vectors, n_in = left.shape
        assert n_heads in (1, ATTENTION_HEADS)
        wide = (n_heads * n_in, right.shape[2]) if name.endswith("scores") else (n_in, n_heads * right.shape[2])
        self.shapes[name] = n_vectors, *wide, 0
        return super().activation_product(name, left, right)


@cases
@settings(max_examples=60)
def test_a_chip_gets_exactly_the_products_of_the_network(networks: Any, n_dense: int, seed: int) -> None:
    small, recorded = networks.small_of(n_dense, seed), Recorded()
    ids, dense = networks.random_rows(n_dense, seed)
    with torch.no_grad():
        small.logits(dense[:1], small.embedding(ids[:1]), recorded)
    work = pruned_workload(small)
    charged = {
        name.replace(".", "_").replace("_gate_resize", "_resize").replace("_sum_resize", "_resize"): tuple(
            int(getattr(work, part)[0, place]) for part in ("n_vectors", "in_features", "out_features", "weight_bits")
        )
        for place, name in enumerate(work.names)
        if work.kinds[place] in (Kind.MVM, Kind.PRODUCT) and work.n_vectors[0, place] > 0
    }
    computed = {
        name.replace("_gate_resize", "_resize").replace("_sum_resize", "_resize"): shape
        for name, shape in recorded.shapes.items()
    }
    assert charged == computed


@cases
@settings(max_examples=20)
def test_with_all_kept_it_is_the_networks_work(networks: Any, n_dense: int, seed: int) -> None:
    network = networks.random_network(n_dense, seed)
    whole = lower(ArchitectureBatch.of([network.architecture]), n_dense, networks.cardinalities)
    uncut = pruned_workload(pruned(network, {}))
    is_exact = not {name for name in uncut.names if name.endswith(("gate", "fm", "fm_sum"))} & {
        name for name, n in zip(whole.names, whole.n_vectors[0], strict=True) if n > 0
    }
    costs = [estimate(work, ISAAC) for work in (whole, uncut)]
    for quantity in ("energy_pj", "latency_ns", "area_mm2"):
        before, after = (float(getattr(one, quantity)[0]) for one in costs)
        assert after == pytest.approx(before, rel=1e-12) if is_exact else after <= before * (1 + 1e-12)


@cases
@settings(max_examples=20)
def test_removing_neurons_never_costs(networks: Any, n_dense: int, seed: int) -> None:
    network = networks.random_network(n_dense, seed)
    before = estimate(pruned_workload(pruned(network, {})), ISAAC)
    after = estimate(pruned_workload(networks.small_of(n_dense, seed)), ISAAC)
    for quantity in ("energy_pj", "latency_ns", "area_mm2", "n_crossbars", "n_macs"):
        assert getattr(after, quantity)[0] <= getattr(before, quantity)[0] * (1 + 1e-12), quantity


def test_says_where_energy_does_not_fall(design: Design, start: PruningStart) -> None:
    whole = pruned(start.trained, {})
    # Two of eight merger rows: a quarter of the columns, but the inputs are driven as before.
    small = pruned(whole, {"b1_dense_to_sparse": (0, 1)})
    before, after = pruned_workload(whole), pruned_workload(small)
    place = before.names.index("b1.dense_to_sparse")
    energy_pj = [estimate(work, design.hardware).energy_by_operator_pj[0, place] for work in (before, after)]
    found = stuck_operators(before, after, design.hardware, "isaac32")
    if energy_pj[1] > 0.625 * energy_pj[0]:
        assert any(one.startswith("b1.dense_to_sparse: 25% of its products are left") for one in found)
    assert stuck_operators(before, before, design.hardware, "isaac32") == []
    assert not np.array_equal(before.out_features, after.out_features)
