"""How far a study is: in numbers, and in a sentence or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studies.front import knee
from studies.objective import Constraint, Objective, minimised, violations
from studies.storage.reading import Counts
from studies.trials import Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a study stands after a generation.

    Attributes:
        generation: The generation just stored, from 0.
        n_requested: The n_trials that optimize was called with.
        n_trials: Designs asked for and answered, failed ones among them.
        n_failed: Designs whose evaluation failed.
        n_front: Feasible non-dominated designs.
        hypervolume: None while an objective has no reference.
        elapsed_s: Since optimize was called.
    """

    generation: int
    n_trials: int
    n_requested: int
    n_feasible: int
    n_failed: int
    n_front: int
    hypervolume: float | None
    elapsed_s: float


def summary(name: str, counts: Counts, front: Trials, objectives: Sequence[Objective], obstacle: str) -> str:
    """How far a study is, its front and knee; or, while nothing is feasible, the obstacle to that."""
    head = f"study {name!r}: {counts.n_trials} designs in {counts.n_generations} generations"
    if counts.n_failed:
        head += f", {counts.n_failed} of them failed"
    if counts.n_evaluated == 0:
        return f"{head}."
    if len(front) == 0:
        return f"{head}, none of them feasible. {obstacle}"
    chosen = front.values[knee(minimised(front.values, objectives))]
    at = ", ".join(f"{objective.name} {value:.6g}" for objective, value in zip(objectives, chosen, strict=True))
    return f"{head}, {counts.n_feasible} feasible, {len(front)} on the front. Knee: {at}."


def hardest_constraint(trials: Trials, constraints: Sequence[Constraint]) -> str:
    """The constraint that stands most in the way of infeasible trials, with the closest value and the limit.

    It is the one that no design keeps, by the largest share of its limit; or, where each is kept by some design, the
    one that the least violating design misses most.
    """
    excess = np.maximum(violations(trials.constraints, constraints), 0.0)
    least = excess.min(axis=0)
    if least.max() > 0:
        column = int(least.argmax())
        row, reason = int(excess[:, column].argmin()), "no design keeps it"
    else:
        row = int(excess.sum(axis=1).argmin())
        column, reason = int(excess[row].argmax()), "each constraint is kept by some design, all by none"
    hardest = constraints[column]
    return (
        f"Hardest is constraint {hardest.name!r} ({reason}): the closest value is "
        f"{trials.constraints[row, column]:.6g} in trial {trials.number[row]}, the limit {hardest.limit:.6g}."
    )
