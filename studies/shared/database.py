"""The database of a shared study, opened for a worker, and its errors in words."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import optuna
import sqlalchemy.exc
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy.engine import URL

from studies.urls import POSTGRESQL, database_url, driver_message, optuna_url, shown_url, without_secrets

CONNECT_S = 10
"""Seconds until a server that does not answer counts as not there."""

N_ATTEMPTS = 5
"""At making Optuna's tables: workers that start at once get into each other's way."""

# Heartbeats are compared as times without a zone, which clients must agree in. A commit does not wait for the server's
# disk: should the server itself crash, trials answered in its last half second are asked for once more.
SESSION = "-c TimeZone=UTC -c synchronous_commit=off"

StaleTrial = Callable[[optuna.Study, FrozenTrial], None]


def opened(url: str, heartbeat_s: int, grace_s: int, when_stale: StaleTrial) -> RDBStorage:
    """Optuna's tables of a database, made where they are missing.

    Args:
        url: Of a database on a server; PostgreSQL is what is tested, others pass through to Optuna.
        heartbeat_s: Between two signs of life of a running trial.
        grace_s: Without a sign of life, until a trial counts as left behind.
        when_stale: What is done with a trial that was left behind.

    Raises:
        ValueError: This is no URL of a server, its driver is missing, or Optuna's tables are of another version.
        ConnectionError: The server cannot be reached, refuses, or has no such database.
    """
    parsed = database_url(url)
    if parsed.get_backend_name() == "sqlite":
        raise ValueError(
            f"{shown_url(url)} is a SQLite file, which one process writes at a time: search it with 'moco search', or "
            "give the URL of a PostgreSQL database"
        )
    engine: dict[str, Any] = {"pool_pre_ping": True}  # a server may have been restarted while a design was evaluated
    if parsed.drivername == POSTGRESQL:
        options = " ".join([SESSION, *_query(parsed, "options")])
        engine["connect_args"] = {"connect_timeout": int(_query(parsed, "connect_timeout", str(CONNECT_S))[0])}
        engine["connect_args"]["options"] = options
        parsed = parsed.difference_update_query(["options", "connect_timeout"])
    for attempt in range(1, N_ATTEMPTS + 1):
        try:
            return RDBStorage(
                optuna_url(parsed),
                engine_kwargs=engine,
                heartbeat_interval=heartbeat_s,
                grace_period=grace_s,
                heartbeat_stale_trial_callback=when_stale,
            )
        except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
            is_postgresql = parsed.get_backend_name() == "postgresql"
            remedy = "pip install 'moco[postgresql]'" if is_postgresql else "see SQLAlchemy's list of drivers"
            raise ValueError(f"the driver for {shown_url(url)} is not installed: {remedy}") from error
        except (
            sqlalchemy.exc.ProgrammingError,
            sqlalchemy.exc.IntegrityError,
            optuna.exceptions.StorageInternalError,
        ) as error:
            if attempt == N_ATTEMPTS:
                raise _refused(url, error) from error
            time.sleep(random.random())
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise _refused(url, error) from error
        except RuntimeError as error:  # tables of another version of Optuna
            raise ValueError(f"{shown_url(url)} cannot be used: {error}") from error
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def failures_in_words(url: str) -> Iterator[None]:
    """A database that gives up in here raises ConnectionError, in one line."""
    try:
        yield
    except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        raise _refused(url, error) from error


def _refused(url: str, error: Exception) -> ConnectionError:
    message = without_secrets(driver_message(error), database_url(url)) if "://" in url else driver_message(error)
    return ConnectionError(
        f"the database {shown_url(url)} cannot be used: {message}. Check host, port, user, password and that the "
        "database is there; what was answered is safe, and a worker started again goes on"
    )


def _query(url: URL, name: str, default: str | None = None) -> tuple[str, ...]:
    value = url.query.get(name, default)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
