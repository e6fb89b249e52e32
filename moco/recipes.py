"""Settings that suit a data set: by its name, else by its number of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        n_checked: Networks to train from scratch, the cheapest quarter with two seeds, to see how well the supernet
            ranks and to correct its scores; 0 where that would take longer than the supernet.
        n_teachers: Hand-made networks that soften the labels of trainings from scratch (`moco.runs.teacher`); none but
            where that has been seen to help.
        n_tuning_steps: In which the oracle tunes a network's layers before it scores it (`moco.supernet.fine_tuning`);
            none on large logs, whose wide networks that has not been tried on, and would take most of the time.
    """

    dense_dims: tuple[int, ...]
    sparse_dims: tuple[int, ...]
    supernet: TrainSettings
    final: FinalSettings
    n_trials: int
    n_checked: int = 0
    n_teachers: int = 0
    n_tuning_steps: int = 0


TUNING_STEPS = 64
"""Of a network's layers before it is scored: half of them order networks less well, twice as many hardly better."""

N_CHECKED = 16
"""Networks that correct scores: with 16, supernets of all seeds order others about alike, with 8 they do not."""

EMBEDDING_STD = 0.3
"""Of standardised tables, with which small networks learn much better and seeds differ less (BENCHMARKS.md)."""

CLIP_NORM = 1.0
"""Of a supernet's gradients on small logs: seeds rank better and more alike than at 5; on `synthetic` they do not."""

MOVIELENS = Recipe(
    dense_dims=(16, 32, 64, 128),
    sparse_dims=(4, 8, 16),
    supernet=TrainSettings(embedding_std=EMBEDDING_STD, clip_norm=CLIP_NORM),
    final=FinalSettings(epochs=16, embedding_std=EMBEDDING_STD),
    n_trials=600,
    n_checked=N_CHECKED,
    n_tuning_steps=TUNING_STEPS,
)


_NASREC_SUPERNET = TrainSettings(
    epochs=1,
    batch_size=512,
    optimiser="adagrad",
    learning_rate=0.01,
    table_learning_rate=0.12,
    adagrad_eps=1e-2,
    warm_up_share=0.1,
    embedding_epochs=0,
    embedding_l2=0.0,
    embedding_dropout=0.0,
    n_threads=2,
)
_NASREC_FINAL = FinalSettings(
    epochs=1,
    batch_size=256,
    optimiser="adagrad",
    adagrad_eps=1e-2,
    warm_up_share=0.1,
    embedding_l2=0.0,
    embedding_dropout=0.0,
    clip_norm=5.0,
    average_share=0.0,
)


def nasrec_recipe(full_path_share: float, final_learning_rate: float, batch_factor: int = 1) -> Recipe:
    """NASRec's settings for a public log of many millions of rows: one epoch, Adagrad, nothing against overfitting.

    Source: the public code of NASRec (arXiv 2207.07187). Two things differ. Large tables have one accumulator a row in
    place of one a number. NASRec's supernet has layer norms everywhere and a learning rate of 0.12; this one has them
    in attention alone, its loss grew to 1e11 at that rate, and so its weights have 0.01.

    Args:
        full_path_share: Share of the steps over which full paths become rare.
        final_learning_rate: Of the final training in NASRec-Full.
        batch_factor: To multiply batches of 512, and of 256 in the final training.
    """
    return Recipe(
        dense_dims=(16, 32, 64, 128, 256, 512, 768, 1024),
        sparse_dims=(16, 32, 48, 64),
        supernet=replace(_NASREC_SUPERNET, full_path_share=full_path_share, batch_size=512 * batch_factor),
        final=replace(
            _NASREC_FINAL,
            learning_rate=final_learning_rate,
            table_learning_rate=final_learning_rate,
            batch_size=256 * batch_factor,
        ),
        n_trials=2048,
    )


RECIPES = {
    "movielens-100k": replace(MOVIELENS, n_teachers=4),
    "frappe": Recipe(
        dense_dims=(16, 32, 64, 128, 256),
        sparse_dims=(4, 8, 16),
        supernet=TrainSettings(
            epochs=20, learning_rate=1e-3, embedding_l2=3e-3, embedding_dropout=0.1, embedding_std=EMBEDDING_STD
        ),
        final=FinalSettings(epochs=16, embedding_dropout=0.0, embedding_std=EMBEDDING_STD),
        n_trials=600,
        n_checked=N_CHECKED,
        n_tuning_steps=TUNING_STEPS,
    ),
    "criteo": nasrec_recipe(15_000 / 71_625, 0.16),
    "avazu": nasrec_recipe(12_500 / 63_170, 0.20),
    "kdd cup 2012": nasrec_recipe(20_000 / 116_905, 0.16, batch_factor=2),
}
"""Recipes by how the name of a data set begins."""

PENALTY_ROWS = 240.0
"""Embedding penalty times rows. The loss is a mean over rows, so one prior for any number of them is a penalty that
falls with their number: .003 for MovieLens-100k's 80,000, .0003 for 800,000, where nothing tried is clearly better."""

SOME_ROWS = 250_000
MANY_ROWS = 1_000_000


def penalty_for(n_rows: int, of_small: float) -> float:
    """The penalty on embeddings for so many train rows, where small logs have that one: from SOME_ROWS on it falls."""
    return of_small if n_rows < SOME_ROWS else of_small / MOVIELENS.final.embedding_l2 * PENALTY_ROWS / n_rows


def medium_recipe(n_rows: int) -> Recipe:
    """The settings of small logs for a quarter of a million train rows to a million: fewer epochs, a weaker penalty."""
    penalty = penalty_for(n_rows, MOVIELENS.final.embedding_l2)
    return replace(
        MOVIELENS,
        supernet=replace(MOVIELENS.supernet, epochs=4, embedding_l2=penalty, embedding_dropout=0.0, clip_norm=5.0),
        final=replace(MOVIELENS.final, epochs=8, embedding_l2=penalty, embedding_dropout=0.0),
    )


def recipe_for(data: ClickLog) -> Recipe:
    """The recipe of the data set's name; else one for small logs, for medium ones, or for a million rows and more.

    Large logs take the widths of NASRec, larger batches, one epoch from scratch and little regularisation: there
    embeddings overfit in a second epoch, not in the first.
    """
    for name, recipe in RECIPES.items():
        if data.name.lower().startswith(name):
            return recipe
    if len(data.train) < MANY_ROWS:
        return MOVIELENS if len(data.train) < SOME_ROWS else medium_recipe(len(data.train))
    return Recipe(
        dense_dims=(16, 32, 64, 128, 256, 512, 768, 1024),
        sparse_dims=(16, 32, 48, 64),
        supernet=TrainSettings(
            epochs=1, batch_size=512, learning_rate=1e-3, embedding_epochs=0, embedding_l2=0.0, embedding_dropout=0.0
        ),
        final=FinalSettings(
            epochs=1,
            batch_size=512,
            learning_rate=1e-3,
            embedding_l2=0.0,
            embedding_dropout=0.0,
            average_share=0.0,
        ),
        n_trials=2000,
    )
