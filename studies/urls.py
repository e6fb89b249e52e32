"""URLs of databases: with the driver that is meant, and without the password where people read them."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

SECRETS = ("password", "passwd", "sslpassword")
"""Entries of a URL's query that nobody may read."""

POSTGRESQL = "postgresql+psycopg"


def database_url(text: str) -> URL:
    """The URL as it is opened: PostgreSQL by psycopg, unless the URL names another driver.

    Raises:
        ValueError: This is no URL of a database.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ValueError(
            f"{shown_url(text)} is no URL of a database: give one such as postgresql://user@host/database"
        ) from error
    return url.set(drivername=POSTGRESQL) if url.drivername in ("postgresql", "postgres") else url


def optuna_url(url: URL) -> str:
    """The URL as Optuna takes it, which is a template to be formatted."""
    return url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")


def shown_url(given: str | URL) -> str:
    """The URL for people: *** in place of passwords. What is no URL, such as a path, stays as it is."""
    text = given if isinstance(given, str) else given.render_as_string(hide_password=False)
    if "://" not in text:
        return text
    with suppress(ArgumentError, ValueError):
        url = make_url(text)
        hidden = {name: "***" for name in url.query if name.casefold() in SECRETS}
        if url.password is None and not hidden:
            return text
        return url.update_query_dict(hidden).render_as_string(hide_password=True)
    return f"{text.partition('://')[0]}://..."


def without_secrets(message: str, url: URL) -> str:
    """A message of a driver without the URL's passwords."""
    values = [url.password, *(url.query[name] for name in url.query if name.casefold() in SECRETS)]
    for value in values:
        for secret in (value,) if isinstance(value, str) else (value or ()):
            message = message.replace(secret, "***") if secret else message
    return message


def driver_message(error: BaseException) -> str:
    """What the driver said, in one line, of an error that wraps it."""
    reason: BaseException = error
    while (cause := getattr(reason, "orig", None) or reason.__cause__) is not None:
        reason = cause
    return " ".join(str(reason).split())
