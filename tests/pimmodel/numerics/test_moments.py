"""Predicted gain and noise against the exact product, on layers that a Gaussian model of column sums gets wrong."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from pimmodel import PimConfig
from pimmodel.numerics import moments
from pimmodel.numerics.adc import required_adc_bits
from pimmodel.numerics.encoding import ENCODINGS, Encoding
from pimmodel.numerics.exact import SQNR_CAP_DB, exact_product, sqnr_db
from pimmodel.numerics.moments import Distortion, predict_distortion
from pimmodel.numerics.profile import ProductProfile, profile_product

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
RANGES = ("full-scale", "unit-step", "k-sigma")


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Integer inputs to profile and others to test with, and weights."""

    x: Ints
    x_test: Ints
    w: Ints
    words: dict[str, Any]

    def profile(self, encoding: Encoding) -> ProductProfile:
        return profile_product(self.x, self.w, encoding=encoding, **self.words)


def layer(kind: str, n_in: int = 256, n_out: int = 32, activation_bits: int = 8, weight_bits: int = 8) -> Layer:
    """Gaussian weights, one scale an output, and inputs of a kind, one scale.

    "relu": rectified Gaussian. "sparse": a tenth of them. "signed": Gaussian. "correlated": rectified mixtures of
    eight factors, features of different size, weights that share factors as well.
    """
    rng = np.random.default_rng(0)
    n, n_test = 1024, 160
    x, w = rng.standard_normal((n + n_test, n_in)), rng.standard_normal((n_in, n_out))
    if kind == "correlated":
        x = 0.7 * x + 0.25 * rng.standard_normal((len(x), 8)) @ rng.standard_normal((8, n_in))
        x *= np.exp(0.5 * rng.standard_normal(n_in))
        w += 0.3 * rng.standard_normal((n_in, 4)) @ rng.standard_normal((4, n_out))
    if kind != "signed":
        x = np.maximum(x, 0)
    if kind == "sparse":
        x *= rng.random(x.shape) < 0.1
    top = 2 ** (activation_bits - 1) - 1 if kind == "signed" else 2**activation_bits - 1
    inputs = np.rint(x / np.abs(x).max() * top).astype(np.int64)
    weights = np.rint(w / np.abs(w).max(axis=0) * (2 ** (weight_bits - 1) - 1)).astype(np.int64)
    words = {"activation_bits": activation_bits, "weight_bits": weight_bits, "is_signed": kind == "signed"}
    return Layer(x=inputs[:n], x_test=inputs[n:], w=weights, words=words)


def chips(slicings: tuple[tuple[int, int], ...] = ((1, 1), (2, 2), (4, 2)), **changes: Any) -> PimConfig:
    """Lossless to useless: 1 to 10 bits under every range policy, for pairs of DAC and cell bits."""
    cases = list(product(slicings, (1, 2, 3, 4, 5, 6, 8, 10), RANGES))
    return PimConfig(
        dac_bits=np.array([dac_bits for (dac_bits, _), _, _ in cases]),
        cell_bits=np.array([cell_bits for (_, cell_bits), _, _ in cases]),
        adc_bits=np.array([adc_bits for _, adc_bits, _ in cases]),
        adc_range=np.array([adc_range for _, _, adc_range in cases]),
        columns_per_adc=8,
        **changes,
    )


def exact_sqnr_db(case: Layer, batch: PimConfig, profile: ProductProfile) -> Floats:
    words = {name: case.words[name] for name in ("weight_bits", "is_signed")}
    ideal = case.x_test @ case.w
    return np.array(
        [
            sqnr_db(ideal, exact_product(case.x_test, case.w, batch.take(i), profile=profile, **words))
            for i in range(len(batch))
        ]
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("kind", "shape", "chip"),
    [
        pytest.param("relu", {"n_in": 512}, {}, id="relu-512"),
        pytest.param("relu", {"n_in": 64}, {}, id="relu-64"),
        pytest.param("relu", {"n_in": 33}, {}, id="relu-33"),
        pytest.param("relu", {"weight_bits": 4}, {}, id="4-bit-weights"),
        pytest.param("signed", {}, {}, id="signed"),
        pytest.param("sparse", {}, {}, id="sparse"),
        pytest.param("correlated", {}, {}, id="correlated"),
        pytest.param("relu", {}, {"n_active_wordlines": 32}, id="groups-of-32"),
        pytest.param("correlated", {"n_in": 97}, {"crossbar_size": 64, "n_active_wordlines": 48}, id="uneven-groups"),
        pytest.param("relu", {"activation_bits": 4}, {"activation_bits": 4}, id="4-bit-inputs"),
    ],
)
def test_sqnr_is_that_of_the_exact_product(
    kind: str, shape: dict[str, Any], chip: dict[str, Any], encoding: Encoding
) -> None:
    case, batch = layer(kind, **shape), chips(weight_encoding=encoding, **chip)
    profile = case.profile(encoding)
    predicted = predict_distortion(profile, batch).sqnr_db
    exact = exact_sqnr_db(case, batch, profile)
    assert len(exact) == 72
    assert exact.min() < 0
    assert exact.max() == SQNR_CAP_DB
    assert spearmanr(exact, predicted).statistic > 0.99
    error_db = np.abs(predicted - exact)
    assert np.median(error_db[exact < SQNR_CAP_DB]) < 1
    # Above 40 dB a handful of sums in a million make all the noise, and no sample of a layer has met them.
    is_common = exact < 40
    assert is_common.sum() >= 40
    assert error_db[is_common].max() < 5
    assert predicted[~is_common].min() > 35


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_gain_and_noise_are_those_of_the_exact_product(encoding: Encoding) -> None:
    case = layer("relu", n_in=300)
    batch = chips(slicings=((1, 2), (4, 4)), weight_encoding=encoding)
    profile = case.profile(encoding)
    found = predict_distortion(profile, batch)
    y = (case.x_test @ case.w).astype(np.float64)
    n_compared = 0
    for i in range(len(batch)):
        y_chip = exact_product(case.x_test, case.w, batch.take(i), profile=profile)
        alpha = np.sum(y_chip * y) / np.sum(y**2)
        relative_noise = np.sqrt(np.mean((y_chip - alpha * y) ** 2) / np.mean(y**2))
        if 0.03 < relative_noise < 1 and alpha > 0.3:
            n_compared += 1
            assert found.alpha[i] == pytest.approx(alpha, abs=0.1)
            assert found.relative_noise[i] == pytest.approx(relative_noise, rel=0.35)  # 2.6 dB
    assert n_compared >= 10


def test_a_dead_zone_shrinks_the_gain_to_nothing() -> None:
    # Steps of 128 * 15 * 15 / 7 units: no sum of such a layer reaches half of one.
    chip = PimConfig(dac_bits=4, cell_bits=4, adc_bits=4, weight_encoding="differential")
    found = predict_distortion(layer("relu").profile("differential"), chip)
    assert found.alpha[0] == pytest.approx(0, abs=0.02)
    assert found.sqnr_db[0] == pytest.approx(0, abs=0.2)


@settings(max_examples=25)
@given(
    crossbar=st.sampled_from([(8, 8), (32, 20), (64, 64)]),
    dac_bits=st.integers(1, 4),
    cell_bits=st.integers(1, 4),
    adc_range=st.sampled_from(RANGES),
    encoding=st.sampled_from(ENCODINGS),
    kind=st.sampled_from(["relu", "signed"]),
)
def test_nothing_is_lost_at_the_required_bits(
    crossbar: tuple[int, int], dac_bits: int, cell_bits: int, adc_range: str, encoding: Encoding, kind: str
) -> None:
    crossbar_size, n_active_wordlines = crossbar
    values: dict[str, Any] = {
        "crossbar_size": crossbar_size,
        "n_active_wordlines": n_active_wordlines,
        "columns_per_adc": 8,
        "dac_bits": dac_bits,
        "cell_bits": cell_bits,
        "adc_range": adc_range,
        "weight_encoding": encoding,
    }
    bits = int(required_adc_bits(PimConfig(**values)))
    assume(bits <= 12)
    found = predict_distortion(SMALL[kind].profile(encoding), PimConfig(**values, adc_bits=bits))
    assert found.alpha[0] == 1
    assert found.noise_variance[0] == 0
    assert found.sqnr_db[0] == SQNR_CAP_DB


SMALL = {kind: layer(kind, n_in=70, n_out=5) for kind in ("relu", "signed")}


def test_a_batch_is_its_chips_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = layer("correlated", n_in=100, n_out=8).profile("isaac")
    cases = chips(crossbar_size=np.repeat([64, 128], 36), n_active_wordlines=64)
    batch = cases.take(np.concatenate([np.arange(len(cases)), [3, 3, 40]]))
    together = predict_distortion(profile, batch)
    monkeypatch.setattr(moments, "_CHUNK", 1)
    in_small_chunks = predict_distortion(profile, batch)
    alone = [predict_distortion(profile, batch.take(i)) for i in range(len(batch))]
    assert together.alpha.shape == together.noise_variance.shape == (75,)
    for alpha, variance in (
        (in_small_chunks.alpha, in_small_chunks.noise_variance),
        ([one.alpha[0] for one in alone], [one.noise_variance[0] for one in alone]),
    ):
        np.testing.assert_allclose(together.alpha, alpha, rtol=1e-5)
        np.testing.assert_allclose(together.noise_variance, variance, rtol=1e-3)


def test_k_sigma_sets_the_range() -> None:
    profile = layer("relu").profile("differential")
    chip = PimConfig(adc_bits=4, adc_range="k-sigma", weight_encoding="differential")
    narrow, wide = (predict_distortion(profile, chip, k_sigma=k).sqnr_db[0] for k in (2.5, 8.0))
    assert narrow > wide + 5


def test_distortion_by_hand() -> None:
    found = Distortion(alpha=np.array([1.0, 0.9, 0.0]), noise_variance=np.array([0.0, 0.0, 25.0]), signal_power=25.0)
    np.testing.assert_allclose(found.relative_noise, [0, 0, 1])
    np.testing.assert_allclose(found.sqnr_db, [SQNR_CAP_DB, 20, -10 * np.log10(2)])


def test_wrong_arguments() -> None:
    profile = profile_product([[1, 2]], [[1], [2]])
    with pytest.raises(ValueError, match="holds 8-bit inputs, the chip has activation_bits 4, 6, 8; profile the layer"):
        predict_distortion(profile, PimConfig(activation_bits=np.array([6, 8, 4])))
    with pytest.raises(ValueError, match="holds 'isaac' columns, the chip has weight_encoding 'differential'"):
        predict_distortion(profile, PimConfig(weight_encoding="differential"))
    with pytest.raises(ValueError, match="k_sigma must be positive and finite, got 0"):
        predict_distortion(profile, PimConfig(), k_sigma=0)
    with pytest.raises(ValueError, match="every output of the profiled sample is 0"):
        predict_distortion(profile_product([[0]], [[1]]), PimConfig())
