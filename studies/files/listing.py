"""The studies of a file, at a glance."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from studies.files.tables import opened


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyInfo:
    """One study of a file; `n_trials` counts failed designs too."""

    name: str
    engine: str
    seed: int
    population_size: int
    created_at: str
    n_generations: int
    n_trials: int
    n_feasible: int
    n_failed: int


def list_studies(path: str | Path) -> list[StudyInfo]:
    """The studies in a file, oldest first.

    Raises:
        StudyFileError: There is no such file, or it holds no studies of ours.
    """
    with opened(path) as file:
        rows = file.connection.execute(
            "SELECT name, engine, seed, population_size, created_at, "
            "(SELECT count(*) FROM moco_generations g WHERE g.study_id = s.study_id), "
            "(SELECT coalesce(sum(n_trials), 0) FROM moco_generations g WHERE g.study_id = s.study_id), "
            "(SELECT count(*) FROM moco_trials t WHERE t.study_id = s.study_id AND is_feasible), "
            "(SELECT count(*) FROM moco_failures f WHERE f.study_id = s.study_id) "
            "FROM moco_studies s ORDER BY study_id"
        ).fetchall()
    names = [field.name for field in fields(StudyInfo)]
    return [StudyInfo(**dict(zip(names, row, strict=True))) for row in rows]
