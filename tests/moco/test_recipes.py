"""Which settings a data set gets, and NASRec's own for the public logs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from moco.baselines.recipes import SMALL, baseline_recipe
from moco.data import CtrDataset, Rows, load_dataset
from moco.recipes import MANY_ROWS, MOVIELENS, PENALTY_ROWS, RECIPES, SOME_ROWS, recipe_for


@pytest.fixture(scope="module")
def log() -> CtrDataset:
    return load_dataset("synthetic", n_rows=2000)


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("MovieLens-100k", "movielens-100k"),
        ("Frappe, authors' split", "frappe"),
        ("Criteo, authors encoding", "criteo"),
        ("Avazu, vocabulary encoding", "avazu"),
        ("KDD Cup 2012 track 2, authors encoding", "kdd cup 2012"),
    ],
)
def test_the_name_chooses(log: CtrDataset, name: str, recipe: str) -> None:
    assert recipe_for(dataclasses.replace(log, name=name)) is RECIPES[recipe]


def test_else_the_number_of_rows_does(log: CtrDataset) -> None:
    assert recipe_for(log) is MOVIELENS
    epochs = [recipe_for(log_of(log, n_rows)).final.epochs for n_rows in (SOME_ROWS - 1, SOME_ROWS, MANY_ROWS)]
    assert epochs == [MOVIELENS.final.epochs, 8, 1]


def test_more_rows_need_a_weaker_penalty(log: CtrDataset) -> None:
    assert MOVIELENS.final.embedding_l2 * 80_000 == pytest.approx(PENALTY_ROWS)
    penalties = [recipe_for(log_of(log, n_rows)).final.embedding_l2 for n_rows in (400_000, 800_000)]
    assert penalties == [6e-4, 3e-4]
    of_baselines = [baseline_recipe("DNN", log_of(log, n_rows)).final.embedding_l2 for n_rows in (80_000, 800_000)]
    assert of_baselines == [SMALL.embedding_l2, pytest.approx(SMALL.embedding_l2 / 10)]


def log_of(log: CtrDataset, n_rows: int) -> CtrDataset:
    """The log with so many train rows, all alike."""
    rows = Rows(
        ids=np.zeros((n_rows, len(log.categorical)), np.int32),
        dense=np.zeros((n_rows, len(log.dense)), np.float32),
        labels=np.zeros(n_rows, np.float32),
    )
    return dataclasses.replace(log, train=rows)


@pytest.mark.parametrize(
    ("name", "steps", "full_path_steps", "batch_size", "learning_rate"),
    [
        # Steps and those over which full paths become rare: NASRec's public code.
        ("criteo", 71_625, 15_000, 512, 0.16),
        ("avazu", 63_170, 12_500, 512, 0.20),
        ("kdd cup 2012", 116_905, 20_000, 1024, 0.16),
    ],
)
def test_the_papers_settings(
    name: str, steps: int, full_path_steps: int, batch_size: int, learning_rate: float
) -> None:
    recipe = RECIPES[name]
    assert recipe.supernet.batch_size == batch_size
    assert recipe.supernet.full_path_share * steps == pytest.approx(full_path_steps)
    assert (recipe.final.batch_size, recipe.final.learning_rate) == (batch_size // 2, learning_rate)
    rows = {"criteo": 45_840_617, "avazu": 40_428_967, "kdd cup 2012": 149_639_105}[name]
    assert steps == pytest.approx(0.8 * rows / batch_size, rel=2e-3)
    for settings in (recipe.supernet, recipe.final):
        assert (settings.epochs, settings.optimiser, settings.embedding_l2) == (1, "adagrad", 0.0)
