"""Training of one network from scratch: what its accuracy really is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from moco.data import CtrDataset
from moco.recipes import recipe_for
from moco.settings import FinalSettings
from moco.supernet.forward import Path
from moco.supernet.loop import Optimiser, Score, TensorRows, device_named, dropped, logloss_of, score_of, threads
from moco.supernet.network import Network, forward_pass
from spaces.architecture import Architecture

__all__ = ["FinalSettings", "TrainedNetwork", "train_from_scratch"]


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """One network, trained from scratch and stopped at its lowest valid log loss.

    Attributes:
        network: With the weights of the best epoch, on the CPU.
        valid: Score on the valid rows at the best epoch.
        test: Score on the test rows, read once, at the end.
        history: Score on the valid rows after every epoch.
    """

    network: Network
    valid: Score
    test: Score
    history: tuple[Score, ...]

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose weights are kept."""
        return 1 + self.history.index(self.valid)

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Every weight by name, the embedding table included."""
        return self.network.state_dict()


def train_from_scratch(
    data: CtrDataset,
    architecture: Architecture,
    *,
    settings: FinalSettings | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> TrainedNetwork:
    """Trains one network on the train rows, its weights rounded to the architecture's bits all along.

    The same arguments give the same weights on one machine, bit for bit.

    Args:
        data: The click log.
        architecture: The network; dead parts cost nothing.
        settings: Of the training; those of the data set's recipe when left out.
        seed: Of first weights, rows and dropout.
        device: "cpu", "auto", or another that torch knows.

    Raises:
        ValueError: The device cannot be used, or a bit width cannot be computed.
        FloatingPointError: The loss is not finite any more.
    """
    settings = settings or recipe_for(data).final
    with threads(settings.n_threads):
        return _trained(data, architecture, settings, seed, device_named(device))


def _trained(
    data: CtrDataset, architecture: Architecture, settings: FinalSettings, seed: int, place: torch.device
) -> TrainedNetwork:
    train, valid = TensorRows.of(data.train, place), TensorRows.of(data.valid, place)
    network = Network(architecture, data.cardinalities, len(data.dense), seed).to(place)
    path = Path.of(architecture)
    n_steps = max(1, len(data.train) // settings.batch_size)
    optimiser = Optimiser(
        network.embedding.table, list(network.weights.parameters()), settings, n_steps=settings.epochs * n_steps
    )
    history: list[Score] = []
    best: dict[str, Tensor] = {}
    for epoch in range(settings.epochs):
        rng = np.random.default_rng((seed, epoch))
        dropout = torch.Generator(place).manual_seed(int(rng.integers(2**62)))
        order = torch.from_numpy(rng.permutation(len(data.train))).to(place)
        for step in range(n_steps):
            batch = train.take(order[step * settings.batch_size : (step + 1) * settings.batch_size])
            rows = dropped(network.embedding(batch.ids), settings.embedding_dropout, dropout)
            logits = forward_pass(network, path, batch.dense, rows).logits()
            optimiser.step(logloss_of(logits, batch.labels), epoch * n_steps + step)
        history.append(score_of(network, valid))
        if history[-1].logloss == min(score.logloss for score in history):
            best = {name: value.detach().clone() for name, value in network.state_dict().items()}
    network.load_state_dict(best)
    test = score_of(network, TensorRows.of(data.test, place))
    best_valid = min(history, key=lambda score: score.logloss)
    return TrainedNetwork(network.cpu().eval(), best_valid, test, tuple(history))
