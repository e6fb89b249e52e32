"""Studies: what is evaluated, what comes out, and what is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Constraint, Evaluation, Objective, Progress, Study, Trials
from studies.front import is_non_dominated

CHEAP_ENGINES = ("nsga2", "nsga3", "spea2", "sms-emoa", "random")


@st.composite
def small_spaces(draw: st.DrawFn) -> Space:
    n_blocks = draw(st.integers(1, 4))
    blocks = []
    for index in range(n_blocks):
        only_if = None
        if index and draw(st.booleans()):
            parent = blocks[draw(st.integers(0, index - 1))]
            only_if = (parent.name, draw(st.sampled_from(parent.choices)))
        choices = tuple(range(draw(st.integers(1, 5))))
        blocks.append(ChoiceBlock(f"b{index}", choices, is_ordered=draw(st.booleans()), only_if=only_if))
    return Space("small", tuple(blocks))


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(
    space=small_spaces(),
    engine=st.sampled_from((*CHEAP_ENGINES, "optuna:nsga2")),
    seed=st.integers(0, 1000),
    population_size=st.integers(3, 12),
    n_trials=st.integers(1, 60),
    is_constrained=st.booleans(),
)
def test_no_design_is_evaluated_twice(
    space: Space, engine: str, seed: int, population_size: int, n_trials: int, is_constrained: bool
) -> None:
    seen: list[str] = []

    def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
        np.testing.assert_array_equal(genomes, space.canonical(genomes))
        seen.extend(space.keys(genomes))
        values = np.stack([genomes.sum(axis=1), (genomes % 2).sum(axis=1)], axis=1)
        return Evaluation(values, genomes[:, :1] if is_constrained else None)

    constraints = [Constraint(name="first", limit=0.5)] if is_constrained else []
    objectives = [Objective(name="sum"), Objective(name="odd", direction="max")]
    study = Study("s", space, objectives, constraints, engine=engine, seed=seed, population_size=population_size)
    study.optimize(evaluate, n_trials)
    every = np.stack(np.meshgrid(*map(np.arange, space.n_choices)), axis=-1).reshape(-1, len(space.blocks))
    n_designs = len(set(space.keys(every)))
    assert len(seen) == len(set(seen)) == len(study) == min(n_trials, n_designs)


def test_an_exhausted_space_ends_the_search(caplog: pytest.LogCaptureFixture) -> None:
    space = Space("tiny", (ChoiceBlock("a", (1, 2)), ChoiceBlock("b", (1, 2, 3))))
    study = Study("s", space, [Objective(name="f")])
    with caplog.at_level(logging.WARNING):
        study.optimize(lambda genomes: genomes.sum(axis=1, keepdims=True), 10)
    assert len(study) == 6
    assert "study 's' stops at 6 of 10 trials" in caplog.text
    assert study.ask(5).shape == (0, 2)


def test_n_trials_is_a_total(dtlz2: Any) -> None:
    calls = []

    def evaluate(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        calls.append(len(genomes))
        return dtlz2.evaluate(genomes)

    study = dtlz2.study(population_size=40)
    study.optimize(evaluate, 100)
    study.optimize(evaluate, 100)
    assert calls == [40, 40, 20]
    study.optimize(evaluate, 130)
    assert calls == [40, 40, 20, 30]
    assert study.trials().generation.tolist() == np.repeat([0, 1, 2, 3], calls).tolist()


def test_known_designs_come_first(truss: Any) -> None:
    known = truss.space.sample(np.random.default_rng(1), 30)
    canonical = truss.space.canonical(known)
    _, first = np.unique(truss.space.keys(known), return_index=True)
    expected = canonical[np.sort(first)]
    study = truss.study(known=known, population_size=20)
    study.optimize(truss.evaluate, 60)
    np.testing.assert_array_equal(study.trials().genomes[: len(expected)], expected)


def test_progress_tells_each_generation(truss: Any) -> None:
    seen: list[Progress] = []
    study = truss.study(population_size=25)
    study.optimize(truss.evaluate, 100, progress=seen.append)
    trials = study.trials()
    assert [p.generation for p in seen] == [0, 1, 2, 3]
    assert [p.n_trials for p in seen] == [25, 50, 75, 100]
    assert {p.n_requested for p in seen} == {100}
    assert seen[-1].n_feasible == trials.is_feasible.sum()
    assert seen[-1].n_front == len(study.front())
    np.testing.assert_allclose([p.hypervolume for p in seen], study.hypervolume_by_generation())
    assert seen[-1].hypervolume == pytest.approx(study.hypervolume())


def test_front_is_feasible_non_dominated_and_sorted(truss: Any) -> None:
    study = truss.study(population_size=40)
    study.optimize(truss.evaluate, 400)
    trials, front = study.trials(), study.front()
    assert (front.constraints <= [5000.0, 60.0]).all()
    feasible = trials.values[(trials.constraints <= [5000.0, 60.0]).all(axis=1)] * [1, -1]
    expected = feasible[is_non_dominated(feasible)] * [1, -1]
    np.testing.assert_array_equal(front.values, expected[np.lexsort((expected[:, 1], expected[:, 0]))])
    assert set(trials.attributes) == {"bars", "split"}
    assert trials.attributes["split"].shape == (400, 2)


@pytest.mark.parametrize("engine", CHEAP_ENGINES[:-1])
def test_search_finds_the_feasible_side(truss: Any, engine: str) -> None:
    # By enumeration the share of feasible designs is under a half; a search that minds limits breeds more of them.
    study = truss.study(engine=engine, population_size=40)
    study.optimize(truss.evaluate, 400)
    trials = study.trials()
    assert trials.is_feasible[-120:].mean() > trials.is_feasible[:40].mean()


@pytest.mark.parametrize("engine", [*CHEAP_ENGINES[:-1], "optuna:nsga2", "optuna:nsga3", "optuna:tpe"])
def test_limits_reach_the_engine_as_shares(engine: str, truss: Any) -> None:
    """The unit of a limit changes nothing in the search; the limit itself does."""

    def genomes_of(factors: tuple[float, float], limits: tuple[float, float]) -> NDArray[np.int64]:
        def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
            found = truss.evaluate(genomes)
            return Evaluation(found.values, np.asarray(found.constraints) * factors)

        constraints = [
            Constraint(name=f"c{index}", limit=limit * factor)
            for index, (limit, factor) in enumerate(zip(limits, factors, strict=True))
        ]
        study = Study("s", truss.space, truss.objectives, constraints, engine=engine, population_size=12)
        study.optimize(evaluate, 36)
        return study.trials().genomes

    found = genomes_of((1.0, 1.0), (5000.0, 60.0))
    np.testing.assert_array_equal(genomes_of((1024.0, 2.0**-20), (5000.0, 60.0)), found)  # exact in binary
    assert (genomes_of((1.0, 1.0), (50_000.0, 6.0)) != found).any()


def test_constraint_may_cap_an_objective(truss: Any) -> None:
    study = Study("s", truss.space, [Objective(name="mass_g")], [Constraint(name="mass_g", limit=100.0)])

    def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
        mass = np.asarray(truss.evaluate(genomes).values)[:, :1]
        return Evaluation(mass, mass, {"Mass_g": mass[:, 0]})

    study.optimize(evaluate, 100)
    assert study.front().values.max() <= 100.0


def test_nothing_feasible_is_explained(truss: Any) -> None:
    study = Study(
        "s", truss.space, truss.objectives, [Constraint(name="cost", limit=-10.0), Constraint(name="width", limit=1e6)]
    )
    assert study.summary() == "study 's': 0 designs in 0 generations."
    study.optimize(truss.evaluate, 50)
    trials = study.trials()
    assert len(study.front()) == 0
    assert study.hypervolume() == 0.0
    assert study.hypervolume_by_generation().tolist() == [0.0]
    best = trials.constraints[:, 0].argmin()
    assert study.summary() == (
        "study 's': 50 designs in 1 generations, none of them feasible. Hardest is constraint 'cost' (no design "
        f"keeps it): the closest value is {trials.constraints[best, 0]:.6g} in trial {best}, the limit -10."
    )


def test_limits_that_exclude_each_other_are_explained() -> None:
    space = Space("line", (ChoiceBlock("x", tuple(range(11)), is_ordered=True),))
    limits = [Constraint(name="low", limit=3.0), Constraint(name="high", limit=-6.0)]
    study = Study("s", space, [Objective(name="f")], limits)
    study.optimize(lambda genomes: Evaluation(genomes, np.concatenate([genomes, -genomes], axis=1)), 11)
    # Shares of the limits: x = 6 misses low by 3/3, x = 3 misses high by 3/6: the nearest is 3.
    assert "'high' (each constraint is kept by some design, all by none): the closest value is -3" in study.summary()


def test_summary_names_front_and_knee(truss: Any) -> None:
    study = truss.study()
    study.optimize(truss.evaluate, 100)
    text = study.summary()
    assert f"{study.trials().is_feasible.sum()} feasible, {len(study.front())} on the front. Knee: mass_g " in text


def test_ask_and_tell_go_hand_in_hand(dtlz2: Any) -> None:
    study = dtlz2.study(population_size=20)
    with pytest.raises(ValueError, match="tell takes the designs of the last ask of study 'test'"):
        study.tell(np.zeros((1, 12), dtype=int), np.zeros((1, 3)))
    genomes = study.ask(20)
    np.testing.assert_array_equal(study.ask(20), genomes)
    with pytest.raises(ValueError, match="all of them and in their order"):
        study.tell(genomes[::-1], dtlz2.evaluate(genomes[::-1]))
    study.tell(genomes, dtlz2.evaluate(genomes))
    assert len(study) == 20
    with pytest.raises(ValueError, match="tell takes the designs of the last ask"):
        study.tell(genomes, dtlz2.evaluate(genomes))


def test_an_interrupted_evaluation_stores_nothing_and_is_taken_up_again(dtlz2: Any, same: Callable[..., None]) -> None:
    study = dtlz2.study(population_size=20)
    n_calls = 0

    def fragile(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        nonlocal n_calls
        n_calls += 1
        values = dtlz2.evaluate(genomes)
        if n_calls == 3:
            raise KeyboardInterrupt
        if n_calls == 5:
            return values[:7]
        return values

    with pytest.raises(KeyboardInterrupt):
        study.optimize(fragile, 100)
    assert len(study) == 40
    with pytest.raises(ValueError, match=r"objective values must have shape \(20, 3\)"):
        study.optimize(fragile, 100)
    assert len(study) == 60
    study.optimize(fragile, 100)
    unbroken = dtlz2.study(population_size=20)
    unbroken.optimize(dtlz2.evaluate, 100)
    same(study.trials(), unbroken.trials())


def test_evaluate_may_scribble_on_its_genomes(dtlz2: Any, same: Callable[..., None]) -> None:
    def scribbling(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = dtlz2.evaluate(genomes)
        genomes[:] = 0
        return values

    studies = dtlz2.study(population_size=20), dtlz2.study(population_size=20)
    for study, evaluate in zip(studies, (scribbling, dtlz2.evaluate), strict=True):
        study.optimize(evaluate, 60)
    same(studies[0].trials(), studies[1].trials())


def test_seeds_matter(dtlz2: Any) -> None:
    studies = [dtlz2.study(seed=seed) for seed in (0, 0, 1)]
    a, b, c = (study.ask(10) for study in studies)
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": ""}, "a study needs a name"),
        ({"objectives": []}, "study 's' needs at least one objective"),
        ({"objectives": [Objective(name="a"), Objective(name="A")]}, "names of objectives must differ.*rename 'A'"),
        ({"objectives": [Objective(name="Key")]}, "and from number, generation, key, is_feasible: rename 'Key'"),
        ({"constraints": [Constraint(name="a", limit=1.0)] * 2}, "names of constraints must differ"),
        ({"population_size": 0}, "population_size must be at least 1, got 0"),
        ({"max_failed_share": 1.5}, "max_failed_share must be between 0 and 1, got 1.5"),
        ({"name": "a\0b"}, "study names must be printable, got 'a\\\\x00b'"),
        ({"objectives": [Objective(name="a\nb")]}, "objective names must be printable"),
        ({"seed": -1}, "seed must be between 0 and 2\\*\\*63 - 1, got -1"),
        ({"engine": "nsga4"}, "unknown engine 'nsga4'; engines are 'nsga2', 'nsga3'"),
        ({"engine": "optuna:nsga2", "population_size": 1}, "'optuna:nsga2' needs a population_size of at least 2"),
        (
            {"engine": "nsga3", "population_size": 1, "objectives": [Objective(name="a"), Objective(name="b")]},
            "'nsga3' needs a population_size of at least the number of objectives, 2, got 1",
        ),
        ({"known": [[0, 9]]}, "genome 0 has choice index 9 in block 'b'"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    space = Space("tiny", (ChoiceBlock("a", (1, 2)), ChoiceBlock("b", (1, 2, 3))))
    with pytest.raises(ValueError, match=message):
        Study(**{"name": "s", "space": space, "objectives": [Objective(name="f")]} | arguments)


def test_hypervolume_needs_references(truss: Any) -> None:
    study = Study("s", truss.space, [Objective(name="mass_g", reference=1.0), Objective(name="stiffness")])
    with pytest.raises(ValueError, match="needs a reference for every objective, and stiffness has none"):
        study.hypervolume()


def test_attributes_stay_the_same(truss: Any) -> None:
    study = truss.study()

    def tell(**attributes: Any) -> None:
        genomes = study.ask(10)
        evaluation = truss.evaluate(genomes)
        study.tell(genomes, Evaluation(evaluation.values, evaluation.constraints, attributes))

    with pytest.raises(ValueError, match=r"names of attributes must differ.*rename 'KEY'"):
        tell(KEY=np.zeros(10))
    tell(wide=np.ones((10, 3)), auc=np.full(10, np.nan))
    with pytest.raises(ValueError, match=r"the first generation had .*'wide': 3.* this one has .*'wide': 2"):
        tell(wide=np.ones((10, 2)), auc=np.zeros(10))
    tell(auc=np.arange(10), wide=np.full((10, 3), -np.inf))
    attributes = study.trials().attributes
    np.testing.assert_array_equal(attributes["auc"], [*[np.nan] * 10, *range(10)])
    np.testing.assert_array_equal(attributes["wide"], np.repeat([[1.0] * 3, [-np.inf] * 3], 10, axis=0))


def test_proposals_can_be_improved_before_they_are_evaluated(tmp_path: Path) -> None:
    space = Space(name="line", blocks=tuple(ChoiceBlock(f"x{i}", tuple(range(10)), is_ordered=True) for i in range(3)))

    def improve(genomes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        better = genomes.copy()
        better[:, 0] = 0
        return better

    def trials_of(storage: Path | None, n_steps: int) -> Trials:
        for _ in range(n_steps):
            study = Study(
                "line",
                space,
                [Objective(name="a"), Objective(name="b")],
                storage=storage,
                population_size=10,
                known=[[5, 5, 5]],
                improve=improve,
            )
            study.optimize(
                lambda genomes: np.column_stack([genomes.sum(axis=1), 30 - genomes[:, 1:].sum(axis=1)]),
                len(study) + 60 // n_steps,
            )
        return study.trials()

    whole = trials_of(None, 1)
    assert whole.genomes[0].tolist() == [5, 5, 5]  # known designs stay as they are
    assert (whole.genomes[1:, 0] == 0).mean() > 0.4  # random designs that fill a generation up are not improved
    assert np.array_equal(trials_of(tmp_path / "line.db", 3).genomes, whole.genomes)
