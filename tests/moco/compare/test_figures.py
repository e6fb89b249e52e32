"""Ratios: 1 against itself, a chain multiplies, and each calibration has its own."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest

from moco.baselines.recipes import baseline_recipe
from moco.compare.figures import MORE_IS_BETTER, Contender, every_calibration, figures, figures_by_calibration, gains
from moco.runs.run import Run
from moco.search.codesign import CodesignStudy
from pimmodel import CALIBRATIONS, ISAAC, find_calibration


@pytest.fixture(scope="module")
def contenders(run: Run, study: CodesignStudy) -> list[Contender]:
    """Two searched designs, then LR, FM and DNN."""
    data = run.whole_data
    baselines = [
        Contender.of_baseline(baseline_recipe(name, data).network, len(data.dense), data.cardinalities)
        for name in ("LR", "FM", "DNN")
    ]
    return [*map(Contender.of_design, study.designs(study.study.trials())[:2]), *baselines]


def test_a_design_against_itself_has_ratio_1_in_everything(contenders: list[Contender]) -> None:
    for contender in contenders:
        for one in figures_by_calibration(contender, CALIBRATIONS).values():
            assert gains(one, one) == dict.fromkeys(asdict(one), 1.0)


def test_ratios_multiply(contenders: list[Contender]) -> None:
    first, second, third = (figures(one, "isaac32") for one in (contenders[0], contenders[1], contenders[-1]))
    direct, one, two = gains(first, third), gains(first, second), gains(second, third)
    for name, gain in direct.items():
        assert gain == pytest.approx(one[name] * two[name], rel=1e-9)
        assert gains(third, first)[name] == pytest.approx(1 / gain, rel=1e-9)


def test_what_takes_none_is_infinitely_better(contenders: list[Contender]) -> None:
    logistic, deep = (figures(contenders[place], "isaac32") for place in (2, 4))
    assert logistic.macs == 0
    assert gains(logistic, deep)["macs"] == math.inf
    assert gains(deep, logistic)["macs"] == 0


def test_figures_are_those_of_the_design(study: CodesignStudy) -> None:
    for design in study.designs(study.study.trials())[:3]:
        found = figures(Contender.of_design(design), study.calibration)
        assert found.energy_pj == pytest.approx(design.energy_pj, rel=1e-9)
        assert found.latency_ns == pytest.approx(design.latency_ns, rel=1e-9)
        assert found.area_mm2 == pytest.approx(design.area_mm2, rel=1e-9)
        assert found.macs == design.macs
        # inferences per second and watt, from time and power of the design
        assert found.inferences_per_s_w == pytest.approx(1e9 / design.period_ns / (design.power_mw / 1e3), rel=1e-9)


def test_more_is_better_in_rates_alone(contenders: list[Contender]) -> None:
    better, worse = (figures(contenders[place], "isaac32") for place in (0, 4))
    for name, gain in gains(better, worse).items():
        quotient = getattr(better, name) / getattr(worse, name)
        assert gain == pytest.approx(quotient if name in MORE_IS_BETTER else 1 / quotient, rel=1e-9)


def test_baselines_stand_on_isaac_and_every_calibration_costs_anew(contenders: list[Contender]) -> None:
    assert contenders[-1].chip == ISAAC
    scaled = find_calibration("isaac32@22nm")
    calibrations = every_calibration(scaled)
    assert list(calibrations) == [scaled.name, *CALIBRATIONS]
    found = figures_by_calibration(contenders[-1], calibrations)
    assert len({one.energy_pj for one in found.values()}) == len(calibrations)
    assert len({one.macs for one in found.values()}) == 1
