"""Which engine finds most? Hypervolume of all feasible designs after 500 and 2,000 evaluations, population 100.

Some engines of ours against random search, pymoo's NSGA-II as its documentation sets it up for whole
numbers, and Optuna's NSGA-II and TPE by ask and tell in memory; TPE for 500 evaluations, since each takes the longer
the more there were. Six problems (tests/benchmarks/problems.py), some seeds:

    python -m tests.benchmarks engines
    python -m tests.benchmarks.bench_engines --engines nsga2 surrogate --problems HW60 --seeds 5

Last on each line: evaluations after which a run has what Optuna's NSGA-II has at the end, on average.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import optuna
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.operators.crossover.sbx import SBX
from pymoo.operators.mutation.pm import PM
from pymoo.operators.repair.rounding import RoundingRepair
from pymoo.operators.sampling.rnd import IntegerRandomSampling
from pymoo.optimize import minimize

from studies import Study
from studies.front import hypervolume, is_non_dominated
from tests.benchmarks.problems import PROBLEMS, BenchProblem

POPULATION_SIZE = 100
MARKS = (500, 1000, 2000)
N_SURROGATE = 1000  # evaluations of the engine that predicts: it is done by then
N_TPE = 500
LIMITS = {"surrogate": N_SURROGATE, "Optuna TPE": N_TPE}
"""Most evaluations of some searches."""

ENGINES = ("random", "nsga2", "spea2", "moead", "surrogate", "surrogate + cheap")

Search = Callable[["BenchProblem", int, int], "Found"]
Found = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(B, M) values and (B, K) limits in the order of evaluation."""


def ours(engine: str, problem: BenchProblem, seed: int, n: int) -> Found:
    """One of our engines; after "+ cheap", told what is cheap to compute."""
    engine, _, is_told = engine.partition(" + ")
    study = Study(
        "bench", problem.space, problem.objectives, problem.constraints, engine=engine, seed=seed,
        population_size=POPULATION_SIZE, cheap=problem.cheap if is_told else None,
    )  # fmt: skip
    study.optimize(problem.evaluate, n)
    trials = study.trials()
    return trials.values, trials.constraints


def pymoo_documented(problem: BenchProblem, seed: int, n: int) -> Found:
    """https://pymoo.org/customization/discrete.html: integers by rounding after SBX and polynomial mutation."""
    values: list[NDArray[np.float64]] = []
    limits: list[NDArray[np.float64]] = []

    class Whole(Problem):  # type: ignore[misc]
        def _evaluate(self, x: NDArray[np.int64], out: dict[str, object], *args: object, **kwargs: object) -> None:
            values.append(problem.values(x))
            limits.append(np.zeros((len(x), 0)) if problem.limits is None else problem.limits(x))
            out["F"] = values[-1]
            if problem.limits is not None:
                out["G"] = limits[-1]

    space = problem.space
    whole = Whole(
        n_var=len(space.blocks), n_obj=len(problem.reference), n_ieq_constr=problem.n_constraints, xl=0,
        xu=space.n_choices - 1, vtype=int,
    )  # fmt: skip
    algorithm = NSGA2(
        pop_size=POPULATION_SIZE,
        sampling=IntegerRandomSampling(),
        crossover=SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        mutation=PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
        eliminate_duplicates=True,
    )
    minimize(whole, algorithm, ("n_eval", n), seed=seed)
    return np.concatenate(values)[:n], np.concatenate(limits)[:n]


def optuna_nsga2(problem: BenchProblem, seed: int, n: int) -> Found:
    return by_optuna(problem, optuna.samplers.NSGAIISampler(seed=seed, population_size=POPULATION_SIZE), n)


def optuna_tpe(problem: BenchProblem, seed: int, n: int) -> Found:
    return by_optuna(problem, optuna.samplers.TPESampler(seed=seed), n)


def by_optuna(problem: BenchProblem, sampler: optuna.samplers.BaseSampler, n: int) -> Found:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["minimize"] * len(problem.reference), sampler=sampler)
    values, limits = [], []
    for _ in range(n):
        trial = study.ask()
        choices = [
            trial.suggest_int(block.name, 0, len(block.choices) - 1)
            if block.is_ordered
            else trial.suggest_categorical(block.name, range(len(block.choices)))
            for block in problem.space.blocks
        ]
        genome = np.array([choices])
        values.append(problem.values(genome)[0])
        limits.append(np.zeros(0) if problem.limits is None else problem.limits(genome)[0])
        for index, limit in enumerate(limits[-1].tolist()):
            trial.set_constraint(str(index), limit)
        study.tell(trial, values[-1].tolist())
    return np.array(values), np.array(limits)


def volume(problem: BenchProblem, found: Found, n: int) -> float:
    """Hypervolume of the feasible among the first n designs."""
    points = found[0][:n][(found[1][:n] <= 0).all(axis=1)]
    return hypervolume(points[is_non_dominated(points)], np.array(problem.reference))


def evaluations_to(problem: BenchProblem, found: Found, target: float) -> int | None:
    """The first multiple of 50 evaluations with at least that hypervolume."""
    for n in range(50, len(found[0]) + 1, 50):
        if volume(problem, found, n) >= target:
            return n
    return None


def searches_of(problem: BenchProblem, engines: Sequence[str], has_peers: bool) -> dict[str, Search]:
    """The peers, then the engines of ours that can work on the problem; "+ cheap" needs to know what is expensive."""
    searches: dict[str, Search] = {}
    if has_peers:
        searches |= {"Optuna NSGA-II": optuna_nsga2, "pymoo NSGA-II": pymoo_documented, "Optuna TPE": optuna_tpe}
    for engine in engines:
        is_refused = engine == "moead" and problem.constraints
        if not is_refused and not ("+" in engine and not problem.is_expensive):
            searches[engine] = partial(ours, engine)
    return searches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="*", default=ENGINES)
    parser.add_argument("--problems", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--no-peers", action="store_true", help="our engines only")
    given = parser.parse_args()
    print(f"hypervolume, mean and standard deviation of {given.seeds} seeds; CPU seconds a run")
    for make in PROBLEMS:
        problem = make()
        if given.problems and problem.name not in given.problems:
            continue
        print(f"{problem.name}: {len(problem.space.blocks)} blocks, reference point {problem.reference}", flush=True)
        target = None
        for name, search in searches_of(problem, given.engines, not given.no_peers).items():
            n = min(given.evaluations, LIMITS.get(name.partition(" + ")[0], given.evaluations))
            started = time.process_time()
            runs = [search(problem, seed, n) for seed in range(given.seeds)]
            spent_s = (time.process_time() - started) / given.seeds
            line = f"  {name:<18}"
            for mark in (mark for mark in MARKS if mark <= n):
                volumes = np.array([volume(problem, run, mark) for run in runs])
                line += f" {mark}: {volumes.mean():.4g} +- {volumes.std(ddof=1):.2g} "
            if name == "Optuna NSGA-II":
                target = float(volumes.mean())
            elif target is not None:
                line += f" Optuna's after {[evaluations_to(problem, run, target) for run in runs]}"
            print(f"{line} {spent_s:.1f} s", flush=True)


if __name__ == "__main__":
    main()
