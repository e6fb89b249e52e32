"""A small trained design, and random networks of the whole space."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from moco.costs.breakdown import cost_sheet
from moco.data import CtrDataset, load_dataset
from moco.design import Design
from moco.pruning import PrunedNetwork, PruningStart, pruned
from moco.settings import FinalSettings
from moco.supernet.network import Network
from moco.training.from_scratch import train_from_scratch
from pimmodel import ISAAC
from spaces import ArchitectureBatch, NasrecSpace, from_compact, nasrec_space

CARDINALITIES = (5, 3, 7, 4, 6)
N_DENSE = (0, 1, 3, 8)
N_ROWS = 6
SETTINGS = FinalSettings(epochs=3, batch_size=64, learning_rate=1e-2, embedding_l2=1e-4, embedding_dropout=0.0)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """These tensors are small: threads would only wait for each other."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="session")
def settings() -> FinalSettings:
    return SETTINGS


@pytest.fixture(scope="session")
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=2000, n_fields=4, n_dense=2, max_cardinality=12)


@pytest.fixture(scope="session")
def design(data: CtrDataset) -> Design:
    network = from_compact("FC32|ATT4|11|0|0|0,0 ; DP16|EFC8|00|01|01|0,0", embedding_dim=8)
    sheet = cost_sheet(network, ISAAC, len(data.dense), data.cardinalities)
    costs = {name: sheet.totals[name] for name in ("energy_pj", "latency_ns", "area_mm2", "power_mw", "period_ns")}
    return Design(
        key="0123456789abcdef",
        architecture=network,
        hardware=ISAAC,
        n_dense=len(data.dense),
        cardinalities=tuple(data.cardinalities),
        logloss=0.5,
        auc=0.7,
        macs=sheet.n_macs,
        n_parameters=sheet.n_parameters,
        generation=0,
        **costs,
    )


@pytest.fixture(scope="session")
def start(data: CtrDataset, design: Design) -> PruningStart:
    return PruningStart(0, train_from_scratch(data, design.architecture, settings=SETTINGS, seed=0).network)


@cache
def space_of(n_dense: int, is_flat: bool) -> NasrecSpace:
    """With widths equal to the embedding's and to a merger's 64 numbers, where projections are left out."""
    return nasrec_space(
        "nasrec-flat" if is_flat else "nasrec-full",
        n_dense=n_dense,
        n_sparse=len(CARDINALITIES),
        n_blocks=4,
        dense_dims=(3, 8, 16, 64),
        sparse_dims=(1, 3, 6),
        weight_bits=(4, 8),
        embedding_dim=8,
    )


def random_networks(n_dense: int, seed: int, n: int = 1) -> ArchitectureBatch:
    """Those of odd seeds have a flat input."""
    space = space_of(n_dense, seed % 2 == 1)
    return space.networks(space.sample(np.random.default_rng(seed), n))


def random_network(n_dense: int, seed: int) -> Network:
    """With random biases and norms too, so that a wrong slice of them shows."""
    network = Network(random_networks(n_dense, seed)[0], CARDINALITIES, n_dense, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in sorted(network.weights.items()):
            if name.endswith(("_bias", "_gain")):
                weight.add_(0.2 * torch.randn(weight.shape, generator=generator))
    return network


def random_kept(network: PrunedNetwork, seed: int) -> dict[str, tuple[int, ...]]:
    """At least one unit of every layer, of some layers all."""
    rng = np.random.default_rng(seed)
    shares = {name: rng.choice([0.1, 0.5, 0.8, 1.0]) for name in network.kept}
    return {
        name: tuple(sorted(int(unit) for unit in rng.permutation(units)[: max(1, round(shares[name] * len(units)))]))
        for name, units in network.kept.items()
    }


def random_rows(n_dense: int, seed: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, CARDINALITIES, size=(N_ROWS, len(CARDINALITIES)), dtype=np.int32)
    return torch.from_numpy(ids), torch.from_numpy(rng.standard_normal((N_ROWS, n_dense)).astype(np.float32))


@torch.no_grad()
def silence(network: Network | PrunedNetwork, small: PrunedNetwork) -> None:
    """Zeroes what a network's layers multiply by zeros in the smaller one: it has no say in how weights are rounded."""
    for name, layer in small.cut.layers.items():
        columns = np.arange(layer.n_in) if isinstance(network, Network) else network.cut.layers[name].inputs
        network.weights[f"{name}_weight"][:, torch.from_numpy(~np.isin(columns, layer.inputs))] = 0


def small_of(n_dense: int, seed: int) -> PrunedNetwork:
    network = random_network(n_dense, seed)
    return pruned(network, random_kept(pruned(network, {}), seed))


class Networks:
    """Random networks of every operator, with random neurons removed."""

    n_dense = N_DENSE
    cardinalities = CARDINALITIES
    random_network = staticmethod(random_network)
    random_kept = staticmethod(random_kept)
    random_rows = staticmethod(random_rows)
    silence = staticmethod(silence)
    small_of = staticmethod(small_of)


@pytest.fixture(scope="session")
def networks() -> Networks:
    return Networks()
