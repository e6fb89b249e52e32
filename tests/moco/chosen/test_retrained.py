"""Chosen designs trained to the end: kept whole, taken up again, the better start by valid rows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from moco.chosen.retrained import SCRATCH, STARTS, SUPERNET, retrain, retrained_networks
from moco.data import CtrDataset, load_dataset
from moco.design import Design
from moco.search.codesign import codesign_space, create_study
from moco.settings import FinalSettings, TrainSettings
from moco.supernet import TrainedSupernet, train_supernet
from moco.supernet.checkpoint import CheckpointError
from moco.supernet.metrics import score_of
from moco.supernet.rows import rows_on
from moco.training.from_scratch import train_from_scratch
from spaces import CodesignSpace

SETTINGS = FinalSettings(epochs=2, batch_size=128, embedding_l2=1e-4, embedding_dropout=0.0)


@pytest.fixture(scope="module")
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=3000, n_fields=4, n_dense=2, max_cardinality=12)


@pytest.fixture(scope="module")
def space(data: CtrDataset) -> CodesignSpace:
    return codesign_space(data, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=4)


@pytest.fixture(scope="module")
def supernet(data: CtrDataset, space: CodesignSpace) -> TrainedSupernet:
    return train_supernet(data, space.network, settings=TrainSettings(epochs=2, embedding_l2=1e-4), seed=0)


@pytest.fixture(scope="module")
def designs(data: CtrDataset, space: CodesignSpace, supernet: TrainedSupernet) -> list[Design]:
    study = create_study("x", data, space, supernet, n_jobs=1, population_size=20)
    study.optimize(20)
    return study.designs(study.study.trials())


def test_every_start_is_kept_and_the_better_one_counts(
    data: CtrDataset, supernet: TrainedSupernet, designs: list[Design], tmp_path: Path
) -> None:
    chosen = [("knee", designs[0]), ("most accurate", designs[1])]
    found = retrain(data, chosen, tmp_path, settings=SETTINGS, seeds=(0, 1), supernet=supernet, n_jobs=2)
    assert [(one.role, one.seed) for one in found] == [(role, seed) for role, _ in chosen for seed in (0, 1)]
    files = {file.name for file in tmp_path.iterdir()}
    assert files == {
        f"{one.key[:12]}-{seed}-{start}.safetensors" for _, one in chosen for seed in (0, 1) for start in STARTS
    }
    scratch = retrain(data, chosen, tmp_path / "scratch", settings=SETTINGS, seeds=(0, 1), n_jobs=1)
    assert all(one.start == SCRATCH for one in scratch)
    for better, one in zip(found, scratch, strict=True):
        assert better.chip_valid.logloss <= one.chip_valid.logloss
        assert (better.start == SUPERNET) == (better.chip_valid != one.chip_valid)
    alone = train_from_scratch(data, designs[0].architecture, settings=SETTINGS, seed=1, hardware=designs[0].hardware)
    assert (scratch[1].chip_valid, scratch[1].chip_test) == (alone.valid, alone.test)
    test = rows_on(data.test, torch.device("cpu"))
    assert score_of(scratch[1].network, test).logloss == pytest.approx(scratch[1].test.logloss, rel=1e-6)


def test_what_is_there_is_not_trained_again(data: CtrDataset, designs: list[Design], tmp_path: Path) -> None:
    chosen = [("knee", designs[0])]
    retrain(data, chosen, tmp_path, settings=SETTINGS, seeds=(0,), for_chip=False, n_jobs=1)
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    (again,) = retrain(data, chosen, tmp_path, settings=SETTINGS, seeds=(0,), for_chip=False, n_jobs=1)
    assert file.stat().st_mtime_ns == before
    (read,) = retrained_networks(tmp_path)
    assert (read.design, read.valid, read.chip_test) == (designs[0], again.valid, again.chip_test)
    longer = replace(SETTINGS, epochs=3)
    retrain(data, chosen, tmp_path, settings=longer, seeds=(0,), for_chip=False, n_jobs=1)
    assert file.stat().st_mtime_ns > before
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="damaged or cut short"):
        retrained_networks(tmp_path)
    assert retrained_networks(tmp_path / "none") == []


def test_a_supernet_of_other_tables_gives_no_weights(
    data: CtrDataset, supernet: TrainedSupernet, designs: list[Design], tmp_path: Path
) -> None:
    other = load_dataset("synthetic", n_rows=3000, n_fields=4, n_dense=2, max_cardinality=30)
    with pytest.raises(ValueError, match="trained with other table sizes"):
        retrain(other, [("knee", designs[0])], tmp_path, settings=SETTINGS, seeds=(0,), supernet=supernet)


def test_a_design_and_its_json(designs: list[Design]) -> None:
    assert Design.from_json(designs[0].to_json()) == designs[0]
    parts = json.loads(designs[0].to_json())
    with pytest.raises(ValueError, match="this is not a whole design: it needs the entries"):
        Design.from_json(json.dumps({"architecture": parts["architecture"]}))
    with pytest.raises(ValueError, match=r"entry missing .*'key'.*; give a file of 'moco front --design'"):
        Design.from_json(json.dumps({name: value for name, value in parts.items() if name != "key"}))
