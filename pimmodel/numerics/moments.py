"""What ADCs do to a product on many chips at once: gain and noise from a layer's profile.

Every column sum p is taken as a monotone function of a normal score z, its quantiles, and the scores of two
sums as jointly normal: a Gaussian copula. The ADC's error e(z) = read(p) - p is expanded in Hermite
polynomials, E[e_s e_t] = sum over k of a_k(s) a_k(t) correlation^k (Mehler's formula), and added up over all
pairs of slices and wordline groups. Errors of slices correlate through the inputs and weights that they share,
so taking them as independent finds half of the noise or less. The output follows as

    y_chip = alpha * (x @ w) + noise,

where alpha, the Bussgang gain, is the part of the error that is proportional to the output.
Sources: J. J. Bussgang, "Crosscorrelation functions of amplitude-distorted Gaussian signals", MIT RLE report
216, 1952; the expansion: F. G. Mehler, J. reine angew. Math. 66, 1866.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pimmodel.config import PimConfig
from pimmodel.numerics.adc import K_SIGMA, adc_reach, check_k_sigma, largest_code, read_codes
from pimmodel.numerics.encoding import Encoding, Floats, Ints
from pimmodel.numerics.exact import SQNR_CAP_DB
from pimmodel.numerics.profile import SCORES, WEIGHTS, ColumnStatistics, ProductProfile

_N_TERMS = 9  # of the expansion; more change nothing by 0.1 dB
_CHUNK = 2**19  # quantiles of all slices and chips at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distortion:
    """What B chips do to one layer's product: y_chip = alpha * y + noise, y = x @ w.

    One gain and one noise for all outputs and inputs; the noise is uncorrelated with y and need not have mean
    0. In units of x @ w: multiply the noise by the scales of x and w.

    Attributes:
        alpha: (B,) gain; 1 if nothing is lost, below it where small sums read 0 or large ones saturate.
        noise_variance: (B,) mean square of the noise.
        signal_power: Mean of y^2 over the profiled sample.
    """

    alpha: Floats
    noise_variance: Floats
    signal_power: float

    @property
    def relative_noise(self) -> Floats:
        """(B,) root mean square of the noise over that of y: the form to inject into a layer's output."""
        ratio: Floats = np.sqrt(self.noise_variance / self.signal_power)
        return ratio

    @property
    def sqnr_db(self) -> Floats:
        """(B,) signal to quantisation noise as `sqnr_db` defines it, gain error included, at most its cap."""
        error = (1 - self.alpha) ** 2 + self.noise_variance / self.signal_power
        sqnr_db: Floats = -10 * np.log10(np.maximum(error, 1e-30))
        return np.minimum(sqnr_db, SQNR_CAP_DB)


def predict_distortion(profile: ProductProfile, chips: PimConfig, *, k_sigma: float = K_SIGMA) -> Distortion:
    """Gain and noise of one layer's product on each of B chips.

    Chips that share DACs, cells and wordline groups share the profile's statistics, so a batch that varies ADCs
    is far cheaper than one that varies crossbars.

    Args:
        profile: The layer's profile.
        chips: B configurations with the profile's activation_bits and weight_encoding.
        k_sigma: Reach of k-sigma ADCs, in standard deviations.

    Raises:
        ValueError: a chip has other activation_bits or another weight_encoding than the profile, k_sigma is not
            positive, or all of the profile's outputs are 0.

    Left out: what differs between outputs. Below 10 dB, where ADCs saturate or read 0, a third of the noise and
    more is an offset that an output keeps for all inputs, here it counts as noise. Tails of column sums beyond
    the sample go on as straight lines: above 40 dB, where a few sums in a million make the noise, expect errors
    of several dB, and predictions from 65 dB where an ADC of fewer than the required bits loses nothing.
    """
    profile.check_activation_bits(chips)
    _check_encoding(profile, chips)
    check_k_sigma(k_sigma)
    if profile.signal_power == 0:
        raise ValueError("every output of the profiled sample is 0, so there is no signal to compare noise with")
    kinds, which = _kinds(chips)
    alpha, variance = np.empty(len(kinds)), np.empty(len(kinds))
    for members in _same_crossbars(kinds):
        columns = profile.statistics(kinds.take(int(members[0])))
        chunk = max(1, _CHUNK // columns.quantiles.size)
        for some in np.split(members, range(chunk, len(members), chunk)):
            alpha[some], variance[some] = _gain_and_noise(columns, kinds.take(some), profile.words.encoding, k_sigma)
    variance *= profile.signal_power
    return Distortion(alpha=alpha[which], noise_variance=variance[which], signal_power=profile.signal_power)


def _check_encoding(profile: ProductProfile, chips: PimConfig) -> None:
    others = np.setdiff1d(chips.weight_encoding, profile.words.encoding)
    if others.size:
        raise ValueError(
            f"the profile holds {profile.words.encoding!r} columns, the chip has weight_encoding {str(others[0])!r}; "
            "profile the layer once for each"
        )


def _kinds(chips: PimConfig) -> tuple[PimConfig, Ints]:
    """Chips that differ in what matters here, and which of them each chip is like."""
    n = len(chips)
    _, policy = np.unique(chips.adc_range, return_inverse=True)
    fields = (chips.dac_bits, chips.cell_bits, chips.crossbar_size, chips.n_active_wordlines, chips.adc_bits, policy)
    table = np.stack([np.broadcast_to(field, n) for field in fields], axis=1)
    _, first, which = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return chips.take(first), which


def _same_crossbars(chips: PimConfig) -> list[Ints]:
    """Indices of chips that share DACs, cells and wordline groups."""
    fields = (chips.dac_bits, chips.cell_bits, chips.crossbar_size, chips.n_active_wordlines)
    table = np.stack([np.broadcast_to(field, len(chips)) for field in fields], axis=1)
    _, which = np.unique(table, axis=0, return_inverse=True)
    order = np.argsort(which, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(which[order])) + 1)


def _gain_and_noise(
    columns: ColumnStatistics, chips: PimConfig, encoding: Encoding, k_sigma: float
) -> tuple[Floats, Floats]:
    """(B,) alpha, and noise variance over signal power, of chips with the same column sums."""
    adc_bits = np.broadcast_to(chips.adc_bits, len(chips))
    reach = adc_reach(chips, encoding, columns.mean, columns.std, k_sigma)
    unit = (reach / largest_code(adc_bits, encoding)[:, None]).astype(np.float32)
    sums = np.repeat(columns.quantiles[None], len(chips), axis=0)
    error = read_codes(sums, reach[:, :, None], adc_bits[:, None, None], encoding)
    error *= unit[:, :, None]
    error -= columns.quantiles
    terms = (error @ _HERMITE).astype(np.float64) * columns.worth[:, None]  # (B, S, terms)
    square = (error**2 @ WEIGHTS.astype(np.float32)).astype(np.float64)

    n = columns.n_groups
    power = n * (square @ columns.worth**2)
    for term, pairs in zip(np.moveaxis(terms, 2, 0), _pair_weights(columns), strict=True):
        power += np.einsum("bs,bs->b", term @ pairs, term)
    with_signal = n * (terms[:, :, 0] @ columns.sign_signal + terms[:, :, 1] @ columns.score_signal)
    gain_error = with_signal / columns.signal_power
    # Error and gain error are separate estimates, so their difference may fall below 0; a variance may not.
    return 1 + gain_error, np.maximum(power / columns.signal_power - gain_error**2, 0)


def _pair_weights(columns: ColumnStatistics) -> Floats:
    """(terms, S, S) correlation^k summed over pairs of column sums of one output, with their signs.

    What is linear in the sums is measured, not modelled: the first term makes the products of sums that the
    expansion gives those of the sample. An ADC that reads nothing but 0 then loses exactly the output.
    """
    n = columns.n_groups
    exponents = np.arange(_N_TERMS)[:, None, None]
    within = columns.sign_within * columns.within**exponents
    across = columns.sign_across * columns.across**exponents
    centred = (columns.quantiles - columns.mean[:, None]) / columns.slope[:, None]
    own = (centred @ _HERMITE).T
    curved = own[2:, :, None] * own[2:, None, :]
    within[1] = columns.signed_within - (within[2:] * curved).sum(axis=0)
    across[1] = columns.signed_across - (across[2:] * curved).sum(axis=0)
    # A sum with itself needs no expansion, its mean square error is known.
    diagonal = np.arange(len(columns.mean))
    within[:, diagonal, diagonal] = 0
    within[1, diagonal, diagonal] = np.diagonal(columns.signed_within) - centred**2 @ WEIGHTS
    return np.asarray(n * within + n * (n - 1) * across, dtype=np.float64)


def _hermite() -> NDArray[np.float32]:
    """(scores, terms): weights that make the coefficients of normalised Hermite polynomials."""
    polynomials = [np.ones_like(SCORES), SCORES]
    for k in range(1, _N_TERMS - 1):
        polynomials.append((SCORES * polynomials[k] - np.sqrt(k) * polynomials[k - 1]) / np.sqrt(k + 1))
    return (np.stack(polynomials, axis=1) * WEIGHTS[:, None]).astype(np.float32)


_HERMITE = _hermite()
