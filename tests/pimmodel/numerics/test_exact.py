"""The chip's product against its definition in plain loops, against x @ w where nothing is lost, and by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pimmodel import PimConfig
from pimmodel.numerics import exact
from pimmodel.numerics.adc import required_adc_bits
from pimmodel.numerics.encoding import ENCODINGS, Encoding
from pimmodel.numerics.exact import SQNR_CAP_DB, exact_product, exact_products, observed_adc_bits, sqnr_db
from pimmodel.numerics.profile import profile_product

Ints = NDArray[np.int64]

laws = settings(max_examples=40)


def integers(
    rng: np.random.Generator, shape: tuple[int, int, int], chip: PimConfig, weight_bits: int, is_signed: bool
) -> tuple[Ints, Ints]:
    """Inputs (n, in) and weights (in, out) over all values of their words, but the lowest weight."""
    n, n_in, n_out = shape
    low = -(2 ** (chip.activation_bits - 1)) if is_signed else 0
    x = rng.integers(low, low + 2**chip.activation_bits, (n, n_in))
    top = 2 ** (weight_bits - 1)
    return x, rng.integers(1 - top, top, (n_in, n_out))


@st.composite
def products(draw: st.DrawFn) -> tuple[Ints, Ints, PimConfig, int, Encoding, bool]:
    """Small products on chips of every slicing, group and range."""
    crossbar_size = draw(st.sampled_from([8, 16]))
    chip = PimConfig(
        crossbar_size=crossbar_size,
        cell_bits=draw(st.integers(1, 4)),
        dac_bits=draw(st.integers(1, 8)),
        adc_bits=draw(st.integers(1, 12)),
        adc_range=draw(st.sampled_from(["full-scale", "unit-step", "k-sigma"])),
        columns_per_adc=8,
        n_active_wordlines=draw(st.integers(1, crossbar_size)),
        activation_bits=draw(st.integers(1, 9)),
    )
    weight_bits, is_signed = draw(st.integers(2, 9)), draw(st.booleans())
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 20), st.integers(1, 3)))
    x, w = integers(np.random.default_rng(draw(st.integers(0, 2**16))), shape, chip, weight_bits, is_signed)
    return x, w, chip, weight_bits, draw(st.sampled_from(ENCODINGS)), is_signed


def by_definition(
    x: Ints, w: Ints, chip: Any, weight_bits: int, encoding: Encoding, is_signed: bool, reach: list[list[int]]
) -> list[list[Fraction]]:
    """One sample, output, wordline group, cycle and bitline after another, in fractions; reach by slice pair."""
    input_slices = range(0, chip.activation_bits, chip.dac_bits)
    stored_bits = weight_bits if encoding == "isaac" else weight_bits - 1
    weight_slices = range(0, stored_bits, chip.cell_bits)
    starts = [
        (start, min(start + chip.n_active_wordlines, tile + chip.crossbar_size, len(w)))
        for tile in range(0, len(w), chip.crossbar_size)
        for start in range(tile, min(tile + chip.crossbar_size, len(w)), chip.n_active_wordlines)
    ]
    outputs = []
    for inputs in x.tolist():
        row = []
        for column in w.T.tolist():
            y = Fraction(0)
            for (start, stop), i, j in product(starts, input_slices, weight_slices):
                here, weights = inputs[start:stop], column[start:stop]
                in_bits, w_bits = min(chip.dac_bits, chip.activation_bits - i), min(chip.cell_bits, stored_bits - j)
                is_top = is_signed and i == input_slices[-1]
                if is_top:  # two's complement: the top slice, sign and all, is driven as its complement
                    levels = [2 ** (in_bits - 1) - 1 - (value >> i) for value in here]
                else:
                    levels = [(value >> i) % 2**in_bits for value in here]
                if encoding == "differential":
                    positive = [(max(value, 0) >> j) % 2**w_bits for value in weights]
                    negative = [(max(-value, 0) >> j) % 2**w_bits for value in weights]
                    sum_ = sum(u * g for u, g in zip(levels, positive, strict=True))
                    sum_ -= sum(u * g for u, g in zip(levels, negative, strict=True))
                    read = converted(sum_, reach[i // chip.dac_bits][j // chip.cell_bits], chip.adc_bits, True)
                else:
                    cells = [((value + 2 ** (weight_bits - 1)) >> j) % 2**w_bits for value in weights]
                    most = 2**w_bits - 1
                    is_inverted = 2 * sum(cells) > most * len(cells)
                    held = [most - cell if is_inverted else cell for cell in cells]
                    sum_ = sum(u * g for u, g in zip(levels, held, strict=True))
                    read = converted(sum_, reach[i // chip.dac_bits][j // chip.cell_bits], chip.adc_bits, False)
                    read = most * sum(levels) - read if is_inverted else read
                    if j == 0:  # the bias of the weights, once
                        read -= 2 ** (weight_bits - 1) * sum(levels)
                worth = -(2 ** (i + j)) if is_top else 2 ** (i + j)
                y += worth * read
                if is_top and j == 0:
                    y += 2**i * (2 ** (in_bits - 1) - 1) * sum(weights)
            row.append(y)
        outputs.append(row)
    return outputs


def converted(sum_: int, reach: int, adc_bits: int, is_signed: bool) -> Fraction:
    """What an ADC reads; round() of a Fraction takes ties to even."""
    if is_signed and adc_bits == 1:
        return Fraction(reach, 2) if sum_ >= 0 else -Fraction(reach, 2)
    largest = 2 ** (adc_bits - 1) - 1 if is_signed else 2**adc_bits - 1
    code = round(Fraction(sum_ * largest, reach))
    return Fraction(min(max(code, -largest if is_signed else 0), largest) * reach, largest)


def reach_by_definition(
    x: Ints, w: Ints, chip: Any, weight_bits: int, encoding: Encoding, is_signed: bool
) -> list[list[int]]:
    """Whole units, by input and weight slice."""
    largest = 2**chip.adc_bits - 1 if encoding == "isaac" else max(2 ** (chip.adc_bits - 1) - 1, 1)
    full = chip.n_active_wordlines * (2**chip.dac_bits - 1) * (2**chip.cell_bits - 1)
    full = full // 2 if encoding == "isaac" else full
    n_inputs = -(-chip.activation_bits // chip.dac_bits)
    n_weights = -(-(weight_bits if encoding == "isaac" else weight_bits - 1) // chip.cell_bits)
    if chip.adc_range == "k-sigma":
        profile = profile_product(
            x, w, activation_bits=chip.activation_bits, weight_bits=weight_bits, encoding=encoding, is_signed=is_signed
        )
        columns = profile.statistics(chip)
        spread = np.ceil(np.abs(columns.mean) + 4 * columns.std).astype(int).reshape(n_inputs, n_weights)
        return [[max(min(int(top), full), largest) for top in row] for row in spread]
    return [[max(full, largest) if chip.adc_range == "full-scale" else largest] * n_weights] * n_inputs


@laws
@given(products())
def test_agrees_with_its_definition(case: tuple[Ints, Ints, PimConfig, int, Encoding, bool]) -> None:
    x, w, chip, weight_bits, encoding, is_signed = case
    expected = by_definition(*case, reach_by_definition(*case))
    chip = replace(chip, weight_encoding=encoding)
    y = exact_product(x, w, chip, weight_bits=weight_bits, is_signed=is_signed)
    np.testing.assert_allclose(y, np.array(expected, dtype=np.float64), rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("dac_bits", range(1, 9))
@pytest.mark.parametrize("cell_bits", range(1, 5))
def test_every_slicing_is_exact_at_the_required_bits(
    cell_bits: int, dac_bits: int, encoding: Encoding, is_signed: bool
) -> None:
    # 8 wordlines at most: 8 * 255 * 15 = 30,600 takes 15 bits, beyond the ADC; fewer are driven then.
    rng = np.random.default_rng(cell_bits * 8 + dac_bits)
    for n_active_wordlines, adc_range in product((8, 5, 1), ("full-scale", "unit-step", "k-sigma")):
        crossbar: dict[str, Any] = {"crossbar_size": 8, "columns_per_adc": 8, "n_active_wordlines": n_active_wordlines}
        crossbar["weight_encoding"] = encoding
        chip = PimConfig(**crossbar, dac_bits=dac_bits, cell_bits=cell_bits, adc_range=adc_range)
        bits = int(required_adc_bits(chip))
        if bits > 12:
            continue
        chip = PimConfig(**crossbar, dac_bits=dac_bits, cell_bits=cell_bits, adc_range=adc_range, adc_bits=bits)
        x, w = integers(rng, (4, 19, 5), chip, 7, is_signed)
        y = exact_product(x, w, chip, weight_bits=7, is_signed=is_signed)
        np.testing.assert_array_equal(y, x @ w)


@laws
@given(products())
def test_exact_at_the_required_and_at_the_observed_bits(
    case: tuple[Ints, Ints, PimConfig, int, Encoding, bool],
) -> None:
    x, w, chip, weight_bits, encoding, is_signed = case
    chip = replace(chip, weight_encoding=encoding)
    words: dict[str, Any] = {"weight_bits": weight_bits, "is_signed": is_signed}
    observed = observed_adc_bits(x, w, chip, **words)
    required = int(required_adc_bits(chip))
    assert observed <= required
    assume(observed <= 12)
    np.testing.assert_array_equal(exact_product(x, w, with_adc(chip, observed, "unit-step"), **words), x @ w)
    if required <= 12:
        full = with_adc(chip, required, "full-scale")
        np.testing.assert_array_equal(exact_product(x, w, full, **words), x @ w)


def with_adc(chip: PimConfig, adc_bits: int, adc_range: str) -> PimConfig:
    return replace(chip, adc_bits=adc_bits, adc_range=adc_range)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("dac_bits", "cell_bits"), [(1, 1), (1, 2), (2, 2), (1, 4), (4, 1)])
def test_one_bit_fewer_loses_the_worst_case(dac_bits: int, cell_bits: int, encoding: Encoding) -> None:
    # Every cell full at the highest level; with inversion, half of them, which is the most a column then holds.
    x = np.full((1, 128), 255)
    w = np.full((128, 1), 127)
    if encoding == "isaac":
        w[::2] = -128
    for shortfall, is_exact in ((0, True), (1, False)):
        chip = PimConfig(dac_bits=dac_bits, cell_bits=cell_bits, weight_encoding=encoding)
        bits = int(required_adc_bits(chip)) - shortfall
        y = exact_product(x, w, with_adc(chip, bits, "unit-step"))
        assert np.array_equal(y, x @ w) == is_exact
        assert observed_adc_bits(x, w, chip) == bits + shortfall


def test_isaac_is_exact_at_16_bits() -> None:
    # ISAAC (ISCA 2016): 16-bit signed inputs and weights, 128 rows, 1-bit DACs, 2-bit cells, 8-bit ADCs, no loss.
    rng = np.random.default_rng(0)
    chip = PimConfig(activation_bits=16)
    x = rng.integers(-(2**15), 2**15, (40, 300))
    w = rng.integers(-(2**15), 2**15, (300, 20))
    np.testing.assert_array_equal(exact_product(x, w, chip, weight_bits=16, is_signed=True), x @ w)


def relu_layer(n: int = 48, n_in: int = 512, n_out: int = 160) -> tuple[Ints, Ints]:
    """Rectified Gaussian inputs and Gaussian weights at 8 bits, one scale each."""
    rng = np.random.default_rng(0)
    x, w = np.maximum(rng.standard_normal((n, n_in)), 0), rng.standard_normal((n_in, n_out))
    return np.rint(x / x.max() * 255).astype(np.int64), np.rint(w / np.abs(w).max() * 127).astype(np.int64)


@pytest.mark.parametrize(
    ("adc_bits", "cell_bits", "dac_bits", "full_scale", "unit_step", "eight_sigma"),
    [
        # Measured before, by another program on another draw of such a layer, 128 rows, sign-magnitude weights.
        (4, 1, 1, 0.2, 31.5, 15.2),
        (5, 1, 1, 2.8, 73.0, 24.5),
        (6, 1, 1, 5.2, 99.0, 82.0),
        (7, 1, 1, 7.5, 99.0, 99.0),
        (8, 1, 1, 42.0, 99.0, 99.0),
        (4, 2, 1, 0.1, 11.7, 14.2),
        (5, 2, 1, 2.0, 26.9, 21.4),
        (6, 2, 1, 4.6, 58.0, 27.7),
        (7, 2, 1, 6.6, 99.0, 47.6),
        (8, 2, 1, 10.2, 99.0, 99.0),
        (4, 2, 2, 0.0, 6.5, 13.2),
        (5, 2, 2, 0.9, 12.1, 20.3),
        (6, 2, 2, 2.8, 22.1, 26.4),
        (7, 2, 2, 5.0, 44.5, 36.7),
        (8, 2, 2, 8.2, 99.0, 44.8),
    ],
)
def test_sqnr_of_a_relu_layer(
    adc_bits: int, cell_bits: int, dac_bits: int, full_scale: float, unit_step: float, eight_sigma: float
) -> None:
    x, w = relu_layer()
    for adc_range, expected in (("full-scale", full_scale), ("unit-step", unit_step), ("k-sigma", eight_sigma)):
        chip = PimConfig(
            adc_bits=adc_bits,
            cell_bits=cell_bits,
            dac_bits=dac_bits,
            adc_range=adc_range,
            weight_encoding="differential",
        )
        found = sqnr_db(x @ w, exact_product(x, w, chip, k_sigma=8.0))
        if expected < 50:
            assert found == pytest.approx(expected, abs=1.5)
        else:  # errors so rare that each draw has its own
            assert found > 50


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("adc_range", ["unit-step", "k-sigma"])
def test_more_bits_never_lower_the_sqnr(adc_range: str, encoding: Encoding) -> None:
    x, w = relu_layer(n_in=130, n_out=32)
    for dac_bits, cell_bits in ((1, 1), (2, 2)):
        chip = PimConfig(dac_bits=dac_bits, cell_bits=cell_bits, weight_encoding=encoding)
        found = [sqnr_db(x @ w, exact_product(x, w, with_adc(chip, bits, adc_range))) for bits in range(2, 11)]
        assert found == sorted(found)
        assert found[0] < 10
        assert found[-1] == SQNR_CAP_DB


def test_a_sense_amplifier_tells_signs() -> None:
    # One wordline at a time and binary weights of +1 or -1: half a unit with the weight's sign for each driven
    # input, and up for an idle one: 3 inputs, 2 driven with +1 and -1: .5 - .5 + .5.
    chip = PimConfig(
        n_active_wordlines=1, adc_bits=1, activation_bits=1, adc_range="unit-step", weight_encoding="differential"
    )
    y = exact_product([[1, 1, 0]], [[1], [-1], [1]], chip, weight_bits=2)
    np.testing.assert_array_equal(y, [[0.5]])


def test_rows_and_outputs_do_not_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = relu_layer(n=33, n_in=130, n_out=9)
    chip = PimConfig(adc_bits=4)
    together = exact_product(x, w, chip)
    np.testing.assert_array_equal(np.concatenate([exact_product(row[None], w, chip) for row in x]), together)
    apart = np.concatenate([exact_product(x, column[:, None], chip) for column in w.T], axis=1)
    np.testing.assert_array_equal(apart, together)
    monkeypatch.setattr(exact, "_CHUNK", 1000)
    np.testing.assert_array_equal(exact_product(x, w, chip), together)


def test_no_rows() -> None:
    for adc_range in ("full-scale", "k-sigma"):
        y = exact_product(np.zeros((0, 3), dtype=int), np.ones((3, 2), dtype=int), PimConfig(adc_range=adc_range))
        assert y.shape == (0, 2)


def test_ranges_from_a_profile_are_those_of_its_inputs() -> None:
    x, w = relu_layer()
    chip = PimConfig(adc_bits=5, adc_range="k-sigma")
    of_weak_inputs = profile_product(x // 8, w)
    y, y_weak = exact_product(x, w, chip), exact_product(x, w, chip, profile=of_weak_inputs)
    assert sqnr_db(x @ w, y) > sqnr_db(x @ w, y_weak) + 10  # saturates: the range is set for an eighth
    np.testing.assert_array_equal(exact_product(x, w, chip, profile=profile_product(x, w)), y)


def test_sqnr_by_hand() -> None:
    assert sqnr_db([[3, 4]], [[3, 4.5]]) == pytest.approx(20.0)  # 25 / 0.25
    assert sqnr_db([1.0], [2.0]) == pytest.approx(0.0)
    assert sqnr_db([1.0], [1.0]) == SQNR_CAP_DB
    assert sqnr_db([1.0], [1 + 1e-9]) == SQNR_CAP_DB


@pytest.mark.parametrize(
    ("ideal", "computed", "message"),
    [
        ([1.0], [1.0, 2.0], r"ideal and computed must have one shape, got \(1,\) and \(2,\)"),
        ([0.0], [1.0], "the ideal product must hold a value other than 0"),
    ],
)
def test_wrong_sqnr(ideal: list[float], computed: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sqnr_db(ideal, computed)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"x": [[1.5]]}, TypeError, "x must hold integers"),
        ({"x": [[1, 2]]}, ValueError, "x has 2 inputs, w has 1 rows"),
        ({"w": [[200]]}, ValueError, "w must be between -128 and 127"),
        ({"weight_bits": 17}, ValueError, "weight_bits must be between 2 and 16, got 17"),
        ({"k_sigma": -1.0}, ValueError, "k_sigma must be positive and finite, got -1.0"),
        ({"chip": PimConfig(adc_bits=np.array([4, 5]))}, ValueError, "one chip is needed here, got a batch of 2"),
        ({"profile": profile_product([[1, 2]], [[1], [2]])}, ValueError, "the profile is of 2 inputs and ProductForm"),
        ({"profile": profile_product([[1]], [[1]], weight_bits=4)}, ValueError, "profile this layer with these words"),
    ],
)
def test_wrong_arguments(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {"x": [[1]], "w": [[1]], "chip": PimConfig()} | changes
    with pytest.raises(error, match=message):
        exact_product(**arguments)


@pytest.mark.parametrize("adc_bits", [0, 13, -1])
def test_adc_bits_outside_1_to_12(adc_bits: int) -> None:
    with pytest.raises(ValueError, match=f"adc_bits must be between 1 and 12, got {adc_bits}"):
        PimConfig(adc_bits=adc_bits)


@laws
@given(products(), st.integers(1, 5))
def test_many_small_products_are_each_its_own(
    drawn: tuple[Ints, Ints, PimConfig, int, Encoding, bool], n_pairs: int
) -> None:
    x, w, chip, weight_bits, encoding, is_signed = drawn
    chip = replace(chip, weight_encoding=encoding)
    rng = np.random.default_rng(0)
    pairs = [integers(rng, (len(x), *w.shape), chip, weight_bits, is_signed) for _ in range(n_pairs)]
    profile = profile_product(
        x,
        w,
        activation_bits=int(chip.activation_bits),
        weight_bits=weight_bits,
        encoding=encoding,
        is_signed=is_signed,
    )
    many_x, many_w = (np.stack(each) for each in zip(*pairs, strict=True))
    how: dict[str, Any] = {"weight_bits": weight_bits, "is_signed": is_signed, "profile": profile}
    found = exact_products(many_x, many_w, chip, **how)
    np.testing.assert_allclose(found, [exact_product(*pair, chip, **how) for pair in pairs], rtol=1e-9, atol=1e-6)


def test_as_many_inputs_as_weights() -> None:
    with pytest.raises(ValueError, match=r"shapes \(N, n, in\) and \(N, in, out\), got \(2, 1, 3\) and \(1, 3, 2\)"):
        exact_products(np.ones((2, 1, 3), dtype=int), np.ones((1, 3, 2), dtype=int), PimConfig())
