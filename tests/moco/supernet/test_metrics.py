"""Scores and reliability, by hand and as laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.supernet.metrics import Score, reliability


def test_a_score_by_hand() -> None:
    labels, logits = np.array([0, 1, 1], dtype=np.float32), np.array([0, 0, np.log(3)], dtype=np.float32)
    score = Score.of(labels, logits)
    assert score.logloss == pytest.approx(-(2 * np.log(0.5) + np.log(0.75)) / 3)
    assert score.auc == 0.75  # one of two pairs is a tie


def test_bins_by_hand() -> None:
    labels = np.array([1, 0, 0, 1], dtype=np.float32)
    logits = np.array([np.log(3), 0, 0, np.log(9)], dtype=np.float32)
    low, high = reliability(labels, logits, n_bins=2)
    assert (low.predicted, low.observed, low.n_rows) == (0.5, 0.0, 2)
    assert (high.predicted, high.observed, high.n_rows) == (pytest.approx(0.825), 1.0, 2)


@given(st.integers(1, 50), st.integers(1, 12), st.integers(0, 1000))
def test_bins_hold_every_row_once(n_rows: int, n_bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n_rows).astype(np.float32)
    bins = reliability(labels, rng.normal(size=n_rows).astype(np.float32), n_bins)
    assert sum(one.n_rows for one in bins) == n_rows
    assert max(one.n_rows for one in bins) - min(one.n_rows for one in bins) <= 1
    assert sum(one.observed * one.n_rows for one in bins) == pytest.approx(float(labels.sum()))
    assert [one.predicted for one in bins] == sorted(one.predicted for one in bins)


def test_a_score_is_as_sure_as_a_mean_of_its_rows() -> None:
    # Half of the rows lose log 2, a quarter each lose log 4 and log 4/3: variance by hand.
    labels = np.array([0, 1, 1, 0], dtype=np.float32)
    logits = np.array([0, 0, -math.log(3), -math.log(3)], dtype=np.float32)
    losses = [math.log(2), math.log(2), math.log(4), math.log(4 / 3)]
    mean = sum(losses) / 4
    deviation = math.sqrt(sum((loss - mean) ** 2 for loss in losses) / 4)
    score = Score.of(labels, logits)
    assert score.logloss == pytest.approx(mean)
    assert score.logloss_se == pytest.approx(deviation / 2)
    many = Score.of(np.tile(labels, 25), np.tile(logits, 25))
    assert many.logloss_se == pytest.approx(deviation / 10)
