"""A study: one question (space, objectives, engine, seed), answered by evaluated designs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spaces.space import Choice, Space
from studies import front
from studies.cheap import cheap_quantities
from studies.engines import Engine, Results, Setting, make_engine
from studies.engines.random import random_designs
from studies.objective import (
    Constraint,
    Evaluation,
    Objective,
    check_names,
    checked_evaluation,
    minimised,
    violations,
)
from studies.record import StudyRecord
from studies.store import StudyStore
from studies.summary import summary
from studies.trials import Trials

logger = logging.getLogger(__name__)

Evaluate = Callable[[NDArray[np.int64]], Evaluation | ArrayLike]
Summarise = Callable[[NDArray[np.int64]], Sequence[Mapping[str, Choice]]]
Improve = Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a study stands after a generation.

    Attributes:
        generation: The generation just stored, from 0.
        n_requested: The n_trials that optimize was called with.
        n_front: Feasible non-dominated designs.
        hypervolume: None while an objective has no reference.
        elapsed_s: Since optimize was called.
    """

    generation: int
    n_trials: int
    n_requested: int
    n_feasible: int
    n_front: int
    hypervolume: float | None
    elapsed_s: float


class Study:
    """Searches a space for the Pareto front of some objectives; stores everything in one SQLite file.

    Opened again under the same name and file, a study goes on where it stopped, to the same trials as if it had never
    stopped. No design is evaluated twice: designs are compared by their canonical genomes.
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
        known: ArrayLike | None = None,
        digests: Mapping[str, str] | None = None,
        summarise: Summarise | None = None,
        describe: Callable[[NDArray[np.int64]], Sequence[str]] | None = None,
        improve: Improve | None = None,
        cheap: Evaluate | None = None,
    ) -> None:
        """Creates the study, or opens the one of that name.

        Args:
            storage: Path of the SQLite file, made when it is missing; None keeps the study in memory.
            population_size: Designs in a generation.
            known: (B, P) genomes to evaluate before anything else.
            digests: What the values depend on besides the space, by name ("data", "hardware model"): stored, and
                compared when the study is opened again.
            summarise: Readable parameters of each design for the dashboard, at most 20; None takes the first blocks.
            describe: One JSON text a design for the dashboard; None writes the choices of every block.
            improve: Changes what is proposed before it is evaluated, such as by a search over what costs little to
                compute; the same for the same proposals and generator. Known designs stay as they are.
            cheap: Computes what costs next to nothing: as `evaluate`, with NaN for what takes an evaluation, and
                attributes that predictions may use. Engine "surrogate" reads it; the others evaluate everything.

        Raises:
            ValueError: An argument is wrong, or the stored study of that name asked something else.
            StudyFileError: The file cannot be used.
        """
        _check_quantities(name, objectives, constraints)
        if population_size < 1:
            raise ValueError(f"population_size must be at least 1, got {population_size}")
        if not 0 <= seed < 2**63:
            raise ValueError(f"seed must be between 0 and 2**63 - 1, got {seed}")
        self.name = name
        self.space = space
        self.objectives = tuple(objectives)
        self.constraints = tuple(constraints)
        self.storage = None if storage is None else Path(storage)
        self.summarise = summarise
        self.describe = describe
        self._improve = improve
        self._keys: set[str] = set()
        self._setting = Setting(
            space=space,
            n_objectives=len(self.objectives),
            n_constraints=len(self.constraints),
            seed=int(seed),
            population_size=int(population_size),
            is_fresh=self._is_fresh,
            cheap=cheap_quantities(cheap, self.objectives, self.constraints),
        )
        self._engine_name = engine
        self._engine: Engine = make_engine(engine, self._setting)
        known = np.zeros((0, len(space.blocks)), dtype=np.int64) if known is None else known
        self._known = space.canonical(known)
        self._store = StudyStore(self.storage)
        record = StudyRecord(
            name=name,
            space_json=space.to_json(),
            space_digest=space.digest,
            objectives=self.objectives,
            constraints=self.constraints,
            engine=engine,
            seed=int(seed),
            population_size=int(population_size),
            digests=dict(digests or {}),
        )
        try:
            self._store.open(record, space.n_choices).require_same(record)
        except BaseException:
            self._store.file.close()
            raise
        self._attribute_shapes: dict[str, int | None] = {}
        self._front_points = np.zeros((0, len(self.objectives)))
        self._n_trials = 0
        self._n_feasible = 0
        self._generation = 0
        self._asked = self._known[:0]
        self._asked_at = 0.0
        self._refresh()

    def __len__(self) -> int:
        """Number of designs evaluated so far."""
        self._refresh()
        return self._n_trials

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
        """Evaluates generation after generation until the study holds `n_trials` designs in all.

        Stops earlier, with a log line, when the engine and random draws find no design that is not yet evaluated.
        With a file, the dashboard's study is brought up to date at the end.

        Args:
            evaluate: Maps (B, P) genomes to (B, M) objectives, or to an Evaluation. Every generation is stored before
                the next one is bred: an exception or a kill loses the unfinished generation only.
            progress: Called after each stored generation.
            is_over: Asked before each generation; the search ends when it says so, as when time is up.

        Raises:
            ValueError: evaluate returned something wrong; nothing of that generation is stored.
            StudyBusyError: Another process writes the file.
            StudyWriteError: The generation could not be written.
        """
        started = time.perf_counter()
        with self._store.file.writer():
            self._refresh()
            while self._n_trials < n_trials and not (is_over is not None and is_over()):
                genomes = self.ask(min(self._setting.population_size, n_trials - self._n_trials))
                if len(genomes) == 0:
                    logger.warning(
                        "study %r stops at %d of %d trials: no design that was not evaluated could be found among "
                        "the %d genomes of space %r",
                        *(self.name, self._n_trials, n_trials, self.space.cardinality, self.space.name),
                    )
                    break
                self._store_generation(evaluate(genomes))
                if progress is not None:
                    progress(self._progress(n_trials, time.perf_counter() - started))
            if self.storage is not None and self._n_trials != self._store.n_published():
                self._publish()

    def ask(self, n: int) -> NDArray[np.int64]:
        """(at most n, P) canonical genomes of the next generation, none of them evaluated before.

        Known designs come first, then the engine's, then random ones. Fewer than n only when the space is all but
        exhausted. Asking again without telling starts the same generation over.
        """
        self._refresh()
        asked = self._known
        asked = asked[self._is_fresh(asked)][:n]
        if len(asked) < n:
            proposed = self._engine.ask(n - len(asked), self._generation)
            asked = np.concatenate([asked, self._improved(proposed)])
            asked = asked[self._is_fresh(asked)]
        if len(asked) < n:
            rng = self._setting.generator(self._generation, "fill")
            filling = random_designs(self.space, n - len(asked), rng, self._is_fresh, taken=asked)
            asked = np.concatenate([asked, filling])
        self._asked = asked
        self._asked_at = time.perf_counter()
        return asked.copy()

    def _improved(self, genomes: NDArray[np.int64]) -> NDArray[np.int64]:
        if self._improve is None or len(genomes) == 0:
            return genomes
        return self.space.canonical(self._improve(genomes, self._setting.generator(self._generation, "improve")))

    def tell(self, genomes: ArrayLike, evaluation: Evaluation | ArrayLike) -> None:
        """Stores the evaluation of the designs that `ask` returned, in their order, as one generation.

        Raises:
            ValueError: These are not the designs asked for, or the evaluation is wrong.
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
            self._store_generation(evaluation)

    def trials(self) -> Trials:
        """Every evaluated design, by trial number."""
        return self._store.trials()

    def front(self) -> Trials:
        """Feasible non-dominated designs, best first objective first; empty while nothing is feasible."""
        return self._front_of(self.trials())

    def hypervolume(self) -> float:
        """Hypervolume of the feasible designs, by the objectives' reference points.

        Raises:
            ValueError: An objective has no reference.
        """
        return front.hypervolume(minimised(self.front().values, self.objectives), self._reference())

    def hypervolume_by_generation(self) -> NDArray[np.float64]:
        """(G,) hypervolume of the designs evaluated up to the end of each generation."""
        reference, trials = self._reference(), self.trials()
        points = minimised(trials.values, self.objectives)
        n_generations = int(trials.generation.max(initial=-1)) + 1
        volumes = np.zeros(n_generations)
        front_points = points[:0]
        for generation in range(n_generations):
            is_new = trials.is_feasible & (trials.generation == generation)
            front_points = _merged(front_points, points[is_new])
            volumes[generation] = front.hypervolume(front_points, reference)
        return volumes

    def summary(self) -> str:
        """One or two sentences: how far the study is, its front and knee, or what keeps designs from feasibility."""
        trials = self.trials()
        return summary(self.name, trials, self._front_of(trials), self.objectives, self.constraints)

    def publish_dashboard(self) -> None:
        """Writes the thin Optuna study that optuna-dashboard shows into the same file, in place of the last one.

        Raises:
            ValueError: The study is kept in memory.
        """
        with self._store.file.writer():
            self._publish()

    def _publish(self) -> None:
        from studies.dashboard import publish

        publish(self)
        self._store.set_published(self._n_trials)

    def _store_generation(self, evaluation: Evaluation | ArrayLike) -> None:
        """Stores the evaluation of the designs asked for last."""
        evaluation_s = time.perf_counter() - self._asked_at
        genomes = self._asked
        checked = checked_evaluation(evaluation, self.objectives, self.constraints, len(genomes), self._n_trials)
        self._check_attributes(checked.attributes)
        broken = violations(checked.constraints, self.constraints)
        trials = Trials(
            number=np.arange(self._n_trials, self._n_trials + len(genomes)),
            generation=np.full(len(genomes), self._generation),
            keys=self.space.keys(genomes),
            genomes=genomes,
            values=checked.values,
            constraints=checked.constraints,
            is_feasible=np.all(broken <= 0, axis=1),
            attributes=checked.attributes,
        )
        try:
            self._engine.tell(self._results(trials), self._generation)
            self._store.append(trials, self._engine.state(), evaluation_s)
        except BaseException:
            self._generation = -1  # the engine may be ahead of the file: the next use reads the file again
            raise
        self._count(trials)

    def _refresh(self) -> None:
        """Reads the study back when the file holds other generations than this object knows."""
        if self._store.n_generations() == self._generation:
            return
        self._keys.clear()
        self._engine = make_engine(self._engine_name, self._setting)
        self._front_points = self._front_points[:0]
        self._n_trials = self._n_feasible = self._generation = 0
        self._attribute_shapes = {}
        trials, engine_state = self._store.trials_and_engine_state()
        if len(trials) > 0:
            self._engine.restore(self._results(trials), engine_state)
            self._count(trials)
        self._asked = self._known[:0]

    def _count(self, trials: Trials) -> None:
        """Takes stored trials into account: all of them, or those of one more generation."""
        self._keys.update(trials.keys)
        self._n_trials += len(trials)
        self._n_feasible += int(trials.is_feasible.sum())
        self._generation = int(trials.generation[-1]) + 1
        self._attribute_shapes = _shapes(trials.attributes)
        new_points = minimised(trials.values[trials.is_feasible], self.objectives)
        self._front_points = _merged(self._front_points, new_points)
        self._asked = self._known[:0]

    def _is_fresh(self, genomes: NDArray[np.int64]) -> NDArray[np.bool_]:
        seen = set()
        is_fresh = np.zeros(len(genomes), dtype=bool)
        for row, key in enumerate(self.space.keys(genomes)):
            is_fresh[row] = key not in self._keys and key not in seen
            seen.add(key)
        return is_fresh

    def _results(self, trials: Trials) -> Results:
        return Results(
            number=trials.number,
            genomes=trials.genomes,
            values=minimised(trials.values, self.objectives),
            violations=violations(trials.constraints, self.constraints),
        )

    def _front_of(self, trials: Trials) -> Trials:
        feasible = trials.select(trials.is_feasible)
        points = minimised(feasible.values, self.objectives)
        best = feasible.select(front.is_non_dominated(points))
        order = np.lexsort(minimised(best.values, self.objectives).T[::-1])
        return best.select(order)

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
        has_reference = all(objective.reference is not None for objective in self.objectives)
        return Progress(
            generation=self._generation - 1,
            n_trials=self._n_trials,
            n_requested=n_requested,
            n_feasible=self._n_feasible,
            n_front=len(self._front_points),
            hypervolume=front.hypervolume(self._front_points, self._reference()) if has_reference else None,
            elapsed_s=elapsed_s,
        )

    def _check_attributes(self, attributes: Mapping[str, NDArray[np.float64]]) -> None:
        check_names("attribute", list(attributes))
        shapes = _shapes(attributes)
        if self._generation > 0 and shapes != self._attribute_shapes:
            raise ValueError(
                f"attributes must stay the same through study {self.name!r}: the first generation had "
                f"{self._attribute_shapes} (name: number of columns), this one has {shapes}"
            )


def _merged(front_points: NDArray[np.float64], new_points: NDArray[np.float64]) -> NDArray[np.float64]:
    points = np.concatenate([front_points, new_points])
    return points[front.is_non_dominated(points)]


def _shapes(attributes: Mapping[str, NDArray[np.float64]]) -> dict[str, int | None]:
    return {name: None if values.ndim == 1 else values.shape[1] for name, values in attributes.items()}


def _check_quantities(name: str, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> None:
    if not name:
        raise ValueError("a study needs a name, got ''")
    if not objectives:
        raise ValueError(f"study {name!r} needs at least one objective, got none")
    check_names("objective", [objective.name for objective in objectives])
    check_names("constraint", [constraint.name for constraint in constraints])
