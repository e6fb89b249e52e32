"""How well predictions fit labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from moco.supernet.rows import MappedRows, TensorRows

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


def mean_logloss(label_mean: float) -> float:
    """The log loss of always predicting the mean label: what a useful network stays below."""
    mean = min(max(label_mean, 1e-9), 1 - 1e-9)
    return -(mean * math.log(mean) + (1 - mean) * math.log(1 - mean))


@torch.no_grad()
def score_of(logits_of: Callable[[Tensor, Tensor], Tensor], rows: TensorRows | MappedRows) -> Score:
    """The score of a network, given as a function of ids and dense values, on all rows."""
    labels, logits = [], []
    for batch in rows.batches(PREDICT_BATCH):
        labels.append(batch.labels.cpu().numpy())
        logits.append(logits_of(batch.ids, batch.dense).cpu().numpy())
    return Score.of(np.concatenate(labels), np.concatenate(logits))
