"""Corrections learned from designs whose truth follows a known rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moco.files import read_kept
from moco.oracle.correction import MOST_DEVIATIONS, Correction
from moco.oracle.features import FEATURES, network_features
from moco.oracle.fidelity import rank_correlation
from moco.oracle.known_bias import KNOWN_BIAS, KnownBias
from moco.oracle.spread import spread_networks
from spaces import products
from spaces.nasrec import nasrec_space

SPACE = nasrec_space(n_dense=3, n_sparse=5, weight_bits=(4, 8))
NETWORKS = SPACE.networks(SPACE.sample(np.random.default_rng(0), 200))
X = network_features(NETWORKS, 3, 5)
RNG = np.random.default_rng(1)
NOISE = RNG.normal(size=200)


@pytest.mark.parametrize(
    ("truth", "score", "is_better"),
    [
        (NOISE, NOISE + 0.1 * RNG.normal(size=200), False),
        (-X[:, FEATURES.index("n_attention")] + 0.1 * NOISE, RNG.normal(size=200), True),
        (NOISE - X[:, FEATURES.index("log_macs")], NOISE + 0.1 * RNG.normal(size=200), True),
    ],
)
def test_it_learns_what_tells(truth: np.ndarray, score: np.ndarray, is_better: bool) -> None:
    known, held_out = slice(0, 100), slice(100, 200)
    correction = Correction.fit(score[known], X[known], truth[known])
    mean, sd = correction.predict(score[held_out], X[held_out])
    tau = rank_correlation(mean, truth[held_out]).tau
    assert tau > 0.8
    assert abs(correction.held_out_tau - tau) < 0.1
    assert correction.is_better or not is_better
    assert correction.held_out_rmse == pytest.approx(np.sqrt(np.mean((mean - truth[held_out]) ** 2)), rel=0.3)
    assert correction.plain_tau == pytest.approx(rank_correlation(score[known], truth[known]).tau)
    is_within = np.abs(mean - truth[held_out]) < 2 * sd
    assert 0.85 < is_within.mean() <= 1


def test_few_networks_teach_score_and_size_before_anything_else() -> None:
    truth = NOISE - X[:, FEATURES.index("log_macs")]
    few = Correction.fit(NOISE[:16], X[:16], truth[:16])
    assert rank_correlation(few.predict(NOISE[16:], X[16:])[0], truth[16:]).tau > 0.7
    two = Correction.fit(NOISE[:2], X[:2], truth[:2])
    assert np.isfinite(two.predict(NOISE, X)).all()
    assert not two.is_better  # two cannot tell
    assert few.trusted is few
    known = KNOWN_BIAS.taken_off(NOISE, X, float(NOISE[:2].std()))
    assert two.trusted.predict(NOISE, X)[0] == pytest.approx(known + np.median(truth[:2] - known[:2]))
    none = Correction.unlearned(2.0)
    kept = Correction.from_json(none.to_json())
    assert kept.predict(NOISE, X)[0] == pytest.approx(KNOWN_BIAS.taken_off(NOISE, X, 2.0))
    assert none.trusted.digest == none.digest
    assert none.summary().endswith("too few networks were trained from scratch to correct it.")
    with pytest.raises(ValueError, match="a correction needs 2 networks trained from scratch, got 1"):
        Correction.fit(NOISE[:1], X[:1], NOISE[:1])


def test_what_shared_weights_always_get_wrong_is_known_before_anything_is_learned() -> None:
    x = network_features(SPACE.networks(spread_networks(SPACE, 100)), 3, 5)
    noise = NOISE[: len(x)]
    multiplies, attends = (x[:, FEATURES.index(name)] > 0 for name in ("n_dot-product", "n_attention"))
    bias = 0.5 * attends - 1.5 * multiplies
    truth = 0.5 + 0.01 * (noise + bias)
    few = np.flatnonzero(multiplies & attends)[:8]
    assert 0.3 < multiplies.mean() < 0.7
    assert 0.3 < attends.mean() < 0.7
    assert KNOWN_BIAS.taken_off(noise, x, 2.0) == pytest.approx(noise + 2 * bias)
    taus = []
    for operators in (KNOWN_BIAS.operators, {"n_dot-product": KNOWN_BIAS.operators["n_dot-product"]}, {}):
        known = replace(KNOWN_BIAS, operators=operators)
        predicted = Correction.fit(noise[few], x[few], truth[few], known).predict(noise, x)[0]
        taus.append(rank_correlation(predicted, truth).tau)
    assert taus[0] > 0.8
    assert taus[0] > taus[1] > taus[2] + 0.1


def test_what_few_networks_cannot_tell_is_not_read() -> None:
    """Or a search would find networks whose bits and widths happen to be those of lucky ones."""
    size = X[:, FEATURES.index("log_macs")]
    few, found = np.argsort(size)[::25], []
    for seed in range(20):
        noise = 0.006 * np.random.default_rng(seed).normal(size=8)
        truth = 0.2 - 0.005 * size[few] + noise
        correction = Correction.fit(0.3 - 0.01 * size[few], X[few], truth, KnownBias({}, {}))
        mean, _ = correction.predict(0.3 - 0.01 * size, X)
        found.append(np.min(mean - (0.2 - 0.005 * size)))
        other = X.copy()
        other[:, [FEATURES.index(name) for name in ("weight_bits", "log_dense_width", "log_rows")]] += 1.0
        assert np.array_equal(correction.predict(0.3 - 0.01 * size, other)[0], mean)
    assert np.mean(found) > -0.006  # the best of 200 predictions is off by no more than the truth's noise


def test_a_network_that_hardly_learned_says_little_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    size = X[:, FEATURES.index("log_macs")]
    few = np.argsort(size)[::20]
    truth = 0.6 - 0.01 * size[few]
    truth[-1] += 0.3  # the largest
    taus = []
    for most in (MOST_DEVIATIONS, 1e9):
        monkeypatch.setattr("moco.oracle.correction.MOST_DEVIATIONS", most)
        taus.append(rank_correlation(Correction.fit(NOISE[few], X[few], truth).predict(NOISE, X)[0], -size).tau)
    assert taus[0] > 0.7 > 0.3 > taus[1]


def test_errors_tell_where_orders_of_few_networks_do_not() -> None:
    """A supernet that hardly tells good networks apart, as one does whose large networks trained too little."""
    log_macs = np.linspace(6.0, 14.0, 8)
    features = X[:8].copy()
    features[:, FEATURES.index("log_macs")] = log_macs
    features[:, [name != "log_macs" for name in FEATURES]] = 0.0
    truth = 0.16 - 0.005 * log_macs
    score = np.array([0.30, 0.28, 0.24, 0.185, 0.179, 0.178, 0.177, 0.176])  # in order: its tau is 1
    correction = Correction.fit(score, features, truth)
    assert correction.plain_tau == 1.0
    assert correction.is_better
    assert correction.held_out_rmse < 0.5 * correction.plain_rmse


def test_a_score_can_be_told_from_its_prediction() -> None:
    for correction in (Correction.unlearned(0.3), Correction.fit(NOISE[:16], X[:16], NOISE[:16] - 0.1 * X[:16, 0])):
        mean, _ = correction.predict(NOISE, X)
        assert correction.score_of(mean, X) == pytest.approx(NOISE)
        mean[:3] = np.nan  # unknown stays unknown
        assert np.isnan(correction.score_of(mean, X)).nonzero()[0].tolist() == [0, 1, 2]
    unlearned = Correction.unlearned(0.3)
    deaf = replace(unlearned, regression=replace(unlearned.regression, coefficients=(0.0, 0.0)))
    assert np.isnan(deaf.score_of(NOISE, X)).all()


def test_a_correction_is_kept_without_loss() -> None:
    correction = Correction.fit(NOISE[:20], X[:20], NOISE[:20])
    read = Correction.from_json(correction.to_json())
    assert read.digest == correction.digest
    assert np.array_equal(read.predict(NOISE, X), correction.predict(NOISE, X))
    assert Correction.fit(NOISE[:20], X[:20], NOISE[1:21]).digest != correction.digest
    other = replace(KNOWN_BIAS, few_bits={4: 0.1})  # as another version of moco may know it
    assert Correction.from_json(replace(correction, bias=other).to_json()).few_bits_loss(4) == 0.1 * correction.score_sd
    assert replace(correction, bias=other).digest != correction.digest


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"n_networks": 3}'])
def test_a_damaged_file_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "correction.json"
    assert read_kept(file, Correction.from_json) is None
    file.write_text(text)
    with pytest.raises(ValueError, match=r"correction\.json: this is no correction of scores: .*, or a new folder"):
        read_kept(file, Correction.from_json)


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


def test_few_activation_bits_cost_more_than_scores_say() -> None:
    lost = Correction.unlearned(0.01).few_bits_loss([4, 6, 8, 16])
    np.testing.assert_allclose(lost, [0.004, 0.0005, 0.0, 0.0])
    assert Correction.unlearned(0.01).few_bits_loss(4) == pytest.approx(0.004)
