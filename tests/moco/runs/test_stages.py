"""What a budget of time leaves of a recipe, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from moco.runs.budget import Budget
from moco.runs.run import Run
from moco.runs.settings import RunSettings
from moco.runs.stages import _affordable
from moco.settings import TrainSettings


def test_epochs_and_teachers_fit_the_budget_and_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def epochs(_: object, __: object, settings: TrainSettings, seconds: float, ___: str) -> TrainSettings:
        asked.append(seconds)
        return replace(settings, epochs=5)

    def teachers(_: object, seconds: float) -> int:
        asked.append(seconds)
        return 2

    monkeypatch.setattr("moco.runs.stages.affordable", epochs)
    monkeypatch.setattr("moco.runs.stages.affordable_teachers", teachers)
    given = RunSettings(dataset="synthetic", options={"n_rows": 800})
    budget = Budget(1.0)

    def fitting(settings: RunSettings) -> RunSettings:
        return _affordable(Run(tmp_path, settings, keep=False), budget)

    assert fitting(given) == replace(given, n_epochs=5)  # the recipe has no teacher
    recipe = Run(tmp_path, given, keep=False).recipe
    monkeypatch.setattr(Run, "recipe", replace(recipe, n_teachers=4))
    found = fitting(given)
    assert found == replace(given, n_epochs=5, n_teachers=2)
    assert asked == [0.35 * 3600, 0.35 * 3600, 360]
    own = replace(given, n_epochs=7, n_teachers=3)
    assert fitting(own) == own
    monkeypatch.setattr(Run, "recipe", replace(recipe, n_teachers=1))
    assert fitting(given).n_teachers == 1
    Run(tmp_path, found)
    assert fitting(given) == found


def test_a_run_that_begins_reads_no_log_again(tmp_path: Path) -> None:
    asked = Run(tmp_path, RunSettings(dataset="synthetic", options={"n_rows": 800}), keep=False)
    assert not (tmp_path / "run.json").exists()
    log = asked.whole_data
    run = asked.begun(replace(asked.settings, n_epochs=2))
    assert run.data is run.whole_data is log
    assert run.supernet_settings.epochs == 2
    assert Run.reopen(tmp_path).settings == run.settings
