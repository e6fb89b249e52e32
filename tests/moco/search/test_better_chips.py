"""Better chips: never worse in what is weighed, the network untouched, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.costs.batch import design_costs
from moco.data import CtrDataset, load_dataset
from moco.search.better_chips import LEFT_SHARE, BetterChips
from moco.search.codesign import codesign_space
from moco.search.look_ahead import LookAhead
from pimmodel import find_calibration
from spaces import CodesignSpace, Genomes
from studies import Constraint

MODEL = find_calibration("isaac32")


@pytest.fixture(scope="module")
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=2000, n_fields=4, n_dense=2, max_cardinality=12)


@pytest.fixture(scope="module")
def space(data: CtrDataset) -> CodesignSpace:
    return codesign_space(data, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=4)


def proposals(space: CodesignSpace, n: int, seed: int) -> Genomes:
    return space.canonical(space.sample(np.random.default_rng(seed), n))


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_a_changed_chip_loses_nothing_and_costs_less_in_something(
    data: CtrDataset, space: CodesignSpace, seed: int
) -> None:
    given_ = proposals(space, 12, seed)
    found = BetterChips(LookAhead(data, space, MODEL, data.cardinalities))(given_, np.random.default_rng(seed))
    first = space.n_network_blocks
    assert np.array_equal(found, space.canonical(found))
    assert np.array_equal(found[:, :first], given_[:, :first])
    before, after = (design_costs(data, space, genomes) for genomes in (given_, found))
    is_changed = (found != given_).any(axis=1)
    assert after.is_lossless[is_changed].all()
    was_lossless = before.is_lossless
    is_less = (after.estimate.energy_pj < before.estimate.energy_pj) | (
        after.estimate.latency_ns < before.estimate.latency_ns
    )
    assert is_less[is_changed & was_lossless].all()


def test_most_proposals_are_changed_and_a_share_is_left(data: CtrDataset, space: CodesignSpace) -> None:
    given_ = proposals(space, 400, 0)
    better = BetterChips(LookAhead(data, space, MODEL, data.cardinalities))
    found = better(given_, np.random.default_rng(1))
    assert (found == given_).all(axis=1).mean() == pytest.approx(LEFT_SHARE, abs=0.1)
    assert np.array_equal(found, better(given_, np.random.default_rng(1)))
    before, after = (design_costs(data, space, genomes).estimate for genomes in (given_, found))
    gain = np.log(before.energy_pj * before.latency_ns) - np.log(after.energy_pj * after.latency_ns)
    is_changed = (found != given_).any(axis=1)
    costs = design_costs(data, space, given_)
    assert np.median(gain[is_changed & costs.is_lossless]) > np.log(2)


def test_a_chip_that_keeps_the_caps_goes_first(data: CtrDataset, space: CodesignSpace) -> None:
    given_ = proposals(space, 100, 3)
    limit = float(np.quantile(design_costs(data, space, given_).estimate.area_mm2, 0.2))
    free, capped = (
        design_costs(
            data,
            space,
            BetterChips(LookAhead(data, space, MODEL, data.cardinalities, caps))(given_, np.random.default_rng(0)),
        ).estimate.area_mm2
        for caps in ((), (Constraint(name="area_mm2", limit=limit, unit="mm2"),))
    )
    assert (capped <= limit).mean() > (free <= limit).mean()
