"""Designs of most work: legal, lossless, within their caps, and ahead of random ones."""

from __future__ import annotations

import numpy as np
import pytest

from moco.data import CtrDataset, load_dataset
from moco.search.codesign import codesign_space
from moco.search.known import first_population, known_designs
from moco.search.look_ahead import LookAhead
from moco.search.most_work import most_work
from moco.search.objectives import caps
from pimmodel import find_calibration
from spaces import CodesignSpace


@pytest.fixture(scope="module")
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=500, n_fields=4, n_dense=1, max_cardinality=20)


@pytest.fixture(scope="module")
def space(data: CtrDataset) -> CodesignSpace:
    return codesign_space(data, n_blocks=3, dense_dims=(16, 64), sparse_dims=(4, 8))


def look(data: CtrDataset, space: CodesignSpace, **limits: float) -> LookAhead:
    return LookAhead(data, space, find_calibration("isaac32"), data.cardinalities, tuple(caps(dict(limits))))


def test_they_do_more_work_than_random_designs_of_their_cost(data: CtrDataset, space: CodesignSpace) -> None:
    seen = look(data, space)
    genomes = most_work(seen, seed=1, n_designs=20)
    assert 10 <= len(genomes) <= 20
    np.testing.assert_array_equal(genomes, space.canonical(genomes))
    np.testing.assert_array_equal(genomes, most_work(seen, seed=1, n_designs=20))
    drawn = space.canonical(space.sample(np.random.default_rng(0), 1000))
    points, lossless = [], []
    for some in (genomes, drawn):
        costs = seen.costs(some)
        points.append(np.column_stack([-costs.macs, costs.estimate.energy_pj, costs.estimate.latency_ns]))
        lossless.append(costs.is_lossless)
    assert lossless[0].all()
    chosen, others = points[0], points[1][lossless[1]]
    assert len(others) > 50
    is_beaten = (others[:, None] <= chosen).all(axis=2).any(axis=0)
    beats = (chosen[:, None] <= others).all(axis=2).any(axis=0)
    assert is_beaten.mean() < 0.2
    assert beats.mean() > 0.8


def test_where_every_chip_loses_something_there_are_none(data: CtrDataset) -> None:
    space = codesign_space(data, n_blocks=2, dense_dims=(16,), sparse_dims=(4,), hardware={"activation_bits": (4,)})
    assert most_work(look(data, space)).shape == (0, len(space.blocks))
    assert len(first_population(look(data, space), seed=0)) == 2 * len(known_designs(space))


def test_caps_are_kept(data: CtrDataset, space: CodesignSpace) -> None:
    free = look(data, space).costs(most_work(look(data, space))).estimate.energy_pj
    capped = look(data, space, energy_pj=float(np.median(free)))
    energy_pj = capped.costs(most_work(capped)).estimate.energy_pj
    assert len(energy_pj) > 5
    assert energy_pj.max() <= np.median(free)
