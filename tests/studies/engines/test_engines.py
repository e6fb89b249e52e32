"""What every engine owes: fresh designs, and the same trials after any interruption."""

from __future__ import annotations

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
}


@pytest.mark.parametrize("engine", ENGINES)
def test_resume_is_bit_identical(
    engine: str, truss: Any, tmp_path: Path, run: Callable[..., None], same: Callable[..., None]
) -> None:
    sizes = SIZES[engine]
    # The second generation is all known designs: it passes without the engine.
    known = truss.space.sample(np.random.default_rng(0), sizes[0] + sizes[1])
    settings = {"engine": engine, "seed": 3, "population_size": sizes[0], "known": known}
    unbroken = truss.study(**settings)
    for n in sizes:
        run(unbroken, truss.evaluate, n)
    trials = unbroken.trials()
    assert len(set(trials.keys)) == len(trials) == sum(sizes)
    for n in sizes:
        with truss.study(tmp_path / "study.db", **settings) as study:
            study.ask(n)  # cut off before its values are told
            run(study, truss.evaluate, n)
    with truss.study(tmp_path / "study.db", **settings) as study:
        same(study.trials(), trials)


@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine not in ("random", "optuna:gp")])
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


@pytest.mark.parametrize("engine", ["nsga2", "nsga3", "spea2", "sms-emoa", "optuna:nsga2", "optuna:nsga3"])
def test_flat_objectives_and_tiny_generations_do_not_break_an_engine(
    engine: str, truss: Any, run: Callable[..., None]
) -> None:
    study = truss.study(engine=engine, population_size=10)
    for n in (1, 1, 2, 10, 7, 10, 10):
        genomes = study.ask(n)
        evaluation = truss.evaluate(genomes)
        flat = type(evaluation)(np.ones((n, 2)), evaluation.constraints)
        study.tell(genomes, flat)
    assert len(study) == 41
