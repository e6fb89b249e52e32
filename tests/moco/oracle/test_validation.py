"""Rank fidelity of a supernet, measured on networks trained from scratch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moco.data import CtrDataset, load_dataset
from moco.oracle.fidelity import Rank, rank_correlation
from moco.oracle.oracle import Oracle
from moco.oracle.spread import spread_networks
from moco.oracle.truth import Truth, train_truth
from moco.oracle.validation import CONTROLS, UNTRAINED, Validation, validate
from moco.settings import FinalSettings, TrainSettings
from moco.supernet import TrainedSupernet, train_supernet
from spaces.nasrec import nasrec_space

SPACE = nasrec_space(n_dense=2, n_sparse=3, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4))


@pytest.fixture(scope="module")
def log() -> CtrDataset:
    return load_dataset("synthetic", n_rows=2000, n_fields=3, n_dense=2, max_cardinality=10)


@pytest.fixture(scope="module")
def supernet(log: CtrDataset) -> TrainedSupernet:
    return train_supernet(log, SPACE, settings=TrainSettings(epochs=2, embedding_epochs=1), seed=0)


@pytest.fixture(scope="module")
def truth(log: CtrDataset, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    folder = tmp_path_factory.mktemp("truth")
    settings = FinalSettings(epochs=1, batch_size=256)
    return train_truth(log, SPACE, spread_networks(SPACE, 5), (0, 1), folder, "t", settings=settings, n_jobs=1)


def test_it_is_the_rank_correlation_of_scores_with_the_truth(
    log: CtrDataset, supernet: TrainedSupernet, truth: Truth
) -> None:
    found = validate(log, supernet, truth, n_jobs=1)
    true = truth.figures().mean(axis=1)
    scores = Oracle(supernet, log, n_jobs=1).score(SPACE.networks(truth.genomes)).logloss
    assert found.score == rank_correlation(scores, true)
    assert found.controls.keys() == found.beaten.keys() == {*CONTROLS, UNTRAINED}
    assert (found.n_networks, found.n_seeds, found.supernet) == (5, 2, supernet.digest)
    assert found.ceiling is not None
    assert Validation.from_json(found.to_json()) == found
    assert f"of 5 networks spread over cost; a perfect score would reach {found.ceiling:.2f}" in found.summary()


def test_one_seed_tells_nothing_of_noise(log: CtrDataset, supernet: TrainedSupernet, truth: Truth) -> None:
    once = Truth(truth.what, tuple(run for run in truth.runs if run.seed == 0))
    found = validate(log, supernet, once, n_jobs=1)
    assert (found.seed_sd, found.network_sd, found.ceiling) == (None, None, None)
    assert "perfect score" not in found.summary()


def test_a_score_that_beats_no_control_says_so() -> None:
    good, bad = Rank(0.8, 0.6, 0.9, 0.9), Rank(0.3, 0.1, 0.5, 0.4)
    found = Validation(20, 2, good, {"more MACs": bad}, {"more MACs": 0.99}, 0.001, 0.01, 0.9, "0" * 16)
    assert found.is_better
    assert found.summary().endswith("The best control, more MACs, reaches 0.30 [0.10, 0.50].")
    for worse in (
        replace(found, beaten={"more MACs": 0.9}),
        replace(found, score=replace(good, low=-0.1)),
    ):
        assert "has not been shown to order networks better than every control" in worse.summary()
    assert "can hardly be ranked" in replace(found, seed_sd=0.01).summary()


def test_what_does_not_belong_together_is_refused(log: CtrDataset, supernet: TrainedSupernet, truth: Truth) -> None:
    other = Truth({**truth.what, "data": {"name": "x", "digest": "0"}}, truth.runs)
    with pytest.raises(ValueError, match="the truth is of data 0, the supernet of"):
        validate(log, supernet, other)
    few = Truth(truth.what, tuple(run for run in truth.runs if run.genome == truth.runs[0].genome))
    with pytest.raises(ValueError, match="a rank needs 3 networks trained from scratch, got 1"):
        validate(log, supernet, few)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"score": 1}'])
def test_a_damaged_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="this is no rank fidelity of a supernet"):
        Validation.from_json(text)
