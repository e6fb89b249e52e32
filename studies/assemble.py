"""A study made from trials that were evaluated elsewhere, so that its engine goes on from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from spaces.space import Space
from studies.engines import Results, Setting, make_engine
from studies.manage import insert_study
from studies.objective import minimised, violations
from studies.record import StudyRecord
from studies.sqlite import SqliteFile
from studies.store import StudyStore
from studies.trials import Trials


def write_study(
    target: SqliteFile,
    record: StudyRecord,
    space: Space,
    trials: Trials,
    evaluation_s: Sequence[float],
    stored_at: Sequence[str] = (),
    complete: Callable[[sqlite3.Connection, int], None] | None = None,
) -> None:
    """Writes a new study with these trials in one transaction; the caller holds the right to write.

    Args:
        record: What the study asks.
        trials: Numbered from 0, no design twice; generations ascend from 0 without gaps.
        evaluation_s: Of each generation.
        stored_at: Of each generation, in UTC; now when left out.
        complete: Adds rows of further tables, in the same transaction: called with the study's number.

    Raises:
        ValueError: The name is taken.
    """
    store = StudyStore(None)
    try:
        store.open(record, space.n_choices)
        last = len(evaluation_s) - 1
        state = engine_state(record, space, trials) if last >= 0 else {}
        for generation, seconds in enumerate(evaluation_s):
            of_generation = trials.select(trials.generation == generation)
            store.append(of_generation, state if generation == last else {}, seconds)
        with store.file.transaction() as connection:
            ((study_id,),) = connection.execute("SELECT study_id FROM moco_studies").fetchall()
            connection.executemany(
                "UPDATE moco_generations SET stored_at = ? WHERE study_id = ? AND generation = ?",
                [(time, study_id, generation) for generation, time in enumerate(stored_at)],
            )
        insert_study(store.file, study_id, target, record.name, complete)
    finally:
        store.file.close()


def engine_state(record: StudyRecord, space: Space, trials: Trials) -> dict[str, Any]:
    """The state of a study's engine that was told these trials, a population at a time.

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
    for generation, start in enumerate(range(0, len(trials), record.population_size)):
        end = min(start + record.population_size, len(trials))
        engine.tell(results.select(np.arange(start, end)), generation)
    return engine.state()
