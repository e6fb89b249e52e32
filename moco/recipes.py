"""Settings that suit a data set: by its name, else by its number of rows."""

from __future__ import annotations

from dataclasses import dataclass

from moco.data import ClickLog
from moco.settings import FinalSettings, TrainSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What to choose from and how to train for one data set.

    Attributes:
        dense_dims: Widths of dense outputs to choose from.
        sparse_dims: Numbers of rows to choose from.
        supernet: Of supernet training.
        final: Of training one network from scratch.
        n_trials: Distinct designs to score.
    """

    dense_dims: tuple[int, ...]
    sparse_dims: tuple[int, ...]
    supernet: TrainSettings
    final: FinalSettings
    n_trials: int


MOVIELENS = Recipe(
    dense_dims=(16, 32, 64, 128),
    sparse_dims=(4, 8, 16),
    supernet=TrainSettings(),
    final=FinalSettings(),
    n_trials=1500,
)

RECIPES = {
    "movielens-100k": MOVIELENS,
    "frappe": Recipe(
        dense_dims=(16, 32, 64, 128, 256),
        sparse_dims=(4, 8, 16),
        supernet=TrainSettings(epochs=20, learning_rate=1e-3, embedding_l2=3e-3, embedding_dropout=0.1),
        final=FinalSettings(epochs=8, learning_rate=2e-3, embedding_dropout=0.0),
        n_trials=2000,
    ),
}
"""Recipes by how the name of a data set begins."""

MANY_ROWS = 1_000_000


def recipe_for(data: ClickLog) -> Recipe:
    """The recipe of the data set's name; else one for small logs, or for logs of a million rows and more.

    Large logs take the widths of NASRec, larger batches, one epoch from scratch and little regularisation: there
    embeddings overfit in a second epoch, not in the first.
    """
    for name, recipe in RECIPES.items():
        if data.name.lower().startswith(name):
            return recipe
    if len(data.train) < MANY_ROWS:
        return MOVIELENS
    return Recipe(
        dense_dims=(16, 32, 64, 128, 256, 512, 768, 1024),
        sparse_dims=(16, 32, 48, 64),
        supernet=TrainSettings(
            epochs=1, batch_size=512, learning_rate=1e-3, embedding_epochs=0, embedding_l2=0.0, embedding_dropout=0.0
        ),
        final=FinalSettings(epochs=1, batch_size=512, learning_rate=1e-3, embedding_l2=0.0, embedding_dropout=0.0),
        n_trials=2000,
    )
