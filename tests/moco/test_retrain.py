from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from moco.data import CtrDataset, load_dataset
from moco.retrain import TrainedNetwork, train_from_scratch
from moco.settings import FinalSettings
from moco.supernet.metrics import score_of
from moco.supernet.rows import TensorRows
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


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("batch_size", 0), ("learning_rate", -1.0)])
def test_settings_are_checked(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be positive, got {value}"):
        FinalSettings(**{name: value})  # type: ignore[arg-type]
