"""What a search computes before it proposes is what an evaluation says afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from moco.data import CtrDataset, load_dataset
from moco.search.codesign import CodesignStudy, codesign_space, create_study
from moco.search.look_ahead import LookAhead
from moco.settings import TrainSettings
from moco.supernet import train_supernet
from pimmodel import find_calibration


@pytest.fixture(scope="module")
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=1500, n_fields=4, n_dense=2, max_cardinality=12)


@pytest.fixture(scope="module")
def study(data: CtrDataset) -> CodesignStudy:
    space = codesign_space(data, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=4)
    settings = TrainSettings(epochs=1, batch_size=64, embedding_epochs=0)
    supernet = train_supernet(data, space, settings=settings)
    return create_study("s", data, space, supernet, n_jobs=1, population_size=20, max_area_mm2=0.2)


def test_costs_are_those_of_an_evaluation(data: CtrDataset, study: CodesignStudy) -> None:
    genomes = study.space.canonical(study.space.sample(np.random.default_rng(0), 40))
    caps = study.study.constraints
    look = LookAhead(data, study.space, find_calibration("isaac32"), data.cardinalities, caps)
    seen, found = look(genomes), study.evaluate(genomes)
    seen_values, found_values = np.asarray(seen.values), np.asarray(found.values)
    assert np.isnan(seen_values[:, 0]).all()
    np.testing.assert_array_equal(seen_values[:, 1:], found_values[:, 1:])
    np.testing.assert_array_equal(seen.constraints, found.constraints)
    assert np.expm1(np.asarray(seen.attributes["log_macs"])) == pytest.approx(np.asarray(found.attributes["macs"]))


def test_most_proposals_keep_a_cap_that_random_designs_break(study: CodesignStudy) -> None:
    drawn = study.evaluate(study.space.canonical(study.space.sample(np.random.default_rng(1), 60)))
    assert (np.asarray(drawn.constraints) <= 0.2).mean() < 0.6
    study.optimize(60)
    trials = study.study.trials()
    assert trials.is_feasible[40:].mean() > 0.8
