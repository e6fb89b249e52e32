"""Retrained designs in the report: their tables and figures, and nothing without them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moco.chosen.retrained import Retrained, retrain
from moco.data import CtrDataset
from moco.report import ReportInputs, write_report
from moco.report.retrained import CONTRIBUTIONS, CURVES, RELIABILITY, mean_and_deviation, retrained_figures
from moco.search.codesign import CodesignStudy
from moco.settings import FinalSettings


@pytest.fixture(scope="module")
def found(data: CtrDataset, study: CodesignStudy, tmp_path_factory: pytest.TempPathFactory) -> list[Retrained]:
    chosen = [("most accurate", study.front()[0]), ("knee", study.front()[-1])]
    settings = FinalSettings(epochs=3, batch_size=128, embedding_l2=1e-4, embedding_dropout=0.0)
    return retrain(data, chosen, tmp_path_factory.mktemp("retrained"), settings=settings, seeds=(0, 1), n_jobs=1)


def test_what_was_retrained_is_told(inputs: ReportInputs, found: list[Retrained], tmp_path: Path) -> None:
    page = write_report(replace(inputs, retrained=found), tmp_path).read_text(encoding="utf-8")
    assert "<h2>Retrained designs</h2>" in page
    assert all((tmp_path / name).exists() for name in (CURVES, RELIABILITY, CONTRIBUTIONS))
    for role, runs in (("most accurate", found[:2]), ("knee", found[2:])):
        losses = np.array([run.chip_test.logloss for run in runs])
        assert f"{role} ({runs[0].design.key[:8]})" in page
        assert f"{losses.mean():.4f} ± {losses.std(ddof=1):.4f}" in page


def test_a_run_without_retrained_designs_has_no_such_section(inputs: ReportInputs, tmp_path: Path) -> None:
    assert retrained_figures([]) == {}
    assert "Retrained designs" not in write_report(inputs, tmp_path).read_text(encoding="utf-8")


def test_figures_of_what_was_trained(data: CtrDataset, found: list[Retrained]) -> None:
    for run in found:
        assert len(run.history) <= 3
        assert min(score.logloss for score in run.history) == pytest.approx(run.chip_valid.logloss, abs=0.01)
        assert sum(one.n_rows for one in run.reliability) == len(data.test)
        predicted = [one.predicted for one in run.reliability]
        assert predicted == sorted(predicted)


def test_a_mean_and_its_deviation() -> None:
    assert mean_and_deviation(np.array([0.55])) == "0.5500"
    assert mean_and_deviation(np.array([0.55, 0.57])) == "0.5600 ± 0.0141"
