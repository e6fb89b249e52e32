"""Studies of one question, searched apart (islands on several machines), put together into one that goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studies.files.assemble import some_failures, write_study
from studies.files.stored import StoredStudy, open_study, stored_study
from studies.files.tables import require_free_name
from studies.storage.schema import MIGRATIONS
from studies.storage.sqlite import SqliteFile
from studies.trials import Failures, Trials


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What was put together.

    Attributes:
        n_trials: Trials of the new study, failed ones among them.
        n_repeated: Trials left out, because the new study holds one of the same design.
    """

    n_trials: int
    n_repeated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The designs of several studies, each once, renumbered.

    Attributes:
        trials: Evaluated designs.
        failures: Designs whose evaluation failed wherever it was tried.
        generations: Of each source, the new generation of each of its own; -1 where nothing of it was taken.
    """

    trials: Trials
    failures: Failures
    generations: tuple[NDArray[np.int64], ...]

    @property
    def n_generations(self) -> int:
        """Generations with a design at least."""
        return max((int(numbers.max(initial=-1)) for numbers in self.generations), default=-1) + 1


def merge_studies(file: str | Path, new_name: str, sources: Sequence[tuple[str | Path, str]]) -> Merged:
    """Puts the trials of several studies of one question into a new study, which goes on from all of them.

    Trials and generations follow each other in the order of the sources. A design that occurs again is kept once, the
    first time; one that failed in one source and not in another has not failed. Engine, seed and population size are
    those of the first source; its engine is told every generation, and so chooses its parents among all of them.

    Args:
        file: Made when it is missing; may be that of a source.
        sources: File and name of each study.

    Raises:
        ValueError: A source does not exist, the name is taken, or sources differ in space, digests, objectives,
            constraints or attributes: the message names the first difference.
        StudyFileError: A file cannot be used.
        StudyBusyError: Another process writes the file that is merged into.
        StudyWriteError: Optuna could not write the dashboard's study; the merged one is whole without it.
    """
    if not sources:
        raise ValueError("merging needs at least one study, got none")
    stored = [stored_study(path, name) for path, name in sources]
    for one, (path, _) in zip(stored[1:], sources[1:], strict=True):
        _require_same_question(stored[0], sources[0][0], one, path)
    found = joined([(one.trials, one.failures) for one in stored])
    seconds, times = _generation_columns(stored, found)
    target = SqliteFile(Path(file), MIGRATIONS)
    try:
        with target.writer():
            require_free_name(target, new_name)
            record = replace(stored[0].record, name=new_name)
            write_study(target, record, stored[0].space, found.trials, found.failures, seconds, times)
    finally:
        target.close()
    n_trials = len(found.trials) + len(found.failures)
    if n_trials > 0:
        with open_study(file, new_name) as study:
            study.publish_dashboard()
    return Merged(n_trials=n_trials, n_repeated=sum(len(one.trials) + len(one.failures) for one in stored) - n_trials)


def joined(parts: Sequence[tuple[Trials, Failures]]) -> Joined:
    """All designs of one or more parts in their order, each once."""
    evaluated = {key for trials, _ in parts for key in trials.keys}
    taken: set[str] = set()
    failed: set[str] = set()
    all_trials, all_failures, generations = [], [], []
    n_designs = n_generations = 0
    for trials, failures in parts:
        is_new = np.array([key not in taken for key in trials.keys], dtype=bool)
        is_new_failure = np.array([key not in failed and key not in evaluated for key in failures.keys], dtype=bool)
        taken.update(trials.keys)
        failed.update(failures.keys)
        trials, failures = trials.select(is_new), some_failures(failures, is_new_failure)
        old_numbers = np.sort(np.concatenate([trials.number, failures.number]))
        old_generations = np.unique(np.concatenate([trials.generation, failures.generation]))
        new_generation = np.full(int(old_generations.max(initial=-1)) + 1, -1)
        new_generation[old_generations] = n_generations + np.arange(len(old_generations))
        all_trials.append(
            replace(
                trials,
                number=n_designs + np.searchsorted(old_numbers, trials.number),
                generation=new_generation[trials.generation],
            )
        )
        all_failures.append(
            replace(
                failures,
                number=n_designs + np.searchsorted(old_numbers, failures.number),
                generation=new_generation[failures.generation],
            )
        )
        generations.append(new_generation)
        n_designs += len(old_numbers)
        n_generations += len(old_generations)
    return Joined(
        trials=Trials.concatenate([trials for trials in all_trials if len(trials)] or all_trials[:1]),
        failures=Failures(
            number=np.concatenate([failures.number for failures in all_failures]),
            generation=np.concatenate([failures.generation for failures in all_failures]),
            keys=[key for failures in all_failures for key in failures.keys],
            genomes=np.concatenate([failures.genomes for failures in all_failures]),
            reasons=[reason for failures in all_failures for reason in failures.reasons],
        ),
        generations=tuple(generations),
    )


def _generation_columns(stored: Sequence[StoredStudy], found: Joined) -> tuple[list[float], list[str]]:
    """Seconds of evaluation, and when it was stored, of each generation of the merged study."""
    seconds, times = [0.0] * found.n_generations, [""] * found.n_generations
    for one, numbers in zip(stored, found.generations, strict=True):
        for old, new in enumerate(numbers.tolist()):
            if new >= 0:
                seconds[new], times[new] = one.evaluation_s[old], one.stored_at[old]
    return seconds, times


def _require_same_question(first: StoredStudy, first_path: str | Path, other: StoredStudy, path: str | Path) -> None:
    a, b = first.record, other.record
    differences: list[tuple[str, object, object]] = [("space", a.space_digest, b.space_digest)]
    for name in sorted({*a.digests, *b.digests}):
        differences.append((name, a.digests.get(name, "none"), b.digests.get(name, "none")))
    differences += [("objectives", a.objectives, b.objectives), ("constraints", a.constraints, b.constraints)]
    if len(first.trials) > 0 and len(other.trials) > 0:
        differences.append(("attributes", _shapes(first.trials), _shapes(other.trials)))
    for what, of_first, of_other in differences:
        if of_first != of_other:
            raise ValueError(
                f"studies of different questions cannot be merged: {what} of {a.name!r} in {first_path} is "
                f"{_text(of_first)}, of {b.name!r} in {path} it is {_text(of_other)}"
            )


def _text(value: object) -> str:
    if not isinstance(value, tuple):
        return str(value)
    fields = (", ".join(f"{field}={entry}" for field, entry in asdict(quantity).items()) for quantity in value)
    return "; ".join(fields) or "none"


def _shapes(trials: Trials) -> str:
    return ", ".join(
        name if values.ndim == 1 else f"{name} ({values.shape[1]} columns)"
        for name, values in sorted(trials.attributes.items())
    )
