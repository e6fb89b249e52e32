"""What a supernet's scores are worth: their order beside that of networks trained from scratch, and beside controls.

Every control is a score that knows nothing of what the supernet learned. A supernet that does not beat them all has not
shown that it ranks, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from moco.data import ClickLog
from moco.oracle.features import FEATURES, network_features
from moco.oracle.fidelity import LEVEL, Noise, Rank, ceiling, rank_correlation, share_of_resamples_better
from moco.oracle.oracle import Oracle
from moco.oracle.truth import LEAST_NETWORKS, Truth
from moco.supernet import Supernet, TrainedSupernet

Floats = NDArray[np.float64]

CONTROLS = {
    "more MACs": "log_macs",
    "more live blocks": "n_live_blocks",
    "more dot-products": "n_dot-product",
    "more attention": "n_attention",
}
"""Scores that count: each a feature of the network, of which more is taken to be better."""

UNTRAINED = "untrained supernet"

SURE = 0.95
"""Share of bootstrap resamples in which the score must beat a control to be called better than it."""


@dataclass(frozen=True, slots=True)
class Validation:
    """How a supernet orders networks that were trained from scratch.

    Attributes:
        n_networks: How many.
        n_seeds: Trainings of each, in the mean.
        score: Rank correlation of the supernet's score with the valid log loss of training from scratch.
        controls: The same of each control.
        beaten: Share of bootstrap resamples in which the score beats each control.
        seed_sd: Standard deviation of one network's log loss between seeds; None where each was trained once.
        network_sd: Of the networks' true log losses; likewise.
        ceiling: Tau that a perfect score would reach; likewise.
        supernet: Digest of the supernet.
    """

    n_networks: int
    n_seeds: float
    score: Rank
    controls: Mapping[str, Rank]
    beaten: Mapping[str, float]
    seed_sd: float | None
    network_sd: float | None
    ceiling: float | None
    supernet: str

    @property
    def is_better(self) -> bool:
        """Whether the score orders networks surely better than every control."""
        return self.score.low > 0 and min(self.beaten.values()) >= SURE

    def summary(self) -> str:
        """Two or three sentences for people."""
        best = max(self.controls, key=lambda name: self.controls[name].tau)
        of = "" if self.ceiling is None else f"; a perfect score would reach {self.ceiling:.2f}"
        parts = [
            f"Rank fidelity: tau {self.score} ({LEVEL:.0%} interval) between supernet score and training from scratch "
            f"of {self.n_networks} networks spread over cost{of}. The best control, {best}, reaches "
            f"{self.controls[best]}."
        ]
        if not self.is_better:
            parts.append("The score has not been shown to order networks better than every control.")
        if self.seed_sd is not None and self.network_sd is not None and self.network_sd < 2 * self.seed_sd:
            parts.append(
                f"These networks can hardly be ranked: they differ by {self.network_sd:.4f}, one of them by "
                f"{self.seed_sd:.4f} between seeds."
            )
        return " ".join(parts)

    def to_json(self) -> str:
        """As text that `from_json` reads."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote; ValueError where it is something else."""
        try:
            parts: dict[str, Any] = json.loads(text)
            score, controls = parts.pop("score"), parts.pop("controls")
            return cls(score=Rank(**score), controls={name: Rank(**rank) for name, rank in controls.items()}, **parts)
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"this is no rank fidelity of a supernet: {error!r}") from error


def validate(
    data: ClickLog,
    supernet: TrainedSupernet,
    truth: Truth,
    n_jobs: int | None = None,
    *,
    lessons: ClickLog | None = None,
) -> Validation:
    """Rank fidelity of a supernet on the networks of a truth of the same data.

    Args:
        data: The click log.
        supernet: Trained on it.
        truth: Networks of the supernet's space, trained from scratch.
        n_jobs: Processes that score.
        lessons: What the networks of the truth were trained on, where a teacher softened the labels of the data.

    Raises:
        ValueError: The truth is of other data or another space, or has fewer than 3 networks.
    """
    space = supernet.supernet.space
    for name, digest in (("data", (lessons or data).digest), ("space", space.digest)):
        if truth.what[name]["digest"] != digest:
            raise ValueError(f"the truth is of {name} {truth.what[name]['digest']}, the supernet of {digest}")
    truth = truth.useful(data)
    table = truth.figures()
    if len(table) < LEAST_NETWORKS:
        raise ValueError(f"a rank needs 3 networks trained from scratch, got {len(table)}")
    true = np.nanmean(table, axis=1)
    networks = space.networks(truth.genomes)
    features = network_features(networks, space.n_dense, space.n_sparse)
    score = Oracle(supernet, data, n_jobs=n_jobs).score(networks).logloss
    controls = {name: -features[:, FEATURES.index(feature)] for name, feature in CONTROLS.items()}
    controls[UNTRAINED] = Oracle(untrained(supernet), data, n_jobs=n_jobs).score(networks).logloss
    n_seeds = (~np.isnan(table)).sum(axis=1)
    noise = Noise.of(table) if n_seeds.max() > 1 else None
    return Validation(
        n_networks=len(table),
        n_seeds=float(n_seeds.mean()),
        score=rank_correlation(score, true),
        controls={name: rank_correlation(values, true) for name, values in controls.items()},
        beaten={name: share_of_resamples_better(score, values, true) for name, values in controls.items()},
        seed_sd=None if noise is None else noise.seed_sd,
        network_sd=None if noise is None else noise.network_sd,
        ceiling=None if noise is None else ceiling(table),
        supernet=supernet.digest,
    )


def untrained(supernet: TrainedSupernet) -> TrainedSupernet:
    """The same with its first weights; heads are refitted on them as on any."""
    first = Supernet(supernet.supernet.space, supernet.supernet.embedding.cardinalities, supernet.seed)
    return TrainedSupernet(first, supernet.settings, supernet.seed, supernet.history, supernet.data_digest)
