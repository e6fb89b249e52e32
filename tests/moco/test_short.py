"""Short trainings: what they are for which log, and that they see few rows and begin where they should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moco.data import CtrDataset, load_dataset
from moco.recipes import MOVIELENS, medium_recipe
from moco.retrain import train_from_scratch
from moco.run_settings import RunSettings, SearchSettings
from moco.runs import Run
from moco.settings import FinalSettings, TrainSettings
from moco.short import short_training
from moco.spread import spread_networks
from moco.stages import run
from moco.supernet import TrainedSupernet, TrainProgress, train_supernet
from moco.truth import train_truth
from spaces.nasrec import nasrec_space

SETTINGS = FinalSettings(epochs=1, batch_size=50, average_share=0.0, embedding_dropout=0.0)
SPACE = nasrec_space(n_dense=2, n_sparse=3, n_blocks=3, dense_dims=(8, 16), sparse_dims=(2, 4))


@pytest.fixture(scope="module")
def log() -> CtrDataset:
    return load_dataset("synthetic", n_rows=1000, n_fields=3, n_dense=2, max_cardinality=10)


@pytest.fixture(scope="module")
def supernet(log: CtrDataset) -> TrainedSupernet:
    return train_supernet(log, SPACE, settings=TrainSettings(epochs=1, embedding_epochs=0))


def test_few_rows_in_one_pass_and_small_batches_where_there_are_few() -> None:
    small = short_training(MOVIELENS.final, 80_000)
    assert small is not None
    expected = replace(MOVIELENS.final, epochs=1, batch_size=256)  # 78 steps; twice the rate, by the root of a quarter
    assert replace(small.settings, learning_rate=expected.learning_rate) == expected
    assert small.settings.learning_rate == pytest.approx(expected.learning_rate)
    assert (small.n_rows, small.n_tried) == (20_000, 4)  # 79 steps of 1,264
    medium = short_training(final := medium_recipe(800_000).final, 800_000)
    assert medium is not None
    assert (medium.settings.epochs, medium.settings.learning_rate) == (1, 2 * final.learning_rate)
    assert (medium.settings.batch_size, medium.n_rows, medium.n_tried) == (1024, 200_000, 8)  # 196 steps of 6,256
    few = short_training(replace(final, epochs=32, batch_size=4), 100)
    assert few is not None
    assert (few.settings.batch_size, few.n_rows, few.n_tried) == (1, 25, 8)  # 25 steps of 800
    assert short_training(final, 10) is None  # 2 steps of 8
    assert short_training(replace(final, epochs=2), 100_000) is None  # 98 steps of 196
    assert short_training(replace(final, epochs=1), 10**6) is None
    assert short_training(replace(final, epochs=1), 10**7) is None


def test_few_rows_are_drawn_by_the_seed(log: CtrDataset) -> None:
    network = SPACE.networks(spread_networks(SPACE, 2))[1]
    seen: list[TrainProgress] = []

    def weights(n_rows: int | None, seed: int = 0) -> torch.Tensor:
        seen.clear()
        trained = train_from_scratch(
            log, network, settings=SETTINGS, seed=seed, n_rows=n_rows, progress=lambda state: seen.append(state)
        )
        return trained.weights["embedding.table"]

    few = weights(200)
    assert seen[-1].n_rows_total == 200
    torch.testing.assert_close(few, weights(200), rtol=0, atol=0)
    assert not torch.equal(few, weights(200, seed=1))
    torch.testing.assert_close(weights(800), weights(None), rtol=0, atol=0)  # all there are


def test_a_truth_of_short_trainings_begins_with_its_supernet(
    log: CtrDataset, supernet: TrainedSupernet, tmp_path: Path
) -> None:
    genomes = spread_networks(SPACE, 3)
    still = replace(SETTINGS, learning_rate=1e-12)  # nothing is learned, so what is scored is what it began with
    truth = train_truth(
        log, SPACE, genomes, [0], tmp_path, "short", settings=still, n_rows=200, supernet=supernet, n_jobs=1
    )
    for genome, reached in zip(truth.genomes, truth.figures()[:, 0], strict=True):
        network = supernet.supernet.cut_out(SPACE.networks(genome[None])[0]).eval()
        with torch.no_grad():
            logits = network(*(torch.from_numpy(part) for part in (log.valid.ids, log.valid.dense)))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(log.valid.labels))
        assert reached == pytest.approx(loss.item(), rel=1e-4)
    other = train_supernet(log, SPACE, settings=TrainSettings(epochs=1, embedding_epochs=0), seed=1)
    with pytest.raises(ValueError, match=f"is of supernet {supernet.digest}, this is {other.digest}: take another"):
        train_truth(log, SPACE, genomes, [0], tmp_path, "short", settings=still, n_rows=200, supernet=other, n_jobs=1)


def test_a_run_within_hours_tries_designs_shortly_from_its_supernet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moco.recipes.SOME_ROWS", 1000)
    monkeypatch.setattr("moco.short.LEAST_STEPS", 2)  # 64 would take longer than training to the end
    options = {"n_rows": 3000, "n_fields": 4, "max_cardinality": 20}
    settings = RunSettings(dataset="synthetic", options=options)
    assert Run(tmp_path, settings, keep=False).finals.short is None  # there is no supernet yet
    run(tmp_path, settings, SearchSettings(population_size=20), hours=0.01)
    this = Run.reopen(tmp_path)
    short = this.finals.short
    assert short is not None
    tried = this.finals.tried
    assert tried
    assert {one.n_epochs for one in tried} == {1.0}
    n_wanted = {one.key for one in this.finals.from_scratch}
    assert len(n_wanted & {one.key for one in tried}) == len(n_wanted)  # only what was tried is trained to the end
    assert all(np.isfinite(one.valid_logloss) for one in tried)
