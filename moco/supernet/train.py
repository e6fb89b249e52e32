"""Training of a supernet: one random path a step, resumable, the weights of the best round kept."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moco.data import ClickLog
from moco.recipes import recipe_for
from moco.settings import TrainSettings
from moco.supernet.average import Averaged
from moco.supernet.checkpoint import (
    CheckpointError,
    Round,
    SavedState,
    TrainedSupernet,
    best_round,
    held_out_rows,
    part,
    read_state,
    seen_rows,
    trained,
    write_state,
)
from moco.supernet.chips import arithmetic_of_steps
from moco.supernet.forward import Path as NetworkPath
from moco.supernet.loop import Trainer, TrainProgress, device_named, logloss_of, threads
from moco.supernet.network import Supernet, forward_pass
from moco.supernet.numerics import FLOAT, Arithmetic
from moco.supernet.rows import TensorRows, rows_on
from moco.supernet.sampling import sample_paths
from moco.supernet.score import Scorer
from moco.supernet.standardised import settle, settled_state, standardise
from spaces.codesign import CodesignSpace
from spaces.nasrec import NasrecSpace
from spaces.space import Space

N_MONITORED = 8
"""Networks whose median valid log loss says which round is best."""

MONITOR_ROWS = 4000
"""Held-out rows and valid rows with which they are scored after every round."""

HIDDEN_WIDTH = 128
"""Of the auxiliary network on the embeddings."""

PATHS_AT_A_TIME = 256


def train_supernet(
    data: ClickLog,
    space: NasrecSpace | CodesignSpace,
    *,
    settings: TrainSettings | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    progress: Callable[[TrainProgress], None] | None = None,
) -> TrainedSupernet:
    """Trains a supernet for the networks of a space on the train rows of a data set.

    The same arguments give the same weights on one machine, bit for bit, interrupted or not. Rows of a stored log come
    from its memory map. Inside `moco.supernet.ranks.joined` the processes of torchrun train together.

    Args:
        data: The click log.
        space: The networks, for data of these fields; of a co-design space, its networks, on its chips in a share of
            the steps.
        settings: Of the training; those of the data set's recipe when left out.
        seed: Of first weights, rows, paths and dropout.
        checkpoint: File that is written after every round. When it is there, training goes on from it; when it is
            finished, it is returned.
        device: "cpu", "auto", or another that torch knows.
        progress: Called every few steps.

    Raises:
        CheckpointError: The file is damaged, or of other data, another space, other settings or another seed.
        ValueError: The space is for data of other fields, the device cannot be used, or a batch cannot be shared evenly
            between the processes of torchrun.
        FloatingPointError: The loss is not finite any more.
    """
    hardware = space.hardware if isinstance(space, CodesignSpace) else None
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
        for name, was, given in (
            ("settings", saved.settings, settings),
            ("seed", saved.seed, seed),
            ("hardware", saved.hardware_digest, "" if hardware is None else hardware.digest),
        ):
            if was != given:
                raise CheckpointError(
                    f"{path} holds a supernet trained with {name} {was}, got {name} {given}: "
                    f"give another file, or the same {name}"
                )
        if saved.is_finished:
            return trained(path, saved, data, space)
    training = _Training(data, space, hardware, settings, seed, device_named(device), progress)
    if saved is not None:
        training.load(saved)
    with threads(settings.n_threads):
        while not training.trainer.is_finished:
            training.run_round()
            if path is not None:
                training.trainer.keep(lambda: write_state(path, training.state()))
    return training.result()


class _Training:
    """A training under way. All randomness of a round follows from the seed and the round's number."""

    def __init__(
        self,
        data: ClickLog,
        space: NasrecSpace,
        hardware: Space | None,
        settings: TrainSettings,
        seed: int,
        device: torch.device,
        progress: Callable[[TrainProgress], None] | None,
    ) -> None:
        self._data, self._space, self._settings, self._seed = data, space, settings, seed
        self._hardware = hardware
        held_out = held_out_rows(len(data.train), settings, seed)
        rng = np.random.default_rng((seed, 2))
        self._monitored = list(space.networks(space.canonical(space.sample(rng, N_MONITORED))))
        refit, judge = rng.permutation(held_out)[:MONITOR_ROWS], rng.permutation(len(data.valid))[:MONITOR_ROWS]
        self._refit_rows = TensorRows.of(data.train.rows(refit), device)
        self._judge_rows = TensorRows.of(data.valid.rows(judge), device)
        self._supernet = Supernet(space, data.cardinalities, seed).to(device)
        rows = rows_on(data.train, device)
        standardise(self._supernet.embedding, rows, settings.embedding_std)
        self._auxiliary = _auxiliary(space, seed).to(device)
        self._history: tuple[Round, ...] = ()
        self._best: dict[str, Tensor] = {}
        self.trainer = Trainer(
            self._supernet.embedding,
            (self._supernet.weights, self._auxiliary),
            settings,
            rows,
            seen_rows(len(data.train), held_out),
            (seed, 3),
            n_first_epochs=settings.embedding_epochs,
            after_step=lambda: self._averaged.update(),
            progress=progress,
        )
        n_steps = settings.epochs * self.trainer.n_steps
        self._averaged = Averaged(self._supernet, settings.average_share * n_steps)
        self.trainer.note = "embeddings"

    def run_round(self) -> None:
        """One pass over the train rows, or a part of it; at its end the monitored networks are scored."""
        this = self.trainer.next_round()
        paths = self._paths(this.steps, this.rng)
        arithmetic = self._arithmetic()
        losses: list[Tensor] = []

        def loss_of(batch: TensorRows, rows: Tensor) -> Tensor:
            loss = logloss_of(self._auxiliary(torch.cat([rows.flatten(1), batch.dense], dim=1))[:, 0], batch.labels)
            if this.steps[0] >= 0:
                this_pass = forward_pass(self._supernet, next(paths), batch.dense, rows, next(arithmetic))
                shared = logloss_of(this_pass.logits(), batch.labels)
                losses.append(shared.detach())
                loss = loss + shared
            return loss

        self.trainer.run(this, loss_of)
        if losses:
            self._close_round(self.trainer.mean(losses))
        self.trainer.report_round()

    def _arithmetic(self) -> Iterator[Arithmetic]:
        """How each step of the coming round computes: with plain numbers, or as a chip does."""
        if self._hardware is None:
            return repeat(FLOAT)
        rng = np.random.default_rng((self._seed, 5, self.trainer.n_rounds_done))
        return arithmetic_of_steps(self._hardware, self._settings.hardware_share, rng)

    def _paths(self, steps: NDArray[np.int64], rng: np.random.Generator) -> Iterator[NetworkPath]:
        """The path of each step; some are drawn at a time, which is faster."""
        settings = self._settings
        n_warm_up = max(1.0, settings.full_path_share * settings.epochs * self.trainer.n_steps)
        full_probability = np.clip(1 - steps / n_warm_up, 0, 1) * (settings.full_path_share > 0)
        for start in range(0, len(steps), PATHS_AT_A_TIME):
            some = full_probability[start : start + PATHS_AT_A_TIME]
            yield from sample_paths(self._space, settings.strategy, some, rng)

    def _close_round(self, train_logloss: float) -> None:
        supernet = self._averaged.module
        scorer = Scorer(supernet, self._refit_rows, self._judge_rows)
        scores = [scorer.score(architecture) for architecture in self._monitored]
        closed = Round(
            n_epochs=self.trainer.n_epochs_done,
            train_logloss=train_logloss,
            valid_logloss=statistics.median(score.logloss for score in scores),
            valid_auc=statistics.median(score.auc for score in scores),
        )
        self._history = (*self._history, closed)
        if best_round(self._history) == closed:
            self._best = settled_state(supernet, supernet.embedding)
        self._note()

    def _note(self) -> None:
        if self._history:
            last = self._history[-1]
            self.trainer.note = (
                f"epoch {last.n_epochs:.3g}, valid log loss {last.valid_logloss:.4f}, AUC {last.valid_auc:.4f}"
            )

    def state(self) -> SavedState:
        """Everything that the rest of the training depends on; once finished, what scoring needs."""
        tensors = {f"supernet.{name}": value for name, value in self._best.items()}
        if not self.trainer.is_finished:
            tensors |= {f"current.{name}": value for name, value in self._supernet.state_dict().items()}
            tensors |= {f"average.{name}": value for name, value in self._averaged.state().items()}
            tensors |= {f"auxiliary.{name}": value for name, value in self._auxiliary.state_dict().items()}
            tensors |= {f"optimiser.{name}": value for name, value in self.trainer.state().items()}
        return SavedState(
            tensors=tensors,
            n_rounds_done=self.trainer.n_rounds_done,
            is_finished=self.trainer.is_finished,
            settings=self._settings,
            seed=self._seed,
            history=self._history,
            data_digest=self._data.digest,
            space=self._space.to_dict(),
            space_digest=self._space.digest,
            hardware_digest="" if self._hardware is None else self._hardware.digest,
        )

    def load(self, state: SavedState) -> None:
        """Takes up a training where `state` left it."""
        self._supernet.load_state_dict(part(state.tensors, "current."))
        self._auxiliary.load_state_dict(part(state.tensors, "auxiliary."))
        self._averaged.load(part(state.tensors, "average."))
        device = self._supernet.embedding.table.device
        self._best = {name: value.to(device) for name, value in part(state.tensors, "supernet.").items()}
        self._history = state.history
        self.trainer.load(part(state.tensors, "optimiser."), state.n_rounds_done)
        self._note()

    def result(self) -> TrainedSupernet:
        """The supernet with its best weights, on the CPU."""
        settle(self._supernet.embedding)
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
