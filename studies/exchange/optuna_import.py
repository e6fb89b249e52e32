"""An Optuna study read into a study of ours, so that its designs are known and an engine goes on from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from spaces.space import Space
from studies.exchange.optuna_question import CONSTRAINED, REASON, question_of
from studies.exchange.optuna_source import optuna_storage
from studies.exchange.table import choice_index
from studies.files.assemble import write_study
from studies.files.stored import open_study
from studies.files.tables import require_free_name
from studies.objective import RESERVED_NAMES, Constraint, Objective, check_names, violations
from studies.record import StudyRecord
from studies.storage.schema import MIGRATIONS
from studies.storage.sqlite import SqliteFile
from studies.trials import Failures, Trials
from studies.urls import shown_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was read.

    Attributes:
        n_trials: Trials of the new study, failed ones among them.
        left_out: Number of trials that were not taken, by reason.
    """

    n_trials: int
    left_out: Mapping[str, int]

    def summary(self) -> str:
        """One line for people."""
        reasons = "; ".join(f"{n} because {reason}" for reason, n in self.left_out.items())
        n_left_out = sum(self.left_out.values())
        return f"{self.n_trials} trials read, {n_left_out} left out" + (f": {reasons}" if reasons else "")


def import_optuna(
    source: str | Path,
    name: str,
    file: str | Path,
    space: Space | None = None,
    *,
    new_name: str | None = None,
    objectives: Sequence[Objective] | None = None,
    engine: str | None = None,
    seed: int | None = None,
    population_size: int | None = None,
    digests: Mapping[str, str] | None = None,
) -> Imported:
    """Reads the finished trials of an Optuna study into a new study, which goes on from them.

    A trial is taken when it is complete, its values are finite and its parameters are the blocks of the space, each
    with one of the choices (a tuple may be a list or text, a parameter of an inactive block may be missing). Of equal
    designs the first is taken. Constraints become constraints with limit 0, numbers among the trials' attributes
    become attributes. Whatever is None is taken from the study where `export_optuna` wrote it, and otherwise:
    objectives are named after Optuna's metrics, the engine is "nsga2", the seed 0 and the population 100.

    Args:
        source: SQLite file, or URL as Optuna takes it.
        name: Of the Optuna study.
        file: Study file to write into, made when it is missing.
        new_name: Of our study; the same name when left out.
        objectives: In Optuna's order; names, units and references are yours, directions must agree.
        digests: What the values depend on besides the space.

    Raises:
        ValueError: There is no such Optuna study, no trial fits, the name is taken, or an argument is wrong.
        StudyFileError: A file cannot be used.
        StudyBusyError: Another process writes the study file.
        StudyWriteError: Optuna could not write the dashboard's study; ours is whole without it.
    """
    with optuna_storage(source) as storage:
        names = optuna.get_all_study_names(storage)
        if name not in names:
            held = ", ".join(map(repr, names)) or "none"
            raise ValueError(f"{shown_url(str(source))} has no Optuna study {name!r}; it holds {held}")
        study = optuna.load_study(study_name=name, storage=storage)
        question = question_of(study)
        trials = study.get_trials(deepcopy=False)
        directions = [direction.name for direction in study.directions]
    space = question.space if space is None else space
    if space is None:
        raise ValueError(f"Optuna study {name!r} does not say what its space is: give the space that its blocks are in")
    asked = _objectives(name, question.objectives if objectives is None else tuple(objectives), directions)
    size = population_size or question.population_size or 100
    if size < 1:
        raise ValueError(f"population_size must be at least 1, got {size}")
    is_ours = question.space is not None
    reader = _Reader(space, question.constraints or _constraints(trials), is_ours)
    taken, left_out = reader.read(trials)
    if not any(one.reason is None for one in taken):
        reasons = Imported(n_trials=0, left_out=left_out).summary()
        raise ValueError(f"no trial of Optuna study {name!r} can be taken into space {space.name!r}: {reasons}")
    generation = _generations(taken, size)
    table, failures = reader.tables(taken, generation)
    seconds, times = _generation_columns(taken, generation)
    record = StudyRecord(
        name=name if new_name is None else new_name,
        space_json=space.to_json(),
        space_digest=space.digest,
        objectives=asked,
        constraints=reader.constraints,
        engine=engine or question.engine or "nsga2",
        seed=(question.seed or 0) if seed is None else seed,
        population_size=size,
        digests=dict(question.digests if digests is None else digests),
    )
    target = SqliteFile(Path(file), MIGRATIONS)
    try:
        with target.writer():
            require_free_name(target, record.name)
            write_study(target, record, space, table, failures, seconds, times)
    finally:
        target.close()
    with open_study(file, record.name) as written:
        written.publish_dashboard()
    return Imported(n_trials=len(taken), left_out=left_out)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A trial that fits, its canonical genome, and why it failed, None where it did not."""

    trial: FrozenTrial
    genome: NDArray[np.int64]
    key: str
    reason: str | None


class _Reader:
    """Turns Optuna's trials into those of a space."""

    def __init__(self, space: Space, constraints: tuple[Constraint, ...], is_ours: bool) -> None:
        self.constraints = constraints
        self._space = space
        self._is_ours = is_ours
        self._indices: dict[tuple[str, Any], int | None] = {}

    def read(self, trials: Sequence[FrozenTrial]) -> tuple[list[_Taken], dict[str, int]]:
        """The trials that fit, and how many do not, by reason."""
        left_out: Counter[str] = Counter()
        fitting, genomes = [], []
        for trial in trials:
            chosen, why_not = self._choices(trial)
            if chosen is None:
                left_out[why_not] += 1
            else:
                fitting.append(trial)
                genomes.append(chosen)
        canonical = self._space.canonical(np.array(genomes, dtype=np.int64).reshape(-1, len(self._space.blocks)))
        reasons = [trial.user_attrs[REASON] if trial.state == TrialState.FAIL else None for trial in fitting]
        keys = self._space.keys(canonical)
        evaluated = {key for key, reason in zip(keys, reasons, strict=True) if reason is None}
        taken: dict[str, _Taken] = {}
        for trial, genome, key, reason in zip(fitting, canonical, keys, reasons, strict=True):
            if key in taken or (reason is not None and key in evaluated):
                left_out["another trial is of the same design"] += 1
            else:
                taken[key] = _Taken(trial, genome, key, reason)
        return list(taken.values()), dict(left_out)

    def tables(self, taken: Sequence[_Taken], generation: NDArray[np.int64]) -> tuple[Trials, Failures]:
        """The fitting trials as arrays, evaluated and failed ones."""
        is_evaluated = np.array([one.reason is None for one in taken], dtype=bool)
        genomes = np.array([one.genome for one in taken])
        evaluated = [one for one in taken if one.reason is None]
        trials = [one.trial for one in evaluated]
        limited = np.array([self._constrained(trial) for trial in trials], dtype=np.float64)
        limited = limited.reshape(len(trials), len(self.constraints))
        return Trials(
            number=np.flatnonzero(is_evaluated),
            generation=generation[is_evaluated],
            keys=[one.key for one in evaluated],
            genomes=genomes[is_evaluated],
            values=np.array([trial.values for trial in trials], dtype=np.float64),
            constraints=limited,
            is_feasible=np.all(violations(limited, self.constraints) <= 0, axis=1),
            attributes=_attributes(trials),
        ), Failures(
            number=np.flatnonzero(~is_evaluated),
            generation=generation[~is_evaluated],
            keys=[one.key for one in taken if one.reason is not None],
            genomes=genomes[~is_evaluated],
            reasons=[one.reason for one in taken if one.reason is not None],
        )

    def _choices(self, trial: FrozenTrial) -> tuple[list[int] | None, str]:
        """The choices of a trial, or why there are none."""
        is_failure = self._is_ours and trial.state == TrialState.FAIL and isinstance(trial.user_attrs.get(REASON), str)
        if trial.state != TrialState.COMPLETE and not is_failure:
            return None, f"its state is {trial.state.name}"
        if not is_failure and not np.isfinite(trial.values).all():
            return None, "a value is not finite"
        limited = self._constrained(trial)
        if not is_failure and (len(limited) != len(self.constraints) or not np.isfinite(limited).all()):
            return None, "its constraints are missing or not finite"
        blocks = self._space.blocks
        unknown = sorted(set(trial.params) - {block.name for block in blocks})
        if unknown:
            return None, f"the space has no block {unknown[0]!r}"
        chosen: list[int] = []
        is_active: dict[str, bool] = {}
        for block in blocks:
            is_active[block.name] = block.only_if is None or (
                is_active[block.only_if[0]]
                and chosen[self._space.column(block.only_if[0])]
                == blocks[self._space.column(block.only_if[0])].index(block.only_if[1])
            )
            if block.name not in trial.params:
                if is_active[block.name]:
                    return None, f"it has no parameter {block.name!r}"
                chosen.append(0)
                continue
            value = trial.params[block.name]
            place = (block.name, (type(value), value))
            if place not in self._indices:
                self._indices[place] = choice_index(block, value)
            index = self._indices[place]
            if index is None:
                return None, f"its {block.name!r} is no choice of that block"
            chosen.append(index)
        return chosen, ""

    def _constrained(self, trial: FrozenTrial) -> list[float]:
        if self._is_ours:
            stored = trial.user_attrs.get(CONSTRAINED)
            return [float(value) for value in stored] if isinstance(stored, list) and _is_numbers(stored) else []
        return [trial.constraints[c.name] for c in self.constraints if c.name in trial.constraints]


def _objectives(
    name: str, given: tuple[Objective, ...] | tuple[str, ...], directions: Sequence[str]
) -> tuple[Objective, ...]:
    """Objectives that agree with Optuna's directions; ValueError says how they do not."""
    wanted = ["max" if direction == "MAXIMIZE" else "min" for direction in directions]
    asked = tuple(
        one
        if isinstance(one, Objective)
        else Objective(name=str(one), direction="max" if direction == "MAXIMIZE" else "min")
        for one, direction in zip(given, directions, strict=False)
    )
    if len(given) != len(wanted) or [objective.direction for objective in asked] != wanted:
        raise ValueError(
            f"Optuna study {name!r} has {len(wanted)} objectives of directions {', '.join(wanted)}, got "
            f"{', '.join(f'{objective.name} ({objective.direction})' for objective in asked) or 'none'}"
        )
    check_names("objective", [objective.name for objective in asked])
    return asked


def _constraints(trials: Sequence[FrozenTrial]) -> tuple[Constraint, ...]:
    """Those of the first complete trial that has any, with limit 0."""
    for trial in trials:
        if trial.state == TrialState.COMPLETE and trial.constraints:
            return tuple(Constraint(name=key, limit=0.0) for key in trial.constraints)
    return ()


def _generations(taken: Sequence[_Taken], population_size: int) -> NDArray[np.int64]:
    """Those that the trials name, without gaps, where they ascend; else one for each population."""
    named = [one.trial.user_attrs.get("generation") for one in taken]
    if all(type(generation) is int for generation in named) and named == sorted(named):  # type: ignore[type-var]
        return np.unique(np.array(named), return_inverse=True)[1].astype(np.int64)
    return np.arange(len(taken)) // population_size


def _attributes(trials: Sequence[FrozenTrial]) -> dict[str, NDArray[np.float64]]:
    """Attributes that are numbers, or equally many numbers, wherever a trial has them; NaN where one has not."""
    names = dict.fromkeys(name for trial in trials for name in trial.user_attrs)
    reserved = {*RESERVED_NAMES, CONSTRAINED}
    attributes: dict[str, NDArray[np.float64]] = {}
    for name in names:
        if name.casefold() in reserved or name.casefold() in {taken.casefold() for taken in attributes} or not name:
            continue
        column = [trial.user_attrs.get(name) for trial in trials]
        there = [value for value in column if value is not None]
        if all(_is_number(value) for value in there):
            attributes[name] = np.array([np.nan if value is None else value for value in column], dtype=np.float64)
        elif all(_is_numbers(value) for value in there) and len({len(value) for value in there}) == 1:
            missing = [np.nan] * len(there[0])
            attributes[name] = np.array([missing if value is None else value for value in column], dtype=np.float64)
    return attributes


def _generation_columns(taken: Sequence[_Taken], generation: NDArray[np.int64]) -> tuple[list[float], list[str]]:
    """Seconds from the first start to the last end, and that end, of each generation; 0 and now where unknown."""
    seconds, times = [], []
    for number in range(int(generation.max()) + 1):
        trials = [taken[row].trial for row in np.flatnonzero(generation == number).tolist()]
        starts = [trial.datetime_start for trial in trials if trial.datetime_start is not None]
        ends = [trial.datetime_complete for trial in trials if trial.datetime_complete is not None]
        seconds.append(max(0.0, (max(ends) - min(starts)).total_seconds()) if starts and ends else 0.0)
        times.append(max(ends).strftime("%Y-%m-%d %H:%M:%S") if ends else "")
    return seconds, times if all(times) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))
