"""A study made from designs that were evaluated elsewhere, so that its engine goes on from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.space import Space
from studies.engines import Results, Setting, make_engine
from studies.files.manage import insert_study
from studies.objective import minimised, violations
from studies.record import StudyRecord
from studies.storage.sqlite import SqliteFile
from studies.storage.store import StudyStore
from studies.trials import Failures, Trials


def write_study(
    target: SqliteFile,
    record: StudyRecord,
    space: Space,
    trials: Trials,
    failures: Failures,
    evaluation_s: Sequence[float],
    stored_at: Sequence[str] = (),
) -> None:
    """Writes a new study with these designs in one transaction; the caller holds the right to write.

    Args:
        record: What the study asks.
        trials: Numbered from 0, together with the failures without gaps, no design twice; so are generations.
        failures: Designs whose evaluation failed.
        evaluation_s: Of each generation.
        stored_at: Of each generation, in UTC; now when left out.

    Raises:
        ValueError: The name is taken.
    """
    store = StudyStore(None)
    try:
        store.open(record, space.n_choices)
        last = len(evaluation_s) - 1
        state = engine_state(record, space, trials)
        for generation, seconds in enumerate(evaluation_s):
            store.append(
                trials.select(trials.generation == generation),
                some_failures(failures, failures.generation == generation),
                state if generation == last else None,
                generation,
                seconds,
            )
        study_id = store.reading.study_id
        with store.file.transaction() as connection:
            connection.executemany(
                "UPDATE moco_generations SET stored_at = ? WHERE study_id = ? AND generation = ?",
                [(time, study_id, generation) for generation, time in enumerate(stored_at)],
            )
        insert_study(store.file, study_id, target, record.name)
    finally:
        store.file.close()


def engine_state(record: StudyRecord, space: Space, trials: Trials) -> dict[str, Any] | None:
    """The state of a study's engine that was told these generations; None when there are none.

    Raises:
        ValueError: The engine cannot work on this study.
    """
    setting = Setting(
        space=space,
        n_objectives=len(record.objectives),
        n_constraints=len(record.constraints),
        seed=record.seed,
        population_size=record.population_size,
        is_fresh=lambda genomes: np.ones(len(genomes), dtype=bool),
    )
    engine = make_engine(record.engine, setting)
    results = Results(
        number=trials.number,
        genomes=trials.genomes,
        values=minimised(trials.values, record.objectives),
        violations=violations(trials.constraints, record.constraints),
    )
    for generation in np.unique(trials.generation).tolist():
        engine.tell(results.select(trials.number[trials.generation == generation]), generation)
    return engine.state() if len(trials) else None


def some_failures(failures: Failures, is_chosen: NDArray[np.bool_]) -> Failures:
    """The failures of a mask."""
    rows = np.flatnonzero(is_chosen)
    return Failures(
        number=failures.number[rows],
        generation=failures.generation[rows],
        keys=[failures.keys[row] for row in rows],
        genomes=failures.genomes[rows],
        reasons=[failures.reasons[row] for row in rows],
    )
