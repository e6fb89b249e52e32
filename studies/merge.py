"""Studies of one question, searched apart (islands on several machines), put together into one that goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studies.assemble import write_study
from studies.sqlite import SqliteFile, quoted
from studies.store import MIGRATIONS
from studies.stored import StoredStudy, open_study, stored_study
from studies.tables import insert_into, opened, require_free_name, study_id_of, study_tables
from studies.trials import Trials

# What `write_study` fills from the trials; rows of other tables are copied.
WRITTEN = frozenset(
    f"moco_{name}"
    for name in ("studies", "quantities", "generations", "trials", "values", "breakdowns", "engine_states")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What was put together.

    Attributes:
        n_trials: Trials of the new study.
        n_repeated: Trials left out, because an earlier one is of the same design.
    """

    n_trials: int
    n_repeated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where trials and generations of one source are in the merged study: arrays by their old numbers."""

    number: NDArray[np.int64]
    generation: NDArray[np.int64]


def merge_studies(file: str | Path, new_name: str, sources: Sequence[tuple[str | Path, str]]) -> Merged:
    """Puts the trials of several studies of one question into a new study, which goes on from all of them.

    Trials and generations follow each other in the order of the sources. A design that occurs again is kept once, the
    first time. Engine, seed and population size are those of the first source; its engine is told every trial, a
    population at a time, and so chooses among all of them.

    Args:
        file: Made when it is missing; may be that of a source.
        sources: File and name of each study.

    Raises:
        ValueError: A source does not exist, the name is taken, or sources differ in space, digests, objectives,
            constraints or attributes: the message names the first difference.
        StudyFileError: A file cannot be used.
        StudyBusyError: Another process writes the file that is merged into.
        StudyWriteError: Optuna could not write the dashboard's study; the merged one is whole without it.
    """
    if not sources:
        raise ValueError("merging needs at least one study, got none")
    stored = [stored_study(path, name) for path, name in sources]
    for one, (path, _) in zip(stored[1:], sources[1:], strict=True):
        _require_same_question(stored[0], sources[0][0], one, path)
    rows = [_extra_rows(path, name) for path, name in sources]
    trials, places = joined([one.trials for one in stored])
    seconds, times = _generation_columns(stored, places, int(trials.generation.max(initial=-1)) + 1)

    def complete(connection: sqlite3.Connection, study_id: int) -> None:
        for extra, place in zip(rows, places, strict=True):
            for (table, columns), entries in extra.items():
                placed = [_placed(dict(zip(columns, row, strict=True)), place, study_id) for row in entries]
                connection.executemany(insert_into(table, list(columns), "OR IGNORE"), placed)

    target = SqliteFile(Path(file), MIGRATIONS)
    try:
        with target.writer():
            require_free_name(target, new_name)
            record = replace(stored[0].record, name=new_name)
            write_study(target, record, stored[0].space, trials, seconds, times, complete)
    finally:
        target.close()
    if len(trials) > 0:
        with open_study(file, new_name) as study:
            study.publish_dashboard()
    return Merged(n_trials=len(trials), n_repeated=sum(len(one.trials) for one in stored) - len(trials))


def _require_same_question(first: StoredStudy, first_path: str | Path, other: StoredStudy, path: str | Path) -> None:
    a, b = first.record, other.record
    differences: list[tuple[str, object, object]] = [("space", a.space_digest, b.space_digest)]
    for name in sorted({*a.digests, *b.digests}):
        differences.append((name, a.digests.get(name, "none"), b.digests.get(name, "none")))
    differences += [("objectives", a.objectives, b.objectives), ("constraints", a.constraints, b.constraints)]
    if len(first.trials) > 0 and len(other.trials) > 0:
        differences.append(("attributes", _shapes(first.trials), _shapes(other.trials)))
    for what, of_first, of_other in differences:
        if of_first != of_other:
            raise ValueError(
                f"studies of different questions cannot be merged: {what} of {a.name!r} in {first_path} is "
                f"{_text(of_first)}, of {b.name!r} in {path} it is {_text(of_other)}"
            )


def _text(value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    fields = (", ".join(f"{field}={entry}" for field, entry in asdict(quantity).items()) for quantity in value)
    return "; ".join(fields) or "none"


def _shapes(trials: Trials) -> str:
    return ", ".join(
        name if values.ndim == 1 else f"{name} ({values.shape[1]} columns)"
        for name, values in sorted(trials.attributes.items())
    )


def joined(parts: Sequence[Trials]) -> tuple[Trials, list[Place]]:
    """All trials with each design once, renumbered, and where those of each part went."""
    number_of: dict[str, int] = {}
    kept, places = [], []
    n_generations = 0
    for part in parts:
        is_new = np.zeros(len(part), dtype=bool)
        for row, key in enumerate(part.keys):
            is_new[row] = key not in number_of
            number_of.setdefault(key, len(number_of))
        numbers = np.array([number_of[key] for key in part.keys], dtype=np.int64)
        # A generation of repeats alone is none: what belonged to it goes to the one before.
        is_kept = np.isin(np.arange(part.generation.max(initial=-1) + 1), part.generation[is_new])
        generations = np.maximum(n_generations + np.cumsum(is_kept) - 1, 0)
        n_generations += int(is_kept.sum())
        places.append(Place(number=numbers, generation=generations))
        new = part.select(is_new)
        kept.append(replace(new, number=numbers[is_new], generation=generations[new.generation]))
    filled = [part for part in kept if len(part) > 0] or kept[:1]
    arrays = {
        name: np.concatenate([getattr(part, name) for part in filled])
        for name in ("number", "generation", "genomes", "values", "constraints", "is_feasible")
    }
    attributes = {name: np.concatenate([part.attributes[name] for part in filled]) for name in filled[0].attributes}
    return Trials(keys=[key for part in filled for key in part.keys], attributes=attributes, **arrays), places


def _generation_columns(
    stored: Sequence[StoredStudy], places: Sequence[Place], n_generations: int
) -> tuple[list[float], list[str]]:
    """Seconds of evaluation, and when it was stored, of each generation of the merged study."""
    seconds, times = [0.0] * n_generations, [""] * n_generations
    for one, place in zip(stored, places, strict=True):
        for generation in np.unique(one.trials.generation).tolist():
            merged = int(place.generation[generation])
            seconds[merged] += one.evaluation_s[generation]
            times[merged] = one.stored_at[generation]
    return seconds, times


def _extra_rows(path: str | Path, name: str) -> dict[tuple[str, tuple[str, ...]], list[Any]]:
    """Rows of a study in tables beside those of its trials, by table and columns."""
    with opened(path) as file, file.snapshot():
        study_id = study_id_of(file, name)
        return {
            (table.name, table.columns): file.connection.execute(
                f"SELECT {', '.join(map(quoted, table.columns))} FROM {quoted(table.name)} WHERE study_id = ?",
                (study_id,),
            ).fetchall()
            for table in study_tables(file.connection)
            if table.name not in WRITTEN
        }


def _placed(row: Mapping[str, Any], place: Place, study_id: int) -> list[Any]:
    """A row with the study's, the trial's and the generation's numbers in the merged study."""
    changed = dict(row, study_id=study_id)
    for column, numbers in (("number", place.number), ("generation", place.generation)):
        old = changed.get(column)
        if isinstance(old, int) and 0 <= old < len(numbers):
            changed[column] = int(numbers[old])
    return list(changed.values())
