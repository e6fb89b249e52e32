"""The thin Optuna study in the same file follows its study: renamed and deleted with it, copied after it.

Renaming and deleting are plain SQL on Optuna's tables, found by their foreign keys, so that they share a transaction
with our own.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from studies.storage.sqlite import quoted
from studies.storage.views import has_object


def has_thin(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the file has an Optuna study of that name."""
    if not has_object(connection, "studies", "table"):
        return False
    columns = {column for _, column, *_ in connection.execute("PRAGMA table_info(studies)")}
    if not {"study_id", "study_name"} <= columns:
        return False
    return connection.execute("SELECT 1 FROM studies WHERE study_name = ?", (name,)).fetchone() is not None


def require_free_thin(connection: sqlite3.Connection, path: Path | None, name: str) -> None:
    """ValueError when an Optuna study of that name is there, which the study's own would replace."""
    if has_thin(connection, name):
        raise ValueError(f"{path} has an Optuna study {name!r} already: give another name, or delete it with Optuna")


def rename_thin(connection: sqlite3.Connection, name: str, new_name: str) -> None:
    """Renames the thin study where there is one, in a transaction of the caller."""
    if has_thin(connection, name):
        connection.execute("UPDATE studies SET study_name = ? WHERE study_name = ?", (new_name, name))


def delete_thin(connection: sqlite3.Connection, name: str) -> None:
    """Deletes the thin study and all that refers to it, in a transaction of the caller."""
    if not has_thin(connection, name):
        return
    (study_id,) = connection.execute("SELECT study_id FROM studies WHERE study_name = ?", (name,)).fetchone()
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for table, column in _referring(connection, "trials"):
        connection.execute(
            f"DELETE FROM {quoted(table)} WHERE {quoted(column)} IN (SELECT trial_id FROM trials WHERE study_id = ?)",
            (study_id,),
        )
    for table, column in _referring(connection, "studies"):
        connection.execute(f"DELETE FROM {quoted(table)} WHERE {quoted(column)} = ?", (study_id,))
    connection.execute("DELETE FROM studies WHERE study_id = ?", (study_id,))


def _referring(connection: sqlite3.Connection, parent: str) -> list[tuple[str, str]]:
    """Tables, and their columns, that refer to one of Optuna's."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return [
        (table, key[3])
        for table in tables
        for key in connection.execute(f"PRAGMA foreign_key_list({quoted(table)})").fetchall()
        if key[2] == parent
    ]


def copy_thin(source: Path, name: str, target: Path, new_name: str) -> None:
    """Copies the thin study through Optuna: parameters, attributes and figures as they are.

    Raises:
        StudyWriteError: Optuna could not write.
    """
    import optuna

    from studies.dashboard import thin_storage
    from studies.exchange.optuna_rows import add_trials

    with thin_storage(source) as source_storage, thin_storage(target) as target_storage:
        thin = optuna.load_study(study_name=name, storage=source_storage)
        copied = optuna.create_study(study_name=new_name, storage=target_storage, directions=thin.directions)
        copied_id = target_storage.get_study_id_from_name(new_name)
        stored = source_storage.get_study_system_attrs(source_storage.get_study_id_from_name(name))
        for key, value in stored.items():
            target_storage.set_study_system_attr(copied_id, key, value)
        for key, value in thin.user_attrs.items():
            copied.set_user_attr(key, value)
        add_trials(copied, target_storage, thin.get_trials(deepcopy=False))
