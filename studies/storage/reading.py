"""What a study file holds of one study, read by SQL, only as much as is asked for, and checked as it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studies.objective import Constraint, Direction, Objective
from studies.record import StudyRecord
from studies.storage.checksums import failure_checksums, text_checksum, trial_checksums
from studies.storage.schema import GENOME_DTYPES
from studies.storage.sqlite import SqliteFile, StudyFileError
from studies.trials import Failures, Trials

N_AT_ONCE = 5000
"""Rows that are read and checked together: keeps what is needed besides the result small."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a study holds.

    Attributes:
        n_generations: Stored generations.
        n_evaluated: Trials with values.
        n_feasible: Those of them that keep every limit.
        n_failed: Designs whose evaluation failed.
    """

    n_generations: int = 0
    n_evaluated: int = 0
    n_feasible: int = 0
    n_failed: int = 0

    @property
    def n_trials(self) -> int:
        """Designs asked for and answered, failed ones among them."""
        return self.n_evaluated + self.n_failed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """(B,) number, generation and feasibility of every trial, and its (B, M) objectives."""

    number: NDArray[np.int64]
    generation: NDArray[np.int64]
    is_feasible: NDArray[np.bool_]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quantity:
    """One row of moco_quantities."""

    position: int
    name: str
    unit: str
    direction: Direction | None
    reference: float | None
    limit: float | None
    n_columns: int | None


class StudyReading:
    """One study of a file.

    Attributes:
        study_id: In the file's tables.
        genome_dtype: Of the stored genomes.
    """

    def __init__(self, file: SqliteFile, name: str, n_blocks: int) -> None:
        self._file = file
        self._n_blocks = n_blocks
        self.study_id = 0
        with self.undamaged():
            rows = self._execute("SELECT study_id, genome_dtype FROM moco_studies WHERE name = ?2", name).fetchall()
            ((self.study_id, dtype),) = rows
            self.genome_dtype = np.dtype(GENOME_DTYPES[GENOME_DTYPES.index(dtype)])

    @contextmanager
    def undamaged(self) -> Iterator[None]:
        """What cannot be read as it was written is damage: StudyFileError names the file."""
        try:
            with self._file.explained_errors():
                yield
        except StudyFileError:
            raise
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError) as error:
            raise StudyFileError(f"{self._file.path} is damaged ({error}): restore it from a copy") from error

    def record(self) -> StudyRecord:
        """What the study asked."""
        columns = "name, space, space_digest, engine, seed, population_size, digests"
        with self.undamaged():
            ((name, space_json, space_digest, engine, seed, population_size, digests),) = self._execute(
                f"SELECT {columns} FROM moco_studies WHERE study_id = ?1"
            ).fetchall()
            return StudyRecord(
                name=name,
                space_json=space_json,
                space_digest=space_digest,
                objectives=tuple(
                    Objective(name=q.name, direction=q.direction or "min", unit=q.unit, reference=q.reference)
                    for q in self.quantities("objective")
                ),
                constraints=tuple(
                    Constraint(name=q.name, limit=q.limit or 0.0, unit=q.unit) for q in self.quantities("constraint")
                ),
                engine=engine,
                seed=seed,
                population_size=population_size,
                digests=json.loads(digests),
            )

    def quantities(self, role: str) -> list[Quantity]:
        """Objectives, constraints, attributes or breakdowns, in their order."""
        with self.undamaged():
            rows = self._execute(
                "SELECT position, name, unit, direction, reference_value, limit_value, n_columns "
                "FROM moco_quantities WHERE study_id = ?1 AND role = ?2 ORDER BY position",
                role,
            )
            return [Quantity(*row) for row in rows]

    def attribute_shapes(self) -> dict[str, int | None]:
        """Columns of each attribute by name, None for plain numbers; in the order of their positions."""
        return {q.name: q.n_columns for role in ("attribute", "breakdown") for q in self.quantities(role)}

    def n_generations(self) -> int:
        """Number of stored generations."""
        return self._number("SELECT count(*) FROM moco_generations WHERE study_id = ?1")

    def n_published(self) -> int:
        """Trials that the study held when its dashboard's study was last written whole."""
        return self._number("SELECT n_published FROM moco_studies WHERE study_id = ?1")

    def n_failed_since(self, number: int) -> int:
        """Failed designs from that trial number on."""
        return self._number("SELECT count(*) FROM moco_failures WHERE study_id = ?1 AND number >= ?2", number)

    def counts(self) -> Counts:
        """How much the study holds."""
        with self._file.snapshot(), self.undamaged():
            counts = Counts(
                n_generations=self.n_generations(),
                n_evaluated=self._number("SELECT count(*) FROM moco_trials WHERE study_id = ?1"),
                n_feasible=self._number("SELECT count(*) FROM moco_trials WHERE study_id = ?1 AND is_feasible"),
                n_failed=self.n_failed_since(0),
            )
            stored = self._number("SELECT coalesce(sum(n_trials), 0) FROM moco_generations WHERE study_id = ?1")
            if stored != counts.n_trials:
                raise ValueError(f"its generations have {stored} designs, its tables {counts.n_trials}")
        return counts

    def keys(self) -> set[str]:
        """Keys of every design asked for and answered."""
        query = "SELECT key FROM moco_trials WHERE study_id = ?1 UNION ALL SELECT key FROM moco_failures"
        with self.undamaged():
            return {key for (key,) in self._execute(f"{query} WHERE study_id = ?1")}

    def engine_state(self) -> dict[str, Any] | None:
        """The engine's state after the last generation; None while it has been told nothing."""
        with self.undamaged():
            rows = self._execute("SELECT state, checksum FROM moco_engine_states WHERE study_id = ?1").fetchall()
            if not rows:
                return None
            state, checksum = rows[0]
            if checksum not in (None, text_checksum(state)):
                raise ValueError("the engine's state has changed")
            return dict(json.loads(state))

    def points(self) -> Points:
        """Objectives of every trial, by number; nothing else is read."""
        with self._file.snapshot(), self.undamaged():
            columns, n_objectives = "number, generation, is_feasible", len(self.quantities("objective"))
            trials = self._table(f"SELECT {columns} FROM moco_trials WHERE study_id = ?1 ORDER BY number", 3, np.int64)
            values = self._table(
                f"SELECT value FROM moco_values WHERE study_id = ?1 AND position < {n_objectives}"
                " ORDER BY number, position",
                *(1, np.float64),
            )
            return Points(
                number=trials[:, 0],
                generation=trials[:, 1],
                is_feasible=trials[:, 2].astype(bool),
                values=values.reshape(len(trials), n_objectives),
            )

    def trials(self, numbers: NDArray[np.int64] | None = None) -> Trials:
        """Every trial of the study, or those of some numbers, by number.

        Raises:
            StudyFileError: A trial is missing or not what was stored.
        """
        with self._file.snapshot(), self.undamaged():
            if numbers is None:
                query = "SELECT number FROM moco_trials WHERE study_id = ?1 ORDER BY number"
                numbers = self._table(query, 1, np.int64)[:, 0]
            numbers = np.unique(numbers)
            starts = range(0, max(1, len(numbers)), N_AT_ONCE)
            return Trials.concatenate([self._some_trials(numbers[at : at + N_AT_ONCE]) for at in starts])

    def failures(self) -> Failures:
        """Every failed design, by number."""
        with self._file.snapshot(), self.undamaged():
            rows = self._execute(
                "SELECT number, generation, key, genome, reason, checksum FROM moco_failures WHERE study_id = ?1"
                " ORDER BY number"
            ).fetchall()
            genomes = self._genomes([row[3] for row in rows])
            found = Failures(
                number=np.array([row[0] for row in rows], dtype=np.int64),
                generation=np.array([row[1] for row in rows], dtype=np.int64),
                keys=[row[2] for row in rows],
                genomes=genomes.astype(np.int64),
                reasons=[row[4] for row in rows],
            )
            _require_same(found.number, [row[5] for row in rows], failure_checksums(found, genomes))
        return found

    def _some_trials(self, numbers: NDArray[np.int64]) -> Trials:
        """The trials of at most N_AT_ONCE increasing numbers."""
        among, chosen = "AND number IN (SELECT value FROM json_each(?2))", json.dumps(numbers.tolist())
        rows = self._execute(
            "SELECT number, generation, is_feasible, key, genome, checksum FROM moco_trials"
            f" WHERE study_id = ?1 {among} ORDER BY number",
            chosen,
        ).fetchall()
        n, n_objectives = len(rows), len(self.quantities("objective"))
        n_declared, scalars = n_objectives + len(self.quantities("constraint")), self.quantities("attribute")
        values = self._execute(
            f"SELECT value FROM moco_values WHERE study_id = ?1 {among} ORDER BY number, position", chosen
        )
        table = np.fromiter((value for (value,) in values), dtype=np.float64).reshape(n, n_declared + len(scalars))
        attributes = {quantity.name: table[:, quantity.position] for quantity in scalars}
        for quantity in self.quantities("breakdown"):
            blobs = self._execute(
                f"SELECT value FROM moco_breakdowns WHERE study_id = ?1 {among} AND position = ?3 ORDER BY number",
                *(chosen, quantity.position),
            )
            breakdown = np.frombuffer(b"".join(blob for (blob,) in blobs), dtype="<f8").astype(np.float64)
            attributes[quantity.name] = breakdown.reshape(n, quantity.n_columns or 0)
        genomes = self._genomes([row[4] for row in rows])
        whole = np.array([row[:3] for row in rows], dtype=np.int64).reshape(n, 3)
        found = Trials(
            number=whole[:, 0],
            generation=whole[:, 1],
            is_feasible=whole[:, 2].astype(bool),
            keys=[row[3] for row in rows],
            genomes=genomes.astype(np.int64),
            values=table[:, :n_objectives],
            constraints=table[:, n_objectives:n_declared],
            attributes=attributes,
        )
        if not np.array_equal(found.number, numbers):
            raise ValueError(f"of trials {numbers[0]} to {numbers[-1]}, {len(numbers) - n} are missing")
        _require_same(found.number, [row[5] for row in rows], trial_checksums(found, genomes, list(attributes)))
        return found

    def _genomes(self, blobs: list[bytes]) -> NDArray[Any]:
        return np.frombuffer(b"".join(blobs), dtype=self.genome_dtype).reshape(len(blobs), self._n_blocks)

    def _table(self, query: str, n_columns: int, dtype: type) -> NDArray[Any]:
        """All rows of a query, without keeping a Python object for each number."""
        return np.fromiter(self._execute(query), dtype=np.dtype((dtype, n_columns)))

    def _number(self, query: str, *parameters: Any) -> int:
        with self.undamaged():
            return int(self._execute(query, *parameters).fetchone()[0])

    def _execute(self, query: str, *parameters: Any) -> Any:
        return self._file.connection.execute(query, (self.study_id, *parameters))


def _require_same(numbers: NDArray[np.int64], stored: list[int | None], computed: list[int]) -> None:
    for number, was, now in zip(numbers, stored, computed, strict=True):
        if was not in (None, now):
            raise ValueError(f"trial {number} has changed since it was stored")
