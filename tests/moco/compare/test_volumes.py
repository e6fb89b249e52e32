"""Fronts in one box: the union dominates the most, and a front against itself gains nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from moco.compare.fronts import front_gains
from moco.compare.volumes import TOGETHER, in_logarithms, volumes

REFERENCE = np.array([0.7, 100.0, 50.0])


def points(seed: int, n: int = 40) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).uniform([0.4, 5.0, 2.0], [0.8, 120.0, 60.0], size=(n, 3))


@pytest.mark.parametrize("seed", range(5))
def test_all_together_dominate_at_least_what_each_does(seed: int) -> None:
    ways = {"a": points(seed), "b": points(seed + 10), "c": points(seed + 20, 3)}
    for shares in (
        volumes(ways, REFERENCE),
        volumes({name: in_logarithms(one) for name, one in ways.items()}, in_logarithms(REFERENCE[None])[0]),
    ):
        assert shares[TOGETHER] >= max(shares.values()) - 1e-12
        assert shares[TOGETHER] <= sum(shares[name] for name in ways) + 1e-12
        assert all(0 <= share <= 1 + 1e-12 for share in shares.values())


def test_volume_by_hand() -> None:
    # Half-way in two objectives and best in the third: a quarter of the box, whose ideal is (0, 0, 0).
    ways = {"half": np.array([[0.5, 0.5, 0.0]]), "corner": np.array([[0.0, 0.0, 0.0]]), "out": np.array([[2.0, 0, 0]])}
    shares = volumes(ways, np.ones(3))
    assert shares == pytest.approx({"half": 0.25, "corner": 1.0, "out": 0.0, TOGETHER: 1.0})
    moved = {name: one + np.array([1.0, 2.0, 3.0]) for name, one in ways.items()}
    assert volumes(moved, np.array([2.0, 3.0, 4.0])) == pytest.approx(shares)


def test_nothing_in_the_box() -> None:
    assert volumes({"a": np.empty((0, 3)), "b": np.array([[0.9, 1.0, 1.0]])}, REFERENCE) == {
        "a": 0,
        "b": 0,
        TOGETHER: 0,
    }


def test_a_front_against_itself() -> None:
    own = points(1)
    for gain in front_gains("a", own, "a", own, seed=0):
        assert gain.gain == pytest.approx(1.0)
        assert gain.n_matched == gain.n_designs > 1


def test_half_the_cost_at_every_accuracy() -> None:
    own = points(2)
    halved = own * [1.0, 0.5, 0.25]
    energy, latency = front_gains("half", halved, "whole", own, seed=0)
    assert (energy.gain, latency.gain) == (pytest.approx(2.0), pytest.approx(4.0))
    assert energy.n_matched == energy.n_designs


def test_what_is_never_as_accurate_is_said_so() -> None:
    own = points(3)
    energy, _ = front_gains("worse", own + np.array([1.0, 0.0, 0.0]), "better", own, seed=0)
    assert (energy.n_matched, math.isnan(energy.gain)) == (0, True)
    nothing, _ = front_gains("worse", own, "empty", own[:0], seed=0)
    assert (nothing.n_designs, nothing.n_matched) == (0, 0)
