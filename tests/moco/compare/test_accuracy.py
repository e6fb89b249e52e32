"""Accuracy alone: means over seeds, the best baseline, and scores on chips over all test rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moco.baselines import read_results
from moco.chosen.retrained import FOLDER, Retrained, retrained_networks
from moco.compare.accuracy import SCORES, against_best, trained_baselines, trained_designs
from moco.compare.comparison import Comparison, baselines_file
from moco.compare.page import tables_of
from moco.runs.run import Run
from moco.settings import TAUGHT
from pimmodel import find_calibration


@pytest.fixture(scope="module")
def retrained(run: Run) -> list[Retrained]:
    return retrained_networks(run.folder / FOLDER)


def test_means_over_seeds(run: Run, retrained: list[Retrained]) -> None:
    designs = trained_designs(retrained, find_calibration("isaac32"))
    assert len(designs) == 2
    for design in designs:
        ones = [one for one in retrained if one.design.key == design.key]
        assert design.seeds == (0, 1)
        assert design.mean("auc") == pytest.approx(np.mean([one.test.auc for one in ones]))
        assert design.deviation("logloss") == pytest.approx(np.std([one.test.logloss for one in ones], ddof=1))
        assert design.scores["chip_auc"] == tuple(one.chip_test.auc for one in ones)
    results = read_results(baselines_file(run.folder), run.whole_data)
    baselines = trained_baselines(results, run.whole_data, find_calibration("isaac32"))
    assert [one.name for one in baselines] == ["LR", "FM"]
    assert baselines[0].scores["chip_logloss"] == tuple(one.chip_test_logloss for one in results if one.name == "LR")
    assert baselines[0].scores["auc"] == tuple(one.test_auc for one in results if one.name == "LR")


def test_what_a_teacher_taught_is_told(run: Run, retrained: list[Retrained]) -> None:
    plain, soft = (
        trained_designs([replace(one, start=one.start + end) for one in retrained], find_calibration("isaac32"))
        for end in ("", TAUGHT)
    )
    assert [one.role for one in soft] == [one.role + TAUGHT for one in plain]
    for designs, n_told in ((plain, 1), (soft, 2)):
        found = Comparison(about={}, calibrations=[], designs=designs, differences=against_best(designs, designs))
        (accuracy,) = (table for table in tables_of(found) if table.title == "Accuracy")
        assert len(accuracy.about) == n_told


def test_the_best_baseline_is_best_score_by_score(run: Run, retrained: list[Retrained]) -> None:
    isaac = find_calibration("isaac32")
    designs = trained_designs(retrained, isaac)
    results = read_results(baselines_file(run.folder), run.whole_data)
    baselines = trained_baselines(results, run.whole_data, isaac)
    found = against_best(designs, baselines)
    assert [(one.design, one.score) for one in found] == [(one.name, score) for one in designs for score in SCORES]
    for one in found:
        means = {baseline.name: baseline.mean(one.score) for baseline in baselines}
        best = min(means.values()) if "logloss" in one.score else max(means.values())
        assert means[one.baseline] == best
        (design,) = (design for design in designs if design.name == one.design)
        assert one.difference.mean == pytest.approx(design.mean(one.score) - best, abs=1e-12)
    itself = against_best(baselines[:1], baselines[:1])
    assert all(one.difference.mean == 0 and one.difference.is_beyond_noise is False for one in itself)
    with pytest.raises(ValueError, match="there are no baselines to compare with: train some with 'moco baselines'"):
        against_best(designs, [])
