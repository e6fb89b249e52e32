"""Evaluations that fail: which designs they concern, and how many a search bears."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studies.objective import CheckedEvaluation, Constraint, Evaluation, Objective, checked_evaluation, storable

logger = logging.getLogger(__name__)

Evaluate = Callable[[NDArray[np.int64]], Evaluation | ArrayLike]
LEAST_WINDOW = 20
"""Designs over which failures are counted at least: a few odd ones must not end a search of small generations."""


class TooManyFailuresError(RuntimeError):
    """So many designs failed that the evaluation itself must be broken; nothing of that generation is stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureLimit:
    """How many designs of one generation may fail.

    Attributes:
        study: Name.
        first_number: Trial number of the generation's first design.
        n_window: Latest designs that are looked at, this generation among them.
        n_failed_before: How many of them had failed before this generation.
        max_share: Share of them that may fail.
    """

    study: str
    first_number: int
    n_window: int
    n_failed_before: int
    max_share: float

    @staticmethod
    def check_share(max_failed_share: float) -> float:
        """The share of designs that may fail; ValueError where it is none."""
        if not 0 <= max_failed_share <= 1:
            raise ValueError(f"max_failed_share must be between 0 and 1, got {max_failed_share}")
        return max_failed_share

    def require(self, reasons: Mapping[int, str], error: Exception | None = None) -> None:
        """Raises TooManyFailuresError, from the error where there is one, when so many failures are too many."""
        n_failed = self.n_failed_before + len(reasons)
        if not reasons or n_failed / self.n_window <= self.max_share:
            return
        row, reason = list(reasons.items())[-1]
        raise TooManyFailuresError(
            f"study {self.study!r} stops: {n_failed} of its latest {self.n_window} designs failed, and "
            f"max_failed_share is {self.max_share:g}. Trial {self.first_number + row} failed by {reason}. Nothing of "
            "this generation is stored: mend the evaluation and run again, or raise max_failed_share"
        ) from error


def evaluated(
    evaluate: Evaluate,
    genomes: NDArray[np.int64],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    limit: FailureLimit,
) -> CheckedEvaluation:
    """The evaluation of (B, P) genomes; where it raises, that of each design by itself, to find which ones fail.

    Raises:
        ValueError: What evaluate returned has a wrong shape.
        TooManyFailuresError: As soon as it is certain.
    """
    n_designs = len(genomes)
    try:
        evaluation = evaluate(genomes.copy())
    except Exception as error:
        if n_designs > 1:
            logger.warning(
                "study %r: the evaluation of %d designs failed, each is tried by itself: %s",
                *(limit.study, n_designs, reason_of(error)),
            )
            return _evaluated_one_by_one(evaluate, genomes, objectives, constraints, limit)
        failures = {0: reason_of(error)}
        limit.require(failures, error)
        return _joined({}, failures, n_designs, len(objectives), len(constraints))
    checked = checked_evaluation(evaluation, objectives, constraints, n_designs)
    limit.require(checked.failures)
    return checked


def reason_of(error: Exception) -> str:
    """An exception in words, as it is stored: the type and the message."""
    return storable("".join(traceback.format_exception_only(error)).strip())


def _evaluated_one_by_one(
    evaluate: Evaluate,
    genomes: NDArray[np.int64],
    objectives: Sequence[Objective],
    constraints: Sequence[Constraint],
    limit: FailureLimit,
) -> CheckedEvaluation:
    parts: dict[int, CheckedEvaluation] = {}
    failures: dict[int, str] = {}
    for row in range(len(genomes)):
        try:
            evaluation = evaluate(genomes[row : row + 1].copy())
        except Exception as error:
            failures[row] = reason_of(error)
            limit.require(failures, error)
            continue
        part = checked_evaluation(evaluation, objectives, constraints, 1)
        if part.failures:
            failures[row] = part.failures[0]
            limit.require(failures)
        else:
            parts[row] = part
    return _joined(parts, failures, len(genomes), len(objectives), len(constraints))


def _joined(
    parts: Mapping[int, CheckedEvaluation],
    failures: dict[int, str],
    n_designs: int,
    n_objectives: int,
    n_constraints: int,
) -> CheckedEvaluation:
    """Evaluations of single designs, by row, as one; ValueError when their attributes differ."""
    shapes = [{name: values.shape[1:] for name, values in part.attributes.items()} for part in parts.values()]
    for row, shape in zip(parts, shapes, strict=True):
        if shape != shapes[0]:
            raise ValueError(f"attributes must be the same for every design: {shapes[0]} and, in row {row}, {shape}")
    values, limited = np.full((n_designs, n_objectives), np.nan), np.full((n_designs, n_constraints), np.nan)
    attributes = {name: np.full((n_designs, *shape), np.nan) for name, shape in (shapes or [{}])[0].items()}
    for row, part in parts.items():
        values[row], limited[row] = part.values[0], part.constraints[0]
        for name, attribute in part.attributes.items():
            attributes[name][row] = attribute[0]
    return CheckedEvaluation(values, limited, attributes, failures)
