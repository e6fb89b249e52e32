"""Scores corrected by truth: designs that have been trained from scratch tell how the others would do.

Three models are tried: of the supernet's score, of what the network is made of, and of both. The one that orders
held-out designs best is used. It is a Bayesian ridge regression, so that each prediction has its uncertainty, and few
designs lead to cautious predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import RepeatedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moco.fidelity import kendall_tau

Floats = NDArray[np.float64]

N_FOLDS, N_REPEATS = 4, 5

LEAST_DESIGNS = 8
"""Fewer cannot tell one model from another: the score alone is used."""

SCORE, NETWORK, BOTH = "score", "network", "score and network"
"""What a model reads."""


@dataclass(frozen=True)
class Correction:
    """Predicts the log loss of training from scratch.

    Attributes:
        reads: SCORE, NETWORK or BOTH.
        held_out_tau: Kendall's tau on held-out designs of each model, and under "plain score" of the score itself;
            empty where there were too few designs to tell.
    """

    reads: str
    held_out_tau: Mapping[str, float]
    _model: Any

    @classmethod
    def fit(
        cls, score: ArrayLike, features: ArrayLike, truth: ArrayLike, seed: int = 0, reads: str | None = None
    ) -> Correction:
        """The model that orders held-out designs best.

        Args:
            score: (n,) supernet scores, log loss.
            features: (n, K) of the networks, as `network_features` gives them.
            truth: (n,) log loss after training from scratch.
            seed: Of the splits.
            reads: SCORE, NETWORK or BOTH to use that model, whatever the held-out designs say.

        Raises:
            ValueError: There are fewer than 2 designs.
        """
        scores, networks, truths = (np.asarray(values, dtype=np.float64) for values in (score, features, truth))
        if len(truths) < 2:
            raise ValueError(f"a correction needs 2 designs trained from scratch, got {len(truths)}")
        if len(truths) < LEAST_DESIGNS or reads is not None:
            reads = reads or SCORE
            return cls(reads, {}, _fitted(_inputs(reads, scores, networks), truths))
        taus: dict[str, list[float]] = {name: [] for name in (SCORE, NETWORK, BOTH, "plain score")}
        splits = RepeatedKFold(n_splits=N_FOLDS, n_repeats=N_REPEATS, random_state=seed)
        for known, held_out in splits.split(truths):
            for name in (SCORE, NETWORK, BOTH):
                x = _inputs(name, scores, networks)
                taus[name].append(kendall_tau(_fitted(x[known], truths[known]).predict(x[held_out]), truths[held_out]))
            taus["plain score"].append(kendall_tau(scores[held_out], truths[held_out]))
        means = {name: float(np.mean(values)) for name, values in taus.items()}
        reads = max((SCORE, NETWORK, BOTH), key=lambda name: means[name])
        return cls(reads, means, _fitted(_inputs(reads, scores, networks), truths))

    def predict(self, score: ArrayLike, features: ArrayLike) -> tuple[Floats, Floats]:
        """(n,) expected log losses after training from scratch, and their standard deviations."""
        x = _inputs(self.reads, np.asarray(score, dtype=np.float64), np.asarray(features, dtype=np.float64))
        mean, sd = self._model.predict(x, return_std=True)
        return np.asarray(mean, dtype=np.float64), np.asarray(sd, dtype=np.float64)


def _inputs(reads: str, score: Floats, features: Floats) -> Floats:
    """(n, k) what a model reads; the size of a network, its first feature, also squared: its use levels off."""
    network = np.column_stack([features, features[:, 0] ** 2])
    return {SCORE: score[:, None], NETWORK: network, BOTH: np.column_stack([score, network])}[reads]


def _fitted(x: Floats, truth: Floats) -> Any:
    return make_pipeline(StandardScaler(), BayesianRidge()).fit(x, truth)
