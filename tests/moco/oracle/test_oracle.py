from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from moco.data import CtrDataset, Rows, load_dataset
from moco.oracle.oracle import Oracle
from moco.settings import TrainSettings
from moco.supernet.checkpoint import TrainedSupernet, held_out_rows
from moco.supernet.fine_tuning import Lesson, fine_tuned
from moco.supernet.forward import Path as PathOf
from moco.supernet.forward import Weights
from moco.supernet.head import fitted_head
from moco.supernet.network import Network, forward_pass
from moco.supernet.numerics import fake_quantise, quantised_tables
from moco.supernet.train import train_supernet
from pimmodel import PimConfig
from spaces.architecture import ArchitectureBatch
from spaces.nasrec import NasrecSpace, nasrec_space

SETTINGS = TrainSettings(epochs=2, batch_size=64, learning_rate=5e-3, embedding_l2=1e-3, embedding_dropout=0.1)
MOVIELENS = Path(__file__).parents[4] / "shared" / "data" / "ml_100k"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@cache
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=3000, n_fields=4, n_dense=2, max_cardinality=12)


@cache
def space() -> NasrecSpace:
    return nasrec_space(
        n_dense=2, n_sparse=4, n_blocks=3, dense_dims=(8, 16), sparse_dims=(2, 4), weight_bits=(4, 8), embedding_dim=8
    )


@cache
def trained() -> TrainedSupernet:
    return train_supernet(data(), space(), settings=SETTINGS, seed=1)


def networks(n: int, seed: int = 0) -> ArchitectureBatch:
    return space().networks(space().canonical(space().sample(np.random.default_rng(seed), n)))


@cache
def oracle() -> Oracle:
    return Oracle(trained(), data(), n_jobs=1)


def tuned(network: Network, rows: Rows) -> Network:
    """The network after a pass over the rows with its embeddings frozen, by torch alone."""
    optimiser = torch.optim.Adam(network.weights.values(), lr=5e-3)
    ids, dense, labels = (torch.from_numpy(getattr(rows, name)) for name in ("ids", "dense", "labels"))
    starts = range(0, len(labels), 256)
    for step, start in enumerate(starts):
        batch = slice(start, start + 256)
        optimiser.param_groups[0]["lr"] = 5e-3 * (1 + np.cos(np.pi * step / len(starts))) / 2
        optimiser.zero_grad()
        logits = network(ids[batch], dense[batch])
        torch.autograd.backward(torch.nn.functional.binary_cross_entropy_with_logits(logits, labels[batch]))
        optimiser.step()
    return network


@pytest.mark.parametrize("n_steps", [0, 5, 1000])
def test_a_score_is_that_of_tuned_layers_and_a_refitted_head_on_valid_rows(n_steps: int) -> None:
    """The whole way by hand: cut-out weights tuned, the head refitted on held-out rows, scikit-learn's figures."""
    architecture = networks(1)[0]
    held_out = held_out_rows(len(data().train), SETTINGS, seed=1)
    assert len(held_out) == 240
    rng = np.random.default_rng((1, 4))
    for n_drawn in (240, len(data().valid)):
        rng.permutation(n_drawn)
    n_rows = min(n_steps, 2160 // 256) * 256  # one pass at most over those that the supernet has seen
    seen = np.setdiff1d(np.arange(2400), held_out)
    network = tuned(trained().supernet.cut_out(architecture), data().train.rows(rng.permutation(seen)[:n_rows]))

    def features(rows: Rows, chosen: slice | np.ndarray) -> torch.Tensor:
        ids, dense = (torch.from_numpy(getattr(rows, name)[chosen]) for name in ("ids", "dense"))
        return forward_pass(network, PathOf.of(architecture), dense, network.embedding(ids)).head_inputs().T

    with torch.no_grad():
        weight, bias = fitted_head(
            features(data().train, np.sort(held_out)).T,
            torch.from_numpy(data().train.labels[np.sort(held_out)]),
            fake_quantise(network.weights["head_weight"], 8)[0],
            network.weights["head_bias"][0],
        )
        logits = features(data().valid, slice(None)) @ fake_quantise(weight[None], 8)[0] + bias
    probability = torch.sigmoid(logits.double()).numpy()
    scores = Oracle(trained(), data(), n_jobs=1, n_tuning_steps=n_steps).score(networks(1))
    assert scores.logloss.shape == scores.auc.shape == (1,)
    assert scores.logloss[0] == pytest.approx(log_loss(data().valid.labels, probability), abs=1e-5)
    assert scores.auc[0] == pytest.approx(roc_auc_score(data().valid.labels, probability), abs=1e-5)


def test_scores_do_not_depend_on_company_order_or_processes() -> None:
    batch = networks(11)
    expected = oracle().score(batch)
    others = (
        Oracle(trained(), data(), n_jobs=1).score(batch.take(np.arange(11)[::-1])),
        Oracle(trained(), data(), n_jobs=2).score(batch.take(np.arange(11)[::-1])),
    )
    for other in others:
        np.testing.assert_array_equal(other.logloss[::-1], expected.logloss)
        np.testing.assert_array_equal(other.auc[::-1], expected.auc)
    alone = Oracle(trained(), data(), n_jobs=2)
    assert [alone.score(batch.take([row])).logloss[0] for row in range(11)] == expected.logloss.tolist()
    torch.set_num_threads(2)
    assert Oracle(trained(), data(), n_jobs=1).score(batch.take([3])).logloss[0] == expected.logloss[3]
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)


def test_repeated_networks_are_scored_once() -> None:
    fresh = Oracle(trained(), data(), n_jobs=1)
    scores = fresh.score(networks(2).take([0, 1, 0, 0]))
    assert scores.logloss[0] == scores.logloss[2] == scores.logloss[3]
    assert len(fresh._known) == 2
    assert fresh.score(networks(2)).logloss.tolist() == scores.logloss[:2].tolist()
    assert len(fresh._known) == 2


def test_a_network_is_tuned_once_for_all_its_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned: list[PathOf] = []

    def counted(shared: Weights, path: PathOf, lessons: Sequence[Lesson]) -> Weights:
        tuned.append(path)
        return fine_tuned(shared, path, lessons)

    monkeypatch.setattr("moco.supernet.score.fine_tuned", counted)
    chips = PimConfig(activation_bits=np.repeat([4, 6, 7, 8], 2))
    Oracle(trained(), data(), n_jobs=1).score(networks(2).take([0, 1] * 4), np.full(8, 16), chips)
    assert len(tuned) == len(set(tuned)) == 2


def test_no_networks_have_no_scores() -> None:
    assert oracle().score(networks(2).take(np.empty(0, dtype=int))).logloss.shape == (0,)


def test_table_bits_round_the_embeddings() -> None:
    batch = networks(4)
    plain = oracle().score(batch)
    np.testing.assert_array_equal(oracle().score(batch, np.full(4, 32)).logloss, plain.logloss)
    np.testing.assert_allclose(oracle().score(batch, np.full(4, 16)).logloss, plain.logloss, atol=1e-3)
    mixed = oracle().score(batch, [32, 2, 32, 2])
    np.testing.assert_array_equal(mixed.logloss[[0, 2]], plain.logloss[[0, 2]])
    assert (mixed.logloss[[1, 3]] != plain.logloss[[1, 3]]).all()
    # The same as a supernet whose table was rounded.
    supernet = trained().supernet
    table = supernet.embedding.table.detach().clone()
    try:
        with torch.no_grad():
            supernet.embedding.table.copy_(quantised_tables(table, data().cardinalities, 2))
        rounded = Oracle(replace(trained()), data(), n_jobs=1)
        assert rounded.score(batch.take([1])).logloss[0] == mixed.logloss[1]
        assert rounded.digest != oracle().digest
    finally:
        with torch.no_grad():
            supernet.embedding.table.copy_(table)


def test_the_digest_follows_what_changes_a_score() -> None:
    assert Oracle(trained(), data(), n_jobs=2).digest == oracle().digest
    assert Oracle(trained(), data(), n_score_rows=200).digest != oracle().digest
    assert Oracle(trained(), data(), n_refit_rows=200).digest != oracle().digest
    assert Oracle(trained(), data(), n_tuning_steps=0).digest != oracle().digest
    assert Oracle(trained(), data(), n_tuning_steps=1000).digest == oracle().digest  # there are rows for 8


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="n_score_rows must be at least 1, got 0"):
        Oracle(trained(), data(), n_score_rows=0)
    with pytest.raises(ValueError, match="n_tuning_steps must be at least 0, got -1"):
        Oracle(trained(), data(), n_tuning_steps=-1)
    with pytest.raises(ValueError, match="n_jobs must be at least 1, got 0"):
        Oracle(trained(), data(), n_jobs=0)
    with pytest.raises(
        ValueError, match="all 1 refit rows have one label, an oracle needs both: take more with n_refit"
    ):
        Oracle(trained(), data(), n_refit_rows=1)
    other = load_dataset("synthetic", n_rows=3000, n_fields=4, n_dense=2, max_cardinality=12, seed=5)
    with pytest.raises(ValueError, match=f"trained on data {data().digest}, this is data {other.digest}"):
        Oracle(trained(), other)
    with pytest.raises(ValueError, match=r"table_bits must have shape \(2,\), one a network, got \(3,\)"):
        oracle().score(networks(2), [4, 4, 4])
    wide = nasrec_space(n_dense=2, n_sparse=4, n_blocks=3, dense_dims=(64,), sparse_dims=(2,), embedding_dim=8)
    with pytest.raises(ValueError, match=r"unknown choice 64 in choice block 'b1.dense_dim'"):
        oracle().score(wide.networks(wide.sample(np.random.default_rng(0), 1)))


def test_movielens(tmp_path: Path) -> None:
    """One short epoch on a real log: random networks order users' ratings far better than chance."""
    if MOVIELENS.exists():
        log = load_dataset("movielens-100k", MOVIELENS, cache_dir=tmp_path)
    else:
        log = load_dataset("synthetic", n_rows=40_000, n_fields=12, n_dense=0, max_cardinality=1500, seed=3)
    parts = {name: getattr(log.train, name)[:20_000] for name in ("ids", "dense", "labels")}
    few = replace(log, train=replace(log.train, **parts))
    small = nasrec_space(n_dense=0, n_sparse=12, n_blocks=2, dense_dims=(16, 32), sparse_dims=(4,), weight_bits=(4, 8))
    supernet = train_supernet(few, small, settings=TrainSettings(epochs=2))
    batch = small.networks(small.canonical(small.sample(np.random.default_rng(0), 6)))
    scores = Oracle(supernet, few, n_jobs=1).score(batch, [4, 8, 16, 32, 32, 32])
    assert scores.auc.min() > 0.65
    share = log.valid.labels.mean()
    assert scores.logloss.max() < -(share * np.log(share) + (1 - share) * np.log(1 - share))
