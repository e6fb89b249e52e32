"""Trains baselines, with several seeds each, and puts them on ISAAC's chip."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed

from moco.baselines.catalogue import HAND_MADE, predictor_of
from moco.baselines.costs import WEIGHT_BITS
from moco.baselines.hand_made import HandMade
from moco.baselines.recipes import BaselineRecipe, baseline_recipe
from moco.baselines.results import BaselineResult, file_name, read_results, write_results
from moco.data import ClickLog
from moco.settings import TAUGHT, FinalSettings
from moco.supernet.loop import TrainProgress, threads
from moco.supernet.metrics import Score
from moco.supernet.on_chip import NetworkOnChip
from moco.supernet.predictor import Predictor
from moco.supernet.rows import rows_on
from moco.training.from_scratch import TrainedNetwork, train_predictor
from moco.training.shares import Shares, share_writer
from pimmodel import ISAAC, PimConfig


def train_baselines(
    data: ClickLog,
    recipes: Mapping[str, BaselineRecipe],
    file: Path | None = None,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    lessons: ClickLog | None = None,
    n_jobs: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> list[BaselineResult]:
    """Trains every baseline with every seed, one process each, and keeps the results in a file.

    Those that the file already has are not trained again, and one whose training was interrupted goes on from its
    checkpoint beside the file.

    Args:
        data: The click log.
        recipes: By the baseline's name, as `recipes_of` gives them, or `tuned_recipes`.
        file: JSON file of results, made when it is not there; None keeps none.
        seeds: Of the trainings.
        lessons: The log with the labels to learn from (`moco.runs.teacher.taught`); the data itself when left out. Both
            kinds of results fit into one file.
        n_jobs: Processes; by default one a core.
        progress: Called with the number of trained networks, begun ones in part, and of all.

    Returns:
        The results by baseline and seed, in the order of both.

    Raises:
        ValueError: The file holds something else, or results of other data or settings.
    """
    learned, taught = (data, "") if lessons is None or lessons.digest == data.digest else (lessons, lessons.digest)
    labels = {name: name + TAUGHT * bool(taught) for name in recipes}
    wanted = [(name, seed) for name in recipes for seed in dict.fromkeys(seeds)]
    done = {(result.label, result.seed): result for result in (read_results(file, data) if file else [])}
    for name, seed in wanted:
        found = done.get((labels[name], seed))
        if found is not None and (found.recipe, found.lessons) != (recipes[name].digest, taught):
            raise ValueError(
                f"{file} holds {found.label}, seed {seed}, trained with other settings: give another file, or those "
                "settings"
            )
    missing = [(name, seed) for name, seed in wanted if (labels[name], seed) not in done]
    n_kept = len(wanted) - len(missing)
    with Shares(len(wanted), progress) as shares:
        shares.tell(n_kept)
        tasks = Parallel(n_jobs=n_jobs or int(cpu_count()), return_as="generator_unordered")(
            delayed(_trained)(
                learned,
                taught,
                name,
                recipes[name],
                seed,
                _checkpoint(file, labels[name], seed),
                shares.file(_training_name(name, seed)),
            )
            for name, seed in missing
        )
        for n_done, result in enumerate(tasks, n_kept + 1):
            done[result.label, result.seed] = result
            if file is not None:
                write_results(file, data, done.values())
                _checkpoint(file, result.label, result.seed).unlink(missing_ok=True)  # type: ignore[union-attr]
            shares.tell(n_done, ended=_training_name(result.name, result.seed))
    return [done[labels[name], seed] for name, seed in wanted]


def recipes_of(
    data: ClickLog,
    names: Sequence[str] = HAND_MADE,
    *,
    settings: FinalSettings | None = None,
    epochs: int | None = None,
) -> dict[str, BaselineRecipe]:
    """The recipe of each baseline for a data set.

    Args:
        data: The click log.
        names: Of the baselines.
        settings: Of every training; those of each baseline's recipe when left out.
        epochs: Of every training in place of those of its settings.

    Raises:
        ValueError: A name is unknown.
    """
    recipes = {name: _recipe(name, data, settings) for name in names}
    if epochs is not None:
        recipes = {name: replace(one, final=replace(one.final, epochs=epochs)) for name, one in recipes.items()}
    return recipes


def train_baseline(
    data: ClickLog,
    name: str,
    *,
    settings: FinalSettings | None = None,
    seed: int = 0,
    device: str = "cpu",
    hardware: PimConfig | None = None,
    checkpoint: str | Path | None = None,
    progress: Callable[[TrainProgress], None] | None = None,
) -> TrainedNetwork[Predictor]:
    """Trains one baseline; see `moco.training.from_scratch.train_predictor`.

    Args:
        data: The click log.
        name: Of the baseline.
        settings: Of the training; those of the baseline's recipe when left out.
        seed: Of first weights, rows and dropout.
        hardware: One chip to train for, with weights of 8 bits; None trains with plain numbers.
    """
    recipe = _recipe(name, data, settings)
    network = predictor_of(recipe.network, data.cardinalities, len(data.dense), seed)
    if hardware is not None and isinstance(network, HandMade):
        network.weight_bits = WEIGHT_BITS
    return train_predictor(
        data,
        network,
        {"baseline": name, "recipe": recipe.digest},
        settings=recipe.final,
        seed=seed,
        device=device,
        hardware=hardware,
        checkpoint=checkpoint,
        progress=progress,
    )


def scores_on_chip(network: Predictor, data: ClickLog, chip: PimConfig = ISAAC) -> tuple[Score, Score]:
    """Valid and test score on a chip by the moment model; a hand-made network's weights are rounded to 8 bits."""
    rounded = network.rounded(WEIGHT_BITS) if isinstance(network, HandMade) else network
    here = torch.device("cpu")
    on_chip = NetworkOnChip(rounded, chip, rows_on(data.train, here))
    return on_chip.score(rows_on(data.valid, here)), on_chip.score(rows_on(data.test, here))


def _recipe(name: str, data: ClickLog, settings: FinalSettings | None) -> BaselineRecipe:
    recipe = baseline_recipe(name, data)
    return recipe if settings is None else replace(recipe, final=settings)


def _training_name(name: str, seed: int) -> str:
    return f"{file_name(name)}-{seed}"


def _checkpoint(file: Path | None, label: str, seed: int) -> Path | None:
    return None if file is None else file.absolute().with_name(f"{file.stem}-{_training_name(label, seed)}.safetensors")


def _trained(
    data: ClickLog, taught: str, name: str, recipe: BaselineRecipe, seed: int, checkpoint: Path | None, share: Path
) -> BaselineResult:
    clock, write_share = _Clock(), share_writer(share)

    def tell(state: TrainProgress) -> None:
        clock.tell(state)
        write_share(state)

    trained = train_baseline(data, name, settings=recipe.final, seed=seed, checkpoint=checkpoint, progress=tell)
    with threads(recipe.final.n_threads):
        chip_valid, chip_test = scores_on_chip(trained.network, data)
    return BaselineResult(
        name=name,
        seed=seed,
        recipe=recipe.digest,
        n_epochs=trained.n_epochs,
        **_named("", trained.valid, trained.test),
        **_named("chip_", chip_valid, chip_test),
        seconds=clock.seconds,
        rows_per_s=clock.rows_per_s,
        lessons=taught,
    )


def _named(prefix: str, valid: Score, test: Score) -> dict[str, Any]:
    return {
        f"{prefix}{part}_{figure}": getattr(score, figure)
        for part, score in (("valid", valid), ("test", test))
        for figure in ("logloss", "auc")
    }


class _Clock:
    """Rows and seconds between the first and the last word of a training in this process."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None
        self._last = (0, 0.0)

    def tell(self, state: TrainProgress) -> None:
        self._last = state.n_rows, time.monotonic()
        self._first = self._first or self._last

    @property
    def seconds(self) -> float:
        return self._last[1] - (self._first or self._last)[1]

    @property
    def rows_per_s(self) -> float:
        n_rows = self._last[0] - (self._first or self._last)[0]
        return n_rows / self.seconds if self.seconds > 0 else 0.0
