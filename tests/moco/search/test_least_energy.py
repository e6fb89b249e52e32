"""The least energy that networks need."""

from __future__ import annotations

import numpy as np
import pytest

from moco.data import load_dataset
from moco.search.best_chip import allowed_costs, best_chips
from moco.search.codesign import CodesignStudy, codesign_space, create_study
from moco.search.least_energy import least_energy, losing_nothing, on_good_chips
from moco.settings import TrainSettings
from moco.supernet import train_supernet
from tests.moco.chips import is_lossless

MOST_AREA_MM2 = 0.05


def studied(max_area_mm2: float | None, n_designs: int) -> CodesignStudy:
    data = load_dataset("synthetic", n_rows=2000, n_fields=4, n_dense=2, max_cardinality=12)
    space = codesign_space(data, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=4)
    supernet = train_supernet(data, space.network, settings=TrainSettings(epochs=1, embedding_l2=1e-4), seed=0)
    study = create_study("x", data, space, supernet, n_jobs=1, max_area_mm2=max_area_mm2)
    study.optimize(n_designs)
    return study


@pytest.fixture(scope="module")
def study() -> CodesignStudy:
    return studied(MOST_AREA_MM2, 40)


def test_no_single_choice_leads_further_down(study: CodesignStudy) -> None:
    trials = study.study.trials()
    genomes, least_pj, has_good = least_energy(study, trials.genomes)
    own_pj = trials.values[:, 1]
    was_good, _ = allowed_costs(study, trials.genomes, study.calibration)
    is_good, costs = allowed_costs(study, genomes, study.calibration)
    assert 0 < was_good.sum() <= has_good.sum() < len(has_good)
    np.testing.assert_array_equal(is_good, has_good)
    np.testing.assert_allclose(costs.energy_pj, least_pj, rtol=1e-12)
    np.testing.assert_array_equal(genomes[~has_good], trials.genomes[~has_good])
    n_network = study.space.n_network_blocks
    np.testing.assert_array_equal(genomes[:, :n_network], trials.genomes[:, :n_network])
    assert (least_pj[was_good] <= own_pj[was_good]).all()
    assert (least_pj[was_good] < 0.8 * own_pj[was_good]).any()
    for design in (one for one in study.designs(trials) if is_lossless(one) and one.area_mm2 <= MOST_AREA_MM2):
        found = best_chips(study, [design], ["energy"])[design.key]["energy"]
        least = least_pj[trials.keys.index(design.key)]
        assert found.energy_pj <= 1.001 * least
        assert least <= 1.5 * found.energy_pj


def test_a_network_on_a_chip_that_loses_something_gets_one_that_does_not() -> None:
    """Where no cap forbids it; with no fewer bits than it had, before descent begins."""
    no_caps = studied(None, 0)
    space = no_caps.space
    given = space.canonical(space.sample(np.random.default_rng(0), 60))
    chips = losing_nothing(space.hardware, given[:, space.n_network_blocks :])
    for name in ("activation_bits", "table_bits"):
        column = space.hardware.column(name)
        assert (chips[:, column] >= given[:, space.n_network_blocks + column]).all()
    was_good, _ = allowed_costs(no_caps, given, no_caps.calibration)
    genomes, least_pj, has_good = least_energy(no_caps, given)
    is_good, costs = allowed_costs(no_caps, genomes, no_caps.calibration)
    assert was_good.mean() < 0.5 < 0.95 < has_good.mean()
    np.testing.assert_array_equal(is_good, has_good)
    np.testing.assert_allclose(costs.energy_pj, least_pj, rtol=1e-12)


def test_networks_that_were_searched_on_lossy_chips_alone_join_the_study_on_others_once() -> None:
    study = studied(None, 10)
    space = study.space
    lossy = space.sample(np.random.default_rng(0), 3)
    lossy[:, space.n_network_blocks + space.hardware.column("activation_bits")] = 0
    study.add(space.canonical(lossy))
    before = study.designs(study.study.trials())
    joined: list[tuple[int, int]] = []
    designs, least_pj = on_good_chips(study, lambda n_scored, n: joined.append((n_scored, n)))
    n_trials = len(study.study.trials())
    assert {one.architecture for one in designs} == {one.architecture for one in before}
    assert not all(is_lossless(one) for one in before)
    assert all(is_lossless(one) for one in designs)
    assert all(least_pj[one.key] <= one.energy_pj for one in designs)
    assert joined[-1] == (n_trials - len(before), n_trials - len(before))
    again, same_pj = on_good_chips(study, lambda n_scored, n: pytest.fail("nothing is left to join"))
    assert [one.key for one in again] == [one.key for one in designs]
    assert same_pj == least_pj
    assert len(study.study.trials()) == n_trials > len(before)
