"""Rank fidelity: how well a score orders networks, judged by training from scratch, and how well any score could.

The truth is noisy, so that even a perfect score does not reach a rank correlation of 1 with it. The ceiling says what
it would reach. Controls say what the order is worth: scores that know nothing of what was trained.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import spearmanr

Floats = NDArray[np.float64]

N_RESAMPLES = 1000
LEVEL = 0.9
"""Of the bootstrap intervals."""

SPREAD_OVER_NOISE = 2.0
"""Least ratio of the spread between networks to the noise of one training at which a truth can be ranked at all."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How repeatable a truth is.

    Attributes:
        seed_sd: Standard deviation of one network's figure between seeds, pooled over networks.
        network_sd: Standard deviation of the networks' true figures, the noise removed.
        n_seeds: Mean number of seeds of a network.
    """

    seed_sd: float
    network_sd: float
    n_seeds: float

    @classmethod
    def of(cls, figures: ArrayLike) -> Noise:
        """Of (n, S) figures of n networks and S seeds, NaN where a run is missing.

        Raises:
            ValueError: No network has two seeds, or there are fewer than 2 networks.
        """
        table = np.asarray(figures, dtype=np.float64)
        n_seeds = (~np.isnan(table)).sum(axis=1)
        table, n_seeds = table[n_seeds > 0], n_seeds[n_seeds > 0]
        if len(table) < 2 or n_seeds.max(initial=0) < 2:
            raise ValueError(f"noise needs 2 networks and one with 2 seeds, got seeds {n_seeds.tolist()}")
        means = np.nanmean(table, axis=1)
        squares = np.nansum((table - means[:, None]) ** 2)
        variance = squares / (n_seeds - 1).clip(0).sum()
        between = means.var(ddof=1) - variance * (1 / n_seeds).mean()
        return cls(float(np.sqrt(variance)), float(np.sqrt(max(between, 0.0))), float(n_seeds.mean()))

    @property
    def can_be_ranked(self) -> bool:
        """Whether the networks differ enough for their order to mean something."""
        return self.network_sd >= SPREAD_OVER_NOISE * self.seed_sd


@dataclass(frozen=True, slots=True)
class Rank:
    """Rank correlation of a score with the truth.

    Attributes:
        tau: Kendall's tau-b; above 0 where a lower score means a lower true figure.
        low, high: Its bootstrap interval over networks, at LEVEL.
        spearman: Spearman's rho.
    """

    tau: float
    low: float
    high: float
    spearman: float

    def __str__(self) -> str:
        return f"{self.tau:.2f} [{self.low:.2f}, {self.high:.2f}]"


def rank_correlation(score: ArrayLike, truth: ArrayLike, seed: int = 0) -> Rank:
    """How a score orders n networks, beside the truth.

    Args:
        score: (n,) lower is better.
        truth: (n,) lower is better.
        seed: Of the bootstrap.
    """
    scores, truths = np.asarray(score, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    low, high = np.quantile(_taus(scores, truths, _resamples(len(scores), seed)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    is_constant = np.ptp(scores) == 0 or np.ptp(truths) == 0
    rho = 0.0 if is_constant else float(spearmanr(scores, truths).statistic)
    return Rank(kendall_tau(scores, truths), float(low), float(high), rho)


def share_of_resamples_better(score: ArrayLike, control: ArrayLike, truth: ArrayLike, seed: int = 0) -> float:
    """Share of bootstrap resamples of the networks in which a score orders them better than a control does."""
    scores, controls, truths = (np.asarray(values, dtype=np.float64) for values in (score, control, truth))
    counts = _resamples(len(truths), seed)
    return float(np.mean(_taus(scores, truths, counts) > _taus(controls, truths, counts)))


def ceiling(figures: ArrayLike, seed: int = 0) -> float:
    """Mean tau that a perfect score would reach against this truth.

    The networks' true figures are taken as their means drawn together by the share of their spread that is noise, and
    the seeds' noise as normal, of one size.

    Args:
        figures: (n, S), NaN where a run is missing.
        seed: Of the simulation.
    """
    table = np.asarray(figures, dtype=np.float64)
    noise = Noise.of(table)
    n_seeds = (~np.isnan(table)).sum(axis=1)
    means = np.nanmean(table, axis=1)
    spread = means.std(ddof=1)
    true = means.mean() + (means - means.mean()) * (noise.network_sd / spread if spread > 0 else 0.0)
    rng = np.random.default_rng((seed, 6))
    draws = rng.normal(true, noise.seed_sd / np.sqrt(n_seeds), (200, len(true)))
    return float(np.mean([kendall_tau(true, draw) for draw in draws]))


def kendall_tau(score: Floats, truth: Floats) -> float:
    """Kendall's tau-b of (n,) scores and truths; 0 where all of one are equal."""
    return float(_taus(score, truth, np.ones((1, len(score))))[0])


def _taus(score: Floats, truth: Floats, counts: Floats) -> Floats:
    """(R,) Kendall's tau-b when network i occurs counts[r, i] times; 0 where all scores or all truths are equal."""
    by_score, by_truth = (np.sign(values[:, None] - values) for values in (score, truth))
    agreeing, scored, true = (
        ((counts @ pairs) * counts).sum(axis=1) for pairs in (by_score * by_truth, by_score**2, by_truth**2)
    )
    taus: Floats = agreeing / np.sqrt(np.maximum(scored * true, 1.0))
    return taus


def _resamples(n: int, seed: int) -> Floats:
    """(R, n) how often each of n networks occurs in each resample."""
    return np.random.default_rng((seed, 7)).multinomial(n, np.full(n, 1 / n), N_RESAMPLES).astype(np.float64)
