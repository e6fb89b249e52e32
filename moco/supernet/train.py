"""Training of a supernet: one random path a step, resumable, the weights of the best epoch kept."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moco.data import CtrDataset
from moco.recipes import recipe_for
from moco.settings import TrainSettings
from moco.supernet.checkpoint import (
    CheckpointError,
    Epoch,
    SavedState,
    TrainedSupernet,
    best_epoch,
    held_out_rows,
    part,
    read_state,
    trained,
    write_state,
)
from moco.supernet.forward import Path as NetworkPath
from moco.supernet.loop import Optimiser, TensorRows, device_named, dropped, logloss_of, threads
from moco.supernet.network import Supernet, forward_pass
from moco.supernet.sampling import sample_paths
from moco.supernet.score import Scorer
from spaces.codesign import CodesignSpace
from spaces.nasrec import NasrecSpace

N_MONITORED = 8
"""Networks whose median valid log loss says which epoch is best."""

MONITOR_ROWS = 4000
"""Held-out rows and valid rows with which they are scored after every epoch."""

HIDDEN_WIDTH = 128
"""Of the auxiliary network on the embeddings."""

STEPS_BETWEEN_REPORTS = 20

PATHS_AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """Where training stands.

    Attributes:
        n_rows: Rows seen so far.
        n_rows_total: Rows of the whole training.
        note: The last epoch's figures, for people.
    """

    n_rows: int
    n_rows_total: int
    note: str


def train_supernet(
    data: CtrDataset,
    space: NasrecSpace | CodesignSpace,
    *,
    settings: TrainSettings | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    progress: Callable[[TrainProgress], None] | None = None,
) -> TrainedSupernet:
    """Trains a supernet for the networks of a space on the train rows of a data set.

    The same arguments give the same weights on one machine, bit for bit, interrupted or not.

    Args:
        data: The click log.
        space: The networks, for data of these fields; of a co-design space, its networks.
        settings: Of the training; those of the data set's recipe when left out.
        seed: Of first weights, rows, paths and dropout.
        checkpoint: File that is written after every epoch. When it is there, training goes on from it; when it is
            finished, it is returned.
        device: "cpu", "auto", or another that torch knows.
        progress: Called every few steps.

    Raises:
        CheckpointError: The file is damaged, or of other data, another space, other settings or another seed.
        ValueError: The space is for data of other fields, or the device cannot be used.
        FloatingPointError: The loss is not finite any more.
    """
    space = space.network if isinstance(space, CodesignSpace) else space
    if (space.n_dense, space.n_sparse) != (len(data.dense), len(data.categorical)):
        raise ValueError(
            f"space {space.name!r} is for data of {space.n_dense} dense and {space.n_sparse} categorical fields, "
            f"data {data.name!r} has {len(data.dense)} and {len(data.categorical)}"
        )
    settings = settings or recipe_for(data).supernet
    path = None if checkpoint is None else Path(checkpoint)
    saved = None
    if path is not None and path.exists():
        saved = read_state(path, data, space)
        for name, was, given in (("settings", saved.settings, settings), ("seed", saved.seed, seed)):
            if was != given:
                raise CheckpointError(
                    f"{path} holds a supernet trained with {name} {was}, got {name} {given}: "
                    f"give another file, or the same {name}"
                )
        if saved.is_finished:
            return trained(path, saved, data, space)
    training = _Training(data, space, settings, seed, device_named(device), progress)
    if saved is not None:
        training.load(saved)
    with threads(settings.n_threads):
        while not training.is_finished:
            training.run_epoch()
            if path is not None:
                write_state(path, training.state())
    return training.result()


class _Training:
    """A training under way. All randomness of an epoch follows from the seed and the epoch's number."""

    def __init__(
        self,
        data: CtrDataset,
        space: NasrecSpace,
        settings: TrainSettings,
        seed: int,
        device: torch.device,
        progress: Callable[[TrainProgress], None] | None,
    ) -> None:
        self._data, self._space, self._settings, self._seed = data, space, settings, seed
        self._device = device
        self._progress = progress
        self._rows = TensorRows.of(data.train, device)
        held_out = held_out_rows(len(data.train), settings, seed)
        self._trained_rows = np.setdiff1d(np.arange(len(data.train)), held_out)
        rng = np.random.default_rng((seed, 2))
        self._monitored = list(space.networks(space.canonical(space.sample(rng, N_MONITORED))))
        refit, judge = rng.permutation(held_out)[:MONITOR_ROWS], rng.permutation(len(data.valid))[:MONITOR_ROWS]
        self._refit_rows = self._rows.take(torch.from_numpy(refit).to(device))
        self._judge_rows = TensorRows.of(data.valid, device).take(torch.from_numpy(judge).to(device))
        self._n_steps = max(1, len(self._trained_rows) // settings.batch_size)
        self._supernet = Supernet(space, data.cardinalities, seed).to(device)
        self._auxiliary = _auxiliary(space, seed).to(device)
        others = [*self._supernet.weights.parameters(), *self._auxiliary.parameters()]
        self._optimiser = Optimiser(
            self._supernet.embedding.table, others, settings, n_steps=settings.epochs * self._n_steps
        )
        self._history: tuple[Epoch, ...] = ()
        self._best: dict[str, Tensor] = {}
        self._n_epochs_done = 0

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done."""
        return self._n_epochs_done == self._settings.embedding_epochs + self._settings.epochs

    def run_epoch(self) -> None:
        """One pass over the train rows; at its end the monitored networks are scored."""
        settings, number = self._settings, self._n_epochs_done
        epoch = number - settings.embedding_epochs
        rng = np.random.default_rng((self._seed, 3, number))
        dropout = torch.Generator(self._device).manual_seed(int(rng.integers(2**62)))
        order = torch.from_numpy(rng.permutation(self._trained_rows)).to(self._device)
        steps = epoch * self._n_steps + np.arange(self._n_steps)
        paths = self._paths(steps, rng)
        losses = []
        for index in range(self._n_steps):
            batch = self._rows.take(order[index * settings.batch_size : (index + 1) * settings.batch_size])
            rows = dropped(self._supernet.embedding(batch.ids), settings.embedding_dropout, dropout)
            loss = logloss_of(self._auxiliary(torch.cat([rows.flatten(1), batch.dense], dim=1))[:, 0], batch.labels)
            if epoch >= 0:
                shared = logloss_of(forward_pass(self._supernet, next(paths), batch.dense, rows).logits(), batch.labels)
                losses.append(shared.detach())
                loss = loss + shared
            self._optimiser.step(loss, int(steps[index]))
            if index % STEPS_BETWEEN_REPORTS == 0:
                self._report(index)
        self._n_epochs_done += 1
        if epoch >= 0:
            self._close_epoch(float(torch.stack(losses).mean()))
        self._report(0)

    def _paths(self, steps: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NetworkPath]:
        """The path of each step; some are drawn at a time, which is faster."""
        settings = self._settings
        n_warm_up = max(1.0, settings.full_path_share * settings.epochs * self._n_steps)
        full_probability = np.clip(1 - steps / n_warm_up, 0, 1) * (settings.full_path_share > 0)
        for start in range(0, len(steps), PATHS_AT_A_TIME):
            some = full_probability[start : start + PATHS_AT_A_TIME]
            yield from sample_paths(self._space, settings.strategy, some, rng)

    def _close_epoch(self, train_logloss: float) -> None:
        scorer = Scorer(self._supernet, self._refit_rows, self._judge_rows)
        scores = [scorer.score(architecture) for architecture in self._monitored]
        closed = Epoch(
            train_logloss=train_logloss,
            valid_logloss=statistics.median(score.logloss for score in scores),
            valid_auc=statistics.median(score.auc for score in scores),
        )
        self._history = (*self._history, closed)
        if best_epoch(self._history) == len(self._history):
            self._best = {name: value.detach().clone() for name, value in self._supernet.state_dict().items()}

    def _report(self, n_steps_of_epoch: int) -> None:
        if self._progress is None:
            return
        n_epochs = self._settings.embedding_epochs + self._settings.epochs
        note = "embeddings"
        if self._history:
            last = self._history[-1]
            note = f"epoch {len(self._history)}, valid log loss {last.valid_logloss:.4f}, AUC {last.valid_auc:.4f}"
        n_rows = (self._n_epochs_done * self._n_steps + n_steps_of_epoch) * self._settings.batch_size
        self._progress(TrainProgress(n_rows, n_epochs * self._n_steps * self._settings.batch_size, note))

    def state(self) -> SavedState:
        """Everything that the rest of the training depends on; once finished, what scoring needs."""
        tensors = {f"supernet.{name}": value for name, value in self._best.items()}
        if not self.is_finished:
            tensors |= {f"current.{name}": value for name, value in self._supernet.state_dict().items()}
            tensors |= {f"auxiliary.{name}": value for name, value in self._auxiliary.state_dict().items()}
            tensors |= {f"adam.{name}": value for name, value in self._optimiser.state().items()}
        return SavedState(
            tensors=tensors,
            n_epochs_done=self._n_epochs_done,
            is_finished=self.is_finished,
            settings=self._settings,
            seed=self._seed,
            history=self._history,
            data_digest=self._data.digest,
            space=self._space.to_dict(),
            space_digest=self._space.digest,
        )

    def load(self, state: SavedState) -> None:
        """Takes up a training where `state` left it."""
        self._supernet.load_state_dict(part(state.tensors, "current."))
        self._auxiliary.load_state_dict(part(state.tensors, "auxiliary."))
        self._best = {name: value.to(self._device) for name, value in part(state.tensors, "supernet.").items()}
        self._optimiser.load(part(state.tensors, "adam."))
        self._history = state.history
        self._n_epochs_done = state.n_epochs_done

    def result(self) -> TrainedSupernet:
        """The supernet with its best weights, on the CPU."""
        self._supernet.load_state_dict(self._best)
        return TrainedSupernet(
            self._supernet.cpu(), self._settings, self._seed, self._history, data_digest=self._data.digest
        )


def _auxiliary(space: NasrecSpace, seed: int) -> nn.Sequential:
    """A small network on the embeddings and dense fields, with first weights of its own."""
    n_in = space.n_sparse * space.embedding_dim + space.n_dense
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(n_in, HIDDEN_WIDTH), nn.ReLU(), nn.Linear(HIDDEN_WIDTH, 1))
