"""The loop of every training: steps in rounds, all randomness from the seed, so that it goes on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from torch import Tensor, nn
from torch.nn import functional

from moco.settings import LoopSettings
from moco.supernet.embedding import Embedding
from moco.supernet.optimiser import Optimiser
from moco.supernet.ranks import Ranks, shared
from moco.supernet.rows import MappedRows, TensorRows

ROUND_STEPS = 5_000
"""Most steps between two looks at valid rows: an epoch has one round, or several equal ones."""

STEPS_BETWEEN_REPORTS = 20

QUICK_WRITE_S, WRITING_SHARE = 1.0, 0.05
"""A checkpoint that takes longer to write than this is written only so often that it takes this share of the time."""


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """Where a training stands.

    Attributes:
        n_rows: Rows seen so far.
        n_rows_total: Rows of the whole training.
        note: The last figures, for people.
    """

    n_rows: int
    n_rows_total: int
    note: str


@dataclass(frozen=True, slots=True)
class Round:
    """What one round consists of.

    Attributes:
        steps: (n,) numbers of its steps in the whole training; below 0 in epochs at the full learning rate.
        order: (n * batch_size,) the rows of its batches, one batch after another.
        dropout_seed: Of the embeddings' dropout.
        rng: For all other randomness of the round.
    """

    steps: NDArray[np.int64]
    order: NDArray[np.int64]
    dropout_seed: int
    rng: np.random.Generator


class Trainer:
    """Optimises an embedding table and other weights, round by round; under torchrun together with other processes.

    Args:
        embedding: The table.
        parts: The modules that hold all other weights.
        settings: Of the training.
        rows: Where batches come from.
        chosen: (N,) the rows that are trained on.
        seed: Key of all randomness.
        n_first_epochs: Epochs at the full learning rate before those of the settings.
        after_step: Called after every step but those of the first epochs.
        progress: Called every few steps.

    Attributes:
        n_rounds_done: Of the whole training.
        n_steps: Of an epoch.
        n_rounds: Of an epoch.
        note: What progress says beside the counts.

    Raises:
        ValueError: The batch cannot be shared evenly between the processes.
    """

    def __init__(
        self,
        embedding: Embedding,
        parts: Sequence[nn.Module],
        settings: LoopSettings,
        rows: TensorRows | MappedRows,
        chosen: NDArray[np.int64],
        seed: tuple[int, ...],
        *,
        n_first_epochs: int = 0,
        after_step: Callable[[], None] | None = None,
        progress: Callable[[TrainProgress], None] | None = None,
    ) -> None:
        self._ranks = Ranks.here()
        if settings.batch_size % self._ranks.n_ranks:
            raise ValueError(
                f"batch_size must be a multiple of the {self._ranks.n_ranks} processes, got {settings.batch_size}"
            )
        self._embedding, self._settings, self._rows = embedding, settings, rows
        self._chosen, self._seed, self._n_first_epochs = chosen, seed, n_first_epochs
        self._after_step = after_step
        self._progress = progress if self._ranks.rank == 0 else None
        self.n_steps = max(1, len(chosen) // settings.batch_size)
        self.n_rounds = -(-self.n_steps // ROUND_STEPS)
        self.n_rounds_done = 0
        self.note = ""
        weights = [weight for part in parts for weight in part.parameters()]
        self._compute = shared(parts, self._ranks)
        self._optimiser = Optimiser(
            embedding.table, weights, settings, n_steps=settings.epochs * self.n_steps, ranks=self._ranks
        )
        self._order: tuple[int, NDArray[np.int64]] = (-1, chosen[:0])
        self._written_s, self._write_took_s = time.monotonic(), 0.0

    @property
    def is_finished(self) -> bool:
        """Whether all epochs are done."""
        return self.n_rounds_done == (self._n_first_epochs + self._settings.epochs) * self.n_rounds

    @property
    def n_epochs_done(self) -> float:
        """Epochs done, the first ones not counted: below 0 while they run."""
        return self.n_rounds_done / self.n_rounds - self._n_first_epochs

    def next_round(self) -> Round:
        """The round that comes next."""
        epoch, place = divmod(self.n_rounds_done, self.n_rounds)
        rng = np.random.default_rng((*self._seed, epoch))
        dropout_seed = int(rng.integers(2**62))
        if self._order[0] != epoch:
            self._order = epoch, rng.permutation(self._chosen)
        if place > 0:
            rng = np.random.default_rng((*self._seed, epoch, place))
            dropout_seed = int(rng.integers(2**62))
        steps = np.arange(self.n_steps * place // self.n_rounds, self.n_steps * (place + 1) // self.n_rounds)
        size = self._settings.batch_size
        order = self._order[1][steps[0] * size : (steps[-1] + 1) * size]
        return Round(steps + (epoch - self._n_first_epochs) * self.n_steps, order, dropout_seed, rng)

    def run(self, this: Round, loss_of: Callable[[TensorRows, Tensor], Tensor]) -> None:
        """Every step of a round; `loss_of` gives the mean loss of a batch and its embedded rows (n, F, E)."""
        device = self._embedding.table.device
        dropout = torch.Generator(device).manual_seed(this.dropout_seed + self._ranks.rank)
        precision = torch.autocast(device.type, torch.bfloat16, enabled=self._settings.precision == "bfloat16")
        size = self._settings.batch_size
        for index, step in enumerate(this.steps.tolist()):
            batch = self._rows.take(self._ranks.share_of(this.order[index * size : (index + 1) * size]))
            rows = dropped(self._embedding(batch.ids), self._settings.embedding_dropout, dropout)
            with precision:
                loss = self._compute(partial(loss_of, batch, rows))
            self._optimiser.step(loss, step)
            if self._after_step is not None and step >= 0:
                self._after_step()
            if index % STEPS_BETWEEN_REPORTS == 0:
                self._report(step)
        self.n_rounds_done += 1

    def report_round(self) -> None:
        """Progress at the end of a round, with the note of its figures."""
        self._report(round(self.n_epochs_done * self.n_steps))

    def _report(self, step: int) -> None:
        if self._progress is not None:
            n_epochs, size = self._n_first_epochs + self._settings.epochs, self._settings.batch_size
            n_steps_done = self._n_first_epochs * self.n_steps + step
            self._progress(TrainProgress(n_steps_done * size, n_epochs * self.n_steps * size, self.note))

    def keep(self, write: Callable[[], None]) -> None:
        """Writes a checkpoint, in one process of several; one that takes long only now and then, and at the end."""
        if self._ranks.rank == 0:
            start_s = time.monotonic()
            waits = self._write_took_s > QUICK_WRITE_S and (
                start_s - self._written_s < self._write_took_s / WRITING_SHARE
            )
            if self.is_finished or not waits:
                write()
                self._written_s = time.monotonic()
                self._write_took_s = self._written_s - start_s
        self._ranks.wait()

    def mean(self, losses: Sequence[Tensor]) -> float:
        """The mean of the steps' losses over all processes."""
        return float(self._ranks.mean(torch.stack(list(losses)).mean()))

    def state(self) -> dict[str, Tensor]:
        """What the rest of the training depends on, beside weights and rounds done."""
        return self._optimiser.state()

    def load(self, state: Mapping[str, Tensor], n_rounds_done: int) -> None:
        """Takes up what `state` gave."""
        self._optimiser.load(state)
        self.n_rounds_done = n_rounds_done


def dropped(rows: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Rows with a random share of their values set to zero and the others scaled up to keep the mean."""
    if share == 0:
        return rows
    kept = torch.empty_like(rows, requires_grad=False).bernoulli_(1 - share, generator=generator)
    return rows * kept.div_(1 - share)


def logloss_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean binary cross-entropy of (N,) logits."""
    return functional.binary_cross_entropy_with_logits(logits.float(), labels)


@contextmanager
def threads(n_threads: int) -> Iterator[None]:
    """A number of threads for torch, so that sums keep their order whatever the machine has and does.

    NumPy's products get as many: what a chip does to a layer is found from small ones, whose threads would only wait.
    """
    n_before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        with _libraries().limit(limits=n_threads, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(n_before)


@lru_cache(maxsize=1)
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def device_named(device: str) -> torch.device:
    """The device of a name that torch knows; "auto" takes an accelerator where there is one.

    Raises:
        ValueError: torch knows no such device here.
    """
    if device == "auto":
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return accelerator or torch.device("cpu")
    try:
        named = torch.device(device)
        torch.empty(0, device=named)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {device!r} cannot be used here: {error}; give 'cpu' or 'auto'") from error
    return named
