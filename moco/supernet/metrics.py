"""How well predictions fit labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from moco.supernet.rows import MappedRows, TensorRows

PREDICT_BATCH = 1024
"""Rows of a batch without gradients: for small networks more would be faster, for large ones slower (caches)."""


@dataclass(frozen=True, slots=True)
class Score:
    """How well predictions fit labels.

    Attributes:
        logloss: Mean binary cross-entropy in nats.
        auc: Area under the receiver operating characteristic.
        logloss_se: Standard error of the log loss over the rows; NaN where it is not known. Two networks on the same
            rows differ by far less than by chance alone, see BENCHMARKS.md.
    """

    logloss: float
    auc: float
    logloss_se: float = field(default=math.nan, compare=False)

    @staticmethod
    def of(labels: NDArray[np.float32], logits: NDArray[np.float32]) -> Score:
        """The score of (N,) logits."""
        wide = logits.astype(np.float64)
        losses = np.logaddexp(0, wide) - labels * wide
        return Score(
            logloss=float(losses.mean()),
            auc=float(roc_auc_score(labels, wide)),
            logloss_se=float(losses.std() / math.sqrt(len(losses))),
        )

    def loss(self, monitor: str) -> float:
        """What a training that goes by "logloss" or by "auc" minimises."""
        return self.logloss if monitor == "logloss" else 1 - self.auc


def mean_logloss(label_mean: float) -> float:
    """The log loss of always predicting the mean label: what a useful network stays below."""
    mean = min(max(label_mean, 1e-9), 1 - 1e-9)
    return -(mean * math.log(mean) + (1 - mean) * math.log(1 - mean))


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of like predictions.

    Attributes:
        predicted: Mean probability.
        observed: Share of label 1.
        n_rows: How many rows.
    """

    predicted: float
    observed: float
    n_rows: int


def reliability(labels: NDArray[np.float32], logits: NDArray[np.float32], n_bins: int = 10) -> tuple[Bin, ...]:
    """Predictions against what came, in bins of as many rows each: equal where a network is calibrated.

    Source: reliability diagrams; Niculescu-Mizil and Caruana, ICML 2005, doi:10.1145/1102351.1102430.

    Args:
        labels: (N,) 0 or 1.
        logits: (N,) of the predictions.
        n_bins: At most; fewer where there are fewer rows.
    """
    order = np.argsort(logits, kind="stable")
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    parts = np.array_split(order, min(n_bins, len(order)))
    return tuple(Bin(float(probability[rows].mean()), float(labels[rows].mean()), len(rows)) for rows in parts)


@torch.no_grad()
def predictions(
    logits_of: Callable[[Tensor, Tensor], Tensor], rows: TensorRows | MappedRows
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(N,) labels and logits of all rows by a network, given as a function of ids and dense values."""
    labels, logits = [], []
    for batch in rows.batches(PREDICT_BATCH):
        labels.append(batch.labels.cpu().numpy())
        logits.append(logits_of(batch.ids, batch.dense).cpu().numpy())
    return np.concatenate(labels), np.concatenate(logits)


def score_of(logits_of: Callable[[Tensor, Tensor], Tensor], rows: TensorRows | MappedRows) -> Score:
    """The score of a network, given as a function of ids and dense values, on all rows."""
    return Score.of(*predictions(logits_of, rows))
