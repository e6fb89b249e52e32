"""A Bayesian ridge regression of few examples on a score that says much and further inputs that say less."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import BayesianRidge

Floats = NDArray[np.float64]

MINOR_WEIGHT = 0.3
"""Of all inputs but the first, the score: with as much weight as it, they mislead where examples are few."""


@dataclass(frozen=True)
class Regression:
    """Predicts a figure from K inputs, the first of which is a score of it.

    Attributes:
        centre, scale: (K,) mean and spread of the inputs, weights of the minor ones included.
        coefficients: (K,) of the scaled inputs.
        intercept: The figure at the centre.
        covariance: (K, K) of the coefficients.
        noise_sd: Standard deviation of one figure around what the inputs explain.
    """

    centre: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    covariance: tuple[tuple[float, ...], ...]
    noise_sd: float

    @classmethod
    def fit(cls, x: Floats, y: Floats) -> Regression:
        """Learned from (n, K) inputs and (n,) figures."""
        centre, scale = _scaling(x)
        ridge = BayesianRidge().fit((x - centre) / scale, y)
        return cls(
            centre=tuple(centre.tolist()),
            scale=tuple(scale.tolist()),
            coefficients=tuple(ridge.coef_.tolist()),
            intercept=float(ridge.intercept_),
            covariance=tuple(map(tuple, ridge.sigma_.tolist())),
            noise_sd=float(ridge.alpha_**-0.5),
        )

    @classmethod
    def unlearned(cls, n_inputs: int, level: float, noise_sd: float) -> Regression:
        """The score as it is, at a level above it, and nothing of the other inputs."""
        zeros = (0.0,) * n_inputs
        return cls(
            centre=zeros,
            scale=(1.0,) * n_inputs,
            coefficients=(1.0, *zeros[1:]),
            intercept=level,
            covariance=(zeros,) * n_inputs,
            noise_sd=noise_sd,
        )

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """(n,) expected figures of (n, K) inputs, and their standard deviations."""
        scaled = (x - np.array(self.centre)) / np.array(self.scale)
        mean = scaled @ np.array(self.coefficients) + self.intercept
        variance = np.einsum("ij,jk,ik->i", scaled, np.array(self.covariance), scaled) + self.noise_sd**2
        return mean, np.sqrt(variance)

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Regression:
        """What `dataclasses.asdict` and JSON made of one, whose rows are lists there."""
        names = ("centre", "scale", "coefficients")
        rows = {name: tuple(map(float, entries[name])) for name in names}
        return cls(**{**entries, **rows, "covariance": tuple(tuple(row) for row in entries["covariance"])})


def held_out_predictions(x: Floats, y: Floats) -> Floats:
    """(n,) predictions, each learned from the n - 1 others; n is at least 2."""
    predicted = np.empty(len(y))
    for row in range(len(y)):
        others = np.arange(len(y)) != row
        predicted[row] = Regression.fit(x[others], y[others]).predict(x[[row]])[0][0]
    return predicted


def _scaling(x: Floats) -> tuple[Floats, Floats]:
    """(K,) what to subtract from inputs and what to divide by; one that never changes stays 0."""
    spread = x.std(axis=0)
    weight = np.array([1.0, *[MINOR_WEIGHT] * (len(spread) - 1)])
    return x.mean(axis=0), np.where(spread > 0, spread, 1.0) / weight
