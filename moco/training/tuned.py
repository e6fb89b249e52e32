"""The training recipe tuned a little, with one budget for networks that were searched and for those made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from moco.settings import FinalSettings
from moco.supernet.metrics import Score
from studies.tuning import Range, Tuned, tune

RANGES = {
    "learning_rate": Range(low=1e-3, high=2e-2, is_log=True),
    "embedding_l2": Range(low=1e-4, high=3e-2, is_log=True),
    "embedding_dropout": Range(low=0.0, high=0.4),
}
"""What is tuned: the speed, and what keeps embeddings from overfitting."""


def tuned_settings(
    train: Callable[[FinalSettings, Callable[[Score], None]], float],
    settings: FinalSettings,
    *,
    n_trials: int,
    what: str,
    seed: int = 0,
    file: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FinalSettings, Tuned]:
    """The settings that fit valid rows best among n trainings, by their monitor; those given are tried first.

    Args:
        train: Trains with settings, calls the function with the valid score of every round, and gives the valid loss
            at the end (`Score.loss`); such as `train_from_scratch` with its `after_round`.
        settings: Tried first; all that is not in RANGES stays as it is.
        n_trials: Trainings.
        what: See `studies.tuning.tune`; likewise the others.
    """
    first = {name: float(getattr(settings, name)) for name in RANGES}

    def train_with(values: Mapping[str, float], report: Callable[[float], None]) -> float:
        changed: FinalSettings = replace(settings, **values)  # type: ignore[arg-type]
        return train(changed, lambda score: report(score.loss(changed.monitor)))

    found = tune(
        train_with,
        RANGES,
        first,
        n_trials=n_trials,
        what=f"{what}, {settings}",
        n_rounds_kept=max(1, settings.epochs // 2),
        seed=seed,
        file=file,
        progress=progress,
    )
    return replace(settings, **found.values), found  # type: ignore[arg-type]
