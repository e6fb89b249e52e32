"""A study as its file alone tells it: what it asked, its space and its trials, without the program that made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from spaces import Space, read_space
from studies.record import StudyRecord
from studies.sqlite import SqliteFile
from studies.store import StudyStore
from studies.study import Study
from studies.tables import name_of, require_file, study_id_of
from studies.trials import Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredStudy:
    """One study of a file.

    Attributes:
        record: What it asked.
        space: Its space, of its kind.
        trials: Every evaluated design.
        evaluation_s: Seconds that each generation took to evaluate.
        stored_at: When each generation was stored, in UTC as SQLite writes it.
    """

    record: StudyRecord
    space: Space
    trials: Trials
    evaluation_s: tuple[float, ...]
    stored_at: tuple[str, ...]


def stored_study(path: str | Path, name: str) -> StoredStudy:
    """Reads a study whole.

    Raises:
        StudyFileError: There is no such file, or it holds no studies of ours.
        ValueError: The file has no such study, or its space is of a kind that this program does not know.
    """
    require_file(path)
    store = StudyStore(Path(path))
    try:
        study_id = study_id_of(store.file, name)
        space = stored_space(store.file, study_id)
        record = store.open(_record_to_find(name_of(store.file, study_id), space), space.n_choices)
        with store.file.snapshot():
            generations = store.file.connection.execute(
                "SELECT evaluation_s, stored_at FROM moco_generations WHERE study_id = ? ORDER BY generation",
                (study_id,),
            ).fetchall()
            return StoredStudy(
                record=record,
                space=space,
                trials=store.trials(),
                evaluation_s=tuple(seconds for seconds, _ in generations),
                stored_at=tuple(time for _, time in generations),
            )
    finally:
        store.file.close()


def open_study(path: str | Path, name: str) -> Study:
    """The study of that name, opened by what its file says.

    It can be read, published and go on; functions that the file cannot hold (summarise, describe, improve) are those
    that a study has without any.

    Raises:
        StudyFileError: There is no such file, or it holds no studies of ours.
        ValueError: The file has no such study, or its space is of a kind that this program does not know.
    """
    stored = stored_study(path, name)
    record = stored.record
    return Study(
        record.name,
        stored.space,
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


def _record_to_find(name: str, space: Space) -> StudyRecord:
    """The store gives back what is stored under the name, whatever else this says."""
    return StudyRecord(
        name=name,
        space_json=space.to_json(),
        space_digest=space.digest,
        objectives=(),
        constraints=(),
        engine="",
        seed=0,
        population_size=1,
        digests={},
    )
