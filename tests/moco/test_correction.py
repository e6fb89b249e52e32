"""Corrections learned from designs whose truth follows a known rule."""

from __future__ import annotations

import numpy as np
import pytest

from moco.correction import BOTH, NETWORK, SCORE, Correction
from moco.features import FEATURES, network_features
from moco.fidelity import rank_correlation
from spaces import products
from spaces.nasrec import nasrec_space

SPACE = nasrec_space(n_dense=3, n_sparse=5, weight_bits=(4, 8))
NETWORKS = SPACE.networks(SPACE.sample(np.random.default_rng(0), 200))
X = network_features(NETWORKS, 3, 5)
RNG = np.random.default_rng(1)
NOISE = RNG.normal(size=200)


@pytest.mark.parametrize(
    ("truth", "score", "reads"),
    [
        (NOISE, NOISE + 0.1 * RNG.normal(size=200), {SCORE}),
        (-X[:, FEATURES.index("n_attention")] + 0.1 * NOISE, RNG.normal(size=200), {NETWORK, BOTH}),
        (NOISE - X[:, FEATURES.index("n_attention")], NOISE + 0.1 * RNG.normal(size=200), {BOTH}),
    ],
)
def test_it_reads_what_tells(truth: np.ndarray, score: np.ndarray, reads: set[str]) -> None:
    known, held_out = slice(0, 100), slice(100, 200)
    correction = Correction.fit(score[known], X[known], truth[known])
    assert correction.reads in reads
    mean, sd = correction.predict(score[held_out], X[held_out])
    assert rank_correlation(mean, truth[held_out]).tau > 0.8
    assert correction.held_out_tau[correction.reads] == max(
        correction.held_out_tau[name] for name in (SCORE, NETWORK, BOTH)
    )
    is_within = np.abs(mean - truth[held_out]) < 2 * sd
    assert 0.85 < is_within.mean() <= 1


def test_few_designs_are_not_trusted() -> None:
    few = Correction.fit(NOISE[:5], X[:5], 2 * NOISE[:5])
    assert (few.reads, few.held_out_tau) == (SCORE, {})
    assert np.array_equal(np.argsort(few.predict(NOISE, X)[0]), np.argsort(NOISE))
    with pytest.raises(ValueError, match="a correction needs 2 designs trained from scratch, got 1"):
        Correction.fit(NOISE[:1], X[:1], NOISE[:1])


def test_features_count_what_is_alive() -> None:
    made = products(NETWORKS, 3, 5)
    assert X[:, FEATURES.index("log_macs")] == pytest.approx(np.log1p(made.macs))
    assert X[:, FEATURES.index("log_parameters")] == pytest.approx(np.log1p(made.n_parameters))
    n_operators = sum(X[:, FEATURES.index(f"n_{name}")] for name in ("fc", "dot-product", "gating", "sum"))
    assert n_operators.max() <= 7
    bits = X[:, FEATURES.index("weight_bits")]
    assert ((bits >= 4) & (bits <= 8)).all()
    canonical = SPACE.networks(SPACE.canonical(SPACE.genomes(NETWORKS)))
    # The canonical form also settles the bits of operators that multiply by no weights.
    assert network_features(canonical, 3, 5)[:, :-1] == pytest.approx(X[:, :-1])
