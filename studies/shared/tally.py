"""How far a shared study is, from one trial of a worker to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from studies import front
from studies.exchange.optuna_question import CONSTRAINED
from studies.objective import Constraint, Objective, minimised, violations
from studies.shared.places import Places, was_answered


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedProgress:
    """Where a shared study stands after a trial of this worker.

    Attributes:
        n_trials: Designs answered by all workers, failed ones among them.
        n_requested: The n_trials that optimize was called with.
        n_own: Designs answered by this worker since optimize was called.
        n_failed: Designs whose evaluation failed.
        n_front: Feasible non-dominated designs.
        hypervolume: None while an objective has no reference.
    """

    n_trials: int
    n_requested: int
    n_own: int
    n_failed: int
    n_front: int
    hypervolume: float | None


class Tally:
    """Failures and the front of the trials that it was shown."""

    def __init__(self, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> None:
        self._objectives = objectives
        self._constraints = constraints
        self._seen: set[int] = set()
        self._n_failed = 0
        self._front_points = np.zeros((0, len(objectives)))

    def progress(self, trials: Sequence[FrozenTrial], places: Places, n_requested: int, n_own: int) -> SharedProgress:
        """Where the study of these trials stands."""
        answered = [trial for trial in trials if trial.number not in self._seen and was_answered(trial)]
        self._seen.update(trial.number for trial in answered)
        self._n_failed += sum(trial.state == TrialState.FAIL for trial in answered)
        points = [trial.values for trial in answered if trial.state == TrialState.COMPLETE and self._is_feasible(trial)]
        if points:
            new_points = minimised(np.array(points, dtype=np.float64), self._objectives)
            self._front_points = front.merged(self._front_points, new_points)
        return SharedProgress(
            n_trials=places.n_answered,
            n_requested=n_requested,
            n_own=n_own,
            n_failed=self._n_failed,
            n_front=len(self._front_points),
            hypervolume=self._hypervolume(),
        )

    def _hypervolume(self) -> float | None:
        references = [objective.reference for objective in self._objectives]
        if any(reference is None for reference in references):
            return None
        corner = minimised(np.array(references, dtype=np.float64), self._objectives)
        return front.hypervolume(self._front_points, corner)

    def _is_feasible(self, trial: FrozenTrial) -> bool:
        limited = np.array([trial.user_attrs.get(CONSTRAINED, [])], dtype=np.float64).reshape(1, -1)
        return limited.shape[1] == len(self._constraints) and bool((violations(limited, self._constraints) <= 0).all())
