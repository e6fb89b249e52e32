"""Scores corrected by truth: networks that have been trained from scratch tell how the others would do.

A supernet's score says how well shared weights do, not how well a network's own would. What is wrong with every
supernet is known beforehand (`moco.oracle.known_bias`). What else differs is learned by a regression on the score and,
with less weight, dot-products and size; from many networks on how often each operator occurs as well. A regression that
reads more than its networks can tell fits each of them exactly, and a search then finds what it got wrong. Each
prediction has its uncertainty.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import median_abs_deviation

from moco.oracle.features import FEATURES
from moco.oracle.fidelity import kendall_tau
from moco.oracle.known_bias import KNOWN_BIAS, KnownBias
from moco.oracle.regression import Regression, held_out_predictions

Floats = NDArray[np.float64]

LEAST_NETWORKS = 6
"""Fewer cannot tell whether a correction is better than the plain score."""

ENOUGH_FOR_COUNTS = 40
"""Networks from which it is learned what each operator is worth."""

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
        bias: What was known beforehand.
        columns: (K - 2,) places in the features of what is read beside the score and whether there is a dot-product.
        regression: On the K inputs.
        level: Median of what truths are above scores less their known bias.
    """

    n_networks: int
    held_out_tau: float
    plain_tau: float
    held_out_rmse: float
    plain_rmse: float
    score_sd: float
    bias: KnownBias
    columns: tuple[int, ...]
    regression: Regression
    level: float

    @classmethod
    def fit(cls, score: ArrayLike, features: ArrayLike, truth: ArrayLike, bias: KnownBias = KNOWN_BIAS) -> Correction:
        """Learned from n networks.

        Args:
            score: (n,) supernet scores, log loss.
            features: (n, F) of the networks, as `network_features` gives them; further ones are read as well.
            truth: (n,) log loss after training from scratch.
            bias: Of scores, known beforehand.

        Raises:
            ValueError: There are fewer than 2 networks.
        """
        scores, truths = np.asarray(score, dtype=np.float64), np.asarray(truth, dtype=np.float64)
        if len(truths) < 2:
            raise ValueError(f"a correction needs 2 networks trained from scratch, got {len(truths)}")
        given = np.asarray(features, dtype=np.float64)
        columns, score_sd = _columns(len(truths), given.shape[1]), float(scores.std())
        x = _inputs(bias.taken_off(scores, given, score_sd), given, columns)
        learned = _without_outliers(truths)
        held_out, plain = held_out_predictions(x, learned), held_out_predictions(scores[:, None], learned)
        return cls(
            n_networks=len(truths),
            held_out_tau=kendall_tau(held_out, truths),
            plain_tau=kendall_tau(scores, truths),
            held_out_rmse=_rmse(held_out, truths),
            plain_rmse=_rmse(plain, truths),
            score_sd=score_sd,
            bias=bias,
            columns=columns,
            regression=Regression.fit(x, learned),
            level=float(np.median(truths - x[:, 0])),
        )

    @classmethod
    def unlearned(cls, score_sd: float, bias: KnownBias = KNOWN_BIAS) -> Correction:
        """What is known where no network was trained: the bias, where scores have this standard deviation."""
        return cls(
            n_networks=0,
            held_out_tau=0.0,
            plain_tau=0.0,
            held_out_rmse=score_sd,
            plain_rmse=score_sd,
            score_sd=score_sd,
            bias=bias,
            columns=(),
            regression=Regression.unlearned(2, 0.0, score_sd),
            level=0.0,
        )

    @property
    def trusted(self) -> Correction:
        """What a search goes by: this, where it is better; else scores less their known bias, at the truths' level."""
        if self.is_better:
            return self
        return replace(self, columns=(), regression=Regression.unlearned(2, self.level, self.score_sd))

    def predict(self, score: ArrayLike, features: ArrayLike) -> tuple[Floats, Floats]:
        """(n,) expected log losses after training from scratch, and their standard deviations."""
        given = np.asarray(features, dtype=np.float64)
        unbiased = self.bias.taken_off(np.asarray(score, dtype=np.float64), given, self.score_sd)
        return self.regression.predict(_inputs(unbiased, given, self.columns))

    def few_bits_loss(self, activation_bits: ArrayLike) -> Floats:
        """What chips of so many activation bits cost beyond their scores, log loss; of the shape of the bits."""
        return self.bias.of_few_bits(activation_bits, self.score_sd)

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
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """As text that `from_json` reads, without loss."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Correction:
        """What `to_json` wrote; ValueError where it is something else."""
        try:
            entries = json.loads(text)
            bias, regression = KnownBias.from_dict(entries["bias"]), Regression.from_dict(entries["regression"])
            columns = tuple(map(int, entries["columns"]))
            read = cls(**{**entries, "bias": bias, "regression": regression, "columns": columns})
            read.predict(np.zeros(1), np.zeros((1, max((*read.columns, len(FEATURES) - 1)) + 1)))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ValueError(f"this is no correction of scores: {error}") from error
        return read


def _columns(n_networks: int, n_features: int) -> tuple[int, ...]:
    """What is read beside the score."""
    counts = COUNTS if n_networks >= ENOUGH_FOR_COUNTS else ()
    return (SIZE, *counts, *range(len(FEATURES), n_features))


def _inputs(unbiased: Floats, features: Floats, columns: tuple[int, ...]) -> Floats:
    """(n, K) scores less their known bias, whether there is a dot-product, then the columns of the features."""
    return np.column_stack([unbiased, features[:, DOT_PRODUCTS] > 0, features[:, columns]])


def _without_outliers(truth: Floats) -> Floats:
    """(n,) truths no further than MOST_DEVIATIONS from their median; of few networks as they are."""
    if len(truth) < LEAST_NETWORKS:
        return truth
    middle = np.median(truth)
    most = MOST_DEVIATIONS * float(median_abs_deviation(truth, scale="normal"))
    return np.clip(truth, middle - most, middle + most) if most > 0 else truth


def _rmse(predicted: Floats, truth: Floats) -> float:
    return float(np.sqrt(np.mean((predicted - truth) ** 2)))
