"""Optuna studies of a file or a database, opened to be read: nothing is made where nothing is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
from optuna.storages import RDBStorage

from studies.engines.optuna import quiet_optuna
from studies.storage.sqlite import BUSY_TIMEOUT_S, StudyFileError
from studies.urls import database_url, driver_message, shown_url, without_secrets


def optuna_studies(source: str | Path) -> list[str]:
    """Names of the Optuna studies of a SQLite file or URL.

    Raises:
        StudyFileError: There is no such file, or it holds no Optuna study.
        ValueError: The URL cannot be opened.
    """
    with optuna_storage(source) as storage:
        return optuna.get_all_study_names(storage)


@contextmanager
def optuna_storage(source: str | Path) -> Iterator[RDBStorage]:
    """Optuna's tables of a file or URL, which are read alone.

    Raises:
        StudyFileError: There is no such file, or it holds no Optuna study.
        ValueError: The URL cannot be opened.
    """
    is_url = "://" in str(source)
    if not is_url:
        _require_optuna_file(Path(source))
    arguments = {} if is_url else {"connect_args": {"timeout": BUSY_TIMEOUT_S}}
    with quiet_optuna():
        text = database_url(str(source)).render_as_string(hide_password=False) if is_url else f"sqlite:///{source}"
        try:
            storage = RDBStorage(text, engine_kwargs=arguments, skip_table_creation=True)
        except Exception as error:  # of any driver
            message = driver_message(error)
            if is_url:
                message = without_secrets(message, database_url(str(source)))
            raise ValueError(f"{shown_url(str(source))} cannot be opened as an Optuna storage: {message}") from error
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _require_optuna_file(path: Path) -> None:
    if not path.is_file():
        raise StudyFileError(f"there is no file {path}: give the SQLite file of an Optuna study, or its URL")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise StudyFileError(f"{path} is not a SQLite file of Optuna ({error})") from error
    if not {"studies", "trials", "version_info"} <= tables:
        raise StudyFileError(f"{path} holds no Optuna study: its tables are {', '.join(sorted(tables)[:5]) or 'none'}")
