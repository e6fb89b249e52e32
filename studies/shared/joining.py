"""A shared study is made by one worker, whole, and joined by all others that ask the same."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage

from studies.exchange.optuna_question import QUESTION, directions_of, question_of, question_text
from studies.objective import Objective
from studies.record import StudyRecord
from studies.shared.places import KEY

JOIN_S = 30.0
"""Seconds that a worker waits for another one to finish making the study."""

PAUSE_S = 0.2


def joined(
    storage: BaseStorage, record: StudyRecord, sampler: BaseSampler, known: Mapping[str, Mapping[str, Any]], where: str
) -> optuna.Study:
    """The Optuna study of a question.

    The database lets one worker make the study of a name. That one writes the question last, so that the study is whole
    for whoever finds the question there.

    Args:
        storage: Of the study.
        record: What is asked; the same as of the worker that made it.
        sampler: Of this worker.
        known: Parameters to try first, by the key of the design; of the worker that makes the study.
        where: The storage for people.

    Raises:
        ValueError: The study of that name asked something else, or does not say what it asks.
    """
    try:
        study = optuna.create_study(
            study_name=record.name,
            storage=storage,
            directions=directions_of(record.objectives),
            sampler=sampler,
        )
    except DuplicatedStudyError:
        study = optuna.load_study(study_name=record.name, storage=storage, sampler=sampler)
        _stored_record(study, where).require_same(record)
        return study
    study.set_metric_names([objective.name for objective in record.objectives])
    for key, params in known.items():
        study.enqueue_trial(dict(params), user_attrs={KEY: key})
    study.set_user_attr(QUESTION, question_text(record))
    return study


def _stored_record(study: optuna.Study, where: str) -> StudyRecord:
    deadline_s = time.monotonic() + JOIN_S
    while QUESTION not in study.user_attrs:
        if time.monotonic() > deadline_s:
            raise ValueError(
                f"Optuna study {study.study_name!r} of {where} does not say what it asks: it is not of ours, or the "
                "worker that made it was stopped. Give another name, or delete it with 'optuna delete-study'"
            )
        time.sleep(PAUSE_S)
    asked = question_of(study)
    assert asked.space is not None
    return StudyRecord(
        name=study.study_name,
        space_json=asked.space.to_json(),
        space_digest=asked.space.digest,
        objectives=tuple(one for one in asked.objectives if isinstance(one, Objective)),
        constraints=asked.constraints,
        engine=asked.engine or "",
        seed=asked.seed or 0,
        population_size=asked.population_size or 0,
        digests=dict(asked.digests),
    )
