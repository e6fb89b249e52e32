"""A study in a sentence or two."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studies.front import knee
from studies.objective import Constraint, Objective, minimised, violations
from studies.trials import Trials


def summary(
    name: str, trials: Trials, front: Trials, objectives: Sequence[Objective], constraints: Sequence[Constraint]
) -> str:
    """How far a study is, its front and knee; or, while nothing is feasible, what stands in the way."""
    n_generations = int(trials.generation.max(initial=-1)) + 1
    head = f"study {name!r}: {len(trials)} designs in {n_generations} generations"
    if len(trials) == 0:
        return f"{head}."
    if len(front) == 0:
        return f"{head}, none of them feasible. {hardest_constraint(trials, constraints)}"
    chosen = front.values[knee(minimised(front.values, objectives))]
    at = ", ".join(f"{objective.name} {value:.6g}" for objective, value in zip(objectives, chosen, strict=True))
    return f"{head}, {trials.is_feasible.sum()} feasible, {len(front)} on the front. Knee: {at}."


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
