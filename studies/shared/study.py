"""A study in a database, which several processes and machines search at once through Optuna."""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

import numpy as np
import optuna
from numpy.typing import ArrayLike, NDArray
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, RDBStorage, fail_stale_trials
from optuna.trial import Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from spaces.space import Space
from studies.engines.optuna import SAMPLERS, quiet_optuna
from studies.exchange.optuna_question import CONSTRAINED, REASON
from studies.failures import LEAST_WINDOW, Evaluate, FailureLimit, evaluated
from studies.interrupts import interrupts_deferred
from studies.objective import CheckedEvaluation, Constraint, Objective, check_names, violations
from studies.record import StudyRecord
from studies.shared.database import failures_in_words, opened
from studies.shared.joining import joined
from studies.shared.places import KEY, VOID, Places, try_again
from studies.shared.sampler import GIVEN, DesignSampler, Parameters
from studies.shared.tally import SharedProgress, Tally
from studies.study import Improve, Study
from studies.urls import shown_url

logger = logging.getLogger(__name__)

MOST_PAUSE_S = 1.0
"""Between two looks at a study whose last designs other workers have."""


class SharedStudy:
    """A worker's share in a study that is kept in a database, made by the first worker and joined by the others.

    Optuna does the sharing: trials and heartbeats stand in its tables, one of its samplers proposes, and a trial whose
    worker gives no sign of life is tried again by another one. Every trial ends in an answer (values, or the reason why
    there are none), is tried again in another trial, or is void and says why. `studies.exchange.optuna_import` reads
    the study into a study file.

    No design is evaluated twice, unless two workers draw the same one at the same moment. Workers draw from seeds of
    their own and learn from whatever the others have answered by then: two searches of several workers differ.
    """

    def __init__(
        self,
        storage: str | BaseStorage,
        name: str,
        space: Space,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint] = (),
        *,
        seed: int = 0,
        engine: str = "optuna:nsga2",
        population_size: int = 100,
        known: ArrayLike | None = None,
        digests: Mapping[str, str] | None = None,
        improve: Improve | None = None,
        max_failed_share: float = 0.5,
        heartbeat_s: int = 30,
        grace_s: int = 120,
    ) -> None:
        """Makes the study, or joins the one of that name.

        Args:
            storage: URL of a PostgreSQL database, such as postgresql://user@host/database. Or a storage of Optuna's,
                with heartbeats of its own or none.
            engine: One of Optuna's samplers, "optuna:nsga2" and the like.
            population_size: Of genetic samplers.
            known: (B, P) genomes to evaluate before anything else: those of the worker that makes the study.
            digests: What the values depend on besides the space, by name.
            improve: Changes what is proposed before it is evaluated; see `studies.Study`.
            max_failed_share: This worker stops when more than this share of its latest designs fail: of the latest
                population_size ones, and of at least 20; 1 never stops it.
            heartbeat_s: Between two signs of life of a trial.
            grace_s: Without a sign of life, until another worker takes a design over.

        Raises:
            ValueError: An argument is wrong, the driver is missing, or the study of that name asked something else.
            ConnectionError: The server cannot be reached, refuses, or has no such database.
        """
        if engine not in SAMPLERS:
            raise ValueError(
                f"a shared study is searched by one of Optuna's samplers, {', '.join(map(repr, SAMPLERS))}; got "
                f"{engine!r}, which searches in one process"
            )
        if heartbeat_s < 1 or grace_s <= heartbeat_s:
            raise ValueError(
                f"heartbeat_s must be at least 1 and grace_s more than that, got {heartbeat_s} and {grace_s}"
            )
        self._record = StudyRecord.of(
            *(name, space, objectives, constraints),
            engine=engine,
            seed=seed,
            population_size=population_size,
            digests=digests,
        )
        self.name = name
        self.space = space
        self.objectives, self.constraints = self._record.objectives, self._record.constraints
        self._max_failed_share = FailureLimit.check_share(max_failed_share)
        self._grace_s = grace_s
        self._pause_s = min(MOST_PAUSE_S, heartbeat_s / 5)
        self._parameters = Parameters(space)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(uuid.uuid4().int,)))
        with quiet_optuna():
            sampler = _sampler(engine, seed, population_size, rng)
        self._sampler = DesignSampler(sampler, space, self._parameters, rng, improve)
        self._latest: deque[bool] = deque(maxlen=max(population_size, LEAST_WINDOW))  # whether own designs failed
        self._first_seen_s: dict[int, float] = {}
        self._tended: set[int] = set()
        self._tally = Tally(self.objectives, self.constraints)
        self._url = storage if isinstance(storage, str) else type(storage).__name__
        self._own: RDBStorage | None = None
        try:
            with quiet_optuna(), failures_in_words(self._url):
                if isinstance(storage, str):
                    storage = self._own = opened(storage, heartbeat_s, grace_s, try_again)
                given = space.canonical(np.zeros((0, len(space.blocks)), dtype=np.int64) if known is None else known)
                self._study = joined(storage, self._record, self._sampler, self._enqueued(given), shown_url(self._url))
        except BaseException:
            self.close()
            raise

    @classmethod
    def of(cls, study: Study, storage: str | BaseStorage, name: str | None = None, **settings: Any) -> SharedStudy:
        """What a study asks, asked of many workers.

        Args:
            study: Of one of Optuna's engines; its trials are left alone.
            storage: As in SharedStudy().
            name: Of the shared study; that of the study when left out.
            settings: max_failed_share, heartbeat_s and grace_s of SharedStudy().

        Raises:
            ValueError: See SharedStudy().
            ConnectionError: Likewise.
        """
        record = study.record
        return cls(
            storage,
            record.name if name is None else name,
            study.space,
            record.objectives,
            record.constraints,
            seed=record.seed,
            engine=record.engine,
            population_size=record.population_size,
            known=study.known,
            digests=record.digests,
            improve=study.improve,
            **settings,
        )

    def __enter__(self) -> SharedStudy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        """Number of designs that were answered, by whichever worker, failed ones among them."""
        with failures_in_words(self._url):
            return self._places().n_answered

    def close(self) -> None:
        """Closes the connections; the object is of no use afterwards."""
        if self._own is not None:
            self._own.remove_session()
            self._own.engine.dispose()

    def optimize(
        self,
        evaluate: Evaluate,
        n_trials: int,
        progress: Callable[[SharedProgress], None] | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Evaluates one design after another until all workers together have answered `n_trials` designs.

        Returns once the study is complete: it waits for the last designs of other workers, and takes over what a dead
        one left. The number is met exactly; where more designs than that were known, by at most one more for each
        other worker, and the rest of them wait for a longer search. An interrupt, or an error, puts the design at hand
        back for any worker.

        Args:
            evaluate: Maps (1, P) genomes to (1, M) objectives, or to an Evaluation. Where it raises an exception, the
                design has failed.
            n_trials: In the whole study, failed ones too.
            progress: Called before the first trial and after each one.
            is_over: Asked before each trial; this worker stops when it says so.

        Raises:
            ValueError: evaluate returned something of a wrong shape.
            TooManyFailuresError: More of this worker's designs failed than max_failed_share allows.
            ConnectionError: The database gave up.
        """
        n_own = 0
        with quiet_optuna(), failures_in_words(self._url):
            optuna.logging.set_verbosity(optuna.logging.ERROR)  # failures are logged here, without all parameters
            while True:
                places = self._places()
                if progress is not None:
                    progress(self._tally.progress(self._study.get_trials(deepcopy=False), places, n_trials, n_own))
                if places.is_done(n_trials) or (is_over is not None and is_over()):
                    break
                if self._sampler.is_exhausted:
                    logger.warning(
                        "study %r stops at %d of %d trials: no design that was not evaluated could be found among "
                        "the %d genomes of space %r",
                        *(self.name, places.n_answered, n_trials, self.space.cardinality, self.space.name),
                    )
                    break
                if places.has_work(n_trials):
                    n_own += self._answer_one(evaluate, n_trials)
                else:
                    self._tend(places)
                    time.sleep(self._pause_s)

    def _enqueued(self, genomes: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
        """Parameters of (B, P) canonical genomes, by the key of the design."""
        keys = self.space.keys(genomes)
        return {key: self._parameters.of(genome) for key, genome in zip(keys, genomes, strict=True)}

    def _places(self) -> Places:
        return Places(self._study.get_trials(deepcopy=False))

    def _answer_one(self, evaluate: Evaluate, n_trials: int) -> int:
        """Evaluates one design; returns the number of answers, 1 or 0."""
        number, is_answered, is_past = -1, False, False

        def answer(trial: Trial) -> tuple[float, ...]:
            nonlocal number, is_answered, is_past
            number = trial.number
            try:
                values = self._answer(trial, evaluate, n_trials, held)
                is_answered = True
                return values
            except _FailedError:
                is_answered = True
                raise
            except UpdateFinishedTrialError:
                is_past = True
                raise

        try:
            with ExitStack() as held:  # until the trial is told: Ctrl-C must not throw away what has been evaluated
                self._study.optimize(answer, n_trials=1, catch=(_FailedError, _VoidError))
        except (ValueError, UpdateFinishedTrialError):
            if not (is_answered or is_past):
                self._put_back(number)
                raise
            logger.warning(
                "study %r: trial %d gave no sign of life for %d s and was given to another worker",
                *(self.name, number, self._grace_s),
            )
            return 0
        except BaseException:
            self._put_back(number)
            raise
        return int(is_answered)

    def _answer(self, trial: Trial, evaluate: Evaluate, n_trials: int, held: ExitStack) -> tuple[float, ...]:
        """The values of a trial's design; its other figures become attributes. Interrupts are held from then on.

        Raises:
            _VoidError: The trial holds no place.
            _FailedError: The design failed.
        """
        trials = self._study.get_trials(deepcopy=False)
        is_given = any(t.number == trial.number and (t.params or GIVEN in t.system_attrs) for t in trials)
        if not is_given and Places(trials).n_before(trial.number) >= n_trials:
            raise _void(trial, f"beyond the {n_trials} designs that were asked for")
        genome = self.space.canonical(self._parameters.suggested(trial))
        key = self.space.keys(genome)[0]
        trial.set_user_attr(KEY, key)
        if self._places().is_taken(key, trial.number):
            raise _void(trial, "another trial is of the same design")
        limit = FailureLimit(
            study=self.name,
            first_number=trial.number,
            n_window=self._latest.maxlen or 0,
            n_failed_before=sum(self._latest),
            max_share=self._max_failed_share,
        )
        checked = evaluated(evaluate, genome, self.objectives, self.constraints, limit)
        held.enter_context(interrupts_deferred())
        self._latest.append(bool(checked.failures))
        self._write(trial, checked)
        return tuple(checked.values[0].tolist())

    def _write(self, trial: Trial, checked: CheckedEvaluation) -> None:
        """Writes all of an answer but the values."""
        if checked.failures:
            reason = checked.failures[0]
            trial.set_user_attr(REASON, reason)
            logger.warning("study %r: trial %d failed by %s", self.name, trial.number, reason)
            raise _FailedError(reason)
        check_names("attribute", list(checked.attributes))
        for name, column in checked.attributes.items():
            if np.isfinite(column[0]).all() and name not in (KEY, VOID, REASON, CONSTRAINED):
                trial.set_user_attr(name, column[0].tolist())
        if self.constraints:
            trial.set_user_attr(CONSTRAINED, checked.constraints[0].tolist())
            there = trial.constraints  # of a trial that was left behind in here
            excess = violations(checked.constraints, self.constraints)[0].tolist()
            for constraint, share in zip(self.constraints, excess, strict=True):
                if constraint.name not in there:
                    trial.set_constraint(constraint.name, share)

    def _put_back(self, number: int) -> None:
        """Lets any worker try the design of a trial that ended without an answer."""
        with suppress(OptunaError, SQLAlchemyError):  # then other workers find the trial left behind
            for trial in self._places().lost:
                if trial.number == number:
                    try_again(self._study, trial)

    def _tend(self, places: Places) -> None:
        """Looks after trials that were left behind, while others hold all that is left to do."""
        fail_stale_trials(self._study)
        now_s = time.monotonic()
        for trial in [*places.lost, *places.running]:
            is_old = now_s - self._first_seen_s.setdefault(trial.number, now_s) > self._grace_s
            if not is_old or trial.number in self._tended:
                continue
            self._tended.add(trial.number)  # once: signs of life by several workers would never let it become stale
            if trial.state != TrialState.RUNNING:
                self._put_back(trial.number)
            elif self._own is not None:
                # Its worker may have died before its first sign of life, and Optuna looks at trials that gave one.
                self._own.record_heartbeat(trial._trial_id)


class _FailedError(Exception):
    """The design of a trial failed, and the reason is stored."""


class _VoidError(Exception):
    """A trial holds no place, and the reason is stored."""


def _void(trial: Trial, reason: str) -> _VoidError:
    trial.set_user_attr(VOID, reason)
    return _VoidError(reason)


def _sampler(engine: str, seed: int, population_size: int, rng: np.random.Generator) -> BaseSampler:
    """A sampler with a seed of its own; quasi-random ones share theirs, and number their draws in the study."""
    own = np.random.default_rng(seed) if engine == "optuna:qmc" else rng
    return SAMPLERS[engine](int(own.integers(2**31)), population_size)
