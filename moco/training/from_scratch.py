"""Training of one network from scratch: what its accuracy really is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from moco.data import ClickLog
from moco.recipes import recipe_for
from moco.settings import FinalSettings
from moco.supernet.average import Averaged
from moco.supernet.checkpoint import CheckpointError, part, read_tensors, weights_digest, write_tensors
from moco.supernet.chips import TableRounding, TrainedChip
from moco.supernet.loop import Trainer, TrainProgress, device_named, logloss_of, threads
from moco.supernet.metrics import Score, mean_logloss, score_of
from moco.supernet.network import Network
from moco.supernet.numerics import FLOAT, Arithmetic
from moco.supernet.on_chip import NetworkOnChip
from moco.supernet.predictor import Predictor
from moco.supernet.rows import TensorRows, rows_on
from moco.supernet.standardised import settle, settled_state, standardise
from pimmodel import PimConfig
from spaces.architecture import Architecture

__all__ = ["FinalSettings", "TrainedNetwork", "train_from_scratch", "train_predictor"]

AnyPredictor = TypeVar("AnyPredictor", bound=Predictor)

JUDGE_ROWS = 200_000
"""Most valid rows on which rounds are compared; the chosen weights are scored on all."""

LEARNED = 0.99
"""A network whose log loss is above this share of what predicting the mean label gives has not begun to learn."""

RENEWAL_ROWS = 40_000
"""Most train rows by which averaged weights get statistics of batch normalisation."""

EXACT_ROWS = 10_000
"""Most valid rows and most test rows whose products are computed slice by slice."""

FORMAT = "moco network 1"


@dataclass(frozen=True, eq=False)
class TrainedNetwork(Generic[AnyPredictor]):
    """One network, trained from scratch and stopped at its lowest valid log loss, or its highest AUC.

    Trained for a chip, its history is by the moment model, and its final scores come from products computed slice by
    slice, as the chip does, on at most `EXACT_ROWS` evenly spaced rows (`NetworkOnChip.exact_of_all`).

    Attributes:
        network: With the weights of the best round, on the CPU.
        valid: Its score on the valid rows.
        test: Its score on the test rows, read once, at the end.
        history: Score after every round, an epoch or an equal part of a long one, on at most 200,000 valid rows.
        n_epochs: Epochs done at the end of the best round.
    """

    network: AnyPredictor
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
    start: Network | None = None,
    hardware: PimConfig | None = None,
    checkpoint: str | Path | None = None,
    progress: Callable[[TrainProgress], None] | None = None,
    after_round: Callable[[Score], None] | None = None,
) -> TrainedNetwork[Network]:
    """Trains one network on the train rows, its weights rounded to the architecture's bits all along.

    The same arguments give the same weights on one machine, bit for bit, interrupted or not. Inside
    `moco.supernet.ranks.joined` the processes of torchrun train together.

    Args:
        data: The click log; rows of a stored log come from its memory map.
        architecture: The network; dead parts cost nothing.
        settings: Of the training; those of the data set's recipe when left out.
        seed: Of first weights, rows and dropout.
        device: "cpu", "auto", or another that torch knows.
        start: First weights, such as those that a supernet's `cut_out` gives; drawn by the seed when left out.
        hardware: One chip to train for, its activations, tables and converters in every step; what converters do to a
            layer is found anew each round. None trains with plain numbers.
        checkpoint: File that is written between rounds. When it is there, training goes on from it.
        progress: Called every few steps.
        after_round: Called with the score of every round; what it raises ends the training.

    Raises:
        CheckpointError: The file is damaged, or of another training.
        ValueError: The device cannot be used, a bit width cannot be computed, or start is of another architecture.
        FloatingPointError: The loss is not finite any more.
    """
    network = Network(architecture, data.cardinalities, len(data.dense), seed)
    what: dict[str, Any] = {"architecture": asdict(architecture), "start": ""}
    if start is not None:
        if start.architecture != architecture:
            raise ValueError("start must be a network of the architecture that is trained, it is of another one")
        network.load_state_dict(start.state_dict())
        what["start"] = weights_digest(start.state_dict())
    return train_predictor(
        data,
        network,
        what,
        settings=settings,
        seed=seed,
        device=device,
        hardware=hardware,
        checkpoint=checkpoint,
        progress=progress,
        after_round=after_round,
    )


def train_predictor(
    data: ClickLog,
    network: AnyPredictor,
    what: Mapping[str, Any],
    *,
    settings: FinalSettings | None = None,
    seed: int = 0,
    device: str = "cpu",
    hardware: PimConfig | None = None,
    checkpoint: str | Path | None = None,
    progress: Callable[[TrainProgress], None] | None = None,
    after_round: Callable[[Score], None] | None = None,
) -> TrainedNetwork[AnyPredictor]:
    """Trains any predictor from the weights it has; see `train_from_scratch`.

    Args:
        data: The click log.
        network: Its weights are changed.
        what: What the network is and where its weights come from, as plain data for JSON: a checkpoint is taken up by
            the same alone.
        settings: See `train_from_scratch`; likewise the others.
    """
    settings = settings or recipe_for(data).final
    path = None if checkpoint is None else Path(checkpoint)
    with threads(settings.n_threads):
        training = _Training(data, network, what, hardware, settings, seed, device_named(device), progress)
        if path is not None and path.exists():
            training.load(path)
        while not training.is_finished:
            score = training.run_round()
            if after_round is not None:
                after_round(score)
            if path is not None and not training.is_finished:
                training.trainer.keep(lambda: training.save(path))
        return training.result()


def begun_below(data: ClickLog) -> float:
    """The valid log loss above which a network has not begun to learn: nearly that of predicting the mean label."""
    return LEARNED * mean_logloss(data.train.label_mean)


class _Training(Generic[AnyPredictor]):
    """A training under way."""

    def __init__(
        self,
        data: ClickLog,
        network: AnyPredictor,
        what: Mapping[str, Any],
        hardware: PimConfig | None,
        settings: FinalSettings,
        seed: int,
        device: torch.device,
        progress: Callable[[TrainProgress], None] | None,
    ) -> None:
        self._data, self._device, self._hardware, self._seed = data, device, hardware, seed
        self._patience, self._monitor = settings.patience, settings.monitor
        self._begun_below = begun_below(data)
        self._dropout = settings.embedding_dropout
        self._network = network.to(device)
        self._history: list[Score] = []
        self._best: dict[str, Tensor] = {}
        self._what = {
            "data": data.digest,
            "settings": asdict(settings),
            "seed": seed,
            "hardware": None if hardware is None else hardware.to_json(),
            **what,
        }
        self._valid = rows_on(data.valid, device)
        self._judge = self._valid
        if len(data.valid) > JUDGE_ROWS:
            judge = np.random.default_rng((seed, 1, 0)).choice(len(data.valid), JUDGE_ROWS, replace=False)
            self._judge = TensorRows.of(data.valid.rows(np.sort(judge)), device)
        self._train = rows_on(data.train, device)
        standardise(network.embedding, self._train, settings.embedding_std)
        n_batches = max(1, min(RENEWAL_ROWS, len(data.train)) // settings.batch_size)
        renewal = np.random.default_rng((seed, 2, 0)).choice(len(data.train), min(RENEWAL_ROWS, len(data.train)), False)
        self._renewal = np.array_split(renewal, n_batches)
        self.trainer = Trainer(
            self._network.embedding,
            (self._network.weights,),
            settings,
            self._train,
            np.arange(len(data.train)),
            (seed,),
            after_step=lambda: self._averaged.update(),
            progress=progress,
        )
        n_steps = settings.epochs * self.trainer.n_steps
        self._averaged = Averaged(self._network, settings.average_share * n_steps)

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done, or the last ones made a network that has begun to learn no better."""
        has_begun = any(score.logloss < self._begun_below for score in self._history)
        if self.trainer.is_finished or not has_begun:
            return self.trainer.is_finished
        return len(self._history) - self._n_best >= self._patience * self.trainer.n_rounds

    @property
    def _n_best(self) -> int:
        """Rounds done at the end of the best one; of equal ones the last."""
        losses = [score.loss(self._monitor) for score in self._history]
        return len(losses) - losses[::-1].index(min(losses))

    def run_round(self) -> Score:
        """One pass over the train rows, or a part of it, and the score of the network at its end."""
        arithmetic: Arithmetic = FLOAT
        tables: TableRounding | None = None
        if self._hardware is not None:
            arithmetic = TrainedChip(self._hardware, seed=(self._seed * 1000 + self.trainer.n_rounds_done) % 2**32)
            tables = TableRounding.of(self._network.embedding, int(self._hardware.table_bits), self._dropout)

        def loss_of(batch: TensorRows, rows: Tensor) -> Tensor:
            rows = rows if tables is None else tables.rounded(rows)
            return logloss_of(self._network.logits(batch.dense, rows, arithmetic), batch.labels)

        self.trainer.run(self.trainer.next_round(), loss_of)
        network = self._averaged.module
        if network is not self._network:
            network.renew_statistics(self._train.take(rows) for rows in self._renewal)
        score = score_of(network, self._judge) if self._hardware is None else self._on_chip(network).score(self._judge)
        self._history.append(score)
        if self._n_best == len(self._history):
            is_last = self.trainer.is_finished  # nothing will change the weights any more
            self._best = {} if is_last else settled_state(network, network.embedding)
        self.trainer.note = f"valid log loss {score.logloss:.4f}, AUC {score.auc:.4f}"
        self.trainer.report_round()
        return score

    def _on_chip(self, network: Predictor) -> NetworkOnChip:
        assert self._hardware is not None
        return NetworkOnChip(network, self._hardware, self._train)

    def save(self, path: Path) -> None:
        """Everything that the rest of the training depends on."""
        header = {"n_rounds_done": self.trainer.n_rounds_done, "history": [asdict(score) for score in self._history]}
        tensors = {
            **{f"current.{name}": value for name, value in self._network.state_dict().items()},
            **{f"best.{name}": value for name, value in self._best.items()},
            **{f"average.{name}": value for name, value in self._averaged.state().items()},
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
        self._averaged.load(part(tensors, "average."))
        self._best = {name: value.to(self._device) for name, value in part(tensors, "best.").items()}
        self._history = [Score(**score) for score in header["history"]]
        self.trainer.load(part(tensors, "optimiser."), header["n_rounds_done"])

    def result(self) -> TrainedNetwork[AnyPredictor]:
        """The network with its best weights, on the CPU, and its scores on all valid and test rows."""
        network = self._averaged.module
        for module in (self._network, network):
            settle(module.embedding)
        if self._best:
            network.load_state_dict(self._best)
        rows = self._valid, rows_on(self._data.test, self._device)
        if self._hardware is None:
            valid, test = (score_of(network, part) for part in rows)
        else:
            on_chip = self._on_chip(network)
            valid, test = (on_chip.exact_of_all(part, EXACT_ROWS) for part in rows)
        n_epochs = self._n_best / self.trainer.n_rounds
        return TrainedNetwork(network.cpu().eval(), valid, test, tuple(self._history), n_epochs)
