"""What a study asks for: objectives with a direction, constraints with a limit, and evaluated values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Direction = Literal["min", "max"]
Values = NDArray[np.float64]

LONGEST_REASON = 2000
"""Characters."""

RESERVED_NAMES = ("number", "generation", "key", "is_feasible")


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A quantity to minimise or maximise.

    Attributes:
        name: Column name everywhere; carries the unit where there is one ("energy_pj").
        unit: For axis labels and tables.
        reference: Coordinate of the hypervolume's reference point, in the objective's own sign: a value that every
            interesting design is better than.
    """

    name: str
    direction: Direction = "min"
    unit: str = ""
    reference: float | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("an objective needs a name, got ''")
        if self.direction not in ("min", "max"):
            raise ValueError(f"direction of objective {self.name!r} must be 'min' or 'max', got {self.direction!r}")
        if self.reference is not None and not np.isfinite(self.reference):
            raise ValueError(f"reference of objective {self.name!r} must be finite, got {self.reference}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A quantity with an upper limit: a design is feasible when its value is at most the limit."""

    name: str
    limit: float
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a constraint needs a name, got ''")
        if not np.isfinite(self.limit):
            raise ValueError(f"limit of constraint {self.name!r} must be finite, got {self.limit}")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluate function returns for B designs.

    Attributes:
        values: (B, M) objectives, each in its own sign. A design fails where an objective or a constrained quantity is
            not finite.
        constraints: (B, K) constrained quantities; None when the study has no constraints.
        attributes: Further numbers to store with each trial: (B,), or (B, C) for a breakdown.
        failures: Why the evaluation of a design failed, by row; its numbers are ignored.
    """

    values: ArrayLike
    constraints: ArrayLike | None = None
    attributes: Mapping[str, ArrayLike] = field(default_factory=dict)
    failures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckedEvaluation:
    """An evaluation whose shapes have been checked: all float64, `constraints` always an array.

    Every row is finite in values and constraints, or has its reason in `failures`.
    """

    values: Values
    constraints: Values
    attributes: dict[str, Values]
    failures: dict[int, str]


def checked_evaluation(
    evaluation: Evaluation | ArrayLike,
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    n_designs: int,
) -> CheckedEvaluation:
    """The evaluation of `n_designs` designs as float64 arrays; a design that is not finite has failed.

    Raises:
        ValueError: A shape is wrong, or a failure belongs to no design.
    """
    if not isinstance(evaluation, Evaluation):
        evaluation = Evaluation(evaluation)
    names = [objective.name for objective in objectives], [constraint.name for constraint in constraints]
    values = _table("objective", names[0], evaluation.values, n_designs)
    if evaluation.constraints is None and constraints:
        raise ValueError(
            f"this study has constraints ({', '.join(names[1])}): evaluate must return "
            "Evaluation(values, constraints), got values alone"
        )
    given = np.zeros((n_designs, 0)) if evaluation.constraints is None else evaluation.constraints
    limited = _table("constraint", names[1], given, n_designs)
    attributes = {}
    for name, attribute in evaluation.attributes.items():
        array = np.asarray(attribute, dtype=np.float64)
        if array.ndim not in (1, 2) or len(array) != n_designs:
            raise ValueError(
                f"attribute {name!r} must have shape ({n_designs},) or ({n_designs}, C), one row a design, "
                f"got {array.shape}"
            )
        attributes[name] = array
    failures = _not_finite([*names[0], *names[1]], np.concatenate([values, limited], axis=1))
    for row, reason in evaluation.failures.items():
        if not 0 <= row < n_designs:
            raise ValueError(f"failures must be named by row, 0 to {n_designs - 1}, got {row!r} ({reason})")
        failures[int(row)] = storable(str(reason)) or "no reason given"
    return CheckedEvaluation(values, limited, attributes, dict(sorted(failures.items())))


def storable(reason: str) -> str:
    """A reason in letters that can be stored, and not too many."""
    return reason.encode(errors="replace").decode()[:LONGEST_REASON]


def check_names(role: str, names: Sequence[str]) -> None:
    """Names become columns of the study's view, where case does not count: ValueError names the clash.

    Across roles a name may return: a cap on an objective is a constraint of the same name.
    """
    for name in names:
        check_printable(role, name)
    folded = [name.casefold() for name in names]
    for index, name in enumerate(names):
        if folded[index] in RESERVED_NAMES or folded[index] in folded[:index]:
            raise ValueError(
                f"names of {role}s must differ from each other and from {', '.join(RESERVED_NAMES)}: rename {name!r}"
            )


def check_printable(role: str, name: str) -> None:
    """Names are shown in tables and are names in SQL: ValueError when one holds what cannot be printed."""
    if not name.isprintable():
        raise ValueError(f"{role} names must be printable, got {name!r}")


def minimised(values: Values, objectives: Sequence[Objective]) -> Values:
    """(B, M) values with the sign of maximised objectives turned, or turned back."""
    turned: Values = values * np.array([-1.0 if objective.direction == "max" else 1.0 for objective in objectives])
    return turned


def violations(values: Values, constraints: Sequence[Constraint]) -> Values:
    """(B, K) distances from the limits, as a share of the limit (of 1 where the limit is 0); feasible: all <= 0.

    Shares make constraints of different units comparable: engines add them up.
    """
    limits = np.array([constraint.limit for constraint in constraints])
    shares: Values = (values - limits) / np.where(limits == 0, 1.0, np.abs(limits))
    return shares


def _table(role: str, names: list[str], values: ArrayLike, n_designs: int) -> Values:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != (n_designs, len(names)):
        columns = ", ".join(names) or "none"
        raise ValueError(
            f"{role} values must have shape ({n_designs}, {len(names)}), one row a design and one column a {role} "
            f"({columns}), got {array.shape}"
        )
    return array


def _not_finite(names: list[str], values: Values) -> dict[int, str]:
    """What is not finite, by row."""
    is_wrong = ~np.isfinite(values)
    return {
        int(row): ", ".join(f"{names[column]} is {values[row, column]}" for column in np.flatnonzero(is_wrong[row]))
        for row in np.flatnonzero(is_wrong.any(axis=1))
    }
