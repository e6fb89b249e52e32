"""Learned masks: a gate on every neuron, trained to close where the neuron is worth less than its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path as FilePath

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moco.data import ClickLog
from moco.pruning.cut import cut, unit_width
from moco.pruning.network import Compacted, PrunedForward, PrunedNetwork
from moco.settings import FinalSettings, check_positive
from moco.supernet.forward import Path
from moco.supernet.loop import TrainProgress
from moco.supernet.network import features_first
from moco.supernet.numerics import Arithmetic, Linear
from moco.supernet.operators import NORM_EPS, mixed_rows, transformer_layer
from moco.supernet.predictor import Predictor
from moco.training.from_scratch import train_predictor
from pimmodel import PimConfig

FIRST = 3.0
"""Logit of every gate at first: 95 % open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """How gates are trained.

    Attributes:
        epochs: Passes over the train rows.
        learning_rate: Of Adam.
        penalty: On the share of the network's multiply-accumulates behind open gates, in nats of log loss: what all of
            the work is worth.
    """

    epochs: int = 2
    learning_rate: float = 0.1
    penalty: float = 0.05

    def __post_init__(self) -> None:
        check_positive(self, "epochs", "learning_rate", "penalty")


class GatedNetwork(Predictor):
    """A network whose neurons are weighted by gates between 0 and 1; only the gates are trained.

    With gates of 0 and 1 it computes what the network pruned by the closed ones does. A gate of an attention row
    weights its share in means and variances over rows, in all softmaxes and in the output.

    Args:
        network: Is copied.
        costs: By layer and unit, added to the gradient of the gates: the penalty's, which the loss does not show.
    """

    def __init__(self, network: PrunedNetwork, costs: Mapping[str, NDArray[np.float64]] | None = None) -> None:
        super().__init__()
        self.network = deepcopy(network).requires_grad_(False)
        self.embedding = self.network.embedding
        del self.network.embedding  # held once
        self._n_units = {name: len(units) for name, units in network.kept.items()}
        n_gates = sum(self._n_units.values())
        self.weights = nn.ParameterDict({"gate_logits": nn.Parameter(torch.full((n_gates,), FIRST))})
        joined = np.concatenate([costs[name] for name in self._n_units]) if costs else np.zeros(n_gates)
        self.register_buffer("_costs", torch.from_numpy(joined).float(), persistent=False)

    def gates(self) -> dict[str, Tensor]:
        """(units,) gates of every prunable layer."""
        gates = torch.sigmoid(self.weights["gate_logits"])
        if gates.requires_grad:
            costs = self.get_buffer("_costs")
            gates.register_hook(lambda gradient: gradient + costs)  # type: ignore[no-untyped-call]
        return dict(zip(self._n_units, torch.split(gates, list(self._n_units.values())), strict=True))

    def logits(self, dense: Tensor, rows: Tensor, arithmetic: Arithmetic) -> Tensor:
        """See `Predictor`."""
        path, gated = Path.of(self.network.architecture), _Gated(self.network, arithmetic, self.gates())
        return _GatedForward(path, gated, dense.T.contiguous(), features_first(rows)).logits()


class _Gated(Compacted):
    def __init__(self, network: PrunedNetwork, arithmetic: Arithmetic, gates: Mapping[str, Tensor]) -> None:
        super().__init__(network, arithmetic)
        self.gates = gates

    def small_product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        y = super().small_product(name, x, layer, bits)
        if name not in self.gates or name.endswith("_attention_rows"):
            return y
        gate = self.gates[name].repeat_interleave(unit_width(name, self.network.cut.embedding_dim))[:, None]
        return y + gate.log() if name.endswith("_gate") else y * gate


class _GatedForward(PrunedForward):
    def __init__(self, path: Path, gated: _Gated, dense: Tensor, rows: Tensor) -> None:
        super().__init__(path, gated.network, dense, rows, gated)
        self._gates = gated.gates

    def attended(self, number: int) -> Tensor:
        block, name = self._block(number), f"b{number}_attention"
        inputs, rows = self._sparse_inputs(number)
        width, bits = rows.shape[1], block.sparse_bits
        gates, scores = self._gates[f"{name}_rows"], self._product(f"{name}_scores")
        mixed = mixed_rows(rows, self._layer(f"{name}_rows", inputs, block.sparse_dim, bits))
        attended = transformer_layer(
            weighted_normal(mixed, gates),
            qkv=self._layer(f"{name}_qkv", width, 3 * width, bits),
            scores=lambda queries, keys: scores(queries, keys) + gates.log(),
            context=self._product(f"{name}_context"),
            out=self._layer(f"{name}_out", width, width, bits),
            norm1=self._weights.norm(f"{name}_norm1"),
            ffn1=self._layer(f"{name}_ffn1", width, width, bits),
            ffn2=self._layer(f"{name}_ffn2", width, width, bits),
            norm2=self._weights.norm(f"{name}_norm2"),
        )
        return attended * gates[:, None, None]


def weighted_normal(rows: Tensor, gates: Tensor) -> Tensor:
    """(s, E, N) rows, shifted and scaled to mean 0 and variance 1 over the s rows, weighted by (s,) gates."""
    shares = (gates / gates.sum())[:, None, None]
    centred = rows - (shares * rows).sum(dim=0, keepdim=True)
    return centred * torch.rsqrt((shares * centred.square()).sum(dim=0, keepdim=True) + NORM_EPS)


def unit_costs(network: PrunedNetwork) -> dict[str, NDArray[np.float64]]:
    """Share of the network's multiply-accumulates that goes with each unit, by layer."""
    kept, n_sparse = network.kept, len(network.embedding.cardinalities)
    costs = {}
    for name, units in kept.items():
        costs[name] = np.zeros(len(units))
        for place in range(len(units)):
            without = {**kept, name: units[:place] + units[place + 1 :]}
            left = cut(network.architecture, network.n_dense, n_sparse, without).macs
            costs[name][place] = 1 - left / network.cut.macs
    return costs


def learned_gates(
    data: ClickLog,
    network: PrunedNetwork,
    what: Mapping[str, object],
    *,
    gate_settings: GateSettings,
    settings: FinalSettings,
    seed: int,
    hardware: PimConfig | None = None,
    device: str = "cpu",
    checkpoint: FilePath | None = None,
    progress: Callable[[TrainProgress], None] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Gates of a network's neurons, by layer, after a training of the gates alone.

    Differs from the authors' masks (a gate network a layer, one value a weight, summed up for each neuron), which
    cost more to train than the layer itself; the idea is theirs: neurons whose gates close are the ones to remove.

    Args:
        data: The click log.
        network: Stays as it is.
        what: See `train_predictor`.
        gate_settings: Of the gates' training.
        settings: Of the network's training; batches, dropout and threads are taken from it.
        seed: Of the training.
        hardware: Chip to compute on; None for plain numbers.
        device: See `train_predictor`; likewise checkpoint and progress.
    """
    costs = {name: gate_settings.penalty * cost for name, cost in unit_costs(network).items()}
    gated = GatedNetwork(network, costs)
    last: dict[str, NDArray[np.float64]] = {}

    def take(_: object) -> None:
        with torch.no_grad():
            last.update({name: gates.cpu().numpy().astype(np.float64) for name, gates in gated.gates().items()})

    train_predictor(
        data,
        gated,
        {**what, "gates": asdict(gate_settings)},
        settings=replace(
            settings,
            epochs=gate_settings.epochs,
            optimiser="adam",
            learning_rate=gate_settings.learning_rate,
            average_share=0.0,  # the last gates count, not those of the best round
            embedding_std=0.0,  # the network stays as it is
            patience=gate_settings.epochs,
        ),
        seed=seed,
        device=device,
        hardware=hardware,
        checkpoint=checkpoint,
        progress=progress,
        after_round=take,
    )
    return last
