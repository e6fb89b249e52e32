"""A thin Optuna study beside the full history, so that optuna-dashboard opens the same file.

The dashboard slows down with the square of the number of trials and with the number of parameters; so it gets the
front, a sample of every generation and of the failed designs, and a few readable parameters. The whole genome is in
each trial's attribute "design".
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import NullPool, create_engine

from studies.engines.optuna import quiet_optuna
from studies.exchange.optuna_question import directions_of
from studies.exchange.optuna_rows import add_trials, create_tables, knows_tables, replace_trials
from studies.objective import violations
from studies.storage.sqlite import BUSY_TIMEOUT_S, StudyWriteError
from studies.trials import Trials

if TYPE_CHECKING:
    from studies.study import Study

N_SHOWN = 150
N_SHOWN_OF_FRONT = 100
N_SHOWN_FAILURES = 20
N_PARAMETERS = 20
N_KEY_LETTERS = 8


def publish(study: Study) -> None:
    """Brings the thin study up to date, made where it is missing; the caller holds the right to write.

    Its trials are put in place of the last ones, and it stays the same study, so that a page which shows it goes on.

    Raises:
        ValueError: The study has no file, or its summaries have more than 20 parameters.
        StudyWriteError: Optuna could not write.
    """
    if study.storage is None:
        raise ValueError(f"study {study.name!r} is kept in memory: the dashboard needs storage=<path>")
    front = study.front()
    shown = shown_trials(study.trials(), front)
    frozen = [*_frozen_trials(study, shown), *_frozen_failures(study)]
    with thin_storage(study.storage) as storage:
        thin = _replaced(study, storage, frozen) or _created(study, storage, frozen)
        if all(importlib.util.find_spec(package) for package in ("plotly", "optuna_dashboard")):
            _save_figures(study, thin, front)


def _replaced(study: Study, storage: RDBStorage, trials: Sequence[FrozenTrial]) -> optuna.Study | None:
    """The thin study with these trials in place of its last ones; None where there is none that can be kept."""
    if study.name not in optuna.get_all_study_names(storage):
        return None
    thin = optuna.load_study(study_name=study.name, storage=storage)
    if not knows_tables(storage) or thin.directions != directions_of(study.objectives):
        optuna.delete_study(study_name=study.name, storage=storage)
        return None
    replace_trials(thin, storage, trials)
    return thin


def _created(study: Study, storage: RDBStorage, trials: Sequence[FrozenTrial]) -> optuna.Study:
    thin = optuna.create_study(study_name=study.name, storage=storage, directions=directions_of(study.objectives))
    thin.set_metric_names([objective.name for objective in study.objectives])
    add_trials(thin, storage, trials)
    return thin


@contextmanager
def thin_storage(path: Path) -> Iterator[RDBStorage]:
    """Optuna's tables in a study file, made where they are missing.

    Raises:
        StudyWriteError: Optuna could not write.
    """
    with quiet_optuna():
        storage = _opened(path, skip_compatibility_check=True)
        if not knows_tables(storage):
            _closed(storage)
            storage = _opened(path)
        try:
            yield storage
        except optuna.exceptions.StorageInternalError as error:
            raise StudyWriteError(
                f"the dashboard's study could not be written to {path} ({error}); every trial is safe"
            ) from error
        finally:
            _closed(storage)


def _opened(path: Path, *, skip_compatibility_check: bool = False) -> RDBStorage:
    """Optuna's tables; its check of them runs ten revision scripts, which a small study need not pay for."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        connection.execute("PRAGMA synchronous = NORMAL")  # as SqliteFile: safe in WAL mode, and one wait less a commit
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    create_tables(engine)
    return RDBStorage(f"sqlite:///{path}", {"creator": connect}, skip_compatibility_check=skip_compatibility_check)


def _closed(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def shown_trials(trials: Trials, front: Trials) -> Trials:
    """The front (thinned evenly along the first objective) and an even sample of the rest, by trial number."""
    chosen = front.number[_evenly(len(front), N_SHOWN_OF_FRONT)]
    rest = np.setdiff1d(trials.number, chosen)
    sample = rest[_evenly(len(rest), N_SHOWN - len(chosen))]
    return trials.select(np.isin(trials.number, np.concatenate([chosen, sample])))


def _evenly(n: int, n_wanted: int) -> NDArray[np.int64]:
    """At most n_wanted of the indices 0 to n - 1, evenly spaced, both ends included."""
    return np.unique(np.linspace(0, n - 1, min(n, n_wanted)).round().astype(np.int64))


def _frozen_trials(study: Study, trials: Trials) -> list[FrozenTrial]:
    if study.summarise is not None:
        summaries = study.summarise(trials.genomes)
    else:
        names = [block.name for block in study.space.blocks[:N_PARAMETERS]]
        summaries = [{name: design[name] for name in names} for design in study.space.decode(trials.genomes)]
    if study.describe is not None:
        designs = study.describe(trials.genomes)
    else:
        designs = [json.dumps(design) for design in study.space.decode(trials.genomes)]
    excess = violations(trials.constraints, study.constraints)
    parameters = [{name: _shown(value) for name, value in summary.items()} for summary in summaries]
    distributions = _distributions(parameters)
    return [
        create_trial(
            values=trials.values[row].tolist(),
            params=parameters[row],
            distributions={name: distributions[name] for name in parameters[row]},
            user_attrs={
                **{
                    name: float(values[row])
                    for name, values in trials.attributes.items()
                    if values.ndim == 1 and np.isfinite(values[row])
                },
                "key": trials.keys[row],
                "generation": int(trials.generation[row]),
                "design": designs[row],
            },
            # The dashboard shows constraints under this key only; Optuna reads it as well.
            system_attrs={"constraints": excess[row].tolist()} if study.constraints else None,
        )
        for row in range(len(trials))
    ]


def _frozen_failures(study: Study) -> list[FrozenTrial]:
    """Some of the failed designs, without parameters: what failed need not bear being summarised or described."""
    failures = study.failures()
    rows = _evenly(len(failures), N_SHOWN_FAILURES)
    designs = study.space.decode(failures.genomes[rows])
    return [
        create_trial(
            state=TrialState.FAIL,
            user_attrs={
                "reason": failures.reasons[row],
                "key": failures.keys[row],
                "generation": int(failures.generation[row]),
                "design": json.dumps(design),
            },
        )
        for row, design in zip(rows, designs, strict=True)
    ]


def _shown(value: Any) -> str | int | float | bool:
    return value if isinstance(value, str | int | float | bool) else str(value)


def _distributions(parameters: Sequence[Mapping[str, Any]]) -> dict[str, BaseDistribution]:
    """A distribution for each parameter that covers its values: a range of numbers, or a list of words."""
    values: dict[str, list[Any]] = {}
    for design in parameters:
        for name, value in design.items():
            values.setdefault(name, []).append(value)
    if len(values) > N_PARAMETERS:
        raise ValueError(
            f"summarise must return at most {N_PARAMETERS} parameters, which is what the dashboard can show, "
            f"got {len(values)}"
        )
    distributions: dict[str, BaseDistribution] = {}
    for name, column in values.items():
        kinds = {type(value) for value in column}
        if kinds == {int}:
            distributions[name] = IntDistribution(min(column), max(column))
        elif kinds <= {int, float}:
            distributions[name] = FloatDistribution(min(column), max(column))
        else:
            distributions[name] = CategoricalDistribution(sorted(set(column), key=lambda value: str(value)))
    return distributions


def _save_figures(study: Study, thin: optuna.Study, front: Trials) -> None:
    """Hypervolume over generations, and the front in two or three dimensions."""
    import plotly.graph_objects as go
    from optuna_dashboard import save_plotly_graph_object

    titles = [f"{o.name} [{o.unit}]" if o.unit else o.name for o in study.objectives]
    if all(objective.reference is not None for objective in study.objectives):
        volumes = go.Scatter(y=study.hypervolume_by_generation(), mode="lines+markers")
        figure = go.Figure(volumes, layout={"title": "Hypervolume"})
        figure.update_layout(xaxis_title="generation", yaxis_title="hypervolume")
        save_plotly_graph_object(thin, figure, graph_object_id="hypervolume")
    columns = [[float(f"{value:.6g}") for value in column] for column in front.values[:, :3].T]
    keys = [key[:N_KEY_LETTERS] for key in front.keys]
    if len(titles) == 2:
        markers = go.Scatter(x=columns[0], y=columns[1], mode="markers", text=keys)
        figure = go.Figure(markers, layout={"title": "Pareto front"})
        figure.update_layout(xaxis_title=titles[0], yaxis_title=titles[1])
        save_plotly_graph_object(thin, figure, graph_object_id="front")
    if len(titles) >= 3:
        x, y, z = columns
        figure = go.Figure(go.Scatter3d(x=x, y=y, z=z, mode="markers", marker={"size": 3}, text=keys))
        axes = {f"{axis}axis": {"title": {"text": title}} for axis, title in zip("xyz", titles, strict=False)}
        figure.update_layout(title="Pareto front", scene=axes)
        save_plotly_graph_object(thin, figure, graph_object_id="front")
