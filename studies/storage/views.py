"""The readable view of a study: one row a trial, every quantity under its name."""

from __future__ import annotations

import sqlite3

from studies.storage.sqlite import quoted


def view_name(study_name: str) -> str:
    """Name of the view of a study's trials."""
    return f"trials_{study_name}"


def make_trials_view(connection: sqlite3.Connection, study_id: int) -> None:
    """Makes the view `trials_<study>`, in a transaction of the caller.

    Raises:
        ValueError: A table or view of that name is there already.
    """
    (name,) = connection.execute("SELECT name FROM moco_studies WHERE study_id = ?", (study_id,)).fetchone()
    view = view_name(name)
    if any(has_object(connection, view, kind) for kind in ("table", "view")):
        raise ValueError(f"the file holds a table or view {view!r} already: drop it, or give the study another name")
    quantities = connection.execute(
        "SELECT name, position FROM moco_quantities WHERE study_id = ? AND role <> 'breakdown' ORDER BY position",
        (study_id,),
    )
    columns: dict[str, str] = {}  # a cap on an objective, or an attribute that is capped too, is shown once
    for quantity, position in quantities:
        value = f"max(CASE WHEN position = {int(position)} THEN value END)"
        columns.setdefault(quantity.casefold(), f", {value} AS {quoted(quantity)}")
    connection.execute(
        f"CREATE VIEW {quoted(view)} AS "
        f"SELECT number, generation, key, is_feasible{''.join(columns.values())} "
        "FROM moco_trials JOIN moco_values USING (study_id, number) "
        f"WHERE study_id = {int(study_id)} GROUP BY number"
    )


def drop_trials_view(connection: sqlite3.Connection, study_name: str) -> bool:
    """Drops the view of a study where there is one, and says whether there was; in a transaction of the caller."""
    view = view_name(study_name)
    is_there = has_object(connection, view, "view")
    if is_there:
        connection.execute(f"DROP VIEW {quoted(view)}")
    return is_there


def has_object(connection: sqlite3.Connection, name: str, kind: str) -> bool:
    """Whether the file has a table or view of that name, whose case does not count."""
    found = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE type = ? AND name = ? COLLATE NOCASE", (kind, name)
    ).fetchone()
    return found is not None
