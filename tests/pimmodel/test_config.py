from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimmodel import ISAAC, PimConfig, lossless_adc_bits


def test_isaac_is_table_1_at_8_bit_activations() -> None:
    # ISAAC (ISCA 2016), Table I: 128 x 128 crossbars, 2 bits per cell, 1-bit DACs, one 8-bit ADC per crossbar.
    assert (ISAAC.crossbar_size, ISAAC.cell_bits, ISAAC.dac_bits, ISAAC.adc_bits) == (128, 2, 1, 8)
    assert (ISAAC.columns_per_adc, ISAAC.n_active_wordlines, ISAAC.activation_bits) == (128, 128, 8)
    assert len(ISAAC) == 1


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"adc_bits": 13}, ValueError, "adc_bits must be between 1 and 12, got 13; no component data"),
        ({"cell_bits": np.array([2, 5])}, ValueError, "cell_bits must be between 1 and 4, got 5"),
        ({"crossbar_size": 96, "columns_per_adc": 8, "n_active_wordlines": 8}, ValueError, "power of two, got 96"),
        ({"crossbar_size": 64}, ValueError, "columns_per_adc must be .* got 128 with crossbar_size 64; set it to 64"),
        (
            {"crossbar_size": np.array([128, 64]), "columns_per_adc": 8, "n_active_wordlines": np.array([128, 65])},
            ValueError,
            "n_active_wordlines must be between 1 and crossbar_size, got 65 with crossbar_size 64",
        ),
        ({"table_memory": "ddr3"}, ValueError, "unknown table_memory 'ddr3'; choices are 'reram', 'lpddr4', 'hbm2'"),
        ({"product_unit": np.array(["digital", "gpu"])}, ValueError, "unknown product_unit 'gpu'"),
        ({"weight_encoding": "signed"}, ValueError, "unknown weight_encoding 'signed'; .* 'isaac', 'differential'"),
        ({"execution": "serial"}, ValueError, "unknown execution 'serial'; choices are 'pipelined', 'layer-by-layer'"),
        ({"execution": 1}, TypeError, "execution must be a str or a .B,. array of str, got 1"),
        ({"adc_range": 3}, TypeError, "adc_range must be a str or a .B,. array of str, got 3"),
        ({"adc_bits": 8.0}, TypeError, "adc_bits must be an int or a .B,. array of ints, got 8.0"),
        ({"adc_bits": True}, TypeError, "adc_bits must be an int"),
        ({"adc_bits": np.ones((2, 2), dtype=np.int64)}, TypeError, r"array of int64 with shape \(2, 2\)"),
        ({"adc_bits": np.array([], dtype=np.int64)}, ValueError, "adc_bits must hold at least one design"),
        (
            {"adc_bits": np.array([4, 5]), "cell_bits": np.array([1, 2, 4])},
            ValueError,
            "array fields must have one length, got cell_bits 3, adc_bits 2; give every field",
        ),
    ],
)
def test_wrong_fields_are_named(fields: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        PimConfig(**fields)


def test_arrays_are_copied_and_frozen() -> None:
    adc_bits = np.array([4, 8])
    config = PimConfig(adc_bits=adc_bits)
    adc_bits[0] = 99
    assert np.array_equal(config.adc_bits, [4, 8])
    assert isinstance(config.adc_bits, np.ndarray)
    with pytest.raises(ValueError, match="read-only"):
        config.adc_bits[0] = 99


def test_take() -> None:
    config = PimConfig(adc_bits=np.array([4, 6, 8]), table_memory=np.array(["reram", "hbm2", "lpddr4"]))
    assert len(config) == 3
    assert config.take(1) == PimConfig(adc_bits=6, table_memory="hbm2")
    picked = config.take(np.array([2, 0]))
    assert np.array_equal(picked.adc_bits, [8, 4])
    assert np.array_equal(picked.crossbar_size, [128, 128])
    assert config != ISAAC
    assert config != "isaac"


@given(
    log2_size=st.integers(3, 10),
    cell_bits=st.integers(1, 4),
    adc_bits=st.integers(1, 12),
    adc_range=st.sampled_from(["full-scale", "unit-step", "k-sigma"]),
    weight_encoding=st.sampled_from(["isaac", "differential"]),
    execution=st.sampled_from(["pipelined", "layer-by-layer"]),
    table_memory=st.sampled_from(["reram", "lpddr4", "hbm2"]),
    data=st.data(),
)
def test_json_round_trip(
    log2_size: int,
    cell_bits: int,
    adc_bits: int,
    adc_range: str,
    weight_encoding: str,
    execution: str,
    table_memory: str,
    data: st.DataObject,
) -> None:
    config = PimConfig(
        crossbar_size=2**log2_size,
        cell_bits=cell_bits,
        adc_bits=adc_bits,
        adc_range=adc_range,
        columns_per_adc=data.draw(st.integers(1, 2**log2_size)),
        n_active_wordlines=data.draw(st.integers(1, 2**log2_size)),
        weight_encoding=weight_encoding,
        execution=execution,
        table_memory=table_memory,
    )
    assert PimConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adc_bits": 99}, "adc_bits must be between 1 and 12, got 99"),
        ({"adc_bits": "8"}, "wrong value in a hardware design: adc_bits must be an int"),
        ({"adc_bits": [4, 8]}, r"adc_bits must be one value, got \[4, 8\]"),
        ({"node_nm": 32}, "unknown field 'node_nm' in a hardware design; fields are activation_bits, "),
    ],
)
def test_wrong_json_fields_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PimConfig.from_json(json.dumps(json.loads(ISAAC.to_json()) | change))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "must be a JSON object, got list"),
        ("{", "must be a JSON object, got invalid JSON"),
        ("{}", "field 'activation_bits' is missing from the hardware design"),
    ],
)
def test_wrong_json_text(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PimConfig.from_json(text)


def test_json_of_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got arrays in adc_bits; pick one with take\(i\)"):
        PimConfig(adc_bits=np.array([4, 8])).to_json()


@pytest.mark.parametrize(
    ("n_active_wordlines", "dac_bits", "cell_bits", "expected"),
    [
        pytest.param(128, 1, 2, 8, id="ISAAC-section-V"),
        pytest.param(128, 1, 1, 7, id="by-hand-sums-to-128"),
        pytest.param(128, 2, 2, 10, id="by-hand-sums-to-1152"),
        pytest.param(1, 1, 1, 1, id="by-hand-at-least-one"),
    ],
)
def test_lossless_adc_bits(n_active_wordlines: int, dac_bits: int, cell_bits: int, expected: int) -> None:
    assert lossless_adc_bits(n_active_wordlines, dac_bits, cell_bits) == expected


@given(n=st.integers(1, 1024), d=st.integers(1, 8), c=st.integers(1, 4))
def test_lossless_adc_bits_are_just_enough(n: int, d: int, c: int) -> None:
    bits = int(lossless_adc_bits(n, d, c)) + 1  # without the encoding
    largest_sum = n * (2**d - 1) * (2**c - 1)
    assert largest_sum < 2**bits
    assert largest_sum >= 2 ** (bits - 1) or bits == 2


@given(n=st.integers(1, 1024), d=st.integers(1, 8), c=st.integers(1, 4))
def test_a_pair_of_columns_takes_a_sign_bit(n: int, d: int, c: int) -> None:
    # two's complement of b bits holds -2^(b-1) to 2^(b-1) - 1
    bits = int(lossless_adc_bits(n, d, c, "differential"))
    largest_sum = n * (2**d - 1) * (2**c - 1)
    assert 2 ** (bits - 2) - 1 < largest_sum <= 2 ** (bits - 1) - 1


def test_lossless_adc_bits_broadcast_and_refuse_zero() -> None:
    assert lossless_adc_bits(np.array([64, 128]), 1, 2).tolist() == [7, 8]
    assert lossless_adc_bits(128, 1, 2, np.array(["isaac", "differential"])).tolist() == [8, 10]
    with pytest.raises(ValueError, match="unknown weight_encoding 'pair'"):
        lossless_adc_bits(128, 1, 2, "pair")
    with pytest.raises(ValueError, match="dac_bits must be at least 1, got 0"):
        lossless_adc_bits(128, 0, 2)
