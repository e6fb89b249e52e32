"""Training of one network from scratch: what its accuracy really is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from moco.data import ClickLog
from moco.recipes import recipe_for
from moco.settings import FinalSettings
from moco.supernet.checkpoint import CheckpointError, part, read_tensors, write_tensors
from moco.supernet.chips import TrainedChip
from moco.supernet.crossbars import N_SAMPLED, ModelledChip
from moco.supernet.forward import Path as NetworkPath
from moco.supernet.loop import Trainer, TrainProgress, device_named, logloss_of, threads
from moco.supernet.metrics import Score, score_of
from moco.supernet.network import Network, forward_pass
from moco.supernet.numerics import FLOAT, Arithmetic, quantised_tables
from moco.supernet.rows import MappedRows, TensorRows, rows_on
from pimmodel import PimConfig
from spaces.architecture import Architecture

__all__ = ["FinalSettings", "TrainedNetwork", "train_from_scratch"]

JUDGE_ROWS = 200_000
"""Most valid rows on which rounds are compared; the chosen weights are scored on all."""

FORMAT = "moco network 1"


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """One network, trained from scratch and stopped at its lowest valid log loss.

    Attributes:
        network: With the weights of the best round, on the CPU.
        valid: Its score on the valid rows.
        test: Its score on the test rows, read once, at the end.
        history: Score after every round, an epoch or an equal part of a long one, on at most 200,000 valid rows.
        n_epochs: Epochs done at the end of the best round.
    """

    network: Network
    valid: Score
    test: Score
    history: tuple[Score, ...]
    n_epochs: float

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """Every weight by name, the embedding table included."""
        return self.network.state_dict()


def train_from_scratch(
    data: ClickLog,
    architecture: Architecture,
    *,
    settings: FinalSettings | None = None,
    seed: int = 0,
    device: str = "cpu",
    hardware: PimConfig | None = None,
    checkpoint: str | Path | None = None,
    progress: Callable[[TrainProgress], None] | None = None,
) -> TrainedNetwork:
    """Trains one network on the train rows, its weights rounded to the architecture's bits all along.

    With a chip, every step computes as that chip would, and so do all scores, by the moment model of what its
    converters lose; embeddings have the chip's bits when scored.

    The same arguments give the same weights on one machine, bit for bit, interrupted or not. Inside
    `moco.supernet.ranks.joined` the processes of torchrun train together.

    Args:
        data: The click log; rows of a stored log come from its memory map.
        architecture: The network; dead parts cost nothing.
        settings: Of the training; those of the data set's recipe when left out.
        seed: Of first weights, rows and dropout.
        device: "cpu", "auto", or another that torch knows.
        hardware: The chip that the network is for, one configuration; plain numbers when left out.
        checkpoint: File that is written between rounds. When it is there, training goes on from it.
        progress: Called every few steps.

    Raises:
        CheckpointError: The file is damaged, or of another training.
        ValueError: The device cannot be used, or a bit width cannot be computed.
        FloatingPointError: The loss is not finite any more.
    """
    settings = settings or recipe_for(data).final
    path = None if checkpoint is None else Path(checkpoint)
    with threads(settings.n_threads):
        training = _Training(data, architecture, settings, seed, device_named(device), hardware, progress)
        if path is not None and path.exists():
            training.load(path)
        while not training.trainer.is_finished:
            training.run_round()
            if path is not None and not training.trainer.is_finished:
                training.trainer.keep(lambda: training.save(path))
        return training.result()


class _Training:
    """A training under way."""

    def __init__(
        self,
        data: ClickLog,
        architecture: Architecture,
        settings: FinalSettings,
        seed: int,
        device: torch.device,
        hardware: PimConfig | None,
        progress: Callable[[TrainProgress], None] | None,
    ) -> None:
        self._data, self._device, self._hardware = data, device, hardware
        self._noise = np.random.default_rng((seed, 5))
        self._arithmetic: Arithmetic = FLOAT if hardware is None else TrainedChip(hardware, self._noise)
        self._network = Network(architecture, data.cardinalities, len(data.dense), seed).to(device)
        self._path = NetworkPath.of(architecture)
        self._history: list[Score] = []
        self._best: dict[str, Tensor] = {}
        self._what = {
            "data": data.digest,
            "architecture": asdict(architecture),
            "settings": asdict(settings),
            "seed": seed,
            "hardware": None if hardware is None else hardware.to_json(),
        }
        self._valid = rows_on(data.valid, device)
        self._judge = self._valid
        if len(data.valid) > JUDGE_ROWS:
            judge = np.random.default_rng((seed, 1, 0)).choice(len(data.valid), JUDGE_ROWS, replace=False)
            self._judge = TensorRows.of(data.valid.rows(np.sort(judge)), device)
        self.trainer = Trainer(
            self._network.embedding,
            (self._network.weights,),
            settings,
            rows_on(data.train, device),
            np.arange(len(data.train)),
            (seed,),
            progress=progress,
        )
        sample = np.linspace(0, len(data.train) - 1, min(len(data.train), N_SAMPLED)).round().astype(np.int64)
        self._sample = TensorRows.of(data.train.rows(sample), device)
        self._seed = seed

    def run_round(self) -> None:
        """One pass over the train rows, or a part of it; at its end the network is scored."""

        def loss_of(batch: TensorRows, rows: Tensor) -> Tensor:
            this_pass = forward_pass(self._network, self._path, batch.dense, rows, self._arithmetic)
            return logloss_of(this_pass.logits(), batch.labels)

        fresh = np.random.default_rng((self._seed, 5, self.trainer.n_rounds_done))
        self._noise.bit_generator.state = fresh.bit_generator.state
        self.trainer.run(self.trainer.next_round(), loss_of)
        score = self._score(self._judge)
        self._history.append(score)
        if score.logloss == min(one.logloss for one in self._history):
            is_last = self.trainer.is_finished  # nothing will change the weights any more
            weights = {} if is_last else self._network.state_dict()
            self._best = {name: value.detach().clone() for name, value in weights.items()}
        self.trainer.note = f"valid log loss {score.logloss:.4f}, AUC {score.auc:.4f}"
        self.trainer.report_round()

    @torch.no_grad()
    def _score(self, rows: TensorRows | MappedRows) -> Score:
        """Of the network in plain numbers, or on its chip, calibrated anew."""
        if self._hardware is None:
            return score_of(self._network, rows)
        chip = ModelledChip(self._hardware)
        network, embedding = self._network, self._network.embedding
        table = quantised_tables(embedding.table, embedding.cardinalities, int(self._hardware.table_bits))

        def logits_of(ids: Tensor, dense: Tensor) -> Tensor:
            return forward_pass(network, self._path, dense, embedding.rows(ids, table), chip).logits()

        logits_of(self._sample.ids, self._sample.dense)
        chip.is_calibrating = False
        return score_of(logits_of, rows)

    def save(self, path: Path) -> None:
        """Everything that the rest of the training depends on."""
        header = {"n_rounds_done": self.trainer.n_rounds_done, "history": [asdict(score) for score in self._history]}
        tensors = {
            **{f"current.{name}": value for name, value in self._network.state_dict().items()},
            **{f"best.{name}": value for name, value in self._best.items()},
            **{f"optimiser.{name}": value for name, value in self.trainer.state().items()},
        }
        write_tensors(path, FORMAT, {"training": self._what, **header}, tensors)

    def load(self, path: Path) -> None:
        """Takes up a training where `save` left it; CheckpointError where the file is of another one."""
        header, tensors = read_tensors(path, FORMAT, "network in training")
        if header.get("training") != json.loads(json.dumps(self._what)):
            raise CheckpointError(
                f"{path} holds a training of another network, or with other data, settings or seed: give another file"
            )
        self._network.load_state_dict(part(tensors, "current."))
        self._best = {name: value.to(self._device) for name, value in part(tensors, "best.").items()}
        self._history = [Score(**score) for score in header["history"]]
        self.trainer.load(part(tensors, "optimiser."), header["n_rounds_done"])

    def result(self) -> TrainedNetwork:
        """The network with its best weights, on the CPU, and its scores on all valid and test rows."""
        lowest = min(score.logloss for score in self._history)
        best = max(index for index, score in enumerate(self._history) if score.logloss == lowest)
        if self._best:
            self._network.load_state_dict(self._best)
        valid, test = self._score(self._valid), self._score(rows_on(self._data.test, self._device))
        n_epochs = (best + 1) / self.trainer.n_rounds
        return TrainedNetwork(self._network.cpu().eval(), valid, test, tuple(self._history), n_epochs)
