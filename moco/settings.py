"""Settings of training: of the optimiser for any network, and of the supernet's path sampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

STRATEGIES = ("single-operator any-connection", "single-path", "any-path", "full-path")
"""Path strategies of supernet training, as NASRec names them (see `sample_paths`)."""


OPTIMISERS = ("adam", "adagrad")

PRECISIONS = ("float32", "bfloat16")

MONITORS = ("logloss", "auc")

TAUGHT = ", taught"
"""Follows the name of a training whose train labels a teacher softened; see `moco.runs.teacher`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How weights are trained, of one network or of many that share them: a learning rate that falls by a cosine.

    Attributes:
        epochs: Passes over the train rows.
        batch_size: Rows of a step, over all processes together.
        optimiser: One of OPTIMISERS.
        learning_rate: The highest one.
        table_learning_rate: The same of embedding tables so large that only a batch's rows are updated, by row-wise
            Adagrad.
        adagrad_eps: Added to the root of Adagrad's accumulators, row-wise or not.
        warm_up_share: Share of the steps over which the learning rate rises to its highest.
        embedding_l2: L2 penalty on the whole embedding table, of a large one on the rows of the batch.
        embedding_dropout: Share of embedding values set to zero while training.
        embedding_std: Deviation to which each column of each field's table is standardised while it is trained, so that
            the penalty says how rows lie to each other and not how large they are; 0 trains tables as they are, as
            those are in any case whose rows are too many for a step to change all.
        clip_norm: Largest norm of the gradient.
        average_share: Share of the steps over which weights are averaged, exponentially; the average is what is scored
            and kept. 0 keeps the weights of the last step.
        precision: One of PRECISIONS; "bfloat16" computes products in 16 bits and keeps weights in 32 (torch.autocast).
        n_threads: Of torch on a CPU; results depend on it. More than one pays for wide networks in large batches only.
    """

    epochs: int
    batch_size: int
    optimiser: str = "adam"
    learning_rate: float
    table_learning_rate: float = 0.05
    adagrad_eps: float = 1e-8
    warm_up_share: float = 0.0
    embedding_l2: float
    embedding_dropout: float = 0.2
    embedding_std: float = 0.0
    clip_norm: float = 10.0
    average_share: float = 0.0
    precision: str = "float32"
    n_threads: int = 1

    def __post_init__(self) -> None:
        check_positive(
            self,
            "epochs",
            "batch_size",
            "learning_rate",
            "table_learning_rate",
            "adagrad_eps",
            "clip_norm",
            "n_threads",
        )
        check_range(self, "embedding_l2", 0, math.inf)
        check_range(self, "embedding_std", 0, math.inf)
        check_range(self, "embedding_dropout", 0, 1)
        check_range(self, "warm_up_share", 0, 1)
        check_range(self, "average_share", 0, 1)
        check_name(self, "optimiser", OPTIMISERS)
        check_name(self, "precision", PRECISIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalSettings(LoopSettings):
    """How one network is trained from scratch, and stopped at its valid optimum; see `LoopSettings`.

    The penalty on embeddings is large, since they overfit first; with a larger one small networks hardly learn.
    Averaged weights predict better than the last ones do, and differ less from seed to seed.

    Attributes:
        monitor: One of MONITORS, on valid rows: the round that is best by it is kept. Ranking goes on improving where
            probabilities are overfitted already, so the best AUC may come epochs after the lowest log loss.
        patience: Epochs in a row without a better round after which the training ends, once a network predicts better
            than the mean label.
    """

    epochs: int = 8
    batch_size: int = 1024
    learning_rate: float = 5e-3
    embedding_l2: float = 3e-3
    average_share: float = 0.1
    monitor: str = "logloss"
    patience: int = 2

    def __post_init__(self) -> None:
        LoopSettings.__post_init__(self)
        check_name(self, "monitor", MONITORS)
        check_positive(self, "patience")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings(LoopSettings):
    """How a supernet is trained; see `LoopSettings`.

    Small batches, embeddings that a small network has trained first, and blocks that first run all their operators
    are what makes sharing learn: without them no network of the space gets better than chance within some epochs.
    Full paths explode now and then, so the gradient is clipped early.

    Attributes:
        strategy: One of STRATEGIES; every step trains one path.
        embedding_epochs: Epochs in which only an auxiliary network on the embeddings is trained; its loss stays added.
        full_path_share: Share of the steps over which the probability of a full block falls from 1 to 0.
        held_out_share: Share of the train rows that is kept for refitting heads.
        hardware_share: Share of the steps that compute as a random chip of a co-design space would; others, and all
            in a space of networks alone, compute with plain numbers. None unless stated: on chips it helps the networks
            that lose most, hardly those that lose little, and takes half as much time again (BENCHMARKS.md).
    """

    epochs: int = 16
    batch_size: int = 256
    learning_rate: float = 2e-3
    embedding_l2: float = 5e-3
    clip_norm: float = 5.0
    strategy: str = STRATEGIES[0]
    embedding_epochs: int = 2
    full_path_share: float = 0.25
    held_out_share: float = 0.1
    hardware_share: float = 0.0

    def __post_init__(self) -> None:
        LoopSettings.__post_init__(self)
        check_range(self, "embedding_epochs", 0, math.inf)
        check_range(self, "full_path_share", 0, 1.000001)
        check_range(self, "held_out_share", 0, 1)
        check_range(self, "hardware_share", 0, 1.000001)
        if self.held_out_share == 0:
            raise ValueError("held_out_share must be above 0: heads are refitted on rows that the supernet never saw")
        check_name(self, "strategy", STRATEGIES)


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


def check_name(settings: object, name: str, known: tuple[str, ...]) -> None:
    """ValueError when a setting is not one of the known names."""
    value = getattr(settings, name)
    if value not in known:
        kinds = {"strategy": "strategies"}.get(name, f"{name}s")
        raise ValueError(f"unknown {name} {value!r}; {kinds} are {', '.join(map(repr, known))}")
