"""The rows of one study in every table that belongs to studies: named moco_* and with a column study_id.

Nothing here knows a table by name but moco_studies, so tables that a later version adds travel along.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studies.objective import check_printable
from studies.storage.schema import MIGRATIONS
from studies.storage.sqlite import SqliteFile, StudyFileError, quoted


@dataclass(frozen=True, slots=True)
class StudyTable:
    """A table with rows of studies.

    Attributes:
        name: Of the table.
        columns: Those to copy: all but a number of its own that SQLite gives each row.
    """

    name: str
    columns: tuple[str, ...]


@contextmanager
def opened(path: str | Path) -> Iterator[SqliteFile]:
    """An existing study file, closed at the end.

    Raises:
        StudyFileError: There is no such file, or it holds no studies of ours.
    """
    require_file(path)
    file = SqliteFile(Path(path), MIGRATIONS)
    try:
        with file.explained_errors():
            yield file
    finally:
        file.close()


def require_file(path: str | Path) -> None:
    """StudyFileError when there is no such file: opening it would make it."""
    if not Path(path).is_file():
        raise StudyFileError(f"there is no study file {path}: give the path that was passed as storage")


def study_id_of(file: SqliteFile, name: str) -> int:
    """The number of a study in its file.

    Raises:
        ValueError: The file has no such study; the message lists those there are.
    """
    row = file.connection.execute("SELECT study_id FROM moco_studies WHERE name = ?", (name,)).fetchone()
    if row is None:
        names = [repr(other) for (other,) in file.connection.execute("SELECT name FROM moco_studies ORDER BY study_id")]
        raise ValueError(f"{file.path} has no study {name!r}; it holds {', '.join(names) or 'none'}")
    return int(row[0])


def name_of(file: SqliteFile, study_id: int) -> str:
    """The name of a study in the case it is stored in."""
    (name,) = file.connection.execute("SELECT name FROM moco_studies WHERE study_id = ?", (study_id,)).fetchone()
    return str(name)


def require_free_name(file: SqliteFile, name: str, but_for: int = 0) -> None:
    """ValueError when a study cannot have that name: it is empty, not printable, or another's than study `but_for`."""
    if not name:
        raise ValueError("a study needs a name, got ''")
    check_printable("study", name)
    row = file.connection.execute(
        "SELECT name FROM moco_studies WHERE name = ? AND study_id <> ?", (name, but_for)
    ).fetchone()
    if row is not None:
        raise ValueError(f"{file.path} has a study {row[0]!r} already: give another name, or delete that study first")


def study_tables(connection: sqlite3.Connection) -> list[StudyTable]:
    """Every table with rows of studies, moco_studies first."""
    names = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'moco\\_%' ESCAPE '\\' ORDER BY rowid"
        )
    ]
    tables = []
    for name in names:
        columns = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
        keys = [(column, kind) for _, column, kind, _, _, key in columns if key]
        own_numbers = {column for column, kind in keys if len(keys) == 1 and kind.upper() == "INTEGER"} - {"study_id"}
        if "study_id" in {column for _, column, *_ in columns}:
            tables.append(StudyTable(name, tuple(column for _, column, *_ in columns if column not in own_numbers)))
    return sorted(tables, key=lambda table: table.name != "moco_studies")


def copy_rows(source: sqlite3.Connection, study_id: int, target: sqlite3.Connection, changes: Mapping[str, Any]) -> int:
    """Copies the rows of a study in every table, in a transaction of the caller; returns the new study's number.

    Args:
        changes: Columns of moco_studies that get other values, such as the name.
    """
    target.execute("PRAGMA defer_foreign_keys = ON")  # a table may come before one that it refers to
    new_id = 0
    for table in study_tables(source):
        is_study = table.name == "moco_studies"
        columns = [column for column in table.columns if not (is_study and column == "study_id")]
        rows = source.execute(
            f"SELECT {', '.join(map(quoted, columns))} FROM {quoted(table.name)} WHERE study_id = ?", (study_id,)
        )
        if is_study:
            values = dict(zip(columns, rows.fetchone(), strict=True)) | dict(changes)
            new_id = int(target.execute(insert_into(table.name, columns), list(values.values())).lastrowid or 0)
        else:
            place = columns.index("study_id")
            renumbered = ((*row[:place], new_id, *row[place + 1 :]) for row in rows)
            target.executemany(insert_into(table.name, columns), renumbered)
    return new_id


def insert_into(table: str, columns: list[str], on_conflict: str = "") -> str:
    """The statement that inserts a row with these columns."""
    marks = ", ".join("?" * len(columns))
    return f"INSERT {on_conflict} INTO {quoted(table)} ({', '.join(map(quoted, columns))}) VALUES ({marks})"


def delete_rows(connection: sqlite3.Connection, study_id: int) -> None:
    """Deletes the rows of a study in every table, in a transaction of the caller."""
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for table in reversed(study_tables(connection)):
        connection.execute(f"DELETE FROM {quoted(table.name)} WHERE study_id = ?", (study_id,))
