"""Budgets of time, by hand."""

from __future__ import annotations

import time

import pytest

from moco.data import load_dataset
from moco.runs.budget import Budget, affordable
from moco.search.codesign import codesign_space
from moco.settings import TrainSettings


def test_a_budget_counts_what_was_spent_before() -> None:
    budget = Budget(0.1, {"supernet": 100.0, "search": 20.0})
    assert budget.total_s == pytest.approx(360)
    assert 238 < budget.left_s <= 240
    assert 40 < budget.truth_left_s <= 42  # 55 % of 360 s are 198 s
    assert -9 < Budget(0.1, {"supernet": 170.0}).truth_left_s <= -8
    assert 27 < Budget(0.1, {"supernet": 170.0}, teacher_share=0.1).truth_left_s <= 28
    assert not Budget(0.1, {"supernet": 220.0}, teacher_share=0.1).is_search_over  # 30 % are 108 s
    assert not Budget(0.1, {"supernet": 170.0}).is_search_over  # 40 % are 144 s
    assert Budget(0.1, {"supernet": 220.0}).is_search_over
    assert 35 < Budget(0.1).truth_countdown()() <= 36  # a tenth from now on
    assert 7 < Budget(0.1, {"supernet": 154.0}).truth_countdown()() <= 8  # less where the supernet took all of its own
    with pytest.raises(ValueError, match="hours must be above 0, got 0"):
        Budget(0)


def test_epochs_fit_the_time_that_each_kind_of_step_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """800 rows at 80 rows/s in random paths, 20 in full ones, 400 of the embeddings alone."""
    data = load_dataset("synthetic", n_rows=1000)
    space = codesign_space(data)

    def rows_per_s(_: object, __: object, probe: TrainSettings, ___: object) -> float:
        assert probe.epochs == 1
        return 400.0 if probe.embedding_epochs else 20.0 if probe.full_path_share == 1 else 80.0

    settings = TrainSettings(epochs=16, embedding_epochs=3, full_path_share=0.5)
    with monkeypatch.context() as patch:
        patch.setattr("moco.runs.budget._rows_per_s", rows_per_s)
        # 3 x 2 s, then epochs of 3/4 x 10 s + 1/4 x 40 s
        for seconds, epochs in ((58.4, 2), (58.6, 3), (1.0, 1), (1e6, 16)):
            assert affordable(data, space, settings, seconds).epochs == epochs
        without = TrainSettings(epochs=16, embedding_epochs=0, full_path_share=0.0)
        assert affordable(data, space, without, 29.9).epochs == 2
    started_s = time.monotonic()
    assert affordable(data, space, settings, 1e4).epochs == 16  # measured
    assert time.monotonic() - started_s < 60
