"""What a study of ours asked, written with its export to Optuna and read back from there as data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import optuna
from optuna.study import StudyDirection

from spaces import Space, read_space
from studies.objective import Constraint, Objective
from studies.record import StudyRecord

QUESTION = "moco"
"""User attribute of the Optuna study that holds the question as JSON."""

CONSTRAINED = "constrained"
"""User attribute of each trial with the constrained quantities in their units."""

REASON = "reason"
"""User attribute of each failed trial with what went wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is known of the question behind an Optuna study; None where it does not say.

    Attributes:
        objectives: Ours, or the names of Optuna's metrics.
        constraints: Empty where it has none, or does not say.
    """

    space: Space | None = None
    objectives: tuple[Objective, ...] | tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    engine: str | None = None
    seed: int | None = None
    population_size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)


def directions_of(objectives: Sequence[Objective]) -> list[StudyDirection]:
    """The directions of an Optuna study with these objectives."""
    return [StudyDirection.MAXIMIZE if one.direction == "max" else StudyDirection.MINIMIZE for one in objectives]


def question_text(record: StudyRecord) -> str:
    """The question as JSON."""
    return json.dumps(
        {
            "space": record.space_json,
            "objectives": [asdict(objective) for objective in record.objectives],
            "constraints": [asdict(constraint) for constraint in record.constraints],
            "engine": record.engine,
            "seed": record.seed,
            "population_size": record.population_size,
            "digests": record.digests,
        }
    )


def question_of(study: optuna.Study) -> Question:
    """The question of an Optuna study.

    Raises:
        ValueError: It has an attribute of ours that cannot be understood.
    """
    text = study.user_attrs.get(QUESTION)
    if not isinstance(text, str):
        return Question(objectives=tuple(study.metric_names or _numbered(len(study.directions))))
    try:
        data: dict[str, Any] = json.loads(text)
        return Question(
            space=read_space(data["space"]),
            objectives=tuple(Objective(**entry) for entry in data["objectives"]),
            constraints=tuple(Constraint(**entry) for entry in data["constraints"]),
            engine=str(data["engine"]),
            seed=int(data["seed"]),
            population_size=int(data["population_size"]),
            digests={str(name): str(digest) for name, digest in data["digests"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"attribute {QUESTION!r} of Optuna study {study.study_name!r} does not say what a study asked ({error}): "
            "remove it"
        ) from error


def _numbered(n: int) -> list[str]:
    return ["value"] if n == 1 else [f"value_{index}" for index in range(n)]
