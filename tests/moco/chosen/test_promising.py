"""Which design is trained next, where the right choice can be computed by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.chosen.promising import Candidates, Terms, Truths, expected_improvement
from moco.oracle.features import FEATURES
from studies.front import hypervolume


def test_a_certain_value_gains_the_area_that_it_adds() -> None:
    # Known: 0.5 at cost 1. Costs reach from 0 to 2, and an eighth of that beyond: 2.25. Reference 1.
    gains = expected_improvement(
        mean=np.array([0.4, 0.7, 0.7, 0.3]),
        sd=np.zeros(4),
        cost=np.array([2.0, 0.0, 1.5, 0.0]),
        known_cost=np.array([1.0]),
        known_value=np.array([0.5]),
        reference=1.0,
    )
    expected = [
        0.25 * 0.1,  # better than the known one, from cost 2 on
        1.0 * 0.3,  # cheaper than it: below the reference from cost 0 to 1
        0.0,  # dominated
        1.0 * 0.7 + 1.25 * 0.2,
    ]
    assert gains == pytest.approx(expected, abs=1e-9)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 0.9)), min_size=1, max_size=6),
    st.floats(0, 1),
    st.floats(0.1, 0.9),
    st.floats(0.01, 0.3),
)
def test_it_is_the_mean_growth_of_the_hypervolume(
    known: list[tuple[float, float]], cost: float, mean: float, sd: float
) -> None:
    known_cost, known_value = np.array(known).T
    gain = expected_improvement(
        np.array([mean, mean]), np.array([sd, sd]), np.array([cost, 1.0]), known_cost, known_value, 1.0
    )[0]
    end = max(1.0, known_cost.max())
    end += max(np.ptp(np.concatenate([[cost, 1.0], known_cost])), 1e-9) / 8
    corner = np.array([1.0, end])
    points = np.column_stack([known_value, known_cost])
    values = mean + sd * np.sqrt(2) * np.polynomial.hermite.hermgauss(60)[0]
    weights = np.polynomial.hermite.hermgauss(60)[1] / np.sqrt(np.pi)
    before = hypervolume(points, corner)
    grown = [hypervolume(np.vstack([points, [value, cost]]), corner) - before for value in values]
    assert gain == pytest.approx(float(weights @ grown), abs=0.01)


def test_uncertainty_is_worth_something() -> None:
    gains = expected_improvement(
        np.array([0.6, 0.6]), np.array([0.01, 0.2]), np.array([1.0, 1.0]), np.array([0.5]), np.array([0.5]), 1.0
    )
    assert gains[1] > gains[0]


RNG = np.random.default_rng(0)
N = 30


def candidates(score: np.ndarray, known: Truths, time: np.ndarray | None = None) -> Candidates:
    """N designs of one energy, on chips that lose nothing, whose features are all alike."""
    time = np.ones(N) if time is None else time
    designs: list[Any] = [SimpleNamespace(key=str(row)) for row in range(N)]
    features = np.zeros((N, len(FEATURES)))
    return Candidates(cast(Any, designs), score, features, np.zeros(N), np.zeros(N), time, known)


def keys(designs: Any) -> list[int]:
    return [int(design.key) for design in designs]


def test_designs_are_trained_by_their_scores_where_known_networks_say_that_these_are_right() -> None:
    score, reached = np.linspace(0.4, 0.5, N), RNG.normal(0.45, 0.02, 8)
    all_of_them = candidates(score, Truths(reached + 1e-4, np.zeros((8, len(FEATURES))), reached))
    assert keys(all_of_them.most_promising({}, 4, Terms(0.6))) == [0, 1, 2, 3]
    assert keys(all_of_them.most_promising({"1": 0.41}, 2, Terms(0.6)))[0] == 0
    assert 1 not in keys(all_of_them.most_promising({"1": 0.41}, N, Terms(0.6)))


def test_what_trained_designs_reached_outweighs_a_misleading_score() -> None:
    score = np.linspace(0.4, 0.5, N)
    trained = {str(row): 0.9 - float(score[row]) for row in range(0, N, 3)}  # the truth is the other way round
    assert min(keys(candidates(score, Truths.none()).most_promising(trained, 3, Terms(0.6)))[:2]) > N - 6


def test_size_counts_as_trained_designs_say() -> None:
    """Where the score knows nothing of what makes networks good, and their size does."""
    all_of_them = candidates(RNG.normal(0.45, 0.01, N), Truths.none())
    log_macs = RNG.permutation(np.linspace(6.0, 12.0, N))
    all_of_them.features[:, FEATURES.index("log_macs")] = log_macs
    largest = np.argsort(-log_macs).tolist()
    trained = {str(row): 0.6 - 0.01 * float(log_macs[row]) for row in largest[5:15]}
    assert set(keys(all_of_them.most_promising(trained, 5, Terms(0.6)))) == set(largest[:5])
    chosen = keys(all_of_them.most_promising(trained, N, Terms(0.6)))
    assert len(chosen) == len(set(chosen)) == N - len(trained)


def test_cheap_designs_of_little_use_wait() -> None:
    """On a front from the most accurate design to the cheapest, trainings are for the better half."""
    score, reached = np.linspace(0.4, 0.5, N), RNG.normal(0.45, 0.02, 8)
    known = Truths(reached + 1e-4, np.zeros((8, len(FEATURES))), reached)
    front = candidates(score, known)
    front.log_energy[:] = np.linspace(12.0, 2.0, N)
    by_score = keys(front.most_promising({"0": 0.4}, 8, Terms(0.69)))[:4]
    assert max(by_score) <= N // 2 < max(by_score) + N // 4  # beyond it there is nothing to gain, up to it there is


def test_without_any_truth_the_score_decides() -> None:
    assert keys(candidates(np.linspace(0.4, 0.5, N), Truths.none()).most_promising({}, 1, Terms(0.6))) == [0]


def test_in_haste_a_little_less_in_a_tenth_of_the_time_comes_first() -> None:
    score, time = np.linspace(0.4, 0.5, N), np.full(N, 10.0)
    time[3] = 1.0
    hurried = candidates(score, Truths.none(), time)
    assert keys(hurried.most_promising({}, 1, Terms(0.6, haste=1.0))) == [3]
    assert keys(hurried.most_promising({}, 1, Terms(0.6, haste=0.0))) == [0]


def test_what_would_not_end_in_time_is_not_trained() -> None:
    score, time = np.linspace(0.4, 0.5, N), np.full(N, 10.0)
    time[3:6] = 1.0
    late = candidates(score, Truths.none(), time)
    assert set(keys(late.most_promising({}, N, Terms(0.6, most_time=9.0)))) == {3, 4, 5}
