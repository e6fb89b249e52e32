"""Designs trained from scratch and their file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from moco.chosen.trained import FromScratch, on_all_chips, read_from_scratch, train_chosen
from moco.data import load_dataset
from moco.design import Design
from moco.search.best_chip import best_genomes
from moco.search.codesign import CodesignStudy
from moco.settings import FinalSettings
from pimmodel import PimConfig
from tests.moco.chips import is_lossless
from tests.moco.chosen.first_design import FIRST


def test_results_that_are_not(tmp_path: Path) -> None:
    file = tmp_path / "from_scratch.json"
    assert read_from_scratch(file) == []
    for text in ("[", '[{"key": "x"}]', "[3]"):
        file.write_text(text)
        with pytest.raises(ValueError, match="does not hold results of training from scratch"):
            read_from_scratch(file)


def test_trained_designs_are_scored_on_their_chips(tmp_path: Path) -> None:
    data = load_dataset("synthetic", n_rows=3000, n_fields=4, n_dense=2, max_cardinality=12)
    lossless = replace(FIRST, n_dense=2, cardinalities=data.cardinalities, hardware=PimConfig(adc_bits=12))
    lossy = replace(lossless, key="lossy", hardware=PimConfig(adc_bits=2, activation_bits=4))
    chosen = [("most accurate", lossless), ("knee", lossy)]
    settings = FinalSettings(epochs=4, batch_size=64, embedding_l2=1e-4, embedding_dropout=0.0)
    good, bad = train_chosen(data, chosen, tmp_path / "results.json", settings=settings, n_jobs=1)
    assert good.n_epochs == bad.n_epochs
    assert good.test_auc > bad.test_auc + 0.02
    again = train_chosen(data, chosen, tmp_path / "results.json", settings=settings, n_jobs=1)
    assert [good, bad] == again
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_what_a_network_reached_holds_for_all_chips_that_lose_nothing(
    study: CodesignStudy, designs: list[Design]
) -> None:
    trained = next(filter(is_lossless, designs))
    result = FromScratch(
        key=trained.key,
        role="promising",
        seed=3,
        n_epochs=1.0,
        valid_logloss=0.5,
        valid_auc=0.7,
        test_logloss=0.6,
        test_auc=0.6,
    )
    study.add(best_genomes(study, [trained])[1])
    lossy = study.study.trials().genomes[[one.key == trained.key for one in designs].index(True)].copy()
    column = study.space.n_network_blocks + study.space.hardware.column("activation_bits")
    lossy[column] = 0
    study.add(lossy[None])
    after = study.designs(study.study.trials())
    assert len(after) > len(designs) + 1
    alike = [one for one in after if one.architecture == trained.architecture and is_lossless(one)]
    found = on_all_chips(study, [result])
    assert found[0] == result
    assert {one.key for one in found} == {one.key for one in alike}
    assert {replace(one, key=trained.key) for one in found} == {result}
    assert on_all_chips(study, [*found, replace(result, seed=4)])[: len(found)] == found
    other = replace(result, key=after[-1].key)
    assert after[-1].architecture == trained.architecture
    assert on_all_chips(study, [other]) == [other]
