"""Training from a stored log's memory map: the same weights as from memory, in rounds, and on tables that are large."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import moco.supernet.embedding
import moco.supernet.loop
import moco.supernet.optimiser
from moco.data import StoredLog, load_dataset
from moco.data.logs import generate_log
from moco.oracle.oracle import Oracle
from moco.settings import FinalSettings, TrainSettings
from moco.supernet import train_supernet
from moco.supernet.checkpoint import CheckpointError
from moco.supernet.loop import TrainProgress
from moco.supernet.rows import MappedRows, TensorRows, rows_on
from moco.training.from_scratch import train_from_scratch
from spaces import nasrec_space

SUPERNET = TrainSettings(epochs=1, embedding_epochs=1, batch_size=64, embedding_dropout=0.1)
FINAL = FinalSettings(epochs=2, batch_size=64, learning_rate=1e-3, embedding_dropout=0.1)
SPACE = nasrec_space(n_dense=13, n_sparse=26, n_blocks=2, dense_dims=(8, 16), sparse_dims=(2, 4), embedding_dim=8)
NETWORK = SPACE.networks(SPACE.canonical(SPACE.sample(np.random.default_rng(0), 1)))[0]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> StoredLog:
    folder = tmp_path_factory.mktemp("criteo")
    generate_log("criteo", folder / "train.txt", 4000)
    loaded = load_dataset("criteo", folder, cache_dir=folder / "cache", min_count=3)
    assert isinstance(loaded, StoredLog)
    return loaded


@pytest.fixture
def sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (moco.supernet.embedding, moco.supernet.optimiser):
        monkeypatch.setattr(module, "SPARSE_TABLE_ROWS", 100)


@pytest.fixture
def short_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moco.supernet.loop, "ROUND_STEPS", 20)


class Stopped(Exception):
    pass


class StopAt:
    """Progress that stops a training after some calls."""

    def __init__(self, n_calls: int) -> None:
        self._n_left = n_calls

    def __call__(self, _: TrainProgress) -> None:
        self._n_left -= 1
        if self._n_left == 0:
            raise Stopped


def test_mapped_rows_are_the_rows(log: StoredLog) -> None:
    mapped = rows_on(log.valid, CPU)
    assert isinstance(mapped, MappedRows)
    whole = TensorRows.of(log.valid.rows(np.arange(len(log.valid))), CPU)
    assert len(mapped) == len(whole) == len(log.valid)
    at = np.array([5, 0, 5, len(whole) - 1])
    for name in ("ids", "dense", "labels"):
        assert getattr(mapped.take(at), name).equal(getattr(whole.take(at), name))
        batches = [getattr(batch, name) for batch in mapped.batches(150)]
        assert torch.cat(batches).equal(getattr(whole, name))
        assert [len(batch) for batch in batches[:-1]] == [150] * (len(batches) - 1)


@pytest.mark.usefixtures("sparse", "short_rounds")
def test_training_from_the_map_is_training_from_memory(log: StoredLog) -> None:
    rows = {name: log.part(name).rows(np.arange(len(log.part(name)))) for name in ("train", "valid", "test")}

    class InMemory:
        name, categorical, dense, cardinalities, digest = "x", log.categorical, log.dense, log.cardinalities, log.digest
        train, valid, test = rows["train"], rows["valid"], rows["test"]

    memory: StoredLog = InMemory()  # type: ignore[assignment]
    first, second = (train_supernet(data, SPACE, settings=SUPERNET, seed=3) for data in (log, memory))
    assert first.digest == second.digest
    assert [one.n_epochs for one in first.history] == pytest.approx([1 / 3, 2 / 3, 1])  # 45 steps in rounds of 15
    scores = [
        Oracle(first, data, n_tuning_steps=4, n_jobs=1).score(SPACE.networks(SPACE.sample(np.random.default_rng(1), 2)))
        for data in (log, memory)
    ]
    assert scores[0].logloss.tolist() == scores[1].logloss.tolist()
    one, other = (train_from_scratch(data, NETWORK, settings=FINAL, seed=3) for data in (log, memory))
    assert all(one.weights[name].equal(value) for name, value in other.weights.items())
    assert (one.valid, one.test, one.history) == (other.valid, other.test, other.history)
    assert len(one.history) == 2 * 3


@pytest.mark.usefixtures("short_rounds")
@pytest.mark.parametrize("is_sparse", [False, True])
def test_stopped_within_an_epoch_ends_as_unbroken(
    log: StoredLog, is_sparse: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if is_sparse:
        request.getfixturevalue("sparse")
    settings, file = replace(SUPERNET, optimiser="adagrad", learning_rate=0.01, warm_up_share=0.1), tmp_path / "s"
    for n_calls in (2, 4, 9):
        with pytest.raises(Stopped):
            train_supernet(log, SPACE, settings=settings, checkpoint=file, progress=StopAt(n_calls))
    resumed = train_supernet(log, SPACE, settings=settings, checkpoint=file)
    assert resumed.digest == train_supernet(log, SPACE, settings=settings).digest

    file = tmp_path / "network"
    for n_calls in (4, 5):
        with pytest.raises(Stopped):
            train_from_scratch(log, NETWORK, settings=FINAL, checkpoint=file, progress=StopAt(n_calls))
    resumed_network = train_from_scratch(log, NETWORK, settings=FINAL, checkpoint=file)
    unbroken = train_from_scratch(log, NETWORK, settings=FINAL)
    assert all(resumed_network.weights[name].equal(value) for name, value in unbroken.weights.items())
    assert resumed_network.history == unbroken.history
    assert resumed_network.test == unbroken.test
    with pytest.raises(CheckpointError, match="holds a training of another network, or with other data, settings or"):
        train_from_scratch(log, NETWORK, settings=FINAL, seed=1, checkpoint=file)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="is not a network in training, or is damaged or cut short"):
        train_from_scratch(log, NETWORK, settings=FINAL, checkpoint=file)


def test_sixteen_bits_learn_about_the_same(log: StoredLog) -> None:
    settings = replace(FINAL, epochs=1)
    whole, half = (
        train_from_scratch(log, NETWORK, settings=replace(settings, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    assert half.valid.logloss == pytest.approx(whole.valid.logloss, abs=0.01)
    assert half.valid != whole.valid
    assert all(value.dtype == torch.float32 for value in half.weights.values())
