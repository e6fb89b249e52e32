"""Which trials of a shared study hold a place among the designs that were asked for, and which are left behind.

Worked out from Optuna's trials alone, so that every worker comes to the same answer. A design holds the place of the
first trial that it is in. These hold none, and each says why:

- a trial with the attribute "void": it was beyond what was asked for, or another trial is of the same design;
- one that was left behind and is tried again, in a trial that names it in its retry history.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState, create_trial

from studies.exchange.optuna_question import REASON

KEY = "key"
"""User attribute of each trial with the key of its design."""

VOID = "void"
"""User attribute of each trial that holds no place, with the reason."""

MAX_RETRIES = 2
"""A design that took three workers with it has failed."""

HISTORY = "retry_history"  # system attribute that Optuna's callback writes: numbers of the trials that were left behind


@dataclass(slots=True)
class _Place:
    """A design: the first trial that it is in, whether some trial answered it, and whether one waits for a worker."""

    number: int
    is_answered: bool
    is_waiting: bool


class Places:
    """The designs of a shared study, in the order of their first trials.

    Attributes:
        lost: Trials that ended without an answer, were not void and are not tried again yet.
        running: Trials that a worker has, or had when it died.
    """

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        """Takes all trials of the study, by number."""
        retried = {number for trial in trials for number in trial.system_attrs.get(HISTORY, ())}
        self.lost: list[FrozenTrial] = []
        self.running: list[FrozenTrial] = []
        self._places: dict[str, _Place] = {}
        for trial in trials:
            is_answered = was_answered(trial)
            if VOID in trial.user_attrs or (
                trial.state == TrialState.FAIL and not is_answered and trial.number in retried
            ):
                continue
            if trial.state == TrialState.RUNNING:
                self.running.append(trial)
            elif trial.state != TrialState.WAITING and not is_answered:
                self.lost.append(trial)
            is_waiting = trial.state == TrialState.WAITING
            place = self._places.get(key_of(trial))
            if place is None:
                self._places[key_of(trial)] = _Place(trial.number, is_answered, is_waiting)
            else:
                place.is_answered |= is_answered
                place.is_waiting |= is_waiting

    def __len__(self) -> int:
        return len(self._places)

    @property
    def n_answered(self) -> int:
        """Designs with an answer: values, or the reason why there are none."""
        return sum(place.is_answered for place in self._places.values())

    def holds(self, key: str) -> bool:
        """Whether a design has a place."""
        return key in self._places

    def is_taken(self, key: str, number: int) -> bool:
        """Whether a design needs no evaluation in that trial: it is answered, or an earlier trial has it."""
        place = self._places.get(key)
        return place is not None and (place.is_answered or place.number < number)

    def n_before(self, number: int) -> int:
        """Designs whose place comes before that of a trial."""
        return sum(place.number < number for place in self._places.values())

    def is_done(self, n: int) -> bool:
        """Whether the first n designs are answered."""
        return len(self) >= n and all(place.is_answered for place in list(self._places.values())[:n])

    def has_work(self, n: int) -> bool:
        """Whether a worker finds something to do among the first n designs."""
        first = list(self._places.values())[:n]
        return len(first) < n or any(place.is_waiting and not place.is_answered for place in first)


def was_answered(trial: FrozenTrial) -> bool:
    """Whether a trial has values, or the reason why there are none."""
    return trial.state == TrialState.COMPLETE or (trial.state == TrialState.FAIL and REASON in trial.user_attrs)


def key_of(trial: FrozenTrial) -> str:
    """Of the trial's design; of the trial itself while the design is not known."""
    return str(trial.user_attrs.get(KEY, f"trial {trial.number}"))


def try_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Puts the design of a trial that was left behind back for any worker; after three workers, it has failed."""
    if REASON in trial.user_attrs or VOID in trial.user_attrs:  # all but the state was written
        return
    history = [*trial.system_attrs.get(HISTORY, ()), trial.number]
    if len(history) <= MAX_RETRIES:
        RetryHeartbeatStaleTrialCallback()(study, copy.deepcopy(trial))  # it writes into the trial
        return
    study.add_trial(
        create_trial(
            state=TrialState.FAIL,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={**trial.user_attrs, REASON: f"{len(history)} workers stopped while they evaluated it"},
            system_attrs={HISTORY: history},
        )
    )
