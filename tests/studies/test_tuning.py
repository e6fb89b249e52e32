"""Tuning: the given values first, never worse than them, the same when it goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from studies.tuning import Range, tune

RANGES = {
    "learning_rate": Range(low=1e-3, high=1e-1, is_log=True),
    "penalty": Range(low=1e-4, high=1e-1, is_log=True),
    "dropout": Range(low=0.0, high=0.5),
}
FIRST = {"learning_rate": 5e-3, "penalty": 3e-3, "dropout": 0.2}

Report = Callable[[float], None]


def bowl(values: Mapping[str, float], report: Report) -> float:
    """Lowest at a learning rate of 1e-2, a penalty of 1e-3 and no dropout."""
    loss = math.log10(values["learning_rate"] / 1e-2) ** 2 + math.log10(values["penalty"] / 1e-3) ** 2
    loss += values["dropout"]
    for n_left in (3, 2, 1, 0):
        report(loss + n_left)
    return loss


def test_the_given_values_come_first_and_are_beaten() -> None:
    found = tune(bowl, RANGES, FIRST, n_trials=40)
    assert found.first_loss == pytest.approx(math.log10(2) ** 2 + math.log10(3) ** 2 + 0.2)
    assert found.loss < found.first_loss / 2
    assert found.loss == pytest.approx(bowl(found.values, lambda _: None))
    assert (found.n_trials, found.n_pruned > 0) == (40, True)
    assert all(of.low <= found.values[name] <= of.high for name, of in RANGES.items())
    assert "40 trainings" in found.summary()


def test_what_learns_slowly_and_ends_well_is_found() -> None:
    """The stronger the penalty, the worse the first rounds and the better the last one."""

    def slow(values: Mapping[str, float], report: Report) -> float:
        strength = math.log10(values["penalty"] / 1e-4)
        for slowness in (9, 3, 1):
            report(4 + slowness * strength)
        report(4 - strength)
        return 4 - strength

    hasty = tune(slow, RANGES, FIRST, n_trials=20)
    patient = tune(slow, RANGES, FIRST, n_trials=20, n_rounds_kept=3)
    assert hasty.n_pruned > patient.n_pruned
    assert patient.loss < hasty.loss


def test_a_first_value_outside_its_range_widens_it() -> None:
    found = tune(bowl, RANGES, {**FIRST, "learning_rate": 0.5}, n_trials=2)
    assert found.first_loss == pytest.approx(math.log10(50) ** 2 + math.log10(3) ** 2 + 0.2)


def test_a_tuning_that_was_stopped_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    unbroken = tune(bowl, RANGES, FIRST, n_trials=10, seed=3)
    n_left = 6

    def stopped(values: Mapping[str, float], report: Report) -> float:
        nonlocal n_left
        n_left -= 1
        if n_left == 0:
            raise KeyboardInterrupt
        return bowl(values, report)

    file = tmp_path / "tuning.db"
    with pytest.raises(KeyboardInterrupt):
        tune(stopped, RANGES, FIRST, n_trials=10, seed=3, file=file)
    assert tune(bowl, RANGES, FIRST, n_trials=10, seed=3, file=file) == unbroken
    with pytest.raises(ValueError, match="holds a tuning of something else"):
        tune(bowl, RANGES, FIRST, n_trials=10, seed=4, file=file)


def test_trainings_that_fail_count_and_do_not_win() -> None:
    def failing(values: Mapping[str, float], report: Report) -> float:
        if values != FIRST:
            raise FloatingPointError("the loss is not finite")
        return bowl(values, report)

    assert tune(failing, RANGES, FIRST, n_trials=3).values == FIRST
    with pytest.raises(FloatingPointError, match="none of 2 trainings ended"):
        tune(lambda values, report: failing({}, report), RANGES, FIRST, n_trials=2)
    with pytest.raises(ValueError, match="at least 1 training, got 0"):
        tune(bowl, RANGES, FIRST, n_trials=0)
