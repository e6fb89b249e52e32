"""Matches: no less accurate, least energy, and a reference that nothing matches is said so."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from moco.chosen.retrained import FOLDER, retrained_networks
from moco.compare.accuracy import trained_designs
from moco.compare.comparison import Comparison
from moco.compare.figures import COSTS, Contender, every_calibration, figures, gains
from moco.compare.judge import Plan
from moco.compare.matches import (
    BY_TEST,
    HAND_MADE,
    NAIVE,
    Candidates,
    against_search,
    matched,
    naive_references,
    two_step_references,
)
from moco.compare.page import tables_of
from moco.compare.references import against_retrained
from moco.compare.searches import Found
from moco.costs.batch import Costs, design_costs
from moco.report.tables import text_of
from moco.runs.run import Run
from moco.search.codesign import CodesignStudy
from pimmodel import CALIBRATIONS, Calibration

Steps = tuple[Found, Found, Found]


@pytest.fixture(scope="module")
def calibrations(study: CodesignStudy) -> dict[str, Calibration]:
    return every_calibration(study.calibration)


@pytest.fixture(scope="module")
def joint(study: CodesignStudy) -> Found:
    return Found(study, study.study.trials())


def test_a_design_is_its_own_match(joint: Found, calibrations: dict[str, Calibration]) -> None:
    rows = joint.useful[np.lexsort(joint.trials.values[joint.useful, 1::-1].T)]
    best = joint.designs(rows[:1])[0]
    (match,) = against_search(
        NAIVE, Candidates.of_search(joint, calibrations, seed=0), {"itself": best}, calibrations, seed=0
    )
    assert match.key == best.key
    assert list(match.gains) == list(calibrations)
    for found in match.gains.values():
        assert list(found.values()) == pytest.approx([1.0] * len(found), rel=1e-9)


def test_the_match_is_no_less_accurate_and_takes_the_least_energy(
    joint: Found, calibrations: dict[str, Calibration]
) -> None:
    values = joint.trials.values[joint.useful]
    references = joint.designs(joint.useful[:12])
    named = {str(place): one for place, one in enumerate(references)}
    for match, reference in zip(
        against_search(NAIVE, Candidates.of_search(joint, calibrations, seed=0), named, calibrations, seed=0),
        references,
        strict=True,
    ):
        good = values[values[:, 0] <= reference.logloss]
        assert match.logloss <= reference.logloss
        assert match.of_design["isaac32"].energy_pj == pytest.approx(good[:, 1].min(), rel=1e-9)
        assert match.gains["isaac32"]["energy_pj"] >= 1 - 1e-9
        assert set(match.of_design) == set(match.of_reference) == set(CALIBRATIONS)


def test_the_largest_gains_are_those_of_every_design_that_is_no_less_accurate(
    joint: Found, calibrations: dict[str, Calibration]
) -> None:
    some = joint.designs(joint.useful)
    middle = sorted(some, key=lambda design: design.logloss)[len(some) // 2]
    (match,) = against_search(
        NAIVE, Candidates.of_search(joint, calibrations, seed=0), {"middle": middle}, calibrations, seed=0
    )
    others = Candidates.of_search(joint, calibrations, seed=0).on_other_chips
    assert others is not None
    good = [Contender.of_design(design) for design in some if design.logloss <= middle.logloss]
    for name, calibration in calibrations.items():
        every = [gains(figures(one, calibration), match.of_reference[name]) for one in good]
        for figure, largest in match.largest[name].items():
            elsewhere = others.gains_of(name, match.of_reference[name], middle.logloss)[figure].max(initial=0.0)
            expected = max(elsewhere, *(one[figure] for one in every))
            assert largest == pytest.approx(expected, rel=1e-9)


def test_the_smallest_chip_for_a_network_counts_among_the_largest_gains(
    joint: Found, calibrations: dict[str, Calibration]
) -> None:
    candidates = Candidates.of_search(joint, calibrations, seed=0)
    others = candidates.on_other_chips
    assert others is not None
    values = {design.logloss for design in joint.designs(joint.useful)}
    assert set(others.logloss.tolist()) <= values
    reference = joint.designs(joint.useful[:1])[0]
    match = matched(NAIVE, "x", Contender.of_design(reference), 1.0, candidates, calibrations, judged_by=BY_TEST)
    for name, columns in candidates.columns.items():
        areas = np.concatenate([columns["area_mm2"], others.columns[name]["area_mm2"]])
        expected = match.of_reference[name].area_mm2 / areas.min()
        assert match.largest[name]["area_mm2"] == pytest.approx(expected, rel=1e-9)
    assert match.key in candidates.keys  # what was searched, whatever other chips cost


def test_the_balanced_design_is_better_in_everything_than_any_other_of_the_search(
    joint: Found, calibrations: dict[str, Calibration]
) -> None:
    candidates = Candidates.of_search(joint, calibrations, seed=0)
    some = joint.designs(joint.useful)
    middle = sorted(some, key=lambda design: design.logloss)[len(some) // 2]
    (match,) = against_search(NAIVE, candidates, {"middle": middle}, calibrations, seed=0)
    found = match.balanced
    assert found is not None
    assert found.logloss <= middle.logloss
    assert list(found.gains) == list(calibrations)
    least = min(found.gains["isaac32"][figure] for figure in COSTS)
    assert least >= 1 - 1e-9  # the reference is one of them
    good = (figures(Contender.of_design(one), "isaac32") for one in some if one.logloss <= middle.logloss)
    for one in good:
        of_one = gains(one, match.of_reference["isaac32"])
        assert min(of_one[figure] for figure in COSTS) <= least + 1e-9


def test_trained_designs_are_balanced_among_themselves(joint: Found, calibrations: dict[str, Calibration]) -> None:
    reference = Contender.of_design(joint.designs(joint.useful[:1])[0])
    of_reference = {name: figures(reference, one) for name, one in calibrations.items()}
    columns = {
        name: {figure: value * np.array([1.0, 0.25, 0.5]) for figure, value in asdict(one).items()}
        for name, one in of_reference.items()
    }
    for name in columns:  # the second takes a quarter of everything, at a quarter of the rate; the third half
        columns[name]["throughput_per_s"] = of_reference[name].throughput_per_s * np.array([1.0, 0.25, 1.5])
        columns[name]["inferences_per_s_w"] = of_reference[name].inferences_per_s_w * np.array([1.0, 4.0, 2.0])
    candidates = Candidates(keys=["a", "b", "c"], logloss=np.array([0.4, 0.4, 0.5]), columns=columns)
    best = candidates.balanced(of_reference, 0.5, calibrations)
    assert (best.key, best.logloss) == ("c", 0.5)
    assert best.gains["mnsim"] == pytest.approx(
        {"macs": 2, "energy_pj": 2, "latency_ns": 2, "throughput_per_s": 1.5, "area_mm2": 2, "inferences_per_s_w": 2}
    )
    assert candidates.balanced(of_reference, 0.45, calibrations).key == "a"


def test_trained_networks_count_on_other_chips_where_their_own_lose_nothing(
    run: Run, study: CodesignStudy, calibrations: dict[str, Calibration]
) -> None:
    trained = trained_designs(retrained_networks(run.folder / FOLDER), study.calibration)
    candidates = Candidates.of_trained(trained, calibrations, study)
    trials = study.study.trials()
    genomes = np.array([trials.genomes[trials.keys.index(one.key)] for one in trained])
    costs = design_costs(study.data, study.space, genomes, study.calibration)
    kept = costs.is_lossless
    others = candidates.on_other_chips
    assert others is not None
    assert kept.any()
    reached = np.array([one.mean("chip_logloss") for one in trained])[kept]
    assert sorted(set(others.logloss.tolist())) == sorted(set(reached.tolist()))
    reference = trained[0].contender
    worst = float(reached.max())
    match = matched(HAND_MADE, "x", reference, worst, candidates, calibrations, judged_by=BY_TEST)
    for name in calibrations:
        for figure in ("area_mm2", "inferences_per_s_w"):
            elsewhere = others.gains_of(name, match.of_reference[name], worst)[figure].max()
            assert match.largest[name][figure] >= elsewhere >= match.gains[name][figure] * (1 - 1e-9)
    assert match.key in {one.key for one in trained}  # what was trained, whatever other chips cost
    moved = [
        replace(one, key=f"another chip than {one.key}") for one in trained
    ]  # as 'moco retrain --chip' leaves them
    alone = Candidates.of_trained(moved, calibrations, study)
    assert alone.on_other_chips is None
    assert matched(HAND_MADE, "x", reference, worst, alone, calibrations, judged_by=BY_TEST).key in alone.keys


def test_references_are_taught_as_the_designs_of_the_run_are(
    run: Run,
    study: CodesignStudy,
    plan: Plan,
    steps: Steps,
    calibrations: dict[str, Calibration],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Run, "recipe", replace(run.recipe, n_teachers=1))
    designs = trained_designs(retrained_networks(run.folder / FOLDER), study.calibration)
    candidates, references = Candidates.of_trained(designs, calibrations, study), naive_references(steps[2])
    taught = Run.reopen(run.folder)
    matches = against_retrained(NAIVE, references, candidates, taught, plan, calibrations, n_seeds=1, n_jobs=1)
    assert sorted(match.reference for match in matches) == sorted(f"{role}, taught" for role in references)
    for match in matches:
        own = Contender.of_design(references[match.reference.removesuffix(", taught")])
        assert match.of_reference["isaac32"] == figures(own, "isaac32")


def test_where_every_chip_loses_something_there_are_no_others(
    joint: Found, calibrations: dict[str, Calibration], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Costs, "is_lossless", property(lambda costs: np.zeros(len(costs.macs), dtype=bool)))
    assert Candidates.of_search(joint, calibrations, seed=0).on_other_chips is None
    best = joint.designs(joint.useful[:1])[0]
    (match,) = against_search(
        NAIVE, Candidates.of_search(joint, calibrations, seed=0), {"itself": best}, calibrations, seed=0
    )
    assert match.largest["isaac32"]["energy_pj"] >= 1 - 1e-9


def test_a_reference_that_nothing_matches_is_said_so(joint: Found, calibrations: dict[str, Calibration]) -> None:
    best = joint.designs(joint.useful[:1])[0]
    matches = against_search(
        NAIVE,
        Candidates.of_search(joint, calibrations, seed=0),
        {"perfect": replace(best, logloss=0.0)},
        calibrations,
        seed=0,
    )
    assert matches[0].key is None
    assert matches[0].gains == {}
    assert matches[0].logloss == joint.trials.values[joint.useful, 0].min()
    text = text_of(tables_of(Comparison(about={}, calibrations=list(calibrations), matches=matches)))
    assert "none as accurate" in text
    assert "Beside published figures" not in text


def test_ties_count_as_matches(joint: Found, calibrations: dict[str, Calibration]) -> None:
    reference = Contender.of_design(joint.designs(joint.useful[:1])[0])
    candidates = replace(Candidates.of_search(joint, calibrations, seed=0), logloss=np.full(len(joint.useful), 0.5))
    match = matched(HAND_MADE, "x", reference, 0.5, candidates, calibrations, judged_by=BY_TEST)
    energies = [match.of_reference["isaac32"].energy_pj / match.gains["isaac32"]["energy_pj"]]
    assert match.key is not None
    assert energies[0] == pytest.approx(match.of_design["isaac32"].energy_pj)
    lower = matched(HAND_MADE, "x", reference, np.nextafter(0.5, 0), candidates, calibrations, judged_by=BY_TEST)
    assert lower.key is None


def test_no_design_of_use(joint: Found, calibrations: dict[str, Calibration]) -> None:
    nothing = Found(joint.codesign, replace(joint.trials, is_feasible=np.zeros(len(joint.trials), dtype=bool)))
    with pytest.raises(ValueError, match=r"no design of the joint search with seed 5 keeps its caps .*: search longer"):
        Candidates.of_search(nothing, calibrations, seed=5)
    assert two_step_references(nothing) == {}


def test_references_are_the_most_accurate_and_the_knee(steps: Steps) -> None:
    _, chips, whole = steps
    naive, two_step = naive_references(whole), two_step_references(chips)
    for found, references in ((whole, naive), (chips, two_step)):
        assert next(iter(references)) == "most accurate"
        assert references["most accurate"].logloss == found.trials.values[found.useful, 0].min()
        assert set(references) <= {"most accurate", "knee"}
    if "knee" in naive:
        assert naive["knee"].macs < naive["most accurate"].macs
    cheapest = chips.trials.values[chips.useful]
    equal = cheapest[cheapest[:, 0] == cheapest[:, 0].min()]
    assert two_step["most accurate"].energy_pj == pytest.approx(equal[:, 1].min())
