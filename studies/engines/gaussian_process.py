"""Gaussian processes on genomes: what designs would score, from the scores of those evaluated so far.

The kernel is the sum of a linear one, for what each choice adds by itself, and a Gaussian one, for their interplay.
Its length, the share of the linear part and the noise are those of the greatest marginal likelihood on a small grid.
Source: Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), sections 2.2 and 5.4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from spaces.space import Space

Values = NDArray[np.float64]

SQUARED_LENGTHS = (0.2, 0.6, 2.0, 6.0)
"""In units of the mean squared distance of designs from their mean; two designs are about 2 apart."""

LINEAR_SHARES = (0.0, 0.5, 0.9)
NOISES = (1e-4, 1e-2, 1e-1)
N_CHOOSING = 300
"""Designs that the likelihood is computed on."""


def encoded(space: Space, genomes: NDArray[np.int64]) -> Values:
    """(B, E) numbers for the kernel: an ordered block as 0 to 1, another as one column a choice.

    Two choices of an unordered block are 1 apart, like the ends of an ordered one.
    """
    columns = []
    for column, block in enumerate(space.blocks):
        n_choices = len(block.choices)
        if block.is_ordered:
            columns.append(genomes[:, [column]] / max(1.0, n_choices - 1.0))
        else:
            columns.append((genomes[:, [column]] == np.arange(n_choices)) / np.sqrt(2.0))
    return np.concatenate(columns, axis=1, dtype=np.float64)


class Surrogate:
    """A Gaussian process of each of some quantities; only its mean is used.

    Args:
        inputs: (B, E) encoded designs, at least one.
        targets: (B, Q) quantities.
        rng: Picks the designs that the likelihood is computed on.
    """

    def __init__(self, inputs: Values, targets: Values, rng: np.random.Generator) -> None:
        self._centre = inputs.mean(axis=0)
        self._size = _or_one(np.sqrt(((inputs - self._centre) ** 2).sum(axis=1).mean()))
        self._inputs = (inputs - self._centre) / self._size
        self._mean = targets.mean(axis=0)
        self._deviation = _or_one(targets.std(axis=0))
        scaled = (targets - self._mean) / self._deviation
        some = rng.permutation(len(inputs))[:N_CHOOSING]
        self._kernels = _likeliest(self._inputs[some], scaled[some])
        weights = [
            cho_solve(cho_factor(kernel.gram(self._inputs), lower=True), scaled[:, column])
            for column, kernel in enumerate(self._kernels)
        ]
        self._weights = np.stack(weights, axis=1)

    def predict(self, inputs: Values) -> Values:
        """(B, Q) expected quantities of (B, E) encoded designs."""
        scaled = (inputs - self._centre) / self._size
        found = np.empty((len(inputs), len(self._kernels)))
        for column, kernel in enumerate(self._kernels):
            found[:, column] = kernel(scaled, self._inputs) @ self._weights[:, column]
        predicted: Values = found * self._deviation + self._mean
        return predicted


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kernel:
    squared_length: float
    linear_share: float
    noise: float

    def __call__(self, a: Values, b: Values) -> Values:
        """(A, B) covariances of designs, without noise."""
        inner = a @ b.T
        squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * inner
        gaussian = np.exp(np.minimum(-squared, 0.0) / self.squared_length)
        covariances: Values = (1 - self.linear_share) * gaussian + self.linear_share * inner
        return covariances

    def gram(self, inputs: Values) -> Values:
        """(B, B) covariances of the designs' measured values."""
        return self(inputs, inputs) + self.noise * np.eye(len(inputs))


def _likeliest(inputs: Values, targets: Values) -> list[_Kernel]:
    """The kernel of the grid with the greatest marginal likelihood for each column of the targets."""
    kernels = [
        _Kernel(squared_length=squared_length, linear_share=linear_share, noise=noise)
        for squared_length, linear_share, noise in product(SQUARED_LENGTHS, LINEAR_SHARES, NOISES)
    ]
    likelihoods = np.stack([_log_likelihoods(kernel, inputs, targets) for kernel in kernels])
    return [kernels[row] for row in likelihoods.argmax(axis=0)]


def _log_likelihoods(kernel: _Kernel, inputs: Values, targets: Values) -> Values:
    """(Q,) up to a constant, with the likeliest variance put in."""
    factor = cho_factor(kernel.gram(inputs), lower=True)
    misfit = (targets * cho_solve(factor, targets)).sum(axis=0)
    log_determinant = 2 * np.log(np.diag(factor[0])).sum()
    likelihoods: Values = -0.5 * (len(inputs) * np.log(np.maximum(misfit, 1e-300)) + log_determinant)
    return likelihoods


def _or_one(scale: Values) -> Values:
    """The scale, or 1 where everything is equal."""
    return np.where(scale > 0, scale, 1.0)
