"""Rank fidelity on truths whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from moco.oracle.fidelity import Noise, ceiling, rank_correlation, share_of_resamples_better


def test_noise_of_a_hand_computed_table() -> None:
    # Seeds differ by 2: variance 2 about each mean. The means 1, 5, 9 have variance 16, of which 2 / 2 is noise.
    noise = Noise.of([[0.0, 2.0], [4.0, 6.0], [8.0, 10.0]])
    assert noise.seed_sd == pytest.approx(np.sqrt(2.0))
    assert noise.network_sd == pytest.approx(np.sqrt(15.0))
    assert noise.n_seeds == 2
    assert noise.can_be_ranked
    assert not Noise.of([[0.0, 2.0], [1.0, 3.0], [2.0, 4.0]]).can_be_ranked


def test_missing_runs_are_left_out() -> None:
    with_gaps = Noise.of([[0.0, 2.0], [4.0, np.nan], [8.0, 10.0], [np.nan, np.nan]])
    assert with_gaps.seed_sd == pytest.approx(np.sqrt(2.0))
    assert with_gaps.n_seeds == pytest.approx(5 / 3)


@pytest.mark.parametrize("table", [[[1.0], [2.0]], [[1.0, 2.0]]])
def test_noise_needs_repeats(table: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="noise needs 2 networks and one with 2 seeds"):
        Noise.of(table)


def test_noise_is_found_again() -> None:
    rng = np.random.default_rng(0)
    noise = Noise.of(rng.normal(0, 3, (2000, 1)) + rng.normal(0, 1, (2000, 3)))
    assert noise.seed_sd == pytest.approx(1, rel=0.05)
    assert noise.network_sd == pytest.approx(3, rel=0.05)


def test_a_perfect_score_reaches_the_ceiling() -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(0, 1, 400)
    table = true[:, None] + rng.normal(0, 0.7, (400, 2))
    reached = rank_correlation(true, table.mean(axis=1))
    assert ceiling(table) == pytest.approx(reached.tau, abs=0.04)
    assert reached.low < reached.tau < reached.high


def test_without_noise_the_ceiling_is_1_and_without_spread_0() -> None:
    assert ceiling([[1.0, 1.0], [2.0, 2.0], [5.0, 5.0]]) == 1
    assert abs(ceiling(np.random.default_rng(2).normal(size=(500, 2)))) < 0.3


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=20))
def test_tau_is_scipys_tau_b(pairs: list[tuple[int, int]]) -> None:
    score, truth = np.array(pairs, dtype=float).T
    expected = kendalltau(score, truth).statistic if np.ptp(score) and np.ptp(truth) else 0.0
    assert rank_correlation(score, truth).tau == pytest.approx(expected)


def test_the_interval_is_that_of_resampled_networks() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=40)
    score = truth + rng.normal(size=40)
    taus = []
    for _ in range(1000):
        rows = rng.integers(40, size=40)
        taus.append(kendalltau(score[rows], truth[rows]).statistic)
    rank = rank_correlation(score, truth)
    assert [rank.low, rank.high] == pytest.approx(np.quantile(taus, [0.05, 0.95]).tolist(), abs=0.03)


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=30, unique=True))
def test_tau_of_an_order_with_itself_and_turned_round(figures: list[int]) -> None:
    truth = np.array(figures, dtype=float)
    assert rank_correlation(truth**3, truth).tau == pytest.approx(1)
    assert rank_correlation(-truth, truth).tau == pytest.approx(-1)
    assert rank_correlation(truth, truth).spearman == pytest.approx(1)
    assert rank_correlation(np.zeros(len(truth)), truth).tau == 0


def test_a_better_score_wins_most_resamples() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=80)
    good, bad = truth + rng.normal(0, 0.3, 80), truth + rng.normal(0, 3, 80)
    assert share_of_resamples_better(good, bad, truth) > 0.99
    assert share_of_resamples_better(bad, good, truth) < 0.01
