from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from moco.data import CtrDataset, load_dataset
from moco.settings import FinalSettings
from moco.supernet.checkpoint import CheckpointError
from moco.supernet.loop import TrainProgress
from moco.supernet.metrics import score_of
from moco.supernet.rows import TensorRows
from moco.training.from_scratch import TrainedNetwork, train_from_scratch
from pimmodel import PimConfig
from spaces.architecture import Architecture, ArchitectureBatch, Block
from spaces.shapes import n_parameters

SETTINGS = FinalSettings(epochs=6, batch_size=64, learning_rate=5e-3, embedding_l2=1e-4, embedding_dropout=0.0)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@cache
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=4000, n_fields=4, n_dense=2, max_cardinality=12)


def architecture() -> Architecture:
    choices = {"dense_inputs": (0,), "sparse_inputs": (0,), "left": 0, "right": 0, "dense_dim": 16, "sparse_dim": 4}
    first = Block(dense_operator="dot-product", sparse_operator="efc", has_fm=True, dense_bits=4, **choices)
    last = Block(dense_operator="fc", sparse_operator="efc", **{**choices, "dense_inputs": (0, 1)})
    return Architecture(blocks=(first, last), embedding_dim=8)


@cache
def trained(seed: int = 0) -> TrainedNetwork:
    return train_from_scratch(data(), architecture(), settings=SETTINGS, seed=seed)


def test_a_network_learns_but_not_more_than_there_is() -> None:
    share = float(data().test.labels.mean())
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    best = data().best_logloss
    assert best is not None
    assert trained().test.auc > 0.7
    assert best < trained().test.logloss < 0.95 * entropy


def test_the_weights_are_those_of_the_best_epoch() -> None:
    result = trained()
    assert result.valid.logloss == min(score.logloss for score in result.history)
    assert result.history[round(result.n_epochs) - 1] == result.valid
    assert score_of(result.network, TensorRows.of(data().valid, torch.device("cpu"))) == result.valid
    assert score_of(result.network, TensorRows.of(data().test, torch.device("cpu"))) == result.test


def test_averaged_weights_are_those_that_are_scored_and_kept() -> None:
    averaged = trained()
    last = train_from_scratch(data(), architecture(), settings=replace(SETTINGS, average_share=0))
    assert averaged.history != last.history
    assert averaged.test.auc > 0.7
    assert score_of(averaged.network, TensorRows.of(data().valid, torch.device("cpu"))) == averaged.valid


def test_training_ends_when_nothing_gets_better_any_more() -> None:
    overfitting = FinalSettings(epochs=40, batch_size=64, learning_rate=2e-2, embedding_l2=0, embedding_dropout=0)
    result = train_from_scratch(data(), architecture(), settings=overfitting)
    losses = [score.logloss for score in result.history]
    assert len(losses) == result.n_epochs + overfitting.patience < 40
    assert min(losses) == losses[round(result.n_epochs) - 1]
    longer = train_from_scratch(data(), architecture(), settings=replace(overfitting, patience=3))
    assert longer.history[: len(losses)] == result.history


def test_a_training_may_go_by_the_auc() -> None:
    overfitting = FinalSettings(
        epochs=12, batch_size=64, learning_rate=2e-2, embedding_l2=0, embedding_dropout=0, patience=3, monitor="auc"
    )
    result = train_from_scratch(data(), architecture(), settings=overfitting)
    assert result.valid.auc == max(score.auc for score in result.history)
    assert result.history[round(result.n_epochs) - 1] == result.valid
    with pytest.raises(ValueError, match=r"unknown monitor 'recall'; monitors are 'logloss', 'auc'"):
        FinalSettings(monitor="recall")


def test_a_network_that_has_not_begun_to_learn_is_given_its_time() -> None:
    chance = np.random.default_rng(0).permutation(data().train.labels)
    hopeless = replace(data(), train=replace(data().train, labels=chance))
    result = train_from_scratch(hopeless, architecture(), settings=replace(SETTINGS, epochs=8, patience=1))
    assert result.n_epochs < 7
    assert len(result.history) == 8


def test_only_live_parts_have_weights() -> None:
    n_weights = sum(value.numel() for name, value in trained().weights.items() if name != "embedding.table")
    assert n_weights == n_parameters(ArchitectureBatch.of([architecture()]), 2, 4)[0]


def test_seeds_repeat_and_differ() -> None:
    short = replace(SETTINGS, epochs=1)
    first, again, other = (
        train_from_scratch(data(), architecture(), settings=short, seed=seed).weights for seed in (1, 1, 2)
    )
    assert all(first[name].equal(again[name]) for name in first)
    assert not first["weights.head_weight"].equal(other["weights.head_weight"])


@pytest.mark.parametrize(
    ("name", "value"), [("epochs", 0), ("batch_size", 0), ("learning_rate", -1.0), ("patience", 0)]
)
def test_settings_are_checked(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be positive, got {value}"):
        FinalSettings(**{name: value})  # type: ignore[arg-type]


def test_training_for_a_chip() -> None:
    lossless = train_from_scratch(
        data(), architecture(), settings=SETTINGS, hardware=PimConfig(adc_bits=12, table_bits=32)
    )
    assert lossless.valid.logloss == pytest.approx(trained().valid.logloss, abs=0.01)
    small = PimConfig(
        adc_bits=5, activation_bits=4, table_bits=4, crossbar_size=64, n_active_wordlines=64, columns_per_adc=8
    )
    first, again = (train_from_scratch(data(), architecture(), settings=SETTINGS, hardware=small) for _ in range(2))
    assert first.valid == again.valid
    assert lossless.valid.logloss < first.valid.logloss < 0.69


def test_a_training_for_a_chip_goes_on_where_it_stopped(tmp_path: Path) -> None:
    chip, file = PimConfig(adc_bits=6), tmp_path / "network.safetensors"
    settings = replace(SETTINGS, epochs=2, average_share=0.1)

    def stop(state: TrainProgress) -> None:
        if state.n_rows > 3300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_from_scratch(data(), architecture(), settings=settings, hardware=chip, checkpoint=file, progress=stop)
    assert file.exists()
    resumed = train_from_scratch(data(), architecture(), settings=settings, hardware=chip, checkpoint=file)
    unbroken = train_from_scratch(data(), architecture(), settings=settings, hardware=chip)
    assert resumed.test == unbroken.test
    with pytest.raises(CheckpointError, match="of another network, or with other data, settings or seed"):
        train_from_scratch(data(), architecture(), settings=settings, checkpoint=file)


def test_a_network_that_starts_from_trained_weights_is_better_at_once() -> None:
    one_epoch = replace(SETTINGS, epochs=1, learning_rate=1e-3)
    tuned = train_from_scratch(data(), architecture(), settings=one_epoch, start=trained().network)
    anew = train_from_scratch(data(), architecture(), settings=one_epoch)
    assert tuned.valid.logloss < anew.valid.logloss - 0.01
    assert score_of(trained().network, TensorRows.of(data().valid, torch.device("cpu"))) == trained().valid
    other = replace(architecture(), blocks=architecture().blocks[:1])
    with pytest.raises(ValueError, match="start must be a network of the architecture that is trained"):
        train_from_scratch(data(), other, settings=one_epoch, start=trained().network)
