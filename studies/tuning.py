"""A short tuning of a training's settings: proposals by TPE, and trainings that fall behind ended early.

Source: Akiba et al., "Optuna" (2019, arXiv 1907.10902); TPE: Bergstra et al. (NeurIPS 2011).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import optuna
from optuna.trial import TrialState

N_STARTUP = 4
"""Trainings at the given and at random values, before TPE and early ends begin."""

Train = Callable[[Mapping[str, float], Callable[[float], None]], float]
"""Trains with values by name, calls the function with the loss of every round, and gives the final loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Values that one setting may take.

    Attributes:
        low: The smallest; above 0 where the scale is logarithmic.
        high: The largest.
        is_log: Whether the scale is logarithmic.
    """

    low: float
    high: float
    is_log: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What tuning found.

    Attributes:
        values: Of the lowest loss, by name.
        loss: That loss.
        first_loss: Of the values given first; infinite where that training failed.
        n_trials: Trainings, those ended early included.
        n_pruned: Trainings ended early.
    """

    values: dict[str, float]
    loss: float
    first_loss: float
    n_trials: int
    n_pruned: int

    def summary(self) -> str:
        """One line for people."""
        found = ", ".join(f"{name} {value:.3g}" for name, value in self.values.items())
        return (
            f"{found}: loss {self.loss:.4f}, with the values given first {self.first_loss:.4f} "
            f"({self.n_trials} trainings, {self.n_pruned} ended early)"
        )


def tune(
    train: Train,
    ranges: Mapping[str, Range],
    first: Mapping[str, float],
    *,
    n_trials: int,
    what: str = "",
    n_rounds_kept: int = 1,
    seed: int = 0,
    file: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Tuned:
    """The values of the lowest loss among n trainings.

    The same arguments give the same values, interrupted or not: each proposal depends on the seed and on the trainings
    before it alone. A training ends early when its loss is above the median of the others at the same round, and
    n_rounds_kept are done. One that raises FloatingPointError has failed.

    Args:
        train: What is tuned.
        ranges: Of each value; widened where the first one lies outside.
        first: Values that are tried first.
        n_trials: Trainings.
        what: What is trained, on what: a file is taken up by the same alone.
        n_rounds_kept: Rounds that every training gets. Strong regularisation learns slowly and ends well.
        seed: Of the proposals.
        file: SQLite file of an Optuna study; tuning goes on from it. None keeps it in memory.
        progress: Called with the number of trainings done and of all.

    Raises:
        ValueError: n_trials is below 1, or the file is of another tuning.
        FloatingPointError: No training ended with a finite loss.
    """
    if n_trials < 1:
        raise ValueError(f"tuning needs at least 1 training, got {n_trials}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None if file is None else f"sqlite:///{file.absolute()}"
    study = optuna.create_study(storage=storage, study_name="tuning", load_if_exists=True)
    stated = f"{what} {sorted(ranges.items())} {sorted(first.items())} {seed}"
    if study.user_attrs.get("what", stated) != stated:
        raise ValueError(f"{file} holds a tuning of something else: remove it, or give another file")
    study.set_user_attr("what", stated)
    while (n_done := _n_done(study)) < n_trials:
        if progress is not None:
            progress(n_done, n_trials)
        proposal_seed = int(np.random.default_rng((seed, n_done)).integers(2**31))
        study.sampler = optuna.samplers.TPESampler(n_startup_trials=N_STARTUP, seed=proposal_seed)
        study.pruner = optuna.pruners.MedianPruner(n_startup_trials=N_STARTUP, n_warmup_steps=n_rounds_kept)
        if n_done == 0:
            study.enqueue_trial(dict(first))
        trial = study.ask()  # not told when it is interrupted: then it does not count
        try:
            study.tell(trial, _loss(trial, train, ranges, first))
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        except FloatingPointError:
            study.tell(trial, state=TrialState.FAIL)
    if progress is not None:
        progress(n_trials, n_trials)
    ended = study.get_trials(states=[TrialState.COMPLETE])
    if not ended:
        raise FloatingPointError(f"none of {n_trials} trainings ended with a finite loss: try other ranges")
    tried_first = [trial for trial in ended if all(trial.params[name] == value for name, value in first.items())]
    return Tuned(
        values=dict(study.best_params),
        loss=study.best_value,
        first_loss=cast(float, tried_first[0].value) if tried_first else float("inf"),
        n_trials=_n_done(study),
        n_pruned=len(study.get_trials(states=[TrialState.PRUNED])),
    )


def _n_done(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=[TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]))


def _loss(trial: optuna.Trial, train: Train, ranges: Mapping[str, Range], first: Mapping[str, float]) -> float:
    values = {
        name: trial.suggest_float(name, min(of.low, first[name]), max(of.high, first[name]), log=of.is_log)
        for name, of in ranges.items()
    }
    n_rounds = 0

    def report(loss: float) -> None:
        nonlocal n_rounds
        trial.report(loss, n_rounds)
        n_rounds += 1
        if trial.should_prune():
            raise optuna.TrialPruned

    return train(values, report)
