"""Scores corrected by truth: networks that have been trained from scratch tell how the others would do.

A supernet's score says how well shared weights do, not how well a network's own would. Two differences are the same on
both logs that were looked at and for every supernet: shared weights underrate products of fields and overrate
attention. They are known before anything is learned. What else differs is learned by a Bayesian ridge regression on the
score and, with less weight, dot-products and size; from many networks on how often each operator occurs as well. A
regression that reads more than its networks can tell fits each of them exactly, and a search then finds what it got
wrong. Each prediction has its uncertainty.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import median_abs_deviation
from sklearn.linear_model import BayesianRidge

from moco.oracle.features import FEATURES
from moco.oracle.fidelity import kendall_tau

Floats = NDArray[np.float64]

LEAST_NETWORKS = 6
"""Fewer cannot tell whether a correction is better than the plain score."""

ENOUGH_FOR_COUNTS = 40
"""Networks from which it is learned what each operator is worth."""

KNOWN_BIAS = {"n_dot-product": -1.5, "n_attention": 0.5}
"""What a network's log loss is beyond its score where it has such an operator, in standard deviations of scores: on
MovieLens-100k of 106 networks, on a synthetic log of 38 (BENCHMARKS.md)."""

FEW_BITS = {4: 0.4, 6: 0.05}
"""What activations of so few bits cost a network trained for them beyond what its score says, in standard deviations
of scores: a supernet's networks have not learned yet what is lost (five networks of two logs, BENCHMARKS.md)."""

MINOR_WEIGHT = 0.3
"""Of all that is read beside the score: with as much weight as the score, it misleads where networks are few."""

MOST_DEVIATIONS = 2.0
"""Median absolute deviations, in those of a normal distribution, at which a truth counts as no further off: a network
that hardly learned anything says little of the others."""

LEAST_SLOPE = 1e-3
"""Of predictions over scores, at which a score can be told from its prediction."""

SIZE = FEATURES.index("log_macs")
DOT_PRODUCTS = FEATURES.index("n_dot-product")
COUNTS = tuple(place for place, name in enumerate(FEATURES) if name.startswith("n_"))


@dataclass(frozen=True)
class Correction:
    """Predicts the log loss of training from scratch.

    Attributes:
        n_networks: Networks trained from scratch, from which it was learned; 0 where all is known beforehand.
        held_out_tau: Kendall's tau of predictions, each by a correction that was learned from the other networks.
        plain_tau: The same of the scores as they are.
        held_out_rmse: Root mean square error of the same predictions, log loss.
        plain_rmse: Likewise of predictions by a line through the scores alone.
        score_sd: Standard deviation of their scores.
        columns: (K - 2,) places in the features of what it reads beside the score and whether there is a dot-product.
        centre, scale: (K,) mean and spread of the inputs, weights of the minor ones included.
        coefficients: (K,) of the scaled inputs.
        intercept: Log loss at the centre.
        covariance: (K, K) of the coefficients.
        noise_sd: Standard deviation of one network's log loss around what the inputs explain.
        level: Median of what truths are above scores less their known bias.
    """

    n_networks: int
    held_out_tau: float
    plain_tau: float
    held_out_rmse: float
    plain_rmse: float
    score_sd: float
    columns: tuple[int, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float
    covariance: tuple[tuple[float, ...], ...]
    noise_sd: float
    level: float

    @classmethod
    def fit(cls, score: ArrayLike, features: ArrayLike, truth: ArrayLike) -> Correction:
        """Learned from n networks.

        Args:
            score: (n,) supernet scores, log loss.
            features: (n, F) of the networks, as `network_features` gives them; further ones are read as well.
            truth: (n,) log loss after training from scratch.

        Raises:
            ValueError: There are fewer than 2 networks.
        """
        scores, truths = np.asarray(score, dtype=np.float64), np.asarray(truth, dtype=np.float64)
        if len(truths) < 2:
            raise ValueError(f"a correction needs 2 networks trained from scratch, got {len(truths)}")
        given = np.asarray(features, dtype=np.float64)
        columns, score_sd = _columns(len(truths), given.shape[1]), float(scores.std())
        x = _inputs(scores, given, columns, score_sd)
        learned = _without_outliers(truths)
        held_out, plain = _held_out(x, learned), _held_out(scores[:, None], learned)
        centre, scale = _scaling(x)
        ridge = _ridge((x - centre) / scale, learned)
        return cls(
            n_networks=len(truths),
            held_out_tau=kendall_tau(held_out, truths),
            plain_tau=kendall_tau(scores, truths),
            held_out_rmse=_rmse(held_out, truths),
            plain_rmse=_rmse(plain, truths),
            score_sd=score_sd,
            columns=columns,
            centre=tuple(centre.tolist()),
            scale=tuple(scale.tolist()),
            coefficients=tuple(ridge.coef_.tolist()),
            intercept=float(ridge.intercept_),
            covariance=tuple(map(tuple, ridge.sigma_.tolist())),
            noise_sd=float(ridge.alpha_**-0.5),
            level=float(np.median(truths - x[:, 0])),
        )

    @classmethod
    def known(cls, score_sd: float) -> Correction:
        """What is known where no network was trained: the bias, where scores have this standard deviation."""
        zeros = (0.0, 0.0)
        return cls(
            n_networks=0,
            held_out_tau=0.0,
            plain_tau=0.0,
            held_out_rmse=score_sd,
            plain_rmse=score_sd,
            score_sd=score_sd,
            columns=(),
            centre=zeros,
            scale=(1.0, 1.0),
            coefficients=(1.0, 0.0),
            intercept=0.0,
            covariance=(zeros, zeros),
            noise_sd=score_sd,
            level=0.0,
        )

    @property
    def trusted(self) -> Correction:
        """What a search goes by: this, where it is better; else scores less their known bias, at the truths' level."""
        if self.is_better:
            return self
        known = self.known(self.score_sd)
        return replace(
            self,
            columns=known.columns,
            centre=known.centre,
            scale=known.scale,
            coefficients=known.coefficients,
            intercept=self.level,
            covariance=known.covariance,
            noise_sd=known.noise_sd,
        )

    def predict(self, score: ArrayLike, features: ArrayLike) -> tuple[Floats, Floats]:
        """(n,) expected log losses after training from scratch, and their standard deviations."""
        given = np.asarray(features, dtype=np.float64)
        x = _inputs(np.asarray(score, dtype=np.float64), given, self.columns, self.score_sd)
        x = (x - np.array(self.centre)) / np.array(self.scale)
        mean = x @ np.array(self.coefficients) + self.intercept
        variance = np.einsum("ij,jk,ik->i", x, np.array(self.covariance), x) + self.noise_sd**2
        return mean, np.sqrt(variance)

    def few_bits_loss(self, activation_bits: ArrayLike) -> Floats:
        """What chips of so many activation bits cost beyond their scores, log loss; see `FEW_BITS`."""
        bits = np.asarray(activation_bits)
        lost: Floats = sum((share * (bits == few) for few, share in FEW_BITS.items()), np.zeros(bits.shape))
        return lost * self.score_sd

    def score_of(self, mean: ArrayLike, features: ArrayLike) -> Floats:
        """(n,) scores whose predictions have these means; NaN where the score has hardly a say."""
        nothing, one = (self.predict(np.full(len(np.asarray(mean)), score), features)[0] for score in (0.0, 1.0))
        slope = one - nothing
        has_say = np.abs(slope) > LEAST_SLOPE
        return np.where(has_say, (np.asarray(mean, dtype=np.float64) - nothing) / np.where(has_say, slope, 1.0), np.nan)

    @property
    def is_better(self) -> bool:
        """Whether it predicts held-out networks better than the score alone does; never said of few networks.

        Errors tell, not orders: of few networks, two neighbours that change places move tau by a lot.
        """
        return self.n_networks >= LEAST_NETWORKS and self.held_out_rmse < self.plain_rmse

    def summary(self) -> str:
        """One sentence for people."""
        less = "less its known bias, and no more"
        if self.n_networks == 0:
            return f"The search uses the score {less}: too few networks were trained from scratch to correct it."
        which = "corrected by networks from scratch" if self.is_better else less
        return (
            f"The search uses the score {which}. Corrected by what {self.n_networks} networks reached from scratch, it "
            f"predicts each from the others with an error of {self.held_out_rmse:.4f} and orders them with tau "
            f"{self.held_out_tau:.2f}; by the score alone the error is {self.plain_rmse:.4f}, tau {self.plain_tau:.2f}."
        )

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits that change with any prediction."""
        known = json.dumps([KNOWN_BIAS, FEW_BITS])
        return hashlib.sha256((self.to_json() + known).encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """As text that `from_json` reads, without loss."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote; ValueError where it is something else."""
        try:
            entries = json.loads(text)
            read = cls(**{**entries, "columns": tuple(map(int, entries["columns"]))})
            read.predict(np.zeros(1), np.zeros((1, max((*read.columns, len(FEATURES) - 1)) + 1)))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ValueError(f"this is no correction of scores: {error}") from error
        return read


def _columns(n_networks: int, n_features: int) -> tuple[int, ...]:
    """What is read beside the score."""
    counts = COUNTS if n_networks >= ENOUGH_FOR_COUNTS else ()
    return (SIZE, *counts, *range(len(FEATURES), n_features))


def _inputs(score: Floats, features: Floats, columns: tuple[int, ...], score_sd: float) -> Floats:
    """(n, K) the score as it should be, whether there is a dot-product, then the columns of the features."""
    multiplies = features[:, DOT_PRODUCTS] > 0
    return np.column_stack([without_known_bias(score, features, score_sd), multiplies, features[:, columns]])


def without_known_bias(score: Floats, features: Floats, score_sd: float) -> Floats:
    """(n,) scores less what shared weights are known to get wrong; see `KNOWN_BIAS`.

    Args:
        score: (n,) of n networks.
        features: (n, F) of them.
        score_sd: Standard deviation of the scores of networks of all kinds.
    """
    bias = sum(worth * (features[:, FEATURES.index(name)] > 0) for name, worth in KNOWN_BIAS.items())
    found: Floats = score + bias * score_sd
    return found


def _scaling(x: Floats) -> tuple[Floats, Floats]:
    """(K,) what to subtract from inputs and what to divide by; one that never changes stays 0."""
    spread = x.std(axis=0)
    weight = np.array([1.0, *[MINOR_WEIGHT] * (len(spread) - 1)])
    return x.mean(axis=0), np.where(spread > 0, spread, 1.0) / weight


def _without_outliers(truth: Floats) -> Floats:
    """(n,) truths no further than MOST_DEVIATIONS from their median; of few networks as they are."""
    if len(truth) < LEAST_NETWORKS:
        return truth
    middle = np.median(truth)
    most = MOST_DEVIATIONS * float(median_abs_deviation(truth, scale="normal"))
    return np.clip(truth, middle - most, middle + most) if most > 0 else truth


def _held_out(x: Floats, truth: Floats) -> Floats:
    """(n,) predictions, each learned from the n - 1 others; n is at least 2."""
    predicted = np.empty(len(truth))
    for row in range(len(truth)):
        others = np.arange(len(truth)) != row
        centre, scale = _scaling(x[others])
        predicted[row] = _ridge((x[others] - centre) / scale, truth[others]).predict((x[[row]] - centre) / scale)[0]
    return predicted


def _rmse(predicted: Floats, truth: Floats) -> float:
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))


def _ridge(x: Floats, truth: Floats) -> BayesianRidge:
    return BayesianRidge().fit(x, truth)
