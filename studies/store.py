"""Studies in a SQLite file: complete history, one transaction for each generation, read back by SQL.

Genomes are stored as little-endian unsigned integers of the width named in moco_studies.genome_dtype, one block a
value; breakdowns as little-endian float64. Everything else is in plain columns, and a view `trials_<study>` shows one
row a trial with the objectives under their names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studies.objective import Constraint, Direction, Objective
from studies.record import StudyRecord
from studies.sqlite import SqliteFile, StudyFileError
from studies.trials import Trials

MIGRATIONS = (
    """
    CREATE TABLE moco_studies (
        study_id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE COLLATE NOCASE,
        space TEXT NOT NULL,
        space_digest TEXT NOT NULL,
        engine TEXT NOT NULL,
        seed INTEGER NOT NULL,
        population_size INTEGER NOT NULL,
        digests TEXT NOT NULL,
        genome_dtype TEXT NOT NULL CHECK (genome_dtype IN ('<u1', '<u2', '<u4')),
        n_published INTEGER NOT NULL DEFAULT 0,
        created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
    ) STRICT;
    CREATE TABLE moco_quantities (
        study_id INTEGER NOT NULL REFERENCES moco_studies ON DELETE CASCADE,
        position INTEGER NOT NULL,
        role TEXT NOT NULL CHECK (role IN ('objective', 'constraint', 'attribute', 'breakdown')),
        name TEXT NOT NULL COLLATE NOCASE,
        unit TEXT NOT NULL,
        direction TEXT CHECK (direction IN ('min', 'max')),
        reference_value REAL,
        limit_value REAL,
        n_columns INTEGER,
        PRIMARY KEY (study_id, position),
        UNIQUE (study_id, role, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_generations (
        study_id INTEGER NOT NULL REFERENCES moco_studies ON DELETE CASCADE,
        generation INTEGER NOT NULL,
        n_trials INTEGER NOT NULL,
        evaluation_s REAL NOT NULL,
        stored_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
        PRIMARY KEY (study_id, generation)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_trials (
        study_id INTEGER NOT NULL REFERENCES moco_studies ON DELETE CASCADE,
        number INTEGER NOT NULL,
        generation INTEGER NOT NULL,
        key TEXT NOT NULL,
        is_feasible INTEGER NOT NULL CHECK (is_feasible IN (0, 1)),
        genome BLOB NOT NULL,
        PRIMARY KEY (study_id, number),
        UNIQUE (study_id, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_values (
        study_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        position INTEGER NOT NULL,
        value REAL,
        PRIMARY KEY (study_id, number, position),
        FOREIGN KEY (study_id, number) REFERENCES moco_trials ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_breakdowns (
        study_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        position INTEGER NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (study_id, number, position),
        FOREIGN KEY (study_id, number) REFERENCES moco_trials ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moco_engine_states (
        study_id INTEGER PRIMARY KEY REFERENCES moco_studies ON DELETE CASCADE,
        generation INTEGER NOT NULL,
        state TEXT NOT NULL
    ) STRICT
    """,
)


class StudyStore:
    """The tables of one file, seen by one study."""

    def __init__(self, path: Path | None) -> None:
        self.file = SqliteFile(path, MIGRATIONS)
        self._study_id = 0
        self._n_blocks = 0
        self._genome_dtype = np.dtype("<u1")

    def open(self, record: StudyRecord, n_choices: NDArray[np.int64]) -> StudyRecord:
        """Creates the study, or finds the one of that name; returns the record that is stored."""
        with self.file.transaction() as connection:
            if not connection.execute("SELECT 1 FROM moco_studies WHERE name = ?", (record.name,)).fetchone():
                self._create(record, n_choices)
            self._study_id, dtype = connection.execute(
                "SELECT study_id, genome_dtype FROM moco_studies WHERE name = ?", (record.name,)
            ).fetchone()
        self._genome_dtype = np.dtype(dtype)
        self._n_blocks = len(n_choices)
        return self._record()

    def n_generations(self) -> int:
        """Number of stored generations."""
        return int(self._rows("SELECT count(*) FROM moco_generations WHERE study_id = ?")[0][0])

    def n_published(self) -> int:
        """Trials that the study held when its dashboard's study was last written whole."""
        return int(self._rows("SELECT n_published FROM moco_studies WHERE study_id = ?")[0][0])

    def set_published(self, n_trials: int) -> None:
        """Notes that the dashboard's study shows the first n_trials."""
        with self.file.transaction() as connection:
            connection.execute("UPDATE moco_studies SET n_published = ? WHERE study_id = ?", (n_trials, self._study_id))

    def append(self, trials: Trials, engine_state: dict[str, Any], evaluation_s: float) -> None:
        """Stores one generation and the engine's state after it, in one transaction."""
        generation = int(trials.generation[0])
        genomes = trials.genomes.astype(self._genome_dtype)
        numbers, study_id = trials.number.tolist(), self._study_id
        with self.file.transaction() as connection:
            if generation == 0:
                self._add_attributes(trials)
            scalars = [trials.attributes[quantity.name] for quantity in self._quantities("attribute")]
            table = np.column_stack([trials.values, trials.constraints, *scalars]).tolist()
            connection.execute(
                "INSERT INTO moco_generations (study_id, generation, n_trials, evaluation_s) VALUES (?, ?, ?, ?)",
                (study_id, generation, len(trials), evaluation_s),
            )
            connection.executemany(
                "INSERT INTO moco_trials (study_id, number, generation, key, is_feasible, genome)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (study_id, number, generation, key, is_feasible, genome.tobytes())
                    for number, key, is_feasible, genome in zip(
                        numbers, trials.keys, trials.is_feasible.tolist(), genomes, strict=True
                    )
                ],
            )
            connection.executemany(
                "INSERT INTO moco_values (study_id, number, position, value) VALUES (?, ?, ?, ?)",
                [
                    (study_id, number, position, value)
                    for number, row in zip(numbers, table, strict=True)
                    for position, value in enumerate(row)
                ],
            )
            for quantity in self._quantities("breakdown"):
                rows = trials.attributes[quantity.name].astype("<f8")
                connection.executemany(
                    "INSERT INTO moco_breakdowns (study_id, number, position, value) VALUES (?, ?, ?, ?)",
                    [
                        (study_id, number, quantity.position, row.tobytes())
                        for number, row in zip(numbers, rows, strict=True)
                    ],
                )
            connection.execute(
                "INSERT OR REPLACE INTO moco_engine_states (study_id, generation, state) VALUES (?, ?, ?)",
                (study_id, generation, json.dumps(engine_state)),  # infinities as Infinity, which Python reads back
            )

    def trials_and_engine_state(self) -> tuple[Trials, dict[str, Any]]:
        """Every trial, and the engine's state after the last of them (empty before the first generation)."""
        with self.file.snapshot():
            rows = self._rows("SELECT state FROM moco_engine_states WHERE study_id = ?")
            return self.trials(), json.loads(rows[0][0]) if rows else {}

    def trials(self) -> Trials:
        """Every trial of the study, by number."""
        with self.file.snapshot():
            rows = self._rows(
                "SELECT number, generation, is_feasible, key, genome FROM moco_trials WHERE study_id = ?"
                " ORDER BY number"
            )
            values = self._rows("SELECT value FROM moco_values WHERE study_id = ? ORDER BY number, position")
            n, n_objectives = len(rows), len(self._quantities("objective"))
            n_declared = n_objectives + len(self._quantities("constraint"))
            scalars = self._quantities("attribute")
            table = np.array(values, dtype=np.float64).reshape(n, n_declared + len(scalars))
            attributes = {quantity.name: table[:, quantity.position] for quantity in scalars}
            attributes |= {quantity.name: self._breakdown(n, quantity) for quantity in self._quantities("breakdown")}
        numbers = np.array([row[:3] for row in rows], dtype=np.int64).reshape(n, 3)
        genomes = np.frombuffer(b"".join(row[4] for row in rows), dtype=self._genome_dtype)
        return Trials(
            number=numbers[:, 0],
            generation=numbers[:, 1],
            is_feasible=numbers[:, 2].astype(bool),
            keys=[row[3] for row in rows],
            genomes=genomes.reshape(n, self._n_blocks).astype(np.int64),
            values=table[:, :n_objectives],
            constraints=table[:, n_objectives:n_declared],
            attributes=attributes,
        )

    def _breakdown(self, n: int, quantity: _Quantity) -> NDArray[np.float64]:
        blobs = self._rows(
            "SELECT value FROM moco_breakdowns WHERE study_id = ? AND position = ? ORDER BY number", quantity.position
        )
        values = np.frombuffer(b"".join(blob for (blob,) in blobs), dtype="<f8")
        return values.reshape(n, quantity.n_columns or 0).astype(np.float64)

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
                "<u1" if largest <= 2**8 else "<u2" if largest <= 2**16 else "<u4",
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

    def _record(self) -> StudyRecord:
        columns = "name, space, space_digest, engine, seed, population_size, digests"
        ((name, space_json, space_digest, engine, seed, population_size, digests),) = self._rows(
            f"SELECT {columns} FROM moco_studies WHERE study_id = ?"
        )
        return StudyRecord(
            name=name,
            space_json=space_json,
            space_digest=space_digest,
            objectives=tuple(
                Objective(name=q.name, direction=q.direction or "min", unit=q.unit, reference=q.reference)
                for q in self._quantities("objective")
            ),
            constraints=tuple(
                Constraint(name=q.name, limit=q.limit or 0.0, unit=q.unit) for q in self._quantities("constraint")
            ),
            engine=engine,
            seed=seed,
            population_size=population_size,
            digests=json.loads(digests),
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
                (self._study_id, position, role, name, n_columns),
            )
        columns: dict[str, str] = {}  # a cap on an objective, or an attribute that is capped too, is shown once
        for role in ("objective", "constraint", "attribute"):
            for quantity in self._quantities(role):
                value = f"max(CASE WHEN position = {quantity.position} THEN value END)"
                columns.setdefault(quantity.name.casefold(), f", {value} AS {_quoted(quantity.name)}")
        connection.execute(
            f"CREATE VIEW {_quoted('trials_' + self._record().name)} AS "
            f"SELECT number, generation, key, is_feasible{''.join(columns.values())} "
            "FROM moco_trials JOIN moco_values USING (study_id, number) "
            f"WHERE study_id = {self._study_id} GROUP BY number"
        )

    def _quantities(self, role: str) -> list[_Quantity]:
        return [
            _Quantity(*row)
            for row in self._rows(
                "SELECT position, name, unit, direction, reference_value, limit_value, n_columns "
                "FROM moco_quantities WHERE study_id = ? AND role = ? ORDER BY position",
                role,
            )
        ]

    def _rows(self, query: str, *parameters: Any) -> list[Any]:
        with self.file.explained_errors():
            return self.file.connection.execute(query, (self._study_id, *parameters)).fetchall()


@dataclass(frozen=True, slots=True)
class _Quantity:
    """One row of moco_quantities."""

    position: int
    name: str
    unit: str
    direction: Direction | None
    reference: float | None
    limit: float | None
    n_columns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyInfo:
    """One study of a file, at a glance."""

    name: str
    engine: str
    seed: int
    population_size: int
    created_at: str
    n_generations: int
    n_trials: int
    n_feasible: int


def list_studies(path: str | Path) -> list[StudyInfo]:
    """The studies in a file, oldest first.

    Raises:
        StudyFileError: There is no such file, or it holds no studies of ours.
    """
    if not Path(path).is_file():
        raise StudyFileError(f"there is no study file {path}: give the path that was passed as storage")
    file = SqliteFile(Path(path), MIGRATIONS)
    with file.explained_errors():
        rows = file.connection.execute(
            "SELECT name, engine, seed, population_size, created_at, "
            "(SELECT count(*) FROM moco_generations g WHERE g.study_id = s.study_id), "
            "count(number), coalesce(sum(is_feasible), 0) "
            "FROM moco_studies s LEFT JOIN moco_trials USING (study_id) GROUP BY study_id ORDER BY study_id"
        ).fetchall()
    file.close()
    names = ("name", "engine", "seed", "population_size", "created_at", "n_generations", "n_trials", "n_feasible")
    return [StudyInfo(**dict(zip(names, row, strict=True))) for row in rows]


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
