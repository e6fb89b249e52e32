"""What an operator contributes: nothing where it says nothing, all where the others say nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moco.data import CtrDataset, load_dataset
from moco.settings import FinalSettings
from moco.supernet.contributions import contributions
from moco.supernet.metrics import score_of
from moco.supernet.network import Network
from moco.supernet.rows import TensorRows, rows_on
from moco.training.from_scratch import train_from_scratch
from spaces import from_compact

SETTINGS = FinalSettings(epochs=4, batch_size=64, embedding_l2=1e-4, embedding_dropout=0.0)


@pytest.fixture(scope="module")
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=3000, n_fields=4, n_dense=2, max_cardinality=12)


def rows_of(data: CtrDataset) -> TensorRows:
    rows = rows_on(data.valid, torch.device("cpu"))
    assert isinstance(rows, TensorRows)
    return rows


def test_every_live_operator_is_named_and_no_dead_one(data: CtrDataset) -> None:
    chain = from_compact("FC16|EFC4|00|0|0|0,0 ; DP16|ATT4|00|0|1|0,0 ; FC8|EFC4|00|2|1|0,0")
    found = contributions(train_from_scratch(data, chain, settings=SETTINGS).network, rows_of(data))
    assert list(found) == ["b1 efc", "b2 dot-product", "b3 fc", "b3 efc"]
    assert max(found.values()) > 0


def test_an_operator_that_tells_nothing_contributes_nothing(data: CtrDataset) -> None:
    network = Network(from_compact("FC16|EFC4|00|0|0|0,0"), data.cardinalities, len(data.dense), seed=0)
    with torch.no_grad():
        network.weights["head_weight"][:, :16] = 0.0  # the head does not listen to the dense operator
        network.weights["head_weight"][:, 16:] = 1.0
    found = contributions(network, rows_of(data))
    assert found["b1 fc"] == 0.0
    assert found["b1 efc"] != 0.0


def test_without_the_only_operator_every_row_gets_the_same(data: CtrDataset) -> None:
    network = train_from_scratch(data, from_compact("FC16|EFC4|00|0|0|0,0"), settings=SETTINGS).network
    with torch.no_grad():
        network.weights["head_weight"][:, :16] = 0.0
    rows = rows_of(data)
    mean_of_rows = []

    def logits(ids: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
        mean_of_rows.append(network(ids, dense))
        return mean_of_rows[-1]

    whole = score_of(logits, rows).logloss
    mean = float(torch.cat(mean_of_rows).mean())  # of the logits, in which the operator's output is linear
    labels = rows.labels.numpy().astype(np.float64)
    constant = float(np.mean(np.logaddexp(0, mean) - labels * mean))
    assert contributions(network, rows)["b1 efc"] == pytest.approx(constant - whole, abs=1e-5)
