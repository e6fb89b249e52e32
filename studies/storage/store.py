"""Studies in a SQLite file: complete history, one transaction for each generation; `reading` reads it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studies.record import StudyRecord
from studies.storage.checksums import failure_checksums, text_checksum, trial_checksums
from studies.storage.reading import StudyReading
from studies.storage.schema import GENOME_DTYPES, MIGRATIONS
from studies.storage.sqlite import SqliteFile
from studies.storage.views import make_trials_view
from studies.trials import Failures, Trials


class StudyStore:
    """The tables of one file, seen by one study.

    Attributes:
        file: The file.
        reading: What it holds of the study.
    """

    reading: StudyReading

    def __init__(self, path: Path | None) -> None:
        self.file = SqliteFile(path, MIGRATIONS)

    def open(self, record: StudyRecord, n_choices: NDArray[np.int64]) -> StudyRecord:
        """Creates the study, or finds the one of that name; returns the record that is stored."""
        if not self._is_there(record.name):
            with self.file.transaction():
                if not self._is_there(record.name):  # another process may have been quicker
                    self._create(record, n_choices)
        self.reading = StudyReading(self.file, record.name, len(n_choices))
        return self.reading.record()

    def set_published(self, n_trials: int) -> None:
        """Notes that the dashboard's study shows the first n_trials."""
        with self.file.transaction() as connection:
            connection.execute(
                "UPDATE moco_studies SET n_published = ? WHERE study_id = ?", (n_trials, self.reading.study_id)
            )

    def append(
        self,
        trials: Trials,
        failures: Failures,
        engine_state: dict[str, Any] | None,
        generation: int,
        evaluation_s: float,
    ) -> None:
        """Stores one generation and the engine's state after it, None while it has none, in one transaction."""
        study_id = self.reading.study_id
        with self.file.transaction() as connection:
            connection.execute(
                "INSERT INTO moco_generations (study_id, generation, n_trials, evaluation_s) VALUES (?, ?, ?, ?)",
                (study_id, generation, len(trials) + len(failures), evaluation_s),
            )
            if len(trials):
                self._append_trials(trials)
            genomes = failures.genomes.astype(self.reading.genome_dtype)
            connection.executemany(
                "INSERT INTO moco_failures (study_id, number, generation, key, genome, reason, checksum)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (study_id, number, generation, key, genome.tobytes(), reason, checksum)
                    for number, key, genome, reason, checksum in zip(
                        *(failures.number.tolist(), failures.keys, genomes, failures.reasons),
                        failure_checksums(failures, genomes),
                        strict=True,
                    )
                ],
            )
            if engine_state is not None:
                text = json.dumps(engine_state)  # infinities as Infinity, which Python reads back
                connection.execute(
                    "INSERT OR REPLACE INTO moco_engine_states (study_id, generation, state, checksum)"
                    " VALUES (?, ?, ?, ?)",
                    (study_id, generation, text, text_checksum(text)),
                )

    def _append_trials(self, trials: Trials) -> None:
        connection, study_id = self.file.connection, self.reading.study_id
        if not connection.execute("SELECT 1 FROM moco_trials WHERE study_id = ? LIMIT 1", (study_id,)).fetchone():
            self._add_attributes(trials)
        genomes = trials.genomes.astype(self.reading.genome_dtype)
        numbers, scalars = trials.number.tolist(), self.reading.quantities("attribute")
        breakdowns = self.reading.quantities("breakdown")
        checksums = trial_checksums(trials, genomes, [quantity.name for quantity in (*scalars, *breakdowns)])
        connection.executemany(
            "INSERT INTO moco_trials (study_id, number, generation, key, is_feasible, genome, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (study_id, number, generation, key, is_feasible, genome.tobytes(), checksum)
                for number, generation, key, is_feasible, genome, checksum in zip(
                    *(numbers, trials.generation.tolist(), trials.keys, trials.is_feasible.tolist()),
                    *(genomes, checksums),
                    strict=True,
                )
            ],
        )
        columns = [trials.attributes[quantity.name] for quantity in scalars]
        table = np.column_stack([trials.values, trials.constraints, *columns]).tolist()
        connection.executemany(
            "INSERT INTO moco_values (study_id, number, position, value) VALUES (?, ?, ?, ?)",
            [
                (study_id, number, position, value)
                for number, row in zip(numbers, table, strict=True)
                for position, value in enumerate(row)
            ],
        )
        for quantity in breakdowns:
            rows = trials.attributes[quantity.name].astype("<f8")
            connection.executemany(
                "INSERT INTO moco_breakdowns (study_id, number, position, value) VALUES (?, ?, ?, ?)",
                [
                    (study_id, number, quantity.position, row.tobytes())
                    for number, row in zip(numbers, rows, strict=True)
                ],
            )

    def _is_there(self, name: str) -> bool:
        with self.file.explained_errors():
            rows = self.file.connection.execute("SELECT 1 FROM moco_studies WHERE name = ?", (name,))
            return rows.fetchone() is not None

    def _create(self, record: StudyRecord, n_choices: NDArray[np.int64]) -> None:
        connection = self.file.connection
        largest = int(n_choices.max(initial=1))
        cursor = connection.execute(
            "INSERT INTO moco_studies (name, space, space_digest, engine, seed, population_size, digests, genome_dtype)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.name,
                record.space_json,
                record.space_digest,
                record.engine,
                record.seed,
                record.population_size,
                json.dumps(record.digests, sort_keys=True),
                next(dtype for dtype in GENOME_DTYPES if largest <= np.iinfo(dtype).max + 1),
            ),
        )
        quantities: list[tuple[Any, ...]] = [
            ("objective", objective.name, objective.unit, objective.direction, _number(objective.reference), None)
            for objective in record.objectives
        ]
        quantities += [
            ("constraint", constraint.name, constraint.unit, None, None, _number(constraint.limit))
            for constraint in record.constraints
        ]
        connection.executemany(
            "INSERT INTO moco_quantities"
            " (study_id, position, role, name, unit, direction, reference_value, limit_value)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(cursor.lastrowid, position, *quantity) for position, quantity in enumerate(quantities)],
        )

    def _add_attributes(self, trials: Trials) -> None:
        """Declares the attributes, plain numbers first, and makes the study's readable view."""
        connection = self.file.connection
        attributes = sorted(trials.attributes.items(), key=lambda item: item[1].ndim)
        n_declared = trials.values.shape[1] + trials.constraints.shape[1]
        for position, (name, values) in enumerate(attributes, start=n_declared):
            role, n_columns = ("attribute", None) if values.ndim == 1 else ("breakdown", values.shape[1])
            connection.execute(
                "INSERT INTO moco_quantities (study_id, position, role, name, unit, n_columns)"
                " VALUES (?, ?, ?, ?, '', ?)",
                (self.reading.study_id, position, role, name, n_columns),
            )
        make_trials_view(connection, self.reading.study_id)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
