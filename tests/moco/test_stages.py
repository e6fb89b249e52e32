"""What a budget of time leaves of a recipe, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from moco.budget import Budget
from moco.run_settings import RunSettings
from moco.runs import Run
from moco.settings import TrainSettings
from moco.stages import _affordable


def test_epochs_and_teachers_fit_the_budget_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def epochs(_: object, __: object, settings: TrainSettings, seconds: float, ___: str) -> TrainSettings:
        asked.append(seconds)
        return replace(settings, epochs=5)

    def teachers(_: object, seconds: float) -> int:
        asked.append(seconds)
        return 2

    monkeypatch.setattr("moco.stages.affordable", epochs)
    monkeypatch.setattr("moco.stages.affordable_teachers", teachers)
    given = RunSettings(dataset="synthetic", options={"n_rows": 800})
    budget = Budget(1.0)
    assert _affordable(tmp_path, given, budget) == replace(given, n_epochs=5)  # the recipe has no teacher
    recipe = Run(tmp_path, given, keep=False).recipe
    monkeypatch.setattr(Run, "recipe", replace(recipe, n_teachers=4))
    found = _affordable(tmp_path, given, budget)
    assert found == replace(given, n_epochs=5, n_teachers=2)
    assert asked == [0.35 * 3600, 0.35 * 3600, 360]
    own = replace(given, n_epochs=7, n_teachers=3)
    assert _affordable(tmp_path, own, budget) == own
    monkeypatch.setattr(Run, "recipe", replace(recipe, n_teachers=1))
    assert _affordable(tmp_path, given, budget).n_teachers == 1
    Run(tmp_path, found)
    assert _affordable(tmp_path, given, budget) == found
