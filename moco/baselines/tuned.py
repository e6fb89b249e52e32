"""Recipes of baselines tuned on valid rows, each with the same number of trainings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from joblib import Parallel, cpu_count, delayed

from moco.baselines.catalogue import predictor_of
from moco.baselines.recipes import BaselineRecipe
from moco.baselines.results import file_name
from moco.data import ClickLog
from moco.settings import FinalSettings
from moco.supernet.loop import TrainProgress
from moco.supernet.metrics import Score
from moco.training.from_scratch import train_predictor
from moco.training.shares import Shares, share_writer
from moco.training.tuned import tuned_settings


def tuned_recipes(
    data: ClickLog,
    recipes: Mapping[str, BaselineRecipe],
    n_trials: int,
    folder: Path,
    *,
    n_jobs: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> dict[str, BaselineRecipe]:
    """Every recipe with the settings of the best of n trainings on valid rows, its own tried first; one process each.

    Each tuning is kept in the folder, as tuning-NAME.db, and goes on where it stopped.

    Args:
        data: The click log.
        recipes: By the baseline's name.
        n_trials: Trainings of each.
        folder: Made where it is not there.
        n_jobs: Processes; by default one a core.
        progress: Called with the number of trainings done, and of all.

    Raises:
        ValueError: n_trials is below 1, or a file of the folder is of another tuning.
        FloatingPointError: No training of a baseline ended with a finite loss.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tuned: dict[str, BaselineRecipe] = {}

    def tell(n_tuned: float, _: float) -> None:
        if progress is not None:
            progress(n_tuned * n_trials, len(recipes) * n_trials)

    with Shares(len(recipes), tell) as shares:
        tasks = Parallel(n_jobs=n_jobs or int(cpu_count()), return_as="generator_unordered")(
            delayed(_tuned)(data, name, recipe, n_trials, folder, shares.file(file_name(name)))
            for name, recipe in recipes.items()
        )
        for name, recipe in tasks:
            tuned[name] = recipe
            shares.tell(len(tuned), ended=file_name(name))
    return {name: tuned[name] for name in recipes}


def _tuned(
    data: ClickLog, name: str, recipe: BaselineRecipe, n_trials: int, folder: Path, share: Path
) -> tuple[str, BaselineRecipe]:
    write_share = share_writer(share)

    def train(settings: FinalSettings, report: Callable[[Score], None]) -> float:
        network = predictor_of(recipe.network, data.cardinalities, len(data.dense), seed=0)
        return train_predictor(data, network, {}, settings=settings, after_round=report).valid.loss(settings.monitor)

    settings, _ = tuned_settings(
        train,
        recipe.final,
        n_trials=n_trials,
        what=f"baseline {name} on data {data.digest}",
        file=folder / f"tuning-{file_name(name)}.db",
        progress=lambda n_done, n_all: write_share(TrainProgress(n_done, n_all, "")),
    )
    return name, replace(recipe, final=settings)
