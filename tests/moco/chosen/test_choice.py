"""The designs one would look at first, and those that a person asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moco.chosen.choice import chosen_designs, find_design, most_accurate_under
from moco.design import Design
from moco.search.best_chip import best_chips
from moco.search.codesign import CodesignStudy
from spaces import from_compact
from tests.moco.chips import is_lossless, product
from tests.moco.chosen.first_design import FIRST


def other(key: str, width: int, logloss: float, energy_pj: float, latency_ns: float) -> Design:
    network = from_compact(f"FC{width}|EFC4|00|0|0|0,0")
    return replace(FIRST, key=key, architecture=network, logloss=logloss, energy_pj=energy_pj, latency_ns=latency_ns)


FRONT = [
    FIRST,
    other("1", 16, 0.50, 2000.0, 500.0),  # the first network on another chip
    other("2", 32, 0.51, 900.0, 900.0),
    other("3", 48, 0.52, 800.0, 800.0),
    other("4", 64, 0.53, 10.0, 10.0),  # gives up little accuracy for a hundredth of the cost
    other("5", 80, 0.69, 9.0, 9.0),
]


def test_two_networks_and_the_knee() -> None:
    assert [(role, design.key) for role, design in chosen_designs(FRONT)] == [
        ("most accurate", "0"),
        ("second most accurate", "2"),
        ("knee", "4"),
    ]


def test_short_fronts() -> None:
    assert chosen_designs([]) == []
    assert [role for role, _ in chosen_designs(FRONT[:1])] == ["most accurate"]
    assert [design.key for _, design in chosen_designs(FRONT[:2])] == ["0"]  # one network on two chips


def test_designs_that_a_person_names(designs: list[Design]) -> None:
    roles = dict(chosen_designs(designs))
    assert find_design(designs, "2", roles) == designs[1]
    assert find_design(designs, designs[3].key[:10], roles) == designs[3]
    best = min(designs, key=lambda one: (one.logloss, product(one, ("energy_pj", "latency_ns"))))
    assert find_design(designs, "most accurate", roles) == best
    with pytest.raises(ValueError, match=r"0 designs .* begins with 'x': give one design by its key, its rank from 1"):
        find_design(designs, "x", roles)


def test_the_most_accurate_design_under_caps(study: CodesignStudy, designs: list[Design]) -> None:
    median_pj = sorted(one.energy_pj for one in designs)[len(designs) // 2]
    allowed = [one for one in designs if one.energy_pj <= median_pj]
    limits = {"energy_pj": median_pj}
    assert most_accurate_under(study, designs, {}, limits) == min(allowed, key=lambda one: one.logloss)
    assert most_accurate_under(study, designs, {allowed[-1].key: 0.9}, limits) == allowed[-1]
    with pytest.raises(ValueError, match=r"no design of the front stays below 0\.1 pJ: the least on it are .* pJ and"):
        most_accurate_under(study, designs, {}, {"energy_pj": 0.1})


def test_a_trained_network_that_is_too_dear_keeps_a_cap_on_another_chip(
    study: CodesignStudy, designs: list[Design]
) -> None:
    dearest = max(filter(is_lossless, designs), key=lambda one: one.energy_pj)
    least = best_chips(study, [dearest], ["energy"])[dearest.key]["energy"]
    limits = {"energy_pj": 1.2 * least.energy_pj, "latency_ns": 2 * least.latency_ns}
    assert limits["energy_pj"] < dearest.energy_pj
    found = most_accurate_under(study, designs, {dearest.key: 0.1}, limits)
    assert found.architecture == dearest.architecture
    assert is_lossless(found)
    assert all(getattr(found, name) <= limit for name, limit in limits.items())
    figures = ("energy_pj", "latency_ns", "area_mm2")
    assert product(found, figures) <= product(least, figures)
    cheapest = min(designs, key=lambda one: one.energy_pj)
    beyond = {"energy_pj": max(0.9 * least.energy_pj, cheapest.energy_pj)}
    assert beyond["energy_pj"] < least.energy_pj
    assert most_accurate_under(study, designs, {dearest.key: 0.1, cheapest.key: 0.2}, beyond) != dearest
    assert best_chips(study, [dearest], ["balance"], beyond) == {}
