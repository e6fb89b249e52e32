"""Remarks: each appears exactly beyond its limit, with the numbers and the way out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimmodel import CALIBRATIONS, ISAAC, Kind, Operator, PimConfig, Workload, estimate
from pimmodel.numerics import exact_product, required_adc_bits, sqnr_db
from pimmodel.remarks import DIE_MM2, remarks

# 8-bit weights on 2-bit cells take 4 bitlines each: 32 outputs fill the 128 bitlines of ISAAC's crossbar.
FULL = Operator(name="fc", kind=Kind.MVM, in_features=128, out_features=32)
LOOKUP = Operator(name="tables", kind=Kind.LOOKUP, in_features=1000, out_features=16, n_vectors=26)
GRAM = Operator(name="gram", kind=Kind.PRODUCT, in_features=16, out_features=27, n_vectors=27)


def found(*operators: Operator, config: PimConfig = ISAAC) -> list[str]:
    return remarks(Workload.from_operators(operators), config)


def only(*operators: Operator, config: PimConfig = ISAAC) -> str:
    (text,) = found(*operators, config=config)
    return text


def test_nothing_stands_out() -> None:
    assert found(FULL) == []
    assert remarks(Workload.from_operators([]), ISAAC) == []


def test_adc_with_too_few_bits() -> None:
    # 16 wordlines sum to 48 at most, 6 bits of which the encoding saves one; 32 sum to 96 and need 6.
    text = only(FULL, config=PimConfig(adc_bits=5))
    assert "The ADC has 5 bits, lossless column sums need 8, 3 bits more: results are distorted." in text
    assert "adc_bits 8, or n_active_wordlines 16, or adc_range 'k-sigma'" in text


@pytest.mark.parametrize("encoding", ["isaac", "differential"])
@pytest.mark.parametrize("dac_bits", [1, 2])
def test_the_advised_adc_range_loses_least(encoding: Literal["isaac", "differential"], dac_bits: int) -> None:
    rng = np.random.default_rng(0)
    w = np.clip(np.round(36 * rng.normal(size=(256, 24))), -127, 127).astype(np.int64)
    x = np.minimum(np.round(64 * np.maximum(rng.normal(size=(96, 256)), 0)), 255).astype(np.int64)
    advised = set()
    for adc_bits in range(4, 9):
        sqnr, advice = {}, {}
        for adc_range in ("full-scale", "unit-step", "k-sigma"):
            chip = PimConfig(adc_bits=adc_bits, adc_range=adc_range, dac_bits=dac_bits, weight_encoding=encoding)
            sqnr[adc_range] = sqnr_db(x @ w, exact_product(x, w, chip))
            found_range = re.search("adc_range '(.*?)', which loses less", " ".join(found(FULL, config=chip)))
            advice[adc_range] = found_range[1] if found_range else adc_range
        if required_adc_bits(chip) > adc_bits:
            (best,) = set(advice.values())  # whatever the chip has, one range is advised
            assert sqnr[best] == pytest.approx(max(sqnr.values()))
            advised.add(best)
    assert advised == {"unit-step", "k-sigma"}


def test_no_way_out_of_a_far_too_small_adc() -> None:
    # One wordline of 8-bit inputs and 4-bit cells sums to 3825, which needs 11 bits under ISAAC's encoding.
    chip = PimConfig(n_active_wordlines=1, dac_bits=8, cell_bits=4, adc_bits=1, adc_range="k-sigma")
    text = found(replace(FULL, out_features=64), config=chip)[0]
    assert "need 11, 10 bits more" in text
    assert "What helps: adc_bits 11." in text
    worse = PimConfig(n_active_wordlines=2, dac_bits=8, cell_bits=4, adc_bits=11, adc_range="unit-step")
    assert "What helps: adc_bits 12, or n_active_wordlines 1." in found(replace(FULL, out_features=64), config=worse)[0]


def test_adc_with_idle_bits() -> None:
    text = only(FULL, config=PimConfig(adc_bits=10))
    energy_pj = [
        float(estimate(Workload.from_operators([FULL]), PimConfig(adc_bits=bits)).energy_pj[0]) for bits in (8, 10)
    ]
    assert "The ADC has 10 bits where lossless column sums need 8: 2 bits bring nothing" in text
    assert f"adc_bits 8 takes {1 - energy_pj[0] / energy_pj[1]:.0%} less energy" in text


def test_empty_cells() -> None:
    # 32 wordlines x 32 bitlines of 128 x 128 cells; crossbars of 32 are full, those of 64 a quarter.
    text = only(replace(FULL, in_features=32, out_features=8))
    assert "Only 6% of the cells of 1 crossbar hold weights; most empty ones: fc (6% of 1 crossbar)." in text
    assert "Crossbars of 32 would be 100% used" in text
    assert found(replace(FULL, out_features=16)) == []  # exactly half


def test_well_used_operators_are_not_named() -> None:
    # "large" fills 115 of 128 wordlines of 10 crossbars, which leaves more cells idle than one of 12 small ones does.
    # Used: (10 x 115 + 12 x 2) of 22 x 128 wordlines.
    large = replace(FULL, name="large", in_features=115, out_features=32 * 10)
    small = [replace(FULL, name=f"small{i}", in_features=2) for i in range(12)]
    text = found(large, *small)[0]
    assert "Only 42% of the cells of 22 crossbars hold weights" in text
    assert "small0 (2% of 1 crossbar), small1 (2% of 1 crossbar), small2 (2% of 1 crossbar)." in text


def test_no_smaller_crossbar_to_advise() -> None:
    chip = PimConfig(crossbar_size=8, n_active_wordlines=8, columns_per_adc=8, adc_bits=4)
    (text,) = found(replace(FULL, in_features=1, out_features=1), config=chip)
    assert text == "Only 6% of the cells of 1 crossbar hold weights; most empty ones: fc (6% of 1 crossbar)."


def test_tables_in_dram() -> None:
    # 16 elements of 8 bits: 2^27 rows fill the 2 GiB of an LPDDR4 channel, 2^29 the 8 GiB of an HBM2 stack.
    assert found(replace(LOOKUP, in_features=2**27)) == []
    text = only(replace(LOOKUP, in_features=2**27 + 1))
    assert "The tables of tables take 2.15 GB, one lpddr4 memory holds 2.15 GB: they do not fit." in text
    assert "table_memory 'hbm2' (8.59 GB), or table_bits 4" in text
    hbm2 = PimConfig(table_memory="hbm2")
    assert found(replace(LOOKUP, in_features=2**29), config=hbm2) == []
    text = only(replace(LOOKUP, in_features=2**29 + 1), config=hbm2)
    assert "What helps: table_bits 4, or rows shared by several values, or tables spread over 2 of them." in text


def test_tables_on_the_chip() -> None:
    # 16 elements of 8 bits take 64 cells of 2 bits.
    rows = int(DIE_MM2 * 1e6 / (64 * CALIBRATIONS["isaac32"].table_memory.cell_area_um2))
    reram = PimConfig(table_memory="reram")
    assert found(replace(LOOKUP, in_features=rows), config=reram) == []
    text = only(replace(LOOKUP, in_features=2 * rows), config=reram)
    assert "1,716 mm2 of ReRAM, the largest die is 858 mm2" in text
    assert "(table_memory 'lpddr4' or 'hbm2')" in text


def test_more_crossbars_than_a_chip_has() -> None:
    # Table I: 168 tiles of 12 IMAs of 8 crossbars, 16,128 of 128 x 128.
    wide = replace(FULL, in_features=128 * 126, out_features=32 * 128)
    assert found(wide) == []
    text = only(replace(wide, in_features=128 * 127))
    assert "takes 16,256 crossbars, one chip of isaac32 holds 16,128 of this size: it needs 2 chips" in text


def test_a_chip_too_large_to_make() -> None:
    texts = found(replace(FULL, in_features=128 * 1600, out_features=32 * 200))
    assert any("The chip without embedding tables takes" in text and "858 mm2" in text for text in texts)


def test_cells_that_wear_out() -> None:
    # 16 wordlines are written in 160 ns; 27 vectors of 8 cycles convert 27 x 4 bitlines at 1.28 per ns: 18,225 ns.
    # 10^10 writes every 18.385 us last 183,850 s, 2.1 days.
    chip = PimConfig(product_unit="crossbar")
    texts = found(GRAM, config=chip)
    assert any("Cells of gram are written in every inference and wear out after 2.1 days" in text for text in texts)
    lasting = replace(CALIBRATIONS["isaac32"], cell_endurance_writes=1e16)
    assert not any("wear" in text for text in remarks(Workload.from_operators([GRAM]), chip, lasting))
    assert found(GRAM) == []  # digital products write nothing


def test_one_operator_sets_the_period() -> None:
    # 8 cycles of 100 ns for each vector.
    slow = replace(FULL, name="slow", n_vectors=4)
    text = only(FULL, slow)
    assert "slow is busy for 3,200 ns an inference and sets the period" in text
    assert "no other operator for more than 800 ns (fc): n_copies 4 makes the period 800 instead of 3,200 ns." in text
    assert found(FULL, slow, config=PimConfig(n_copies=4)) == []
    assert found(slow) == []  # there is no other to wait


@pytest.mark.parametrize(
    ("operators", "config", "way"),
    [
        # 200 rows take 10 ns each from LPDDR4 and 0.25 ns from HBM2.
        ((FULL, replace(LOOKUP, n_vectors=200)), ISAAC, "table_memory 'hbm2' makes the period 800 instead of 2,000 ns"),
        ((FULL, GRAM), PimConfig(product_unit="crossbar"), "product_unit 'digital' makes the period 800 instead of"),
        # 2 columns an ADC: the read, 100 ns a cycle, decides. Half the cycles; 128 x 3 x 3 has 11 bits, less one.
        (
            (FULL, replace(FULL, name="narrow", in_features=8)),
            PimConfig(columns_per_adc=2),
            "dac_bits 2 makes the period 400 instead of 800 ns, and lossless sums then need 10 ADC bits",
        ),
    ],
)
def test_what_shortens_the_period(operators: tuple[Operator, ...], config: PimConfig, way: str) -> None:
    assert way in found(*operators, config=config)[-1]


def test_one_operator_takes_most_of_the_latency_layer_by_layer() -> None:
    # 4 vectors take 3,200 + 600 ns, one takes 800 + 600 ns.
    text = found(FULL, replace(FULL, name="slow", n_vectors=4), config=PimConfig(execution="layer-by-layer"))[-1]
    assert "slow takes 73% of the latency of 5,200 ns: n_copies 4" in text


@pytest.mark.parametrize(("n_networks", "n_chips"), [(2, 1), (1, 3)])
def test_one_design_at_a_time(n_networks: int, n_chips: int) -> None:
    workload = Workload.from_operators([FULL]).take([0] * n_networks)
    with pytest.raises(ValueError, match=f"got {n_networks} networks and {n_chips} chips; pick one"):
        remarks(workload, PimConfig(adc_bits=np.full(n_chips, 8)))
    with pytest.raises(ValueError, match="unknown calibration 'cmos'"):
        remarks(Workload.from_operators([FULL]), ISAAC, "cmos")


@given(
    size=st.sampled_from([8, 32, 128, 512]),
    bits=st.tuples(st.integers(1, 4), st.integers(1, 8), st.integers(1, 12)),
    words=st.tuples(
        st.sampled_from(["isaac", "differential"]),
        st.sampled_from(["digital", "crossbar"]),
        st.sampled_from(["pipelined", "layer-by-layer"]),
        st.sampled_from(["reram", "lpddr4", "hbm2"]),
    ),
    shape=st.tuples(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 64)),
    calibration=st.sampled_from(sorted(CALIBRATIONS)),
)
def test_every_remark_is_a_sentence_of_numbers(
    size: int,
    bits: tuple[int, int, int],
    words: tuple[str, str, str, str],
    shape: tuple[int, int, int],
    calibration: str,
) -> None:
    chip = PimConfig(
        crossbar_size=size,
        n_active_wordlines=size,
        columns_per_adc=8,
        cell_bits=bits[0],
        dac_bits=bits[1],
        adc_bits=bits[2],
        weight_encoding=words[0],
        product_unit=words[1],
        execution=words[2],
        table_memory=words[3],
    )
    fc = Operator(name="fc", kind=Kind.MVM, in_features=shape[0], out_features=shape[1], n_vectors=shape[2])
    texts = remarks(Workload.from_operators([LOOKUP, GRAM, fc]), chip, calibration)
    assert len(texts) == len(set(texts))
    for text in texts:
        assert text.endswith(".")
        assert "nan" not in text
        assert "inf " not in text
    assert any(text.startswith("The ADC") for text in texts) == (required_adc_bits(chip) != bits[2])
