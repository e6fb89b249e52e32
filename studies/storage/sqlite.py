"""One SQLite file: opened with checks, migrated, written by one process, with errors that say what to do."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

BUSY_TIMEOUT_S = 30.0


class StudyFileError(ValueError):
    """The file is not, or no longer, a file of studies, or cannot be opened."""


class StudyBusyError(RuntimeError):
    """Another process writes the file."""


class StudyWriteError(OSError):
    """A generation could not be written; the generations before it are safe."""


class SqliteFile:
    """A connection in WAL mode that commits only in `transaction`; `path` None keeps everything in memory."""

    def __init__(self, path: Path | None, migrations: Sequence[str]) -> None:
        """Opens or creates the file and applies the migrations that it lacks, each in one transaction.

        Raises:
            StudyFileError: The file cannot be opened, belongs to something else, is damaged or is newer.
        """
        if sqlite3.sqlite_version_info < (3, 37):
            raise StudyFileError(f"studies need SQLite 3.37 or newer, this Python has {sqlite3.sqlite_version}")
        self.path = path
        if path is not None:
            _check_place(path)
        with self.explained_errors():
            self.connection = sqlite3.connect(
                path or ":memory:", timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            self.close = weakref.finalize(self, self.connection.close)
            try:
                self.connection.execute("PRAGMA trusted_schema = OFF")
                version = self._checked_version(len(migrations))
                self.connection.execute("PRAGMA journal_mode = WAL")
                self.connection.execute("PRAGMA synchronous = NORMAL")
                self.connection.execute("PRAGMA foreign_keys = ON")
                if version < len(migrations):  # else nothing is written: another program may hold the file
                    self._migrate(migrations)
            except BaseException:
                self.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: commits at the end, rolls back on any exception."""
        with self.explained_errors():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # a full disk may have rolled back already
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Reads in here see one state of the file, whatever is committed meanwhile; may be nested."""
        if self.connection.in_transaction:
            yield
            return
        with self.explained_errors():
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                self.connection.execute("COMMIT")

    @contextmanager
    def writer(self) -> Iterator[None]:
        """The right to write, for one process (and one connection) at a time.

        A second file beside the first carries the lock: SQLite's own, which the operating system drops when its
        process dies, so no lock is ever stale.

        Raises:
            StudyBusyError: Someone else writes.
        """
        if self.path is None:
            yield
            return
        lock_path = self.path.with_name(self.path.name + "-writer")
        with self.explained_errors():
            lock = sqlite3.connect(lock_path, timeout=0.0, isolation_level=None)
        try:
            try:
                lock.execute("BEGIN IMMEDIATE")
                lock.execute(f"PRAGMA user_version = {os.getpid()}")
                lock.execute("COMMIT")
                lock.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise self._explained(error) from error
                lock.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")
                (process,) = lock.execute("PRAGMA user_version").fetchone()
                raise StudyBusyError(
                    f"{self.path} is being written by process {process}, and one process writes a study file at a "
                    "time: wait until it ends, or store this study in another file"
                ) from error
            yield
        finally:
            lock.close()

    @contextmanager
    def explained_errors(self) -> Iterator[None]:
        """Turns SQLite's errors into errors that name the file and say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._explained(error) from error
        except UnicodeDecodeError as error:  # in SQLite's message about a garbled schema
            raise StudyFileError(f"{self.path} is damaged ({error}): restore it from a copy") from error

    def _explained(self, error: sqlite3.Error) -> Exception:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        safe = "every finished generation is safe in it, and the study resumes there"
        match code:
            case sqlite3.SQLITE_NOTADB:
                return StudyFileError(f"{self.path} is not a SQLite file: give another path, or move it away")
            case sqlite3.SQLITE_CORRUPT:
                return StudyFileError(f"{self.path} is damaged or cut short ({error}): restore it from a copy")
            case sqlite3.SQLITE_CANTOPEN:
                return StudyFileError(f"{self.path} cannot be opened: SQLite must be able to write in its folder")
            case sqlite3.SQLITE_READONLY:
                return StudyFileError(f"{self.path} is read-only: make it and its folder writable, or copy it")
            case sqlite3.SQLITE_BUSY:
                return StudyBusyError(f"{self.path} stayed locked for {BUSY_TIMEOUT_S:g} s by another program")
            case sqlite3.SQLITE_FULL:
                return StudyWriteError(f"no space left for {self.path}: free some and run again; {safe}")
            case sqlite3.SQLITE_IOERR:
                return StudyWriteError(f"{self.path} could not be read or written ({error}); {safe}")
            case _ if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError):
                return error  # such as the use of a closed study
            case _:
                return StudyFileError(
                    f"{self.path} is damaged, or its tables were changed ({error}): restore it from a copy"
                )

    def _checked_version(self, n_migrations: int) -> int:
        """Migrations that the file has, 0 for a new one; raises StudyFileError when it is not ours or damaged."""
        tables = {name for (name,) in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return 0
        if "moco_migrations" not in tables:
            raise StudyFileError(
                f"{self.path} is a SQLite file of something else (it holds {', '.join(sorted(tables)[:5])}): "
                "give another path"
            )
        (finding,) = self.connection.execute("PRAGMA integrity_check(1)").fetchone()
        if finding != "ok":
            raise StudyFileError(f"{self.path} is damaged or cut short ({finding}): restore it from a copy")
        (version,) = self.connection.execute("SELECT coalesce(max(version), 0) FROM moco_migrations").fetchone()
        if version > n_migrations:
            raise StudyFileError(
                f"{self.path} was written by a newer version (schema {version}, this one knows {n_migrations}): "
                "update moco"
            )
        return int(version)

    def _migrate(self, migrations: Sequence[str]) -> None:
        with self.transaction() as connection:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS moco_migrations "
                "(version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) STRICT"
            )
        for version, script in enumerate(migrations, start=1):
            with self.transaction() as connection:
                if connection.execute("SELECT 1 FROM moco_migrations WHERE version = ?", (version,)).fetchone():
                    continue
                for statement in script.split(";"):
                    connection.execute(statement)
                connection.execute("INSERT INTO moco_migrations (version) VALUES (?)", (version,))


def quoted(name: str) -> str:
    """A name as SQL takes it for a table, a view or a column, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def _check_place(path: Path) -> None:
    if path.is_dir():
        raise StudyFileError(f"{path} is a folder: give the path of a file in it, such as {path / 'study.db'}")
    if not path.parent.is_dir():
        raise StudyFileError(f"folder {path.parent} of study file {path.name} does not exist: make it first")
