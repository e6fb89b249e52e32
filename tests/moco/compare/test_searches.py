"""Searches in steps: as many evaluations as the joint one, the same when interrupted, scored as the run scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moco.compare.judge import Judge, Plan
from moco.compare.searches import Found, architecture_search, chip_search, joint_search, n_first, network_front
from moco.runs.run import Run
from moco.search.codesign import CodesignStudy
from pimmodel import ISAAC
from spaces import Genomes
from studies import Constraint, Evaluation

Steps = tuple[Found, Found, Found]


class BrokenError(Exception):
    """What ends a search in the middle."""


def test_equal_evaluations(steps: Steps, plan: Plan) -> None:
    first, chips, whole = steps
    assert len(first.trials) == n_first(plan.n_evaluations)
    assert len(first.trials) + len(chips.trials) == len(whole.trials) == plan.n_evaluations
    assert first.trials.keys == whole.trials.keys[: len(first.trials)]
    for found in (first, chips, whole):
        assert len(set(found.trials.keys)) == len(found.trials)


def test_each_step_chooses_what_is_its_own(run: Run, steps: Steps) -> None:
    first, chips, whole = steps
    designs = whole.designs(np.arange(len(whole.trials)))
    assert all(design.hardware == ISAAC for design in designs)
    settled = {first.designs(np.array([row]))[0].macs for row in network_front(first)}
    found = chips.designs(np.arange(len(chips.trials)))
    assert {design.macs for design in found} <= settled
    assert len({repr(design.hardware) for design in found}) > 3
    front = network_front(first)
    values, macs = first.trials.values[front, 0], first.trials.attributes["macs"][front]
    assert (np.diff(values) >= 0).all()
    assert (np.diff(macs) <= 0).all()


def test_values_are_those_of_the_run(run: Run, study: CodesignStudy, steps: Steps) -> None:
    chips = steps[1].trials
    found = study.evaluate(chips.genomes[:6])
    np.testing.assert_allclose(chips.values[:6], np.asarray(found.values), rtol=1e-9)
    assert run.space.keys(chips.genomes) == chips.keys


def breaking_after(n_generations: int) -> Callable[[CodesignStudy, Genomes], Evaluation]:
    """`CodesignStudy.evaluate`, which fails after some generations."""
    evaluate, n_left = CodesignStudy.evaluate, [n_generations]

    def breaking(self: CodesignStudy, genomes: Genomes) -> Evaluation:
        n_left[0] -= 1
        if n_left[0] < 0:
            raise BrokenError
        return evaluate(self, genomes)

    return breaking


def test_an_interrupted_search_ends_as_an_unbroken_one(
    run: Run,
    judge: Judge,
    plan: Plan,
    steps: Steps,
    no_networks: Genomes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = replace(plan, storage=tmp_path / "broken.db")
    for n_generations in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(CodesignStudy, "evaluate", breaking_after(n_generations))
            with pytest.raises(BrokenError):
                architecture_search(judge, broken, run.space, no_networks)
    first, whole = architecture_search(judge, broken, run.space, no_networks)
    chips = chip_search(judge, broken, run.space, first)
    for found, unbroken in zip((first, chips, whole), steps, strict=True):
        assert found.trials.keys == unbroken.trials.keys
        np.testing.assert_array_equal(found.trials.values, unbroken.trials.values)


def test_what_is_done_is_not_searched_again(
    run: Run, judge: Judge, plan: Plan, steps: Steps, no_networks: Genomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: CodesignStudy, genomes: Genomes) -> Evaluation:
        raise AssertionError("nothing is left to evaluate")

    monkeypatch.setattr(CodesignStudy, "evaluate", never)
    first, _ = architecture_search(judge, plan, run.space, no_networks)
    assert chip_search(judge, plan, run.space, first).trials.keys == steps[1].trials.keys


def test_the_joint_search_is_that_of_the_run(
    run: Run, study: CodesignStudy, judge: Judge, plan: Plan, no_networks: Genomes, tmp_path: Path
) -> None:
    same = joint_search(judge, replace(plan, storage=tmp_path / "s.db", seed=0), run.space, no_networks)
    trials = study.study.trials()
    assert same.trials.keys == trials.keys
    np.testing.assert_allclose(same.trials.values, trials.values, rtol=1e-9)


def test_caps_of_the_run_hold(run: Run, judge: Judge, plan: Plan, no_networks: Genomes, tmp_path: Path) -> None:
    cap = Constraint(name="area_mm2", limit=0.02, unit="mm2")
    capped = replace(judge, constraints=(cap,))
    there = replace(plan, storage=tmp_path / "s.db", n_evaluations=24)
    first, whole = architecture_search(capped, there, run.space, no_networks)
    chips = chip_search(capped, there, run.space, first)
    for found in (first, chips, whole):
        areas = found.trials.attributes["area_mm2"]
        np.testing.assert_array_equal(found.trials.is_feasible, areas <= cap.limit)


def test_another_model_is_another_search(
    run: Run, judge: Judge, plan: Plan, no_networks: Genomes, steps: Steps
) -> None:
    other = replace(judge, cardinalities=tuple(rows + 1 for rows in judge.cardinalities))
    with pytest.raises(ValueError, match=r"was made with table rows .*give the study a new name"):
        architecture_search(other, plan, run.space, no_networks)
