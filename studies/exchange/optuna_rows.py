"""Trials written into Optuna's tables at once.

Optuna's own `add_trials` looks up every parameter of every trial: 112 ms a trial with 120 parameters on SQLite, where
one insert for all takes about 0.5 ms. It is taken where Optuna's tables are not those that this module knows.

A new file is told the revision of its tables likewise: Optuna runs its ten revision scripts twice to learn it, 0.1 s.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy import Connection, Engine, func, inspect, select, text

SCHEMA_VERSION = 12
REVISION = "v3.2.0.a"
TRIALS_AT_ONCE = 500


def knows_tables(storage: RDBStorage) -> bool:
    """Whether the storage has the tables that `add_trials` writes."""
    return _are_known() and storage.get_current_version() == REVISION


@cache
def _are_known() -> bool:
    """Whether the tables of the Optuna that is installed are those of REVISION."""
    try:
        from optuna.storages._rdb import models

        scripts = files("optuna.storages._rdb.alembic") / "versions"
        newest = max(script.name for script in scripts.iterdir() if script.name.endswith(".py"))
    except (ImportError, OSError, ValueError):
        return False
    return (
        getattr(models, "SCHEMA_VERSION", None) == SCHEMA_VERSION and newest.removesuffix(".py").rstrip("_") == REVISION
    )


def create_tables(engine: Engine) -> None:
    """Makes Optuna's tables, where they are known and Optuna has not yet, with their revision, as Optuna would."""
    if not _are_known() or _are_there(engine):
        return
    from optuna.storages._rdb import models

    models.BaseModel.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE IF NOT EXISTS alembic_version "
                "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
        )
        connection.execute(
            text("INSERT INTO alembic_version SELECT :revision WHERE NOT EXISTS (SELECT * FROM alembic_version)"),
            {"revision": REVISION},
        )


def _are_there(engine: Engine) -> bool:
    """Whether Optuna has opened the tables before: it fills its version's table then."""
    from optuna.storages._rdb import models

    with engine.connect() as connection:
        table = models.VersionInfoModel.__table__
        return inspect(connection).has_table(table.name) and connection.execute(select(table)).first() is not None


def add_trials(study: optuna.Study, storage: RDBStorage, trials: Iterable[FrozenTrial]) -> None:
    """`study.add_trials` of finished trials, by a few inserts; nobody else writes the study meanwhile.

    Args:
        storage: Of the study.
    """
    if not knows_tables(storage):
        study.add_trials(trials)
        return
    waiting: list[FrozenTrial] = []
    n_trials = len(study.get_trials(deepcopy=False))
    study_id = storage.get_study_id_from_name(study.study_name)
    for trial in trials:
        waiting.append(trial)
        if len(waiting) == TRIALS_AT_ONCE:
            with storage.engine.begin() as connection:
                _insert(connection, study_id, waiting, n_trials, _next_id(connection))
            n_trials += len(waiting)
            waiting = []
    with storage.engine.begin() as connection:
        _insert(connection, study_id, waiting, n_trials, _next_id(connection))


def replace_trials(study: optuna.Study, storage: RDBStorage, trials: Sequence[FrozenTrial]) -> None:
    """Puts finished trials in place of those that the study has, in one transaction; where `knows_tables`.

    The study keeps its number, notes and figures, so a page that shows it goes on showing it.
    """
    from optuna.storages._rdb import models

    study_id = storage.get_study_id_from_name(study.study_name)
    of_study = models.TrialModel.__table__
    old = select(of_study.c.trial_id).where(of_study.c.study_id == study_id)
    with storage.engine.begin() as connection:
        first_id = _next_id(connection)  # above those that go: a note on one of them is no other trial's
        for model in (*_part_models(), models.TrialHeartbeatModel):
            table = model.__table__
            connection.execute(table.delete().where(table.c.trial_id.in_(old)))
        connection.execute(of_study.delete().where(of_study.c.study_id == study_id))
        _insert(connection, study_id, trials, 0, first_id)


def _part_models() -> tuple[Any, ...]:
    """The tables of what a finished trial consists of."""
    from optuna.storages._rdb import models

    return (
        models.TrialValueModel,
        models.TrialParamModel,
        models.TrialUserAttributeModel,
        models.TrialSystemAttributeModel,
        models.TrialIntermediateValueModel,
    )


def _next_id(connection: Connection) -> int:
    from optuna.storages._rdb import models

    last = connection.execute(select(func.max(models.TrialModel.__table__.c.trial_id))).scalar()
    return 1 if last is None else int(last) + 1


def _insert(
    connection: Connection, study_id: int, trials: Sequence[FrozenTrial], first_number: int, first_id: int
) -> None:
    from optuna.storages._rdb import models

    rows: dict[Any, list[dict[str, Any]]] = {model: [] for model in (models.TrialModel, *_part_models())}
    texts: dict[int, str] = {}  # by identity: trials of one study share their distributions
    for place, trial in enumerate(trials):
        trial_id = first_id + place
        rows[models.TrialModel].append(
            {
                "trial_id": trial_id,
                "number": first_number + place,
                "study_id": study_id,
                "state": trial.state,
                "datetime_start": trial.datetime_start,
                "datetime_complete": trial.datetime_complete,
            }
        )
        for objective, value in enumerate(trial.values or ()):
            stored, kind = models.TrialValueModel.value_to_stored_repr(value)
            rows[models.TrialValueModel].append(
                {"trial_id": trial_id, "objective": objective, "value": stored, "value_type": kind}
            )
        for name, value in trial.params.items():
            distribution = trial.distributions[name]
            rows[models.TrialParamModel].append(
                {
                    "trial_id": trial_id,
                    "param_name": name,
                    "param_value": distribution.to_internal_repr(value),
                    "distribution_json": _text(distribution, texts),
                }
            )
        for model, attributes in (
            (models.TrialUserAttributeModel, trial.user_attrs),
            (models.TrialSystemAttributeModel, trial.system_attrs),
        ):
            rows[model] += [
                {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)} for key, value in attributes.items()
            ]
        for step, value in trial.intermediate_values.items():
            reported, how = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
            rows[models.TrialIntermediateValueModel].append(
                {
                    "trial_id": trial_id,
                    "step": step,
                    "intermediate_value": reported,
                    "intermediate_value_type": how,
                }
            )
    for model, entries in rows.items():
        if entries:
            connection.execute(model.__table__.insert(), entries)


def _text(distribution: BaseDistribution, texts: dict[int, str]) -> str:
    if id(distribution) not in texts:
        texts[id(distribution)] = distribution_to_json(distribution)
    return texts[id(distribution)]
