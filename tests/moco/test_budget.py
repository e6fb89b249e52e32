"""Budgets of time, by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest

from moco.budget import Budget, training_time, without_the_longest


def test_a_budget_counts_what_was_spent_before() -> None:
    budget = Budget(0.1, {"supernet": 100.0, "search": 20.0})
    assert budget.total_s == pytest.approx(360)
    assert 238 < budget.left_s <= 240
    assert not budget.is_truth_over  # 55 % of 360 s are 198 s
    assert Budget(0.1, {"supernet": 170.0}).is_truth_over
    assert not Budget(0.1, {"supernet": 170.0}).is_search_over  # 40 % are 144 s
    assert Budget(0.1, {"supernet": 220.0}).is_search_over
    with pytest.raises(ValueError, match="hours must be above 0, got 0"):
        Budget(0)


def test_rounds_end_where_the_next_would_not_fit() -> None:
    budget = Budget(1 / 3600)  # a second
    n_rounds = 0
    for _ in budget.rounds():
        time.sleep(0.4)
        n_rounds += 1
    assert n_rounds == 2  # .2 s are left then
    assert budget.left_s > 0
    assert list(budget.rounds(kept_s=0.9)) == []


def test_time_of_training_grows_with_macs() -> None:
    assert training_time(np.array([0, 20_000, 180_000])).tolist() == [1.0, 2.0, 10.0]


def test_one_network_that_takes_more_than_a_third_is_left_out() -> None:
    macs = np.array([0, 20_000, 40_000, 60_000, 180_000])  # times 1, 2, 3, 4, 10 of 20
    assert without_the_longest(macs).tolist() == [True, True, True, True, False]
