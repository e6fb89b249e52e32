"""Tables that are standardised while they are trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from moco.data import CtrDataset, load_dataset
from moco.search.codesign import codesign_space
from moco.settings import TrainSettings
from moco.supernet import train_supernet
from moco.supernet.embedding import SPARSE_TABLE_ROWS, Embedding
from moco.supernet.rows import TensorRows
from moco.supernet.standardised import settle, settled_state, standardise
from moco.training.from_scratch import FinalSettings, train_from_scratch

STD = 0.3
CARDINALITIES = (7, 3, 1)


def rows_of(n_rows: int, seed: int) -> TensorRows:
    rng = np.random.default_rng(seed)
    ids = np.column_stack([rng.integers(cardinality, size=n_rows) for cardinality in CARDINALITIES])
    return TensorRows(torch.from_numpy(ids), torch.zeros(n_rows, 0), torch.zeros(n_rows))


def made(seed: int) -> Embedding:
    return Embedding(CARDINALITIES, 4, torch.Generator().manual_seed(seed))


@given(
    seed=st.integers(0, 2**31 - 1),
    n_rows=st.integers(8, 200),
    scale=st.floats(3, 100),
    shift=st.floats(-10, 10),
)
def test_values_have_one_deviation_whatever_the_size_of_the_table(
    seed: int, n_rows: int, scale: float, shift: float
) -> None:
    rows, embedding = rows_of(n_rows, seed), made(seed)
    with torch.no_grad():
        embedding.table.mul_(scale).add_(shift)
    standardise(embedding, rows, STD)
    with torch.no_grad():
        values = embedding(rows.ids)
    assert values.mean(dim=0).abs().max() < 1e-3
    deviation, other = values.std(dim=0, correction=0), made(seed)
    with torch.no_grad():
        differs = other(rows.ids).std(dim=0, correction=0) > 3e-3  # (F, E) by more than what is added to variances
    assert deviation[differs].numpy() == pytest.approx(STD, rel=0.01)
    one_value = torch.tensor([len(ids.unique()) == 1 for ids in rows.ids.T])
    assert deviation[one_value].abs().max() < 0.02
    standardise(other, rows, STD)
    for field, of_field in enumerate((slice(0, 7), slice(7, 10))):
        mine, others = (one.values[of_field, differs[field]] for one in (embedding, other))
        assert torch.allclose(mine, others, rtol=0.01, atol=0.01)


def test_a_settled_table_is_an_ordinary_one_with_the_same_values() -> None:
    rows, embedding = rows_of(100, 0), made(0)
    standardise(embedding, rows, STD)
    values, state = embedding(rows.ids), settled_state(torch.nn.ModuleDict({"embedding": embedding}), embedding)
    assert not torch.equal(embedding.values, embedding.table)
    settle(embedding)
    assert torch.equal(embedding(rows.ids), values)
    assert torch.equal(embedding.values, embedding.table)
    assert list(state) == ["embedding.table"]
    assert torch.equal(state["embedding.table"], embedding.table)
    assert [name for name, _ in embedding.named_parameters()] == ["table"]


def test_tables_that_no_step_changes_whole_stay_as_they_are() -> None:
    large = Embedding((SPARSE_TABLE_ROWS, 1), 1, torch.Generator().manual_seed(0))
    rows = TensorRows(torch.zeros(5, 2, dtype=torch.int64), torch.zeros(5, 0), torch.zeros(5))
    standardise(large, rows, STD)
    assert large.values is large.table
    standardise(embedding := made(0), rows_of(10, 0), 0.0)
    assert embedding.values is embedding.table


def deviations(data: CtrDataset, table: torch.Tensor) -> torch.Tensor:
    """(F, E) of the values that the train rows read."""
    ids = torch.from_numpy(data.train.ids) + torch.tensor([0, *np.cumsum(data.cardinalities)[:-1]])
    return table[ids].std(dim=0, correction=0)


def test_what_is_trained_comes_out_standardised_and_settled() -> None:
    data = load_dataset("synthetic", n_rows=2000, n_fields=4, max_cardinality=20)
    space = codesign_space(data).network
    architecture = space.networks(space.canonical(space.sample(np.random.default_rng(0), 1)))[0]
    settings = FinalSettings(epochs=2, batch_size=128, embedding_std=STD)
    trained = train_from_scratch(data, architecture, settings=settings)
    assert deviations(data, trained.network.embedding.table.detach()).numpy() == pytest.approx(STD, rel=1e-3)
    again = train_from_scratch(data, architecture, settings=replace(settings, epochs=1), start=trained.network)
    assert set(again.weights) == set(trained.weights)
    supernet = train_supernet(data, space, settings=TrainSettings(epochs=1, batch_size=128, embedding_std=STD))
    assert deviations(data, supernet.supernet.embedding.table.detach()).numpy() == pytest.approx(STD, rel=1e-3)
