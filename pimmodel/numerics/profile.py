"""Column sums of one layer's product on any crossbar, from one sample of its inputs and weights.

Second moments of coarse slices and long wordline groups follow from those of single bits and short groups,
but their distributions do not, and these matter: sums of sparse inputs, and the one-sided sums of ISAAC's
encoding, are far from Gaussian. So a profile keeps the sample itself, and measures the column sums of a
crossbar when they are first asked for: some thousand (input, output) pairs, a few milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pimmodel.config import PimConfig
from pimmodel.numerics.encoding import (
    Encoding,
    Floats,
    Floats32,
    InputSlices,
    Ints,
    ProductFormat,
    StoredCells,
    check_one,
    wordline_groups,
)

SCORES: Floats = np.linspace(-6.0, 6.0, 97)
"""Normal scores at which quantiles are kept."""

_N_ROWS, _N_COLUMNS = 1024, 256  # sampled at most
_BLOCK_ROWS, _BLOCK_COLUMNS = 16, 4  # every pair of a block's rows and columns is measured
_MIN_BLOCKS, _MAX_SUMS = 16, 2**15  # fewer blocks where there are more than 8 wordline groups

_N_TAIL = 4  # quantiles go on along a line beyond the fourth largest sum of the sample ...
_TAIL_SPAN = 2.0  # ... as steep as over this many normal scores before it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColumnStatistics:
    """Column sums p of a product on one crossbar, for S pairs of input and weight slice, weight slice fastest.

    Averages run over the sampled pairs of input and output and over wordline groups. An inverted column
    (`StoredCells.sign`) subtracts its sum from the output.

    Attributes:
        n_groups: Wordline groups.
        worth: (S,) what one unit of a sum adds to the output.
        mean, std: (S,) of p.
        quantiles: (S, scores) p at the probability of each normal score, whole numbers.
        slope: (S,) what one unit of normal score moves p by; score stands for (p - mean) / slope below.
        within, across: (S, S) correlation of the scores of two sums of one output, in one wordline group and
            in two different ones.
        sign_within, sign_across: (S, S) mean product of the two columns' signs.
        signed_within, signed_across: (S, S) mean product of the two sign * score.
        sign_signal: (S,) mean of sign * y, y the output.
        score_signal: (S,) mean of sign * score * y.
        signal_power: Mean of y^2 over the sampled pairs.
    """

    n_groups: int
    worth: Floats
    mean: Floats
    std: Floats
    quantiles: Floats32
    slope: Floats
    within: Floats32
    across: Floats32
    sign_within: Floats32
    sign_across: Floats32
    signed_within: Floats32
    signed_across: Floats32
    sign_signal: Floats
    score_signal: Floats
    signal_power: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProductProfile:
    """A sample of one layer's inputs and weights; see `profile_product`.

    Attributes:
        words: The format of its numbers.
        x: (n, in) sampled inputs.
        w: (in, out) weights of sampled outputs.
        signal_power: Mean square of x @ w.
    """

    words: ProductFormat
    x: Ints
    w: Ints
    signal_power: float
    _measured: dict[tuple[object, ...], ColumnStatistics] = field(default_factory=dict, repr=False)

    def statistics(self, chip: PimConfig) -> ColumnStatistics:
        """Column sums on a chip's crossbars. They depend on its DACs, cells and wordline groups alone.

        Measured once for each, then remembered: 2 to 100 kB.

        Raises:
            ValueError: the chip is a batch, or its activation_bits are not those of the profile.
        """
        check_one(chip)
        self.check_activation_bits(chip)
        groups = wordline_groups(len(self.w), int(chip.crossbar_size), int(chip.n_active_wordlines))
        key = (chip.dac_bits, chip.cell_bits, tuple((group.start, group.stop) for group in groups))
        if key not in self._measured:
            self._measured[key] = _measure(self, groups, int(chip.dac_bits), int(chip.cell_bits))
        return self._measured[key]

    def check_activation_bits(self, chip: PimConfig) -> None:
        """Raises ValueError where a chip has other activation_bits than the profiled inputs."""
        bits = np.unique(chip.activation_bits)
        if np.any(bits != self.words.activation_bits):
            raise ValueError(
                f"the profile holds {self.words.activation_bits}-bit inputs, the chip has activation_bits "
                f"{', '.join(map(str, bits.tolist()))}; profile the layer once for each"
            )


def profile_product(
    x: ArrayLike,
    w: ArrayLike,
    *,
    activation_bits: int = 8,
    weight_bits: int = 8,
    encoding: Encoding = "isaac",
    is_signed: bool = False,
) -> ProductProfile:
    """Sample a layer once; every crossbar's column sums follow.

    Keeps at most 1,024 rows of x and 256 columns of w, evenly spaced.

    Args:
        x: (n, in) quantised inputs as the layer meets them; a thousand rows are plenty.
        w: (in, out) quantised weights.
        activation_bits, weight_bits, encoding, is_signed: See `ProductFormat`.

    Raises:
        TypeError: x or w does not hold integers, or bits are no ints.
        ValueError: shapes disagree, x has no rows, or values do not fit their bits.
    """
    words = ProductFormat(
        activation_bits=activation_bits, weight_bits=weight_bits, is_signed=is_signed, encoding=encoding
    )
    inputs, weights = words.integers(x, w)
    if len(inputs) == 0:
        raise ValueError("x must have at least one row to profile a layer with, got none")
    inputs = inputs[_evenly(len(inputs), _N_ROWS)]
    weights = weights[:, _evenly(weights.shape[1], _N_COLUMNS)]
    outputs = inputs.astype(np.float64) @ weights.astype(np.float64)
    return ProductProfile(words=words, x=inputs, w=weights, signal_power=float(np.mean(outputs**2)))


def _measure(profile: ProductProfile, groups: tuple[slice, ...], dac_bits: int, cell_bits: int) -> ColumnStatistics:
    slices = InputSlices.of(profile.words, dac_bits)
    rows, columns = _blocks(len(profile.x), profile.w.shape[1], len(groups))
    x, w = profile.x[rows], profile.w[:, columns.ravel()]
    stored = [StoredCells.of(w[group], profile.words, cell_bits) for group in groups]
    n_slices = len(slices.place) * len(stored[0].place)
    in_column = np.tile(np.arange(len(stored[0].place)), len(slices.place))  # weight slice of each pair of slices

    sums = np.empty((len(groups), n_slices, rows.size * columns.shape[1]), dtype=np.float32)
    for group, cells, group_sums in zip(groups, stored, sums, strict=True):
        group_sums[:] = _block_sums(slices.levels(x[:, :, group]), cells.cells)
    signs = np.stack(
        [np.repeat(cells.sign.reshape(-1, len(rows), columns.shape[1]), rows.shape[1], axis=1) for cells in stored]
    )
    signs = signs.reshape(len(groups), len(stored[0].place), -1)
    signal = np.einsum("bri,ibc->brc", x, w.reshape(len(w), *columns.shape)).ravel().astype(np.float64)

    ordered = np.sort(sums.transpose(1, 0, 2).reshape(n_slices, -1), axis=1)
    mean, std = ordered.mean(axis=1, dtype=np.float64), ordered.std(axis=1, dtype=np.float64)
    quantiles = _quantiles(ordered, *_limits(stored, slices))
    # Below std where sums are far from Gaussian; never far below, lest rare sums make correlations up.
    slope = np.maximum((quantiles - mean[:, None]) @ (WEIGHTS * SCORES), 0.2 * std)
    slope[std == 0] = 1.0
    scores = (sums - mean[:, None].astype(np.float32)) / slope[:, None].astype(np.float32)
    within, across = _mean_products(scores)
    sign_within, sign_across = _mean_products(signs)
    signed_within, signed_across = _mean_products(scores * signs[:, in_column])
    signed_signal = signs * signal
    pairs = np.ix_(in_column, in_column)
    return ColumnStatistics(
        n_groups=len(groups),
        worth=np.outer(slices.place, stored[0].place).ravel(),
        mean=mean,
        std=std,
        quantiles=quantiles,
        slope=slope,
        within=np.clip(within, -1, 1),
        across=np.clip(across, -1, 1),
        sign_within=sign_within[pairs],
        sign_across=sign_across[pairs],
        signed_within=signed_within,
        signed_across=signed_across,
        sign_signal=signed_signal.mean(axis=(0, 2))[in_column],
        score_signal=np.einsum("gsp,gsp->s", scores, signed_signal[:, in_column]) / signed_signal[:, 0].size,
        signal_power=float(np.mean(signal**2)) or profile.signal_power,
    )


def _blocks(n_rows: int, n_columns: int, n_groups: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows (blocks, r) and columns (blocks, c) to measure, r * c pairs in each block.

    Many blocks rather than one of as many pairs: rows as well as columns then vary.
    """
    c = min(_BLOCK_COLUMNS, n_columns)
    r = min(_BLOCK_ROWS * _BLOCK_COLUMNS // c, n_rows)
    n_all = -(-n_rows * n_columns // (r * c))
    n_blocks = min(n_all, _N_ROWS // _BLOCK_ROWS, max(_MIN_BLOCKS, _MAX_SUMS // (n_groups * r * c)))
    rows = np.resize(_evenly(n_rows, n_blocks * r), n_blocks * r)
    columns = np.resize(_evenly(n_columns, n_blocks * c), n_blocks * c)
    return rows.reshape(r, n_blocks).T, columns.reshape(c, n_blocks).T


def _block_sums(levels: Floats32, cells: Floats32) -> Floats32:
    """(S, pairs) column sums of one wordline group, from (i, blocks, r, n) levels and (j, n, blocks * c) cells."""
    n_blocks, n_wordlines = levels.shape[1], levels.shape[3]
    held = cells.reshape(len(cells), n_wordlines, n_blocks, -1).transpose(2, 1, 0, 3).reshape(n_blocks, n_wordlines, -1)
    sums = (levels @ held).reshape(*levels.shape[:3], len(cells), -1)
    return sums.transpose(0, 3, 1, 2, 4).reshape(len(levels) * len(cells), -1)


def _limits(stored: list[StoredCells], slices: InputSlices) -> tuple[Floats, Floats]:
    """(S,) smallest and largest sums that any input gives."""
    low = np.min([np.minimum(cells.cells, 0).sum(axis=1).min(axis=1) for cells in stored], axis=0)
    high = np.max([np.maximum(cells.cells, 0).sum(axis=1).max(axis=1) for cells in stored], axis=0)
    top = slices.n_levels - 1.0
    return np.outer(top, low).ravel(), np.outer(top, high).ravel()


def _quantiles(ordered: Floats32, low: Floats, high: Floats) -> Floats32:
    """(S, scores) quantiles of sorted sums (S, n); beyond the sample straight tails, within the limits."""
    n = ordered.shape[1]
    rank = np.minimum((CUMULATIVE * n).astype(np.intp), n - 1)
    quantiles = ordered[:, rank].astype(np.float64)
    edge = NormalDist().inv_cdf(1 - min(_N_TAIL / n, 0.25))
    for outward in (SCORES, -SCORES):
        last = int(np.argmax(np.where(outward <= edge, outward, -np.inf)))
        fit = (outward <= edge) & (outward >= edge - _TAIL_SPAN)
        centred = SCORES[fit] - SCORES[fit].mean()
        slope = quantiles[:, fit] @ centred / (centred @ centred)
        beyond = outward > edge
        quantiles[:, beyond] = quantiles[:, [last]] + slope[:, None] * (SCORES[beyond] - SCORES[last])
    return np.clip(np.rint(quantiles), low[:, None], high[:, None]).astype(np.float32)


def _mean_products(values: Floats32) -> tuple[Floats32, Floats32]:
    """(S, S) mean products of (groups, S, pairs) values, in one wordline group and in two different ones."""
    n_groups, _, n_pairs = values.shape
    within = np.sum([group @ group.T for group in values], axis=0) / n_pairs
    total = values.sum(axis=0)
    across = (total @ total.T / n_pairs - within) / max(n_groups * (n_groups - 1), 1)
    return within / n_groups, across


def _evenly(n: int, n_at_most: int) -> NDArray[np.intp]:
    return np.linspace(0, n - 1, min(n, n_at_most)).round().astype(np.intp)


def _normal_cdf(scores: Floats) -> Floats:
    return np.array([NormalDist().cdf(score) for score in scores.tolist()])


CUMULATIVE: Floats = _normal_cdf(SCORES)
WEIGHTS: Floats = np.diff(_normal_cdf((SCORES[1:] + SCORES[:-1]) / 2), prepend=0.0, append=1.0)
"""Probability of each of `SCORES`: the normal's between midpoints."""
