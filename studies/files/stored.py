"""A study as its file alone tells it: what it asked, its space and its designs, without the program that made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spaces import Space, read_space
from studies.files.tables import name_of, opened, study_id_of
from studies.record import StudyRecord
from studies.storage.reading import StudyReading
from studies.storage.sqlite import SqliteFile
from studies.study import Study
from studies.trials import Failures, Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStudy:
    """One study of a file.

    Attributes:
        record: What it asked.
        space: Its space, of its kind.
        trials: Every evaluated design.
        failures: Every design whose evaluation failed.
        evaluation_s: Seconds that each generation took to evaluate.
        stored_at: When each generation was stored, in UTC as SQLite writes it.
    """

    record: StudyRecord
    space: Space
    trials: Trials
    failures: Failures
    evaluation_s: tuple[float, ...]
    stored_at: tuple[str, ...]


def stored_study(path: str | Path, name: str) -> StoredStudy:
    """Reads a study whole.

    Raises:
        StudyFileError: There is no such file, it is damaged, or it holds no studies of ours.
        ValueError: The file has no such study, or its space is of a kind that this program does not know.
    """
    with opened(path) as file, file.snapshot():
        study_id = study_id_of(file, name)
        space = stored_space(file, study_id)
        reading = StudyReading(file, name_of(file, study_id), len(space.blocks))
        generations = file.connection.execute(
            "SELECT evaluation_s, stored_at FROM moco_generations WHERE study_id = ? ORDER BY generation", (study_id,)
        ).fetchall()
        return StoredStudy(
            record=reading.record(),
            space=space,
            trials=reading.trials(),
            failures=reading.failures(),
            evaluation_s=tuple(seconds for seconds, _ in generations),
            stored_at=tuple(time for _, time in generations),
        )


def open_study(path: str | Path, name: str) -> Study:
    """The study of that name, opened by what its file says.

    It can be read, published and go on; functions that the file cannot hold (summarise, describe, improve) are those
    that a study has without any.

    Raises:
        StudyFileError: There is no such file, it is damaged, or it holds no studies of ours.
        ValueError: The file has no such study, or its space is of a kind that this program does not know.
    """
    with opened(path) as file:
        study_id = study_id_of(file, name)
        space = stored_space(file, study_id)
        record = StudyReading(file, name_of(file, study_id), len(space.blocks)).record()
    return Study(
        record.name,
        space,
        record.objectives,
        record.constraints,
        storage=path,
        seed=record.seed,
        engine=record.engine,
        population_size=record.population_size,
        digests=record.digests,
    )


def stored_space(file: SqliteFile, study_id: int) -> Space:
    """The space of a study, rebuilt from its JSON.

    Raises:
        ValueError: It is of a kind that this program does not know.
    """
    name, text, digest = file.connection.execute(
        "SELECT name, space, space_digest FROM moco_studies WHERE study_id = ?", (study_id,)
    ).fetchone()
    advice = "open the study with Study(...) and the space that it was made with"
    try:
        space = read_space(text)
    except ValueError as error:
        raise ValueError(f"the space of study {name!r} in {file.path} is of an unknown kind ({error}): {advice}") from (
            error
        )
    if space.digest != digest:
        raise ValueError(
            f"the space of study {name!r} in {file.path} has digest {digest}, rebuilt from the file it has "
            f"{space.digest}: {advice}"
        )
    return space
