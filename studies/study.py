"""A study: one question (space, objectives, engine, seed), answered by evaluated designs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spaces.space import Choice, Space
from studies import front
from studies.cheap import cheap_quantities
from studies.engines import Engine, Results, Setting, make_engine
from studies.engines.random import random_designs
from studies.failures import LEAST_WINDOW, Evaluate, FailureLimit, evaluated
from studies.interrupts import interrupts_deferred
from studies.objective import (
    CheckedEvaluation,
    Constraint,
    Evaluation,
    Objective,
    checked_evaluation,
    minimised,
    violations,
)
from studies.record import StudyRecord
from studies.standing import Standing
from studies.storage.store import StudyStore
from studies.summary import Progress, hardest_constraint, summary
from studies.trials import Failures, Trials

logger = logging.getLogger(__name__)

LEAST_WAIT_S = 30.0
"""Seconds between two updates of the dashboard's study, at least."""

PUBLISH_FACTOR = 50.0
"""Times as long as an update takes, until the next one."""

Summarise = Callable[[NDArray[np.int64]], Sequence[Mapping[str, Choice]]]
Improve = Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.int64]]


class Study:
    """Searches a space for the Pareto front of some objectives; stores everything in one SQLite file.

    Opened again under the same name and file, a study goes on where it stopped, to the same trials as if it had never
    stopped. No design is evaluated twice: designs are compared by their canonical genomes.

    A design whose evaluation fails is stored with the reason and counts as a trial, but is in no front and no engine
    hears of it; see `failures`.
    """

    def __init__(
        self,
        name: str,
        space: Space,
        objectives: Sequence[Objective],
        constraints: Sequence[Constraint] = (),
        storage: str | Path | None = None,
        seed: int = 0,
        engine: str = "nsga2",
        population_size: int = 100,
        known: ArrayLike | Callable[[], ArrayLike] | None = None,
        digests: Mapping[str, str] | None = None,
        summarise: Summarise | None = None,
        describe: Callable[[NDArray[np.int64]], Sequence[str]] | None = None,
        improve: Improve | None = None,
        cheap: Evaluate | None = None,
        max_failed_share: float = 0.5,
    ) -> None:
        """Creates the study, or opens the one of that name.

        Args:
            storage: Path of the SQLite file, made when it is missing; None keeps the study in memory.
            engine: One of `studies.ENGINES`. "nsga2" proposes at once; where an evaluation takes a second and more,
                "surrogate" finds in hundreds of them what others find in thousands.
            population_size: Designs in a generation.
            known: (B, P) genomes to evaluate before anything else; or a function of no arguments that finds them, asked
                once designs are wanted.
            digests: What the values depend on besides the space, by name ("data", "hardware model"): stored, and
                compared when the study is opened again.
            summarise: Readable parameters of each design for the dashboard, at most 20; None takes the first blocks.
            describe: One JSON text a design for the dashboard; None writes the choices of every block.
            improve: Changes what is proposed before it is evaluated, such as by a search over what costs little to
                compute; the same for the same proposals and generator. Known designs stay as they are.
            cheap: Computes what costs next to nothing: as `evaluate`, with NaN for what takes an evaluation, and
                attributes that predictions may use. Engine "surrogate" reads it; the others evaluate everything.
            max_failed_share: The search stops when more than this share of the latest designs fail: of the latest
                population_size ones, and of at least 20; 1 never stops it.

        Raises:
            ValueError: An argument is wrong, or the stored study of that name asked something else.
            StudyFileError: The file cannot be used.
        """
        self.record = StudyRecord.of(
            *(name, space, objectives, constraints),
            engine=engine,
            seed=seed,
            population_size=population_size,
            digests=digests,
        )
        self.name = name
        self.space = space
        self.objectives, self.constraints = self.record.objectives, self.record.constraints
        self.storage = None if storage is None else Path(storage)
        self.summarise = summarise
        self.describe = describe
        self.improve = improve
        self._max_failed_share = FailureLimit.check_share(max_failed_share)
        self._standing = Standing(space, self.objectives)
        self._setting = Setting(
            space=space,
            n_objectives=len(self.objectives),
            n_constraints=len(self.constraints),
            seed=self.record.seed,
            population_size=self.record.population_size,
            is_fresh=self._standing.is_fresh,
            cheap=cheap_quantities(cheap, self.objectives, self.constraints),
        )
        self._engine_name = engine
        self._engine: Engine = make_engine(engine, self._setting)
        self._none = np.zeros((0, len(space.blocks)), dtype=np.int64)
        checked = space.canonical(self._none if callable(known) or known is None else known)
        self._find_known = known if callable(known) else lambda: checked
        self._store = StudyStore(self.storage)
        self._is_current = False
        self._asked = self._none
        self._asked_at = 0.0
        self._published_at = 0.0
        self._publishing_s = 0.0
        try:
            self._store.open(self.record, space.n_choices).require_same(self.record)
            self._refresh()
        except BaseException:
            self._store.file.close()
            raise

    def __len__(self) -> int:
        """Number of designs asked for and answered so far, failed ones among them."""
        self._refresh()
        return self._standing.counts.n_trials

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file; the study object is of no use afterwards."""
        self._store.file.close()

    def optimize(
        self,
        evaluate: Evaluate,
        n_trials: int,
        progress: Callable[[Progress], None] | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Evaluates generation after generation until the study holds `n_trials` designs in all, failed ones too.

        Stops earlier, with a log line, when the engine and random draws find no design that is not yet evaluated.
        With a file, the dashboard's study is brought up to date at the end, and every half minute or less often: it
        takes a fiftieth of the time at most.

        Args:
            evaluate: Maps (B, P) genomes to (B, M) objectives, or to an Evaluation. Every generation is stored before
                the next one is bred: an interrupt or a kill loses the unfinished generation only. Where it raises an
                exception, each design of the generation is tried by itself, and those that raise have failed.
            progress: Called after each stored generation.
            is_over: Asked before each generation; the search ends when it says so, as when time is up.

        Raises:
            ValueError: evaluate returned something of a wrong shape; nothing of that generation is stored.
            TooManyFailuresError: More designs failed than max_failed_share allows; likewise.
            StudyBusyError: Another process writes the file.
            StudyWriteError: The generation could not be written.
        """
        started = self._published_at = time.perf_counter()
        with self._store.file.writer():
            self._refresh()
            while len(self) < n_trials and not (is_over is not None and is_over()):
                genomes = self.ask(min(self._setting.population_size, n_trials - len(self)))
                if len(genomes) == 0:
                    logger.warning(
                        "study %r stops at %d of %d trials: no design that was not evaluated could be found among "
                        "the %d genomes of space %r",
                        *(self.name, len(self), n_trials, self.space.cardinality, self.space.name),
                    )
                    break
                limit = self._failure_limit(len(genomes))
                self._store_generation(evaluated(evaluate, genomes, self.objectives, self.constraints, limit))
                if progress is not None:
                    progress(self._progress(n_trials, time.perf_counter() - started))
                waited_s = time.perf_counter() - self._published_at
                if self.storage is not None and waited_s > max(LEAST_WAIT_S, PUBLISH_FACTOR * self._publishing_s):
                    self._publish()
            if self.storage is not None and len(self) != self._store.reading.n_published():
                self._publish()

    def add(self, evaluate: Evaluate, genomes: ArrayLike) -> None:
        """Evaluates designs of one's own as one generation, of which the engine learns as of any other.

        Those that the study holds already are left out.

        Args:
            evaluate: As `optimize` takes it.
            genomes: (B, P).

        Raises:
            ValueError: The genomes are not of the space; and what `optimize` raises.
        """
        given = self.space.canonical(self.space.check(genomes))
        with self._store.file.writer():
            self._refresh()
            self._asked = given[self._standing.is_fresh(given)]
            self._asked_at = time.perf_counter()
            if len(self._asked) == 0:
                return
            limit = self._failure_limit(len(self._asked))
            self._store_generation(evaluated(evaluate, self._asked, self.objectives, self.constraints, limit))
            if self.storage is not None:
                self._publish()

    def ask(self, n: int) -> NDArray[np.int64]:
        """(at most n, P) canonical genomes of the next generation, none of them evaluated before.

        Known designs come first, then the engine's, then random ones. Fewer than n only when the space is all but
        exhausted. Asking again without telling starts the same generation over.
        """
        self._refresh()
        asked = self.known
        asked = asked[self._standing.is_fresh(asked)][:n]
        if len(asked) < n:
            proposed = self._engine.ask(n - len(asked), self._standing.counts.n_generations)
            asked = np.concatenate([asked, self._improved(proposed)])
            asked = asked[self._standing.is_fresh(asked)]
        if len(asked) < n:
            rng = self._setting.generator(self._standing.counts.n_generations, "fill")
            filling = random_designs(self.space, n - len(asked), rng, self._standing.is_fresh, taken=asked)
            asked = np.concatenate([asked, filling])
        self._asked = asked
        self._asked_at = time.perf_counter()
        return asked.copy()

    @cached_property
    def known(self) -> NDArray[np.int64]:
        """(B, P) canonical genomes to evaluate before anything else."""
        return self.space.canonical(self._find_known())

    def _improved(self, genomes: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.improve is None or len(genomes) == 0:
            return genomes
        return self.space.canonical(
            self.improve(genomes, self._setting.generator(self._standing.counts.n_generations, "improve"))
        )

    def tell(self, genomes: ArrayLike, evaluation: Evaluation | ArrayLike) -> None:
        """Stores the evaluation of the designs that `ask` returned, in their order, as one generation.

        Raises:
            ValueError: These are not the designs asked for, or the evaluation has a wrong shape.
            TooManyFailuresError: More designs failed than max_failed_share allows; nothing is stored.
            StudyBusyError: Another process writes the file.
            StudyWriteError: The generation could not be written.
        """
        told = self.space.check(genomes)
        with self._store.file.writer():
            self._refresh()
            if len(told) == 0 or not np.array_equal(told, self._asked):
                raise ValueError(
                    f"tell takes the designs of the last ask of study {self.name!r}, all of them and in their order: "
                    "ask again (another process may have told this generation meanwhile)"
                )
            checked = checked_evaluation(evaluation, self.objectives, self.constraints, len(told))
            self._failure_limit(len(told)).require(checked.failures)
            self._store_generation(checked)

    def trials(self) -> Trials:
        """Every evaluated design, by trial number; failed ones are left out."""
        return self._store.reading.trials()

    def failures(self) -> Failures:
        """Every design whose evaluation failed and why, by trial number."""
        return self._store.reading.failures()

    def front(self) -> Trials:
        """Feasible non-dominated designs, best first objective first; empty while nothing is feasible."""
        points = self._store.reading.points()
        is_best = points.is_feasible.copy()
        is_best[is_best] = front.is_non_dominated(minimised(points.values[is_best], self.objectives))
        best = self._store.reading.trials(points.number[is_best])
        return best.select(np.lexsort(minimised(best.values, self.objectives).T[::-1]))

    def hypervolume(self) -> float:
        """Hypervolume of the feasible designs, by the objectives' reference points.

        Raises:
            ValueError: An objective has no reference.
        """
        return front.hypervolume(minimised(self.front().values, self.objectives), self._reference())

    def hypervolume_by_generation(self) -> NDArray[np.float64]:
        """(G,) hypervolume of the designs evaluated up to the end of each generation."""
        self._refresh()
        reference, found = self._reference(), self._store.reading.points()
        points = minimised(found.values, self.objectives)
        volumes = np.zeros(self._standing.counts.n_generations)
        front_points = points[:0]
        for generation in range(len(volumes)):
            is_new = found.is_feasible & (found.generation == generation)
            front_points = front.merged(front_points, points[is_new])
            volumes[generation] = front.hypervolume(front_points, reference)
        return volumes

    def summary(self) -> str:
        """One or two sentences: how far the study is, its front and knee, or what keeps designs from feasibility."""
        self._refresh()
        counts, found = self._standing.counts, self.front()
        is_stuck = len(found) == 0 and counts.n_evaluated > 0
        obstacle = hardest_constraint(self.trials(), self.constraints) if is_stuck else ""
        return summary(self.name, counts, found, self.objectives, obstacle)

    def publish_dashboard(self) -> None:
        """Writes the thin Optuna study that optuna-dashboard shows into the same file, in place of the last one.

        Raises:
            ValueError: The study is kept in memory.
        """
        with self._store.file.writer():
            self._publish()

    def _publish(self) -> None:
        from studies.dashboard import publish

        started = time.perf_counter()
        publish(self)
        self._store.set_published(len(self))
        self._published_at = time.perf_counter()
        self._publishing_s = self._published_at - started

    def _failure_limit(self, n_designs: int) -> FailureLimit:
        """What may fail of the designs asked for last."""
        n_trials = self._standing.counts.n_trials
        n_window = min(n_trials + n_designs, max(self._setting.population_size, LEAST_WINDOW, n_designs))
        return FailureLimit(
            study=self.name,
            first_number=n_trials,
            n_window=n_window,
            n_failed_before=self._store.reading.n_failed_since(n_trials + n_designs - n_window),
            max_share=self._max_failed_share,
        )

    def _store_generation(self, checked: CheckedEvaluation) -> None:
        """Stores the evaluation of the designs asked for last."""
        evaluation_s = time.perf_counter() - self._asked_at
        generation, genomes, n = self._standing.counts.n_generations, self._asked, len(self._asked)
        is_failed = np.isin(np.arange(n), list(checked.failures))
        broken = violations(checked.constraints, self.constraints)
        designs = Trials(
            number=np.arange(self._standing.counts.n_trials, self._standing.counts.n_trials + n),
            generation=np.full(n, generation),
            keys=self.space.keys(genomes),
            genomes=genomes,
            values=checked.values,
            constraints=checked.constraints,
            is_feasible=np.all(broken <= 0, axis=1),
            attributes=checked.attributes,
        )
        trials, failed = designs.select(~is_failed), designs.select(is_failed)
        failures = Failures(
            number=failed.number,
            generation=failed.generation,
            keys=failed.keys,
            genomes=failed.genomes,
            reasons=list(checked.failures.values()),
        )
        if len(trials):
            self._standing.check_attributes(self.name, trials.attributes)
        with interrupts_deferred():  # Ctrl-C must not throw away what has been evaluated
            self._is_current = False  # the engine may be ahead of the file: after an error, the file is read again
            if len(trials):
                self._engine.tell(self._results(trials), generation)
            has_state = self._standing.counts.n_evaluated + len(trials) > 0
            state = self._engine.state() if has_state else None
            self._store.append(trials, failures, state, generation, evaluation_s)
            self._standing.add(trials, failures)
            self._asked = self._none
            self._is_current = True
        if len(failures):
            logger.warning(
                "study %r: %d of %d designs of generation %d failed; trial %d by %s",
                *(self.name, len(failures), n, generation, failures.number[0], failures.reasons[0]),
            )

    def _refresh(self) -> None:
        """Reads the study back when the file holds other generations than this object knows.

        What is read is what the next generation needs: the keys of all designs, and the engine's population.
        """
        reading = self._store.reading
        if self._is_current and reading.n_generations() == self._standing.counts.n_generations:
            return
        self._is_current = False
        self._engine = make_engine(self._engine_name, self._setting)
        with self._store.file.snapshot(), reading.undamaged():
            self._standing.read(reading)
            state = reading.engine_state()
            if state is not None:
                numbers = np.array(state["population"], dtype=np.int64) if "population" in state else None
                self._engine.restore(self._results(reading.trials(numbers)), state)
        self._asked = self._none
        self._is_current = True

    def _results(self, trials: Trials) -> Results:
        return Results(
            number=trials.number,
            genomes=trials.genomes,
            values=minimised(trials.values, self.objectives),
            violations=violations(trials.constraints, self.constraints),
        )

    def _reference(self) -> NDArray[np.float64]:
        references = [objective.reference for objective in self.objectives]
        missing = [objective.name for objective in self.objectives if objective.reference is None]
        if missing:
            raise ValueError(
                f"the hypervolume needs a reference for every objective, and {', '.join(missing)} has none: "
                "give Objective(..., reference=...)"
            )
        return minimised(np.array(references, dtype=np.float64), self.objectives)

    def _progress(self, n_requested: int, elapsed_s: float) -> Progress:
        counts, points = self._standing.counts, self._standing.front_points(self._store.reading)
        has_reference = all(objective.reference is not None for objective in self.objectives)
        return Progress(
            generation=counts.n_generations - 1,
            n_trials=counts.n_trials,
            n_requested=n_requested,
            n_feasible=counts.n_feasible,
            n_failed=counts.n_failed,
            n_front=len(points),
            hypervolume=front.hypervolume(points, self._reference()) if has_reference else None,
            elapsed_s=elapsed_s,
        )
