"""Studies renamed, deleted and copied, within a file or between files: each all or nothing, by one writer at a time."""

from __future__ import annotations

from pathlib import Path

from studies.files.tables import copy_rows, delete_rows, name_of, opened, require_free_name, study_id_of
from studies.storage.schema import MIGRATIONS
from studies.storage.sqlite import SqliteFile
from studies.storage.views import drop_trials_view, make_trials_view
from studies.thin import copy_thin, delete_thin, has_thin, rename_thin, require_free_thin


def rename_study(file: str | Path, name: str, new_name: str) -> None:
    """Renames a study with its view and its dashboard's study.

    Raises:
        ValueError: There is no such study, or the new name is taken.
        StudyFileError: There is no such file, or it holds no studies of ours.
        StudyBusyError: Another process writes the file.
    """
    with opened(file) as opened_file, opened_file.writer(), opened_file.transaction() as connection:
        study_id = study_id_of(opened_file, name)
        old_name = name_of(opened_file, study_id)
        if new_name == old_name:
            return
        require_free_name(opened_file, new_name, but_for=study_id)
        require_free_thin(connection, opened_file.path, new_name)
        has_view = drop_trials_view(connection, old_name)
        connection.execute("UPDATE moco_studies SET name = ? WHERE study_id = ?", (new_name, study_id))
        if has_view:
            make_trials_view(connection, study_id)
        rename_thin(connection, old_name, new_name)


def delete_study(file: str | Path, name: str) -> None:
    """Deletes a study with its view and its dashboard's study. The file keeps its size: SQLite uses the room again.

    Raises:
        ValueError: There is no such study.
        StudyFileError: There is no such file, or it holds no studies of ours.
        StudyBusyError: Another process writes the file.
    """
    with opened(file) as opened_file, opened_file.writer(), opened_file.transaction() as connection:
        study_id = study_id_of(opened_file, name)
        stored_name = name_of(opened_file, study_id)
        drop_trials_view(connection, stored_name)
        delete_thin(connection, stored_name)
        delete_rows(connection, study_id)


def copy_study(file: str | Path, name: str, to_file: str | Path, new_name: str | None = None) -> None:
    """Copies a study, with everything it needs to go on, into the same or another file, made when it is missing.

    Its dashboard's study is copied after it, as far as there is one.

    Args:
        new_name: Of the copy; the name of the study when left out.

    Raises:
        ValueError: There is no such study, or the new name is taken.
        StudyFileError: A file cannot be used.
        StudyBusyError: Another process writes the file that is copied to.
        StudyWriteError: Optuna could not copy the dashboard's study; the copy is whole without it.
    """
    with opened(file) as source:
        study_id = study_id_of(source, name)
        old_name = name_of(source, study_id)
        copied_name = old_name if new_name is None else new_name
        target = SqliteFile(Path(to_file), MIGRATIONS)
        try:
            with target.writer():
                with source.snapshot():
                    insert_study(source, study_id, target, copied_name)
                    is_shown = has_thin(source.connection, old_name)
                if is_shown:
                    copy_thin(Path(file), old_name, Path(to_file), copied_name)
                    _note_published(source, study_id, target, copied_name)
        finally:
            target.close()


def insert_study(source: SqliteFile, study_id: int, target: SqliteFile, new_name: str) -> None:
    """Copies the rows of a study and makes its view in one transaction; the copy counts as not yet published.

    Raises:
        ValueError: The new name is taken.
    """
    with target.transaction() as connection:
        require_free_name(target, new_name)
        require_free_thin(connection, target.path, new_name)
        new_id = copy_rows(source.connection, study_id, connection, {"name": new_name, "n_published": 0})
        if connection.execute("SELECT 1 FROM moco_trials WHERE study_id = ? LIMIT 1", (new_id,)).fetchone():
            make_trials_view(connection, new_id)


def _note_published(source: SqliteFile, study_id: int, target: SqliteFile, new_name: str) -> None:
    row = source.connection.execute("SELECT n_published FROM moco_studies WHERE study_id = ?", (study_id,)).fetchone()
    with target.transaction() as connection:
        connection.execute("UPDATE moco_studies SET n_published = ? WHERE name = ?", (*row, new_name))
