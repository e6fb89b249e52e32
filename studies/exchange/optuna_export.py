"""A whole study as an Optuna study in a file of its own: every trial, every choice block a parameter."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from spaces.space import ChoiceBlock
from studies.dashboard import thin_storage
from studies.exchange.optuna_question import CONSTRAINED, QUESTION, REASON, directions_of, question_text
from studies.exchange.optuna_rows import add_trials
from studies.exchange.table import Plain, plain_choices
from studies.files.stored import StoredStudy, stored_study
from studies.objective import violations


def export_optuna(file: str | Path, name: str, out_file: str | Path) -> int:
    """Writes a study whole into a new SQLite file as an Optuna study of the same name; returns the number of trials.

    Ordered blocks of evenly spaced whole numbers become ranges, all others lists of words. Constraints are written as
    shares of their limit above it, where Optuna's samplers and its dashboard look for them; attributes, keys and
    generations are attributes of each trial. Designs that failed are trials of state FAIL with their reason. The
    dashboard takes long over more than a few thousand trials: it is served by the thin study in the study file.

    Raises:
        ValueError: There is no such study, or the new file is there already.
        StudyFileError: There is no such study file, or it holds no studies of ours.
        StudyWriteError: Optuna could not write.
    """
    out = Path(out_file)
    if out.exists():
        raise ValueError(f"{out} is there already: give another path, or move it away")
    if not out.parent.is_dir():
        raise ValueError(f"folder {out.parent} of {out.name} does not exist: make it first")
    stored = stored_study(file, name)
    partial = out.with_name(f".{out.name}.{uuid.uuid4().hex}.partial")
    try:
        with thin_storage(partial) as storage:
            study = optuna.create_study(
                study_name=stored.record.name,
                storage=storage,
                directions=directions_of(stored.record.objectives),
            )
            study.set_metric_names([objective.name for objective in stored.record.objectives])
            study.set_user_attr(QUESTION, question_text(stored.record))
            add_trials(study, storage, frozen_trials(stored))
        partial.replace(out)
    finally:
        with suppress(OSError):
            partial.unlink()
    return len(stored.trials) + len(stored.failures)


def frozen_trials(stored: StoredStudy) -> Iterator[FrozenTrial]:
    """Every design as Optuna keeps it, by trial number; those that failed have a reason in place of values."""
    trials, failures, record = stored.trials, stored.failures, stored.record
    blocks = stored.space.blocks
    plain = [plain_choices(block) for block in blocks]
    distributions = {block.name: distribution_of(block, choices) for block, choices in zip(blocks, plain, strict=True)}
    excess = violations(trials.constraints, record.constraints)
    ends = [datetime.datetime.fromisoformat(time) for time in stored.stored_at]
    is_evaluated = np.repeat([True, False], [len(trials), len(failures)])
    rows = np.concatenate([np.arange(len(trials)), np.arange(len(failures))])
    for place in np.argsort(np.concatenate([trials.number, failures.number])).tolist():
        row, of = int(rows[place]), trials if is_evaluated[place] else failures
        generation = int(of.generation[row])
        attributes: dict[str, Any] = {"key": of.keys[row], "generation": generation}
        system: dict[str, Any] = {}
        if is_evaluated[place]:
            for name, column in trials.attributes.items():
                if np.isfinite(column[row]).all():
                    attributes.setdefault(name, column[row].tolist())
            system["NSGAIISampler:generation"] = generation
            if record.constraints:
                attributes[CONSTRAINED] = trials.constraints[row].tolist()
                system["constraints"] = excess[row].tolist()
        else:
            attributes[REASON] = failures.reasons[row]
        yield FrozenTrial(
            number=int(of.number[row]),
            trial_id=-1,
            state=TrialState.COMPLETE if is_evaluated[place] else TrialState.FAIL,
            value=None,
            values=trials.values[row].tolist() if is_evaluated[place] else None,
            datetime_start=ends[generation] - datetime.timedelta(seconds=stored.evaluation_s[generation]),
            datetime_complete=ends[generation],
            params={
                block.name: choices[index]
                for block, choices, index in zip(blocks, plain, of.genomes[row].tolist(), strict=True)
            },
            distributions=distributions,
            user_attrs=attributes,
            system_attrs=system,
            intermediate_values={},
        )


def distribution_of(block: ChoiceBlock, choices: tuple[Plain, ...]) -> BaseDistribution:
    """A range for evenly spaced whole numbers in order, else the list of choices."""
    if block.is_ordered and len(choices) > 1 and all(type(choice) is int for choice in choices):
        numbers = [int(choice) for choice in choices]
        steps = {after - before for before, after in pairwise(numbers)}
        if len(steps) == 1 and min(steps) > 0 and max(map(abs, numbers)) < 2**53:
            return IntDistribution(numbers[0], numbers[-1], step=min(steps))
    return CategoricalDistribution(choices)
