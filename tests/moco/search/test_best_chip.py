"""The least energy that networks need."""

from __future__ import annotations

import numpy as np
import pytest

from moco.data import load_dataset
from moco.search.best_chip import allowed_costs, best_chips, least_energies_pj
from moco.search.codesign import CodesignStudy, codesign_space, create_study
from moco.settings import TrainSettings
from moco.supernet import train_supernet
from tests.moco.chips import is_lossless

MOST_AREA_MM2 = 0.05


@pytest.fixture(scope="module")
def study() -> CodesignStudy:
    data = load_dataset("synthetic", n_rows=2000, n_fields=4, n_dense=2, max_cardinality=12)
    space = codesign_space(data, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=4)
    supernet = train_supernet(data, space.network, settings=TrainSettings(epochs=1, embedding_l2=1e-4), seed=0)
    study = create_study("x", data, space, supernet, n_jobs=1, max_area_mm2=MOST_AREA_MM2)
    study.optimize(40)
    return study


def test_no_single_choice_leads_further_down(study: CodesignStudy) -> None:
    trials = study.study.trials()
    least_pj = least_energies_pj(study, trials.genomes)
    own_pj = trials.values[:, 1]
    is_allowed, _ = allowed_costs(study, trials.genomes, study.calibration)
    assert 0 < is_allowed.sum() < len(is_allowed)
    np.testing.assert_array_equal(least_pj[~is_allowed], own_pj[~is_allowed])
    assert (least_pj[is_allowed] <= own_pj[is_allowed]).all()
    assert (least_pj < 0.8 * own_pj).any()
    for design in (one for one in study.designs(trials) if is_lossless(one) and one.area_mm2 <= MOST_AREA_MM2):
        found = best_chips(study, [design], ["energy"])[design.key]["energy"]
        least = least_pj[trials.keys.index(design.key)]
        assert found.energy_pj <= 1.001 * least
        assert least <= 1.5 * found.energy_pj
