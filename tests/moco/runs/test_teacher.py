"""A teacher: what it makes of labels, and that it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from joblib import cpu_count

from moco.baselines.train import train_baseline
from moco.chosen.choice import chosen_designs
from moco.chosen.retrained import SCRATCH, retrain, retrained_networks
from moco.data import CtrDataset, load_dataset
from moco.data.logs import generate_log
from moco.runs.teacher import affordable_teachers, taught
from moco.search.codesign import codesign_space, create_study
from moco.settings import TAUGHT, FinalSettings, TrainSettings
from moco.supernet import train_supernet

SETTINGS = FinalSettings(epochs=1, batch_size=128, embedding_l2=1e-4)


@pytest.fixture(scope="module")
def log() -> CtrDataset:
    return load_dataset("synthetic", n_rows=2000, n_fields=4, n_dense=1, max_cardinality=12)


@pytest.fixture(scope="module")
def softened(log: CtrDataset, tmp_path_factory: pytest.TempPathFactory) -> CtrDataset:
    return cast(CtrDataset, taught(log, 2, tmp_path_factory.mktemp("teacher"), n_jobs=1))


def test_labels_move_half_way_to_what_the_teacher_predicts(log: CtrDataset, softened: CtrDataset) -> None:
    ids, dense = torch.from_numpy(log.train.ids), torch.from_numpy(log.train.dense)
    networks = [train_baseline(log, name).network for name in ("DCNv2", "DNN")]
    with torch.no_grad():
        predicted = [torch.sigmoid(network(ids, dense)).numpy() for network in networks]
    np.testing.assert_allclose(softened.train.labels, (log.train.labels + np.mean(predicted, axis=0)) / 2, atol=1e-5)
    assert softened.valid is log.valid
    assert softened.test is log.test
    assert softened.digest != log.digest
    assert softened.name == f"{log.name}, labels softened by a teacher of 2 networks"


def test_a_teacher_that_is_there_is_not_trained_again(log: CtrDataset, tmp_path: Path) -> None:
    told: list[float] = []
    one = taught(log, 1, tmp_path, n_jobs=1)
    (file,) = tmp_path.iterdir()
    before = file.stat().st_mtime_ns
    two = taught(log, 2, tmp_path, n_jobs=1, progress=lambda n_done, _: told.append(n_done))
    assert [n_done for n_done in told if n_done == int(n_done)] == [1, 2]  # shares of one between, on a slow machine
    assert file.stat().st_mtime_ns == before
    assert two.digest == taught(log, 2, tmp_path, n_jobs=2).digest != one.digest
    other = load_dataset("synthetic", n_rows=2000, n_fields=4, n_dense=1, max_cardinality=12, seed=1)
    taught(other, 1, tmp_path, n_jobs=1)
    assert file.stat().st_mtime_ns > before


def test_no_teacher_and_one_without_a_say_leave_labels(log: CtrDataset, tmp_path: Path) -> None:
    assert taught(log, 0, tmp_path / "none") is log
    assert not (tmp_path / "none").exists()
    same = taught(log, 1, tmp_path, share=0.0, n_jobs=1)
    assert isinstance(same, CtrDataset)
    assert np.array_equal(same.train.labels, log.train.labels)


@pytest.mark.parametrize(
    ("n_networks", "share", "message"),
    [(-1, 0.5, "a teacher has 0 networks or more, got -1"), (1, 1.5, "share must be from 0 to 1, got 1.5")],
)
def test_bad_arguments(log: CtrDataset, tmp_path: Path, n_networks: int, share: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taught(log, n_networks, tmp_path, share=share)


def test_a_log_on_the_disk_has_no_teacher(tmp_path: Path) -> None:
    generate_log("criteo", tmp_path / "train.txt", 500)
    stored = load_dataset("criteo", tmp_path, cache_dir=tmp_path / "cache")
    with pytest.raises(ValueError, match=r"a teacher needs a log in memory, '.*' is stored on the disk"):
        taught(stored, 1, tmp_path / "teacher")


def test_teachers_that_fit_the_time(log: CtrDataset) -> None:
    assert affordable_teachers(log, 0.0) == 0
    assert affordable_teachers(log, 1e5) >= cpu_count()


def test_taught_networks_say_so_and_stand_beside_those_that_are_not(
    log: CtrDataset, softened: CtrDataset, tmp_path: Path
) -> None:
    space = codesign_space(log, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=4)
    supernet = train_supernet(log, space.network, settings=TrainSettings(epochs=1, embedding_epochs=0), seed=0)
    study = create_study("x", log, space, supernet, n_jobs=1, population_size=10)
    study.optimize(10)
    chosen = chosen_designs(study.front())[:1]
    plain = retrain(log, chosen, tmp_path, settings=SETTINGS, seeds=(0,), n_jobs=1)
    soft = retrain(softened, chosen, tmp_path, settings=SETTINGS, seeds=(0,), is_taught=True, n_jobs=1)
    assert [one.start for one in (*plain, *soft)] == [SCRATCH, SCRATCH + TAUGHT]
    assert plain[0].chip_valid != soft[0].chip_valid
    (better,) = retrained_networks(tmp_path)
    assert better.chip_valid.logloss == min(plain[0].chip_valid.logloss, soft[0].chip_valid.logloss)
