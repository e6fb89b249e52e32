"""Settings of training: of the optimiser for any network, and of the supernet's path sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

STRATEGIES = ("single-operator any-connection", "single-path", "any-path", "full-path")
"""Path strategies of supernet training, as NASRec names them (see `sample_paths`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalSettings:
    """How one network is trained: Adam with a cosine decay to zero, stopped at the lowest valid log loss.

    Attributes:
        epochs: Passes over the train rows.
        batch_size: Rows of a step.
        learning_rate: Of the first step.
        embedding_l2: L2 penalty on the whole embedding table; large, since embeddings overfit first.
        embedding_dropout: Share of embedding values set to zero while training.
        clip_norm: Largest norm of the gradient.
        n_threads: Of torch on a CPU; results depend on it. More than one pays for wide networks in large batches only.
    """

    epochs: int = 5
    batch_size: int = 1024
    learning_rate: float = 3e-3
    embedding_l2: float = 1e-2
    embedding_dropout: float = 0.2
    clip_norm: float = 10.0
    n_threads: int = 1

    def __post_init__(self) -> None:
        check_positive(self, "epochs", "batch_size", "learning_rate", "clip_norm", "n_threads")
        check_range(self, "embedding_l2", 0, math.inf)
        check_range(self, "embedding_dropout", 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """How a supernet is trained.

    Small batches, embeddings that a small network has trained first, and blocks that first run all their operators
    are what makes sharing learn: without them no network of the space gets better than chance within some epochs.

    Attributes:
        epochs: Passes over the train rows, after the embeddings' own.
        batch_size: Rows of a step; every step trains one path.
        learning_rate: Adam's, decayed by a cosine to zero.
        embedding_l2: L2 penalty on the whole embedding table.
        embedding_dropout: Share of embedding values set to zero while training.
        clip_norm: Largest norm of the gradient; full paths explode now and then.
        strategy: One of STRATEGIES.
        embedding_epochs: Epochs in which only an auxiliary network on the embeddings is trained; its loss stays added.
        full_path_share: Share of the steps over which the probability of a full block falls from 1 to 0.
        held_out_share: Share of the train rows that is kept for refitting heads.
        n_threads: Of torch on a CPU; results depend on it. More than one pays for wide networks in large batches only.
    """

    epochs: int = 16
    batch_size: int = 256
    learning_rate: float = 2e-3
    embedding_l2: float = 5e-3
    embedding_dropout: float = 0.2
    clip_norm: float = 5.0
    strategy: str = STRATEGIES[0]
    embedding_epochs: int = 2
    full_path_share: float = 0.25
    held_out_share: float = 0.1
    n_threads: int = 1

    def __post_init__(self) -> None:
        check_positive(self, "epochs", "batch_size", "learning_rate", "clip_norm", "n_threads")
        check_range(self, "embedding_epochs", 0, math.inf)
        check_range(self, "embedding_l2", 0, math.inf)
        check_range(self, "embedding_dropout", 0, 1)
        check_range(self, "full_path_share", 0, 1.000001)
        check_range(self, "held_out_share", 0, 1)
        if self.held_out_share == 0:
            raise ValueError("held_out_share must be above 0: heads are refitted on rows that the supernet never saw")
        if self.strategy not in STRATEGIES:
            raise ValueError(f"unknown strategy {self.strategy!r}; strategies are {', '.join(map(repr, STRATEGIES))}")


def check_positive(settings: object, *names: str) -> None:
    """ValueError that names the first setting that is not a positive finite number."""
    for name in names:
        value = getattr(settings, name)
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name} must be positive, got {value}")


def check_range(settings: object, name: str, low: float, high: float) -> None:
    """ValueError when a setting is below `low`, or `high` and above."""
    value = getattr(settings, name)
    if not low <= value < high:
        raise ValueError(f"{name} must be at least {low} and below {high}, got {value}")
