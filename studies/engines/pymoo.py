"""Evolutionary algorithms of pymoo, with variation that knows ordered from unordered choice blocks.

Ordered blocks: simulated binary crossover and polynomial mutation, rounded to choices (Deb and Agrawal 1995).
Unordered blocks: uniform crossover and resampling.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.base.genetic import GeneticAlgorithm
from pymoo.algorithms.moo.nsga2 import NSGA2, binary_tournament
from pymoo.algorithms.moo.nsga3 import NSGA3, HyperplaneNormalization
from pymoo.algorithms.moo.rvea import APDSurvival
from pymoo.algorithms.moo.sms import SMSEMOA, cv_and_dom_tournament
from pymoo.algorithms.moo.spea2 import SPEA2, SPEA2Survival, spea_binary_tournament
from pymoo.core.infill import InfillCriterion
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.termination import NoTermination
from pymoo.operators.crossover.sbx import cross_sbx
from pymoo.operators.mutation.pm import mut_pm
from pymoo.operators.selection.tournament import TournamentSelection
from pymoo.util.ref_dirs import get_reference_directions

from spaces.space import Space
from studies.engines import IsFresh, Results, Setting

CROSSOVER_PROBABILITY = 0.9
CROSSOVER_ETA = 15.0  # distribution indices: NSGA-II's, as in pymoo
MUTATION_ETA = 20.0
# Rounded polynomial mutation hardly ever leaves a list of two to four choices; without some resampling a choice that
# died out would never come back.
ORDERED_RESAMPLING = 0.1
NORMALISATION = ("ideal_point", "worst_point", "nadir_point", "extreme_points")
VECTORS = ("V", "gamma", "ideal", "nadir")  # what RVEA's survival keeps: reference vectors, their angles, two points
# RVEA punishes distance from its reference vectors the more the nearer the end is, and turns them ten times on the
# way. A study does not know its end: it is taken to be at this many populations.
RVEA_POPULATIONS = 20
RVEA_TURNS = 10


class PymooEngine:
    """One of pymoo's genetic algorithms, told whole generations."""

    def __init__(self, name: str, setting: Setting) -> None:
        self._name = name
        self._setting = setting
        self._algorithm = _algorithm(name, setting)
        self._algorithm.setup(_problem(setting))

    def ask(self, n: int, generation: int) -> NDArray[np.int64]:
        algorithm = self._algorithm
        nothing = np.zeros((0, len(self._setting.space.blocks)), dtype=np.int64)
        if algorithm.pop is None or len(algorithm.pop) < 2:
            return nothing
        algorithm.random_state = self._setting.generator(generation, "ask")
        algorithm.n_offsprings = n
        offspring = algorithm.ask()
        return nothing if offspring is None else np.asarray(offspring.get("X"), dtype=np.int64)

    def tell(self, results: Results, generation: int) -> None:
        self._algorithm.random_state = self._setting.generator(generation, "tell")
        self._algorithm.termination = NoTermination()  # pymoo gives up after an ask that found no offspring
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # normalising a front that is flat in one objective
            self._algorithm.tell(infills=_population(results), **self._progress(results))
            if self._name == "rvea" and self._is_turn(results):
                self._algorithm.survival.adapt()

    def _progress(self, results: Results) -> dict[str, float]:
        """How far RVEA is on its way; other algorithms do not ask."""
        if self._name != "rvea":
            return {}
        end = RVEA_POPULATIONS * self._setting.population_size
        return {"n_gen": min(int(results.number[-1]) + 1, end), "n_max_gen": end}

    def _is_turn(self, results: Results) -> bool:
        step = max(1, RVEA_POPULATIONS * self._setting.population_size // RVEA_TURNS)
        return int(results.number[-1] + 1) // step > int(results.number[0]) // step

    def start(self, results: Results) -> None:
        """Begin with the fittest of some results as the population, without a history."""
        algorithm = self._algorithm
        algorithm.random_state = self._setting.generator(0, "tell")
        everything = _population(results)
        n_survive = min(len(everything), self._setting.population_size)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            algorithm.pop = algorithm.survival.do(
                algorithm.problem,
                everything,
                n_survive=n_survive,
                random_state=algorithm.random_state,
                algorithm=algorithm,
            )
        algorithm.is_initialized = True
        algorithm.n_iter = 1

    def numbers(self) -> NDArray[np.int64]:
        """Trial numbers of the population in its order."""
        return np.array([individual.get("number") for individual in self._algorithm.pop], dtype=np.int64)

    def state(self) -> dict[str, Any]:
        """Trial numbers of the population in its order, what selection reads of each, normalisation points."""
        population = self._algorithm.pop
        names = sorted(set().union(*(individual.data for individual in population)) - {"number"})
        state: dict[str, Any] = {
            "population": [individual.get("number") for individual in population],
            "attributes": {name: [_plain(individual.get(name)) for individual in population] for name in names},
        }
        norm = getattr(self._algorithm.survival, "norm", None)
        if norm is not None:
            state["normalisation"] = {name: _plain(getattr(norm, name)) for name in NORMALISATION}
        if self._name == "rvea":
            state["vectors"] = {name: _plain(getattr(self._algorithm.survival, name)) for name in VECTORS}
        return state

    def restore(self, results: Results, state: dict[str, Any]) -> None:
        algorithm = self._algorithm
        algorithm.pop = _population(results.select(np.array(state["population"], dtype=np.int64)))
        for name, column in state["attributes"].items():
            for individual, value in zip(algorithm.pop, column, strict=True):
                if value is not None:
                    individual.set(name, value)
        if "normalisation" in state:
            algorithm.survival.norm = HyperplaneNormalization(self._setting.n_objectives)
            for name, points in state["normalisation"].items():
                setattr(algorithm.survival.norm, name, None if points is None else np.array(points))
        for name, points in state.get("vectors", {}).items():
            setattr(algorithm.survival, name, None if points is None else np.array(points))
        algorithm.is_initialized = True
        algorithm.n_iter = 1  # pymoo counts on from here; nothing of ours reads it


class Variation(InfillCriterion):  # type: ignore[misc]  # pymoo has no types
    """Offspring of a population: tournament, crossover, mutation, canonical form."""

    def __init__(self, setting: Setting, tournament: Any) -> None:
        super().__init__(eliminate_duplicates=RepeatElimination(setting.is_fresh))
        self._space = setting.space
        self._selection = TournamentSelection(func_comp=tournament)

    def _do(
        self,
        problem: Any,
        pop: Any,
        n_offsprings: int,
        random_state: np.random.Generator,
        algorithm: Any,
        **kwargs: Any,
    ) -> Any:
        parents = self._selection.do(
            problem,
            pop,
            math.ceil(n_offsprings / 2),
            n_parents=2,
            to_pop=False,
            random_state=random_state,
            algorithm=algorithm,
        )
        pairs = np.swapaxes(pop.get("X")[parents], 0, 1)  # (2, pairs, P)
        children = mutated(crossed(pairs, self._space, random_state), self._space, random_state)
        return Population.new(X=self._space.canonical(children))


class RepeatElimination:
    """Drops offspring that were evaluated before or that repeat another offspring; pymoo calls `do`."""

    def __init__(self, is_fresh: IsFresh) -> None:
        self._is_fresh = is_fresh

    def do(self, offspring: Any, population: Any, accepted: Any) -> Any:
        genomes = offspring.get("X")
        if len(accepted) == 0:
            return offspring[self._is_fresh(genomes)]
        together = np.concatenate([accepted.get("X"), genomes])
        return offspring[self._is_fresh(together)[len(accepted) :]]


def crossed(pairs: NDArray[np.int64], space: Space, rng: np.random.Generator) -> NDArray[np.int64]:
    """(2 n, P) children of (2, n, P) pairs of parents."""
    is_ordered = _is_ordered(space)
    _, n_pairs, n_blocks = pairs.shape
    children = pairs.copy()
    if is_ordered.any():
        upper = space.n_choices[is_ordered] - 1.0
        children[:, :, is_ordered] = _rounded(
            cross_sbx(
                pairs[:, :, is_ordered].astype(np.float64),
                np.zeros(len(upper)),
                upper,
                np.full((n_pairs, 1), CROSSOVER_ETA),
                np.full((n_pairs, 1), 0.5),
                np.full((n_pairs, 1), 0.5),
                random_state=rng,
            )
        )
    is_swapped = (rng.random((n_pairs, n_blocks)) < 0.5) & ~is_ordered
    children = np.where(is_swapped, children[::-1], children)
    is_crossed = rng.random((n_pairs, 1)) < CROSSOVER_PROBABILITY
    return np.where(is_crossed, children, pairs).reshape(2 * n_pairs, n_blocks)


def mutated(genomes: NDArray[np.int64], space: Space, rng: np.random.Generator) -> NDArray[np.int64]:
    """(n, P) genomes in which each block has mutated with probability 1 / P."""
    is_ordered = _is_ordered(space)
    n, n_blocks = genomes.shape
    probability = min(0.5, 1.0 / n_blocks)
    resampling = np.where(is_ordered, ORDERED_RESAMPLING, 1.0) * probability
    mutated = np.where(rng.random((n, n_blocks)) < resampling, space.sample(rng, n), genomes)
    if is_ordered.any():
        upper = space.n_choices[is_ordered] - 1.0
        mutated[:, is_ordered] = _rounded(
            mut_pm(
                mutated[:, is_ordered].astype(np.float64),
                np.zeros(len(upper)),
                upper,
                np.full(n, MUTATION_ETA),
                np.full(n, probability),
                at_least_once=False,
                random_state=rng,
            )
        )
    return mutated


def _is_ordered(space: Space) -> NDArray[np.bool_]:
    return np.array([block.is_ordered for block in space.blocks], dtype=bool)


def _rounded(choices: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(choices).astype(np.int64)


def _least_violation_tournament(
    pop: Any, P: NDArray[np.int64], random_state: np.random.Generator, **kwargs: Any
) -> NDArray[np.int64]:
    """NSGA-III's tournament: the smaller violation, else by chance.

    pymoo's own draws ties from an unseeded generator, so a run could not be repeated.
    """
    violation = pop.get("CV")[:, 0][P]
    is_tie = violation[:, 0] == violation[:, 1]
    winner = np.where(is_tie, random_state.integers(0, 2, len(P)), violation.argmin(axis=1))
    return P[np.arange(len(P)), winner][:, None]


def _first_of_two(pop: Any, P: NDArray[np.int64], **kwargs: Any) -> NDArray[np.int64]:
    """RVEA's parents: anyone, for who is left is alone in his niche."""
    return P[:, :1]


def _algorithm(name: str, setting: Setting) -> GeneticAlgorithm:
    size = setting.population_size
    if name == "nsga2":
        return NSGA2(pop_size=size, mating=Variation(setting, binary_tournament))
    if name == "spea2":
        survival = SPEA2Survival(normalize=True)
        return SPEA2(pop_size=size, mating=Variation(setting, spea_binary_tournament), survival=survival)
    if name == "sms-emoa":
        return SMSEMOA(pop_size=size, mating=Variation(setting, cv_and_dom_tournament))
    if name == "age-moea":
        return _age_moea(setting)
    directions = reference_directions(name, setting.n_objectives, size)
    if name == "rvea":
        if setting.n_objectives < 2:
            raise ValueError("engine 'rvea' needs at least two objectives, got 1: use another engine")
        mating = Variation(setting, _first_of_two)
        return GeneticAlgorithm(pop_size=size, mating=mating, survival=APDSurvival(directions))
    return NSGA3(directions, pop_size=size, mating=Variation(setting, _least_violation_tournament))


def _age_moea(setting: Setting) -> GeneticAlgorithm:
    if importlib.util.find_spec("numba") is None:
        raise ValueError(
            "engine 'age-moea' needs the package numba, which is not installed: pip install numba, or use another "
            "engine, such as 'spea2'"
        )
    from pymoo.algorithms.moo.age import AGEMOEA

    return AGEMOEA(pop_size=setting.population_size, mating=Variation(setting, binary_tournament))


def reference_directions(engine: str, n_objectives: int, population_size: int) -> NDArray[np.float64]:
    """The finest Das-Dennis directions that are not more than the population."""
    if n_objectives == 1:
        return np.ones((1, 1))
    if population_size < n_objectives:
        raise ValueError(
            f"engine {engine!r} needs a population_size of at least the number of objectives, {n_objectives}, "
            f"got {population_size}"
        )
    n_partitions = 1
    while math.comb(n_partitions + n_objectives, n_objectives - 1) <= population_size:
        n_partitions += 1
    directions: NDArray[np.float64] = get_reference_directions("das-dennis", n_objectives, n_partitions=n_partitions)
    return directions


def _problem(setting: Setting) -> Problem:
    return Problem(
        n_var=len(setting.space.blocks),
        n_obj=setting.n_objectives,
        n_ieq_constr=setting.n_constraints,
        xl=0,
        xu=setting.space.n_choices - 1,
    )


def _population(results: Results) -> Any:
    return Population.new(X=results.genomes, F=results.values, G=results.violations, number=results.number.tolist())


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
