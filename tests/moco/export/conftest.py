"""Designs with networks of random weights, and small data that they fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import moco
from moco.costs.breakdown import cost_sheet
from moco.data import ClickLog, CtrDataset
from moco.design import Design
from moco.export.folder import export_design
from moco.export.metrics import TrainedSeed
from moco.pruning import PrunedNetwork, pruned
from moco.supernet.metrics import Score
from moco.supernet.network import Network
from pimmodel import PimConfig
from spaces import Architecture
from spaces.architecture import Block
from spaces.nasrec import NasrecSpace, nasrec_space

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """These tensors are small: threads would only wait for each other."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


@cache
def space_of(n_dense: int, n_sparse: int, is_flat: bool) -> NasrecSpace:
    return nasrec_space(
        "nasrec-flat" if is_flat else "nasrec-full",
        n_dense=n_dense,
        n_sparse=n_sparse,
        n_blocks=5,
        dense_dims=(3, 8, 16, 32, 64),
        sparse_dims=(2, 3, 6),
        weight_bits=(4, 8),
        embedding_dim=8,
    )


@dataclass(frozen=True)
class Maker:
    """Makes networks, designs and exports for data of any shape."""

    def architectures(self, n_dense: int, n_sparse: int, seed: int, n: int = 1) -> list[Architecture]:
        """Networks of odd seeds have a flat input."""
        space = space_of(n_dense, n_sparse, seed % 2 == 1)
        return list(space.networks(space.sample(np.random.default_rng(seed), n)))

    def network(
        self, architecture: Architecture, cardinalities: tuple[int, ...], n_dense: int, seed: int = 0
    ) -> Network:
        """Biases and norms are random too, so that a wrong one shows."""
        network = Network(architecture, cardinalities, n_dense, seed)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            network.embedding.table.normal_(0, 0.5, generator=generator)
            for name, parameter in network.weights.items():
                if name.endswith(("_bias", "_gain")):
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        return network

    def with_mergers(self, dense_operator: str, sparse_operator: str) -> Architecture:
        """Three blocks of these operators, which read one another, with both mergers."""
        first = Block(
            dense_operator=dense_operator,
            sparse_operator=sparse_operator,
            dense_inputs=(0,),
            sparse_inputs=(0,),
            left=0,
            right=0,
            dense_dim=16,
            sparse_dim=6,
            has_dense_to_sparse=True,
            has_fm=True,
            dense_bits=4,
        )
        second = replace(first, dense_inputs=(0, 1), sparse_inputs=(0, 1), right=1, dense_dim=8, sparse_dim=3)
        third = replace(second, dense_inputs=(1, 2), sparse_inputs=(1, 2), left=2, right=1, dense_dim=64)
        return Architecture(blocks=(first, second, third), embedding_dim=8)

    def pruned(self, network: Network, seed: int) -> PrunedNetwork:
        """Of some layers all units are kept, of others as little as one."""
        rng, kept = np.random.default_rng(seed), {}
        for name, units in pruned(network, {}).kept.items():
            n_kept = max(1, round(rng.choice([0.1, 0.5, 0.8, 1.0]) * len(units)))
            kept[name] = tuple(sorted(int(unit) for unit in rng.permutation(units)[:n_kept]))
        return pruned(network, kept)

    def design(self, data: ClickLog, seed: int = 0, chip: PimConfig | None = None) -> Design:
        chip = PimConfig() if chip is None else chip
        n_dense = len(data.dense)
        architecture = self.architectures(n_dense, len(data.cardinalities), seed)[0]
        totals = cost_sheet(architecture, chip, n_dense, data.cardinalities).totals
        costs = {name: totals[name] for name in ("energy_pj", "latency_ns", "area_mm2", "power_mw", "period_ns")}
        return Design(
            key=f"{seed:x}".ljust(64, "0"),
            architecture=architecture,
            hardware=chip,
            n_dense=n_dense,
            cardinalities=data.cardinalities,
            logloss=0.5,
            auc=0.75,
            macs=int(totals["n_macs"]),
            n_parameters=int(totals["n_parameters"]),
            generation=3,
            **costs,
        )

    def trained(self, design: Design, seed: int = 0, valid: float = 0.5) -> TrainedSeed:
        network = self.network(design.architecture, design.cardinalities, design.n_dense, seed)
        return TrainedSeed(seed=seed, network=network, valid=Score(valid, 0.75), test=Score(valid + 0.01, 0.74))

    def export(self, folder: Path, data: ClickLog, *, label: str | None = "label", seed: int = 0) -> Network:
        """The network that the folder holds after it."""
        design = self.design(data, seed)
        one = self.trained(design, seed)
        export_design(folder, design, [one], data, label=label, role="knee")
        return one.network

    def probability(self, network: Network | PrunedNetwork, rows: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """What torch says of ids and dense values."""
        with torch.no_grad():
            return torch.sigmoid(network(*map(torch.from_numpy, rows))).numpy()


@pytest.fixture(scope="session")
def make() -> Maker:
    return Maker()


@pytest.fixture(scope="session")
def synthetic() -> CtrDataset:
    """Four categorical and two dense fields."""
    data = moco.load_dataset("synthetic", n_rows=2000, n_fields=4, n_dense=2, max_cardinality=30)
    assert isinstance(data, CtrDataset)
    return data


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real logs, where a checkout has it beside it."""
    if not SHARED.is_dir():
        pytest.skip("no real logs beside this checkout")
    return SHARED
