"""What every engine owes: fresh designs, and the same trials after any interruption."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.space import ChoiceBlock, Space
from studies import ENGINES, Objective, Study

# Designs of each generation. Optuna's Gaussian process takes about a second for one design, after ten random ones.
SIZES = dict.fromkeys(ENGINES, (20, 4, 20, 20, 20)) | {
    "optuna:tpe": (12, 4, 6, 6),
    "optuna:gp": (10, 1, 1),
    "optuna:qmc": (12, 4, 6, 6),
}
HAS_NUMBA = importlib.util.find_spec("numba") is not None
USABLE = [engine for engine in ENGINES if engine != "age-moea" or HAS_NUMBA]
UNLEARNED = ("random", "optuna:qmc")


@pytest.mark.parametrize("engine", USABLE)
def test_resume_is_bit_identical(
    engine: str, truss: Any, dtlz2: Any, tmp_path: Path, run: Callable[..., None], same: Callable[..., None]
) -> None:
    problem = dtlz2 if engine == "moead" else truss  # MOEA/D keeps no constraints
    sizes = SIZES[engine]
    # The second generation is all known designs: it passes without the engine.
    known = problem.space.sample(np.random.default_rng(0), sizes[0] + sizes[1])
    settings = {"engine": engine, "seed": 3, "population_size": sizes[0], "known": known}
    unbroken = problem.study(**settings)
    for n in sizes:
        run(unbroken, problem.evaluate, n)
    trials = unbroken.trials()
    assert len(set(trials.keys)) == len(trials) == sum(sizes)
    np.testing.assert_array_equal(trials.genomes, problem.space.canonical(trials.genomes))
    assert (np.diff(unbroken.hypervolume_by_generation()) >= 0).all()
    for n in sizes:
        with problem.study(tmp_path / "study.db", **settings) as study:
            study.ask(n)  # cut off before its values are told
            run(study, problem.evaluate, n)
    with problem.study(tmp_path / "study.db", **settings) as study:
        same(study.trials(), trials)


@pytest.mark.parametrize("engine", USABLE)
def test_designs_of_ones_own_join_a_search(
    engine: str, truss: Any, dtlz2: Any, tmp_path: Path, run: Callable[..., None], same: Callable[..., None]
) -> None:
    problem = dtlz2 if engine == "moead" else truss
    sizes, settings = SIZES[engine], {"engine": engine, "seed": 3, "population_size": SIZES[engine][0]}
    unbroken = problem.study(**settings)
    run(unbroken, problem.evaluate, sizes[0])
    own = problem.space.canonical(problem.space.sample(np.random.default_rng(1), 3))
    unbroken.add(problem.evaluate, np.concatenate([unbroken.trials().genomes[:2], own, own]))
    unbroken.add(problem.evaluate, own)  # nothing is left to evaluate
    unbroken.add(problem.evaluate, own[:0])
    trials = unbroken.trials()
    np.testing.assert_array_equal(trials.genomes[trials.generation == 1], own)
    run(unbroken, problem.evaluate, sizes[1])
    for step in (
        lambda study: run(study, problem.evaluate, sizes[0]),
        lambda study: study.add(problem.evaluate, own),
        lambda study: run(study, problem.evaluate, sizes[1]),
    ):
        with problem.study(tmp_path / "study.db", **settings) as study:
            step(study)
    with problem.study(tmp_path / "study.db", **settings) as study:
        same(study.trials(), unbroken.trials())


@pytest.mark.parametrize("engine", [engine for engine in USABLE if engine not in (*UNLEARNED, "optuna:gp")])
def test_engines_learn(engine: str, dtlz2: Any, run: Callable[..., None]) -> None:
    # Distance from the origin is distance from DTLZ2's front: what was learned must lie closer than the first designs.
    study = dtlz2.study(engine=engine, population_size=20)
    run(study, dtlz2.evaluate, 20, 5)
    distance = np.linalg.norm(study.trials().values, axis=1)
    assert np.median(distance[-20:]) < np.median(distance[:20])


def test_gaussian_process_learns() -> None:
    space = Space("bowl", tuple(ChoiceBlock(name, tuple(range(40)), is_ordered=True) for name in "xy"))
    study = Study("bowl", space, [Objective(name="f")], engine="optuna:gp", population_size=10)
    study.optimize(lambda genomes: ((genomes - [7, 31]) ** 2).sum(axis=1, keepdims=True), 10)
    before = study.trials().values.min()
    study.optimize(lambda genomes: ((genomes - [7, 31]) ** 2).sum(axis=1, keepdims=True), 14)
    assert study.trials().values[10:].min() < before


def test_search_beats_random_on_dtlz2(dtlz2: Any) -> None:
    volumes: dict[str, list[float]] = {"nsga2": [], "random": []}
    for engine, found in volumes.items():
        for seed in range(5):
            study = dtlz2.study(engine=engine, seed=seed)
            study.optimize(dtlz2.evaluate, 2000)
            found.append(study.hypervolume())
    # The sphere leaves 1.1^3 - pi / 6 = 0.807; random search reaches about 0.15 of it, a genetic one 0.6 and more.
    assert min(volumes["nsga2"]) > 2 * max(volumes["random"])
    assert 0.6 < np.mean(volumes["nsga2"]) < 0.807


@pytest.mark.parametrize("engine", [engine for engine in USABLE if engine not in ("optuna:tpe", "optuna:gp")])
def test_flat_objectives_and_tiny_generations_do_not_break_an_engine(engine: str, truss: Any) -> None:
    constraints = () if engine == "moead" else truss.constraints
    study = Study("flat", truss.space, truss.objectives, constraints, engine=engine, population_size=10)
    for n in (1, 1, 2, 10, 7, 10, 10):
        genomes = study.ask(n)
        evaluation = truss.evaluate(genomes)
        flat = type(evaluation)(np.ones((n, 2)), evaluation.constraints if constraints else None)
        study.tell(genomes, flat)
    assert len(study) == 41


@pytest.mark.parametrize("engine", ["rvea", "moead"])
def test_directions_need_objectives(engine: str, dtlz2: Any) -> None:
    with pytest.raises(ValueError, match=f"engine '{engine}' needs at least two objectives, got 1"):
        Study("s", dtlz2.space, dtlz2.objectives[:1], engine=engine)
    with pytest.raises(ValueError, match=f"engine '{engine}' needs a population_size of at least the number of obj"):
        dtlz2.study(engine=engine, population_size=2)


def test_moead_refuses_constraints(truss: Any) -> None:
    with pytest.raises(ValueError, match=r"engine 'moead' cannot keep constraints, and the study has 2: use another"):
        truss.study(engine="moead")


@pytest.mark.skipif(HAS_NUMBA, reason="numba is installed")
def test_age_moea_names_what_it_needs(dtlz2: Any) -> None:
    with pytest.raises(ValueError, match="engine 'age-moea' needs the package numba, which is not installed"):
        dtlz2.study(engine="age-moea")


@pytest.mark.parametrize("engine", ["nsga2", "rvea", "moead", "surrogate", "optuna:qmc"])
@pytest.mark.parametrize("seed", range(2))
def test_a_small_space_is_evaluated_whole_and_no_design_twice(engine: str, seed: int) -> None:
    # 3 x 4 designs without a wall, 3 x 4 x 4 with one, of 3 x 4 x 2 x 4 genomes.
    space = Space(
        "small",
        (
            ChoiceBlock("kind", ("a", "b", "c")),
            ChoiceBlock("width", (1, 2, 3, 4), is_ordered=True),
            ChoiceBlock("has_wall", (False, True)),
            ChoiceBlock("wall", (1, 2, 3, 4), is_ordered=True, only_if=("has_wall", True)),
        ),
    )
    objectives = [Objective(name="sum"), Objective(name="odd", direction="max")]
    study = Study("s", space, objectives, engine=engine, seed=seed, population_size=7)
    study.optimize(lambda genomes: np.stack([genomes.sum(axis=1), (genomes % 2).sum(axis=1)], axis=1), 100)
    trials = study.trials()
    assert len(trials) == len(set(trials.keys)) == 3 * 4 + 3 * 4 * 4
    np.testing.assert_array_equal(trials.genomes, space.canonical(trials.genomes))
