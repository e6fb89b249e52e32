"""Statistics of column sums against those of all column sums, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pimmodel import PimConfig
from pimmodel.numerics.encoding import Encoding, InputSlices, StoredCells, wordline_groups
from pimmodel.numerics.profile import CUMULATIVE, SCORES, WEIGHTS, ColumnStatistics, ProductProfile, profile_product


def layer(n: int = 512, n_in: int = 96, n_out: int = 32) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    x, w = np.maximum(rng.standard_normal((n, n_in)), 0), rng.standard_normal((n_in, n_out))
    return np.rint(x / x.max() * 255).astype(np.int64), np.rint(w / np.abs(w).max() * 127).astype(np.int64)


def all_sums(profile: ProductProfile, chip: Any) -> NDArray[np.float64]:
    """(groups, S, all pairs) signed sums, sum and sign apart: (2, groups, S, pairs)."""
    slices = InputSlices.of(profile.words, chip.dac_bits)
    groups = []
    for group in wordline_groups(len(profile.w), chip.crossbar_size, chip.n_active_wordlines):
        cells = StoredCells.of(profile.w[group], profile.words, chip.cell_bits)
        sums = np.einsum("inr,jro->ijno", slices.levels(profile.x[:, group]), cells.cells, optimize=True)
        signs = np.broadcast_to(cells.sign[None, :, None], sums.shape)
        groups.append([values.reshape(len(sums) * len(cells.cells), -1) for values in (sums, signs)])
    return np.stack(groups, axis=1).astype(np.float64)


@pytest.mark.parametrize("encoding", ["isaac", "differential"])
def test_statistics_of_a_sample_are_those_of_all_sums(encoding: Encoding) -> None:
    profile = profile_product(*layer(), encoding=encoding)
    chip = PimConfig(crossbar_size=64, n_active_wordlines=32, columns_per_adc=8, dac_bits=2, cell_bits=2)
    columns = profile.statistics(chip)
    sums, signs = all_sums(profile, chip)
    y = (profile.x @ profile.w).ravel()
    mean, std = sums.mean(axis=(0, 2)), sums.std(axis=(0, 2))

    assert columns.n_groups == 3  # 32 and 32 wordlines of the first row tile, 32 of the second
    np.testing.assert_allclose(columns.mean, mean, atol=0.05 * std.max())
    np.testing.assert_allclose(columns.std, std, rtol=0.1, atol=0.01)
    assert columns.signal_power == pytest.approx(np.mean(y**2), rel=0.1)
    assert profile.signal_power == pytest.approx(np.mean(y**2))
    np.testing.assert_allclose(columns.slope, (columns.quantiles - columns.mean[:, None]) @ (WEIGHTS * SCORES))
    scores = (sums - mean[:, None]) / columns.slope[:, None]
    np.testing.assert_allclose(np.clip(mean_products(scores), -1, 1), columns.within, atol=0.1)
    np.testing.assert_allclose(mean_products(signs), columns.sign_within, atol=0.1)
    np.testing.assert_allclose(mean_products(scores * signs), columns.signed_within, atol=0.15)
    np.testing.assert_allclose((signs * y).mean(axis=(0, 2)), columns.sign_signal, atol=0.1 * y.std())
    with_signal = (scores * signs * y).mean(axis=(0, 2))
    np.testing.assert_allclose(columns.score_signal, with_signal, atol=0.1 * y.std())
    for probability, quantile in zip(CUMULATIVE[32:65:8], columns.quantiles[:, 32:65:8].T, strict=True):
        np.testing.assert_allclose(quantile, np.quantile(sums, probability, axis=(0, 2)), atol=1 + 0.1 * std.max())


def mean_products(values: NDArray[np.float64]) -> NDArray[np.float64]:
    products: NDArray[np.float64] = np.mean([group @ group.T / group.shape[1] for group in values], axis=0)
    return products


def test_sums_of_different_groups_share_what_their_inputs_share() -> None:
    # Every input of a row is the same, so sums of two groups rise and fall together when weights are all alike.
    x = np.repeat(np.arange(256)[:, None], 64, axis=1)
    together = profile_product(x, np.ones((64, 3), dtype=int), encoding="differential")
    chip = PimConfig(crossbar_size=32, n_active_wordlines=32, columns_per_adc=32, dac_bits=8, cell_bits=4)
    columns = together.statistics(chip)
    assert columns.n_groups == 2
    assert columns.across[0, 0] == pytest.approx(columns.within[0, 0], abs=1e-5)
    # Independent inputs and weights share nothing.
    apart = profile_product(*layer(n_in=64), encoding="differential").statistics(chip)
    assert np.abs(apart.across).max() < 0.1


def test_quantiles_rise_and_stay_within_what_cells_can_sum_to() -> None:
    # 8 wordlines of inputs 0 or 1 and weights 1 or -1: sums from -8 to 8, three standard deviations either way.
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 2, (500, 8)), rng.choice([-1, 1], (8, 50))
    w[:, 0], w[:, 1] = 1, -1
    chip = PimConfig(crossbar_size=8, n_active_wordlines=8, columns_per_adc=8, cell_bits=1, activation_bits=1)
    words: dict[str, Any] = {"activation_bits": 1, "weight_bits": 2}
    quantiles = profile_product(x, w, **words, encoding="differential").statistics(chip).quantiles
    assert np.all(np.diff(quantiles, axis=1) >= 0)
    assert (quantiles.min(), quantiles.max()) == (-8, 8)
    # Inverted where more than half of a column's cells are full: at most 4 of them then are.
    quantiles = profile_product(x, w, **words, encoding="isaac").statistics(chip).quantiles
    assert (quantiles.min(), quantiles.max()) == (0, 4)


def test_gaussian_tails_go_on_straight() -> None:
    # One wordline group, 8-bit levels and nearly Gaussian sums: quantiles at six deviations are near six deviations.
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 256, (1024, 512)), rng.integers(-7, 8, (512, 200))
    profile = profile_product(x, w, weight_bits=4, encoding="differential")
    columns = profile.statistics(
        PimConfig(crossbar_size=512, n_active_wordlines=512, columns_per_adc=512, dac_bits=8, cell_bits=4)
    )
    assert (columns.quantiles[0, -1] - columns.mean[0]) / columns.std[0] == pytest.approx(SCORES[-1], abs=0.5)


def test_scores_have_normal_weights() -> None:
    assert WEIGHTS.sum() == pytest.approx(1)
    assert pytest.approx(1, abs=0.005) == WEIGHTS @ SCORES**2
    assert pytest.approx(3, abs=0.05) == WEIGHTS @ SCORES**4


def test_chips_with_the_same_wordline_groups_share_statistics() -> None:
    profile = profile_product(*layer())

    def measured(crossbar_size: int, n_active_wordlines: int, adc_bits: int) -> ColumnStatistics:
        return profile.statistics(
            PimConfig(
                crossbar_size=crossbar_size,
                n_active_wordlines=n_active_wordlines,
                adc_bits=adc_bits,
                columns_per_adc=8,
            )
        )

    assert measured(64, 32, 8) is measured(128, 32, 5)
    assert measured(64, 32, 8) is not measured(64, 64, 8)


def test_constant_sums_have_no_correlation() -> None:
    profile = profile_product(np.zeros((4, 8), dtype=int), np.eye(8, dtype=int))
    columns = profile.statistics(PimConfig())
    assert columns.std.max() == 0
    assert np.abs(columns.within).max() == 0
    assert np.all(np.isfinite(columns.quantiles))


@pytest.mark.parametrize(
    ("x", "w", "changes", "error", "message"),
    [
        (np.zeros((0, 1), int), [[1]], {}, ValueError, "x must have at least one row to profile a layer with"),
        ([[1.0]], [[1]], {}, TypeError, "x must hold integers, got float64"),
        ([[16]], [[1]], {"activation_bits": 4}, ValueError, "x must be between 0 and 15 for 4-bit unsigned inputs"),
        ([[1]], [[1]], {"weight_bits": 1}, ValueError, "weight_bits must be between 2 and 16"),
    ],
)
def test_wrong_arguments(x: Any, w: Any, changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        profile_product(x, w, **changes)


def test_wrong_chips() -> None:
    profile = profile_product([[1]], [[1]])
    with pytest.raises(ValueError, match="one chip is needed here, got a batch of 2"):
        profile.statistics(PimConfig(adc_bits=np.array([4, 5])))
    with pytest.raises(ValueError, match="holds 8-bit inputs, the chip has activation_bits 4; profile the layer once"):
        profile.statistics(PimConfig(activation_bits=4))
