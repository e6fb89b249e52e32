"""What every training loop here needs: rows as tensors, the optimiser with its schedule, predictions and metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from moco.data import Rows
from moco.settings import FinalSettings, TrainSettings
from moco.supernet.network import SPARSE_TABLE_ROWS

PREDICT_BATCH = 512
"""Rows of a batch without gradients: larger ones fall out of the processor's cache."""


@dataclass(frozen=True, slots=True)
class Score:
    """How well predictions fit labels.

    Attributes:
        logloss: Mean binary cross-entropy in nats.
        auc: Area under the receiver operating characteristic.
    """

    logloss: float
    auc: float

    @staticmethod
    def of(labels: NDArray[np.float32], logits: NDArray[np.float32]) -> Score:
        """The score of (N,) logits."""
        wide = logits.astype(np.float64)
        return Score(
            logloss=float(np.mean(np.logaddexp(0, wide) - labels * wide)), auc=float(roc_auc_score(labels, wide))
        )


@dataclass(frozen=True, slots=True)
class TensorRows:
    """Rows on a device.

    Attributes:
        ids: (N, F) field-local ids.
        dense: (N, D).
        labels: (N,).
    """

    ids: Tensor
    dense: Tensor
    labels: Tensor

    @staticmethod
    def of(rows: Rows, device: torch.device) -> TensorRows:
        """The rows, copied to the device."""
        return TensorRows(*(torch.from_numpy(a.copy()).to(device) for a in (rows.ids, rows.dense, rows.labels)))

    def take(self, index: Tensor) -> TensorRows:
        """The rows of an index."""
        return TensorRows(self.ids[index], self.dense[index], self.labels[index])

    def batches(self, size: int) -> Iterator[TensorRows]:
        """All rows in order, `size` at a time."""
        for parts in zip(*(torch.split(x, size) for x in (self.ids, self.dense, self.labels)), strict=True):
            yield TensorRows(*parts)


class Optimiser:
    """Adam on a network and its embedding table, with clipping and a cosine decay over n_steps.

    Weights without a gradient, of parts that a step did not compute, stay as they are. Of a table so large that its
    gradient is sparse, each step updates and penalises the rows of the batch only, and does not clip them.
    """

    def __init__(
        self, table: nn.Parameter, others: list[nn.Parameter], settings: TrainSettings | FinalSettings, n_steps: int
    ) -> None:
        self._table, self._others = table, others
        self._settings = settings
        self._n_steps = n_steps
        rate = settings.learning_rate
        self._has_sparse_table = len(table) > SPARSE_TABLE_ROWS
        if self._has_sparse_table:
            self._adams = [torch.optim.SparseAdam([table], lr=rate), torch.optim.Adam(others, lr=rate, fused=True)]
        else:
            groups: list[dict[str, Any]] = [
                {"params": [table], "weight_decay": settings.embedding_l2},
                {"params": others},
            ]
            self._adams = [torch.optim.Adam(groups, lr=rate, fused=True)]

    def step(self, loss: Tensor, step: int) -> None:
        """One update; `step` counts from 0, and below 0 for steps at the full rate.

        Raises:
            FloatingPointError: The loss is not finite.
        """
        if not math.isfinite(loss.item()):
            raise FloatingPointError(
                f"training diverged: the loss of step {step} is {loss.item()}; take a lower learning_rate than "
                f"{self._settings.learning_rate} or a lower clip_norm than {self._settings.clip_norm}"
            )
        for adam in self._adams:
            adam.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        if self._has_sparse_table:
            self._penalise_rows()
            nn.utils.clip_grad_norm_(self._others, self._settings.clip_norm)
        else:
            nn.utils.clip_grad_norm_([self._table, *self._others], self._settings.clip_norm)
        for adam in self._adams:
            for group in adam.param_groups:
                group["lr"] = self.learning_rate(step)
            adam.step()

    def learning_rate(self, step: int) -> float:
        """The rate of a step."""
        return self._settings.learning_rate * 0.5 * (1 + math.cos(math.pi * max(step, 0) / self._n_steps))

    def _penalise_rows(self) -> None:
        if self._table.grad is None or self._settings.embedding_l2 == 0:
            return
        gradient = self._table.grad.coalesce()
        rows = gradient.indices()[0]
        values = gradient.values() + self._settings.embedding_l2 * self._table.detach()[rows]
        self._table.grad = torch.sparse_coo_tensor(
            rows[None], values, gradient.shape, is_coalesced=True, check_invariants=False
        )

    def state(self) -> dict[str, Tensor]:
        """Moments and step counts, as "<optimiser>.<parameter>.<name>"."""
        return {
            f"{index}.{number}.{name}": torch.as_tensor(value)
            for index, adam in enumerate(self._adams)
            for number, moments in adam.state_dict()["state"].items()
            for name, value in moments.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Takes up what `state` gave."""
        moments: list[dict[int, dict[str, Any]]] = [{} for _ in self._adams]
        for key, value in state.items():
            index, number, name = key.split(".")
            is_count = isinstance(self._adams[int(index)], torch.optim.SparseAdam) and name == "step"
            moments[int(index)].setdefault(int(number), {})[name] = int(value) if is_count else value
        for adam, saved in zip(self._adams, moments, strict=True):
            adam.load_state_dict({"state": saved, "param_groups": adam.state_dict()["param_groups"]})


def dropped(rows: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Rows with a random share of their values set to zero and the others scaled up to keep the mean."""
    if share == 0:
        return rows
    kept = torch.empty_like(rows, requires_grad=False).bernoulli_(1 - share, generator=generator)
    return rows * kept.div_(1 - share)


def logloss_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean binary cross-entropy of (N,) logits."""
    return functional.binary_cross_entropy_with_logits(logits, labels)


@torch.no_grad()
def score_of(logits_of: Callable[[Tensor, Tensor], Tensor], rows: TensorRows) -> Score:
    """The score of a network, given as a function of ids and dense values, on all rows."""
    logits = torch.cat([logits_of(batch.ids, batch.dense) for batch in rows.batches(PREDICT_BATCH)])
    return Score.of(rows.labels.cpu().numpy(), logits.cpu().numpy())


@contextmanager
def threads(n_threads: int) -> Iterator[None]:
    """A number of threads for torch, so that sums keep their order whatever the machine has and does."""
    n_before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(n_before)


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
