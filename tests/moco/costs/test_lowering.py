"""Lowering: the chip does exactly the network's live work, and waits exactly for what a network reads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.costs.lowering import lower, pim_config
from pimmodel import ISAAC, Kind, estimate
from spaces import ArchitectureBatch, NasrecSpace, from_compact, macs, nasrec_space

CARDINALITIES = (7, 100, 3, 40)
SPACES = {
    (n_dense, kind): nasrec_space(
        kind, n_dense=n_dense, n_sparse=4, n_blocks=4, dense_dims=(16, 32, 128), sparse_dims=(4, 8), weight_bits=(4, 8)
    )
    for n_dense in (0, 13)
    for kind in ("nasrec-full", "nasrec-flat")
}


def random_networks(space: NasrecSpace, seed: int, n: int) -> ArchitectureBatch:
    return space.networks(space.sample(np.random.default_rng(seed), n))


@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32))
@settings(max_examples=20)
def test_products_are_the_networks_multiply_accumulates(which: tuple[int, str], seed: int) -> None:
    n_dense, networks = which[0], random_networks(SPACES[which], seed, 20)
    workload = lower(networks, n_dense, CARDINALITIES)
    is_product = np.array([kind in (Kind.MVM, Kind.PRODUCT) for kind in workload.kinds])
    work = workload.in_features * workload.out_features * workload.n_vectors
    assert (work[:, is_product].sum(axis=1) == macs(networks, n_dense, len(CARDINALITIES))).all()


@given(st.sampled_from(sorted(SPACES)), st.integers(0, 2**32))
@settings(max_examples=20)
def test_dead_parts_cost_nothing(which: tuple[int, str], seed: int) -> None:
    n_dense, space = which[0], SPACES[which]
    genomes = space.sample(np.random.default_rng(seed), 20)
    with_dead, without = (
        estimate(lower(space.networks(each), n_dense, CARDINALITIES), ISAAC)
        for each in (genomes, space.canonical(genomes))
    )
    for quantity in ("energy_pj", "latency_ns", "area_mm2", "power_mw", "period_ns"):
        np.testing.assert_allclose(getattr(with_dead, quantity), getattr(without, quantity), rtol=1e-12)


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_a_batch_is_its_networks(seed: int) -> None:
    networks = random_networks(SPACES[13, "nasrec-full"], seed, 5)
    together = estimate(lower(networks, 13, CARDINALITIES), ISAAC)
    for row, architecture in enumerate(networks):
        alone = estimate(lower(ArchitectureBatch.of([architecture]), 13, CARDINALITIES), ISAAC)
        assert alone.energy_pj[0] == pytest.approx(together.energy_pj[row], rel=1e-12)
        assert alone.latency_ns[0] == pytest.approx(together.latency_ns[row], rel=1e-12)


@pytest.mark.parametrize(
    ("network", "path"),
    [
        # The dense input is there at once; only the rows wait for the lookup, and the head for the slower of the two.
        pytest.param(
            "FC16|EFC8|00|0|0|0,0",
            [
                ["embedding", "b1.efc", "b1.efc_relu", "head", "head_sigmoid"],
                ["b1.fc", "b1.fc_relu", "head", "head_sigmoid"],
            ],
            id="dense-and-sparse-in-parallel",
        ),
        pytest.param(
            "FC32|EFC8|00|0|0|0,0 ; DP16|EFC4|00|1|0|0,0",
            [
                ["b1.fc", "b1.fc_relu", "b2.dot_dense", "b2.dot_gram", "b2.dot_pairs", "head", "head_sigmoid"],
                ["embedding", "b2.dot_sparse", "b2.dot_gram", "b2.dot_pairs", "head", "head_sigmoid"],
                ["embedding", "b2.efc", "b2.efc_relu", "head", "head_sigmoid"],
            ],
            id="dot-product-waits-for-both",
        ),
        pytest.param(
            "FC16|EFC8|11|0|0|0,0",
            [
                [
                    "embedding",
                    "b1.efc",
                    "b1.efc_relu",
                    "b1.fm_square",
                    "b1.fm_sum",
                    "b1.fm",
                    "b1.fm_add",
                    "head",
                    "head_sigmoid",
                ],
                ["b1.fc", "b1.fc_relu", "b1.dense_to_sparse", "head", "head_sigmoid"],
            ],
            id="mergers",
        ),
        pytest.param(
            "FC32|EFC8|00|0|0|0,0 ; SG16|EFC4|00|0|0|1,0",
            [
                [
                    "b1.fc",
                    "b1.fc_relu",
                    "b2.gate",
                    "b2.gate_sigmoid",
                    "b2.gate_multiply",
                    "b2.resize",
                    "head",
                    "head_sigmoid",
                ],
                ["embedding", "b2.efc", "b2.efc_relu", "head", "head_sigmoid"],
            ],
            id="gating",
        ),
    ],
)
def test_latency_is_the_longest_path_drawn_by_hand(network: str, path: list[list[str]]) -> None:
    workload = lower(ArchitectureBatch.of([from_compact(network)]), 13, CARDINALITIES)
    result = estimate(workload, ISAAC)
    own = dict(zip(result.operators, result.latency_by_operator_ns[0].tolist(), strict=True))
    assert all(own[name] > 0 for names in path for name in names if name != "b1.fm")  # 16 wide: no projection
    assert result.latency_ns[0] == pytest.approx(max(sum(own[name] for name in names) for names in path))


def test_no_dense_fields_means_no_work_for_them() -> None:
    workload = lower(ArchitectureBatch.of([from_compact("FC64|EFC8|00|0|0|0,0")]), 0, CARDINALITIES)
    present = {name for name, n in zip(workload.names, workload.n_vectors[0], strict=True) if n > 0}
    assert present == {"embedding", "b1.fc_relu", "b1.efc", "b1.efc_relu", "head", "head_sigmoid"}


def test_wordline_groups_divide_the_crossbar() -> None:
    chips = pim_config(
        {
            "crossbar_size": np.array([128, 256]),
            "wordline_groups": np.array([4, 1]),
            "columns_per_adc": np.array([4, 32]),
        }
    )
    assert np.asarray(chips.n_active_wordlines).tolist() == [32, 256]
