"""Optuna studies of a file or a database, opened to be read: nothing is made where nothing is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import URL, create_engine, inspect
from sqlalchemy.pool import NullPool

from studies.engines.optuna import quiet_optuna
from studies.storage.sqlite import BUSY_TIMEOUT_S, StudyFileError
from studies.urls import database_url, driver_message, optuna_url, shown_url, without_secrets


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
    url = database_url(str(source)) if is_url else URL.create("sqlite", database=str(source))
    if is_url:
        _require_optuna_tables(url)
    else:
        _require_optuna_file(Path(source))
    arguments = {} if is_url else {"connect_args": {"timeout": BUSY_TIMEOUT_S}}
    with quiet_optuna():
        try:
            storage = RDBStorage(optuna_url(url), engine_kwargs=arguments, skip_table_creation=True)
        except Exception as error:  # of any driver
            raise _not_opened(url, error) from error
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


def _require_optuna_tables(url: URL) -> None:
    try:
        engine = create_engine(url, poolclass=NullPool)
        tables = set(inspect(engine).get_table_names())
    except Exception as error:  # of any driver
        raise _not_opened(url, error) from error
    if not {"studies", "trials", "version_info"} <= tables:
        held = ", ".join(sorted(tables)[:5]) or "none"
        raise ValueError(f"{shown_url(url)} holds no Optuna study: its tables are {held}")


def _not_opened(url: URL, error: Exception) -> ValueError:
    message = without_secrets(driver_message(error), url)
    return ValueError(f"{shown_url(url)} cannot be opened as an Optuna storage: {message}")
