from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from pimmodel import (
    COMPONENTS,
    ISAAC,
    Estimate,
    Kind,
    Operator,
    PimConfig,
    Workload,
    breakdown,
    estimate,
)
from pimmodel.calibrations.isaac32 import ISAAC32

FC = Operator(name="fc", kind=Kind.MVM, in_features=128, out_features=128)
LOOKUP = Operator(name="embedding", kind=Kind.LOOKUP, in_features=10**6, out_features=16, n_vectors=26)
GRAM = Operator(name="gram", kind=Kind.PRODUCT, in_features=16, out_features=27, n_vectors=27)
RELU = Operator(name="relu", kind=Kind.ELEMENTWISE, in_features=0, out_features=100, function="relu")

# pJ per byte at ISAAC's full use: 20.7 mW of eDRAM less 10 % static, 7 mW of bus, 10.5 mW of router
EDRAM, BUS = 17.2 / 32, 7 / 17.28
ROUTER = 10.5 * (17.2 / 32 * 34.56 / 20.7) / 17.28


def one(*operators: Operator, config: PimConfig = ISAAC) -> Estimate:
    return estimate(Workload.from_operators(operators), config)


def energy(result: Estimate, component: str) -> float:
    return float(result.energy_by_component_pj[0, result.components.index(component)])


def test_full_crossbars_by_hand() -> None:
    # 128 x 128 weights of 8 bits: 4 slices, 512 bitlines, 4 full crossbars, 8 cycles of 100 ns
    result = one(FC)
    assert energy(result, "adc") == pytest.approx(8 * 512 * 1.5625)
    assert energy(result, "dac") == pytest.approx(8 * 4 * 128 * 0.390625)
    assert energy(result, "crossbar") == pytest.approx(8 * 4 * 30)
    assert energy(result, "sample_hold") == pytest.approx(8 * 512 * 1e-3 * 100 / 102.4)
    assert energy(result, "shift_add") == pytest.approx(8 * 512 * 0.2 / 10.24)
    registers_pj = 4 * 128 * 0.96875 + 128 * 1.4375 + 128 * 0.875
    assert energy(result, "buffer") == pytest.approx(256 * EDRAM + registers_pj)
    assert energy(result, "interconnect") == pytest.approx(256 * BUS + 128 * ROUTER)
    assert energy(result, "digital") == 0
    assert result.latency_ns == pytest.approx(800 + 600)
    assert result.period_ns == pytest.approx(800)
    assert result.throughput_per_s == pytest.approx(1.25e6)
    assert result.cell_utilisation == pytest.approx(1.0)
    # 4 of the 96 crossbars of a tile of Table I
    assert result.area_mm2 == pytest.approx(0.372 * 4 / 96, rel=0.01)
    static_mw = ISAAC32.tile_static_mw * 4 / 96
    assert energy(result, "leakage") == pytest.approx(static_mw * 1400)
    dynamic_pj = result.energy_pj - energy(result, "leakage")
    assert result.power_mw == pytest.approx(dynamic_pj / 800 + static_mw)
    assert result.n_crossbars == 4
    assert result.n_macs == 128 * 128
    # two operations per multiply-accumulate; op/pJ is TOPS/W. An inference every 800 ns
    assert result.tops_per_w == pytest.approx(2 * 128 * 128 / (dynamic_pj + static_mw * 800))
    assert result.throughput_per_s_mm2 == pytest.approx(1.25e6 / result.area_mm2)
    assert result.lifetime_s == np.inf


@pytest.mark.parametrize(
    ("in_features", "expected_pj"),
    [
        # ISAAC, Table I: the 8 ADCs of an IMA draw 16 mW, 1600 pJ in each of 8 cycles
        pytest.param(128, 8 * 1600.0, id="ISAAC-one-IMA"),
        pytest.param(129, 8 * 3200.0, id="by-hand-second-row-of-tiles"),
    ],
)
def test_adc_energy(in_features: int, expected_pj: float) -> None:
    result = one(replace(FC, in_features=in_features, weight_bits=16))
    assert energy(result, "adc") == pytest.approx(expected_pj)


def test_partly_used_crossbars_are_charged() -> None:
    small, full = one(replace(FC, in_features=1, out_features=1)), one(replace(FC, out_features=32))
    assert small.area_mm2 == pytest.approx(full.area_mm2)
    assert small.cell_utilisation == pytest.approx(4 / 128**2)


@pytest.mark.parametrize(
    ("memory", "expected_pj", "expected_ns"),
    [
        # 26 rows of 16 B, one burst of 64 B each: 8 and 6.25 pJ per bit
        pytest.param("lpddr4", 26 * 512 * 8, 35.5 + 26 * 10, id="LPDDR4"),
        pytest.param("hbm2", 26 * 512 * 6.25, 30 + 26 * 0.25, id="HBM2"),
        # 64 two-bit cells per row: 0.361 pJ for two bits of an ADC, 0.0018 pJ for the cell; 2 x 5 ns
        pytest.param("reram", 26 * 64 * (0.361077 + 30 / 128**2), 26 * 10, id="ReRAM"),
    ],
)
def test_lookup(memory: str, expected_pj: float, expected_ns: float) -> None:
    result = one(LOOKUP, config=PimConfig(table_memory=memory))
    assert energy(result, "embedding_memory") == pytest.approx(expected_pj, rel=1e-5)
    assert result.latency_ns == pytest.approx(expected_ns)
    # on chip: 64 million cells at 10.1 Mb/mm2 (22 nm), times (32/22)^2
    expected_mm2 = 64 / 10.1 * (32 / 22) ** 2 if memory == "reram" else 0.0
    assert result.area_mm2 == pytest.approx(expected_mm2)


def test_a_row_beyond_a_burst_takes_two() -> None:
    exact, beyond = (one(replace(LOOKUP, out_features=width)) for width in (64, 65))
    assert energy(beyond, "embedding_memory") == pytest.approx(2 * energy(exact, "embedding_memory"))


def test_digital_product() -> None:
    result = one(GRAM)
    n_macs = 27 * 16 * 27
    assert energy(result, "digital") == pytest.approx(n_macs * 0.72)
    assert result.period_ns == pytest.approx(np.ceil(n_macs / 64))
    assert result.latency_ns == pytest.approx(np.ceil(n_macs / 64) + 3)
    assert result.area_mm2 == pytest.approx(64 * 404e-6)
    assert energy(result, "interconnect") == pytest.approx((2 * 27 * 16 + 27 * 27) * BUS + 27 * 27 * ROUTER)


def test_crossbar_product_writes_its_operand() -> None:
    result = one(GRAM, config=PimConfig(product_unit="crossbar"))
    n_cells = 16 * 27 * 4
    reads_pj = 27 * 8 * n_cells * 30 / 128**2
    assert energy(result, "crossbar") == pytest.approx(reads_pj + n_cells * 3.0303)
    # 108 bitlines at one ADC: 84.375 ns per cycle; 16 wordlines of 10 ns written
    assert result.period_ns == pytest.approx(27 * 8 * 84.375 + 160)
    assert energy(result, "digital") == 0
    assert result.cell_utilisation == pytest.approx(n_cells / 128**2)


def test_cells_written_in_every_inference_wear_out() -> None:
    # 10^10 writes, one every 27 * 8 * 84.375 + 160 ns: 51 hours
    result = one(GRAM, FC, config=PimConfig(product_unit="crossbar"))
    assert result.lifetime_s == pytest.approx(1e10 * (27 * 8 * 84.375 + 160) * 1e-9)
    # a slower operator beside it makes inferences rarer: 100 vectors of 800 ns
    slowed = one(GRAM, replace(FC, n_vectors=100), config=PimConfig(product_unit="crossbar"))
    assert slowed.lifetime_s == pytest.approx(1e10 * 80_000e-9)
    for unwritten in (one(GRAM), one(replace(GRAM, n_vectors=0), config=PimConfig(product_unit="crossbar"))):
        assert unwritten.lifetime_s == np.inf


def test_wordlines_of_every_crossbar_are_written_side_by_side() -> None:
    # 300 x 40 operands of 6 bits: rows 128 + 128 + 44 take 128 writes of 10 ns, not 300; 120 columns of 2-bit cells,
    # 120 / 1.28 ns to convert, 100 ns to read
    wide = replace(GRAM, in_features=300, out_features=40)
    result = one(wide, config=PimConfig(product_unit="crossbar", activation_bits=6))
    assert result.period_ns == pytest.approx(27 * 6 * 100 + 128 * 10)
    n_cells = 300 * 120
    assert energy(result, "crossbar") == pytest.approx(27 * 6 * n_cells * 30 / 128**2 + n_cells * 3.0303, rel=1e-6)
    assert result.n_crossbars == 3
    # inputs and the operand go in, results come out: 6 bits each
    moved_bytes = (27 * 300 + 300 * 40 + 27 * 40) * 0.75
    assert energy(result, "interconnect") == pytest.approx(moved_bytes * BUS + 27 * 40 * 0.75 * ROUTER)


def test_elementwise() -> None:
    result = one(RELU)
    assert energy(result, "digital") == pytest.approx(100 * 0.03 * 0.66)
    assert energy(result, "buffer") == pytest.approx(200 * EDRAM)
    assert result.latency_ns == pytest.approx(2 + 3)
    gate = one(replace(RELU, function="sigmoid"))
    assert energy(gate, "digital") == pytest.approx(100 * 0.52 / 0.96)
    # no more lanes than elements
    assert one(replace(RELU, out_features=1)).area_mm2 == pytest.approx(result.area_mm2 / 64)


def test_concatenation_is_free() -> None:
    result = one(replace(RELU, function="concat"))
    assert result.energy_pj == 0
    assert result.latency_ns == 0
    assert result.area_mm2 == 0


def test_latency_follows_the_graph_and_period_the_slowest() -> None:
    chain = one(LOOKUP, replace(FC, inputs=("embedding",)), replace(RELU, inputs=("fc",)))
    apart = one(LOOKUP, FC, RELU)
    assert chain.latency_ns == pytest.approx(295.5 + 1400 + 5)
    assert apart.latency_ns == pytest.approx(1400)
    assert chain.period_ns == apart.period_ns == pytest.approx(800)
    assert chain.latency_by_operator_ns.tolist() == [pytest.approx([295.5, 1400, 5])]


def test_layer_by_layer_by_hand() -> None:
    network = (
        LOOKUP,
        replace(FC, in_features=64, out_features=16, inputs=("embedding",)),  # 64 bitlines: 50 ns to read and convert
        replace(FC, name="fc2", in_features=50, out_features=32),  # 128 bitlines: 100 ns to convert
        RELU,
    )
    apart, in_turn = (one(*network, config=PimConfig(execution=name)) for name in ("pipelined", "layer-by-layer"))
    own_ns = [295.5, 700, 1400, 5]
    for result in (apart, in_turn):
        assert result.latency_by_operator_ns.tolist() == [pytest.approx(own_ns)]
    assert apart.latency_ns == pytest.approx(1400)  # fc2 waits for nothing
    assert apart.period_ns == pytest.approx(800)
    assert in_turn.latency_ns == in_turn.period_ns == pytest.approx(sum(own_ns))
    # a half of the height of 64 wordlines each: both fit one crossbar
    assert apart.n_crossbars == 2
    assert in_turn.n_crossbars == 1
    n_used_cells = 64 * 64 + 50 * 128
    assert apart.cell_utilisation == pytest.approx(n_used_cells / (2 * 128**2))
    assert in_turn.cell_utilisation == pytest.approx(n_used_cells / 128**2)
    lanes_mm2 = 64 * 36 * 0.46 / 1e6
    assert in_turn.area_mm2 - lanes_mm2 == pytest.approx((apart.area_mm2 - lanes_mm2) / 2)
    # one inference at a time: its energy over its time
    assert in_turn.power_mw == pytest.approx(in_turn.energy_pj / in_turn.latency_ns)
    for component in set(COMPONENTS) - {"leakage"}:
        assert energy(in_turn, component) == pytest.approx(energy(apart, component))


def test_differential_pairs_by_hand() -> None:
    # FC on 2 x 512 bitlines: 8 crossbars, twice the cells, as many conversions; a crossbar's 64 pairs take 50 ns
    # at its ADC, the read 100 ns; its inputs go to 8 crossbars in place of 4
    single, pairs = one(FC), one(FC, config=PimConfig(weight_encoding="differential"))
    assert pairs.n_crossbars == 8
    assert pairs.cell_utilisation == pytest.approx(1.0)
    for component, factor in {
        "adc": 1,
        "sample_hold": 1,
        "shift_add": 1,
        "interconnect": 1,
        "crossbar": 2,
        "dac": 2,
    }.items():
        assert energy(pairs, component) == pytest.approx(factor * energy(single, component))
    assert energy(pairs, "buffer") - energy(single, "buffer") == pytest.approx(4 * 128 * 0.96875)
    assert pairs.area_mm2 == pytest.approx(2 * single.area_mm2)
    assert pairs.latency_ns == single.latency_ns
    # where half the wordlines are driven in 50 ns, conversions of pairs take no longer
    assert one(FC, config=PimConfig(n_active_wordlines=64)).period_ns == pytest.approx(1600)
    halved = PimConfig(n_active_wordlines=64, weight_encoding="differential")
    assert one(FC, config=halved).period_ns == pytest.approx(800)


def test_copies_share_the_vectors() -> None:
    many = replace(FC, n_vectors=10)
    single, four, twenty = (one(many, config=PimConfig(n_copies=n)) for n in (1, 4, 20))
    assert single.period_ns == pytest.approx(8000)
    assert four.period_ns == pytest.approx(3 * 800)
    assert twenty.period_ns == pytest.approx(800)
    assert four.area_mm2 == pytest.approx(4 * single.area_mm2)
    assert twenty.area_mm2 == pytest.approx(10 * single.area_mm2)  # never more copies than vectors
    assert energy(four, "adc") == pytest.approx(energy(single, "adc"))


def test_tables_of_a_billion_rows() -> None:
    table = replace(LOOKUP, in_features=10**9, out_features=1024)
    result = one(table, config=PimConfig(table_memory="reram", cell_bits=1, table_bits=32))
    assert result.area_mm2 == pytest.approx(1e9 * 1024 * 32 / 10.1e6 * (32 / 22) ** 2)
    assert np.isfinite(result.energy_pj).all()


def test_nothing_to_do() -> None:
    nothing = one()
    absent = one(replace(FC, n_vectors=0), replace(LOOKUP, n_vectors=0), replace(GRAM, n_vectors=0))
    for result in (nothing, absent):
        for figure in ("energy_pj", "latency_ns", "period_ns", "area_mm2", "power_mw", "cell_utilisation"):
            assert getattr(result, figure).tolist() == [0.0]
        assert result.throughput_per_s.tolist() == [np.inf]
        for figure in ("n_crossbars", "n_macs", "tops_per_w", "throughput_per_s_mm2"):
            assert getattr(result, figure).tolist() == [0.0]
        assert result.lifetime_s.tolist() == [np.inf]
    no_networks = estimate(Workload.from_operators([FC]).take([]), ISAAC)
    assert no_networks.energy_by_operator_pj.shape == (0, 1)


def test_networks_without_products() -> None:
    on_chip = one(LOOKUP, config=PimConfig(table_memory="reram"))
    assert on_chip.tops_per_w == 0
    assert on_chip.throughput_per_s_mm2 == pytest.approx(1e9 / 260 / on_chip.area_mm2)
    assert one(LOOKUP).throughput_per_s_mm2 == 0  # takes no chip
    assert one(RELU, LOOKUP).cell_utilisation == 0


def test_more_copies_than_vectors_and_the_widest_converters() -> None:
    # 2^31 copies of 3 vectors are 3; 12-bit conversions take 12/8 of the time of 8-bit ones, at (1200 + 16777) /
    # (800 + 65.5) of their energy
    result = one(replace(FC, n_vectors=3), config=PimConfig(n_copies=2**31, adc_bits=12))
    assert result.n_crossbars == 12
    assert result.period_ns == pytest.approx(1200)
    assert energy(result, "adc") == pytest.approx(3 * 8 * 512 * 1.5625 * (1200 + 1e-3 * 4**12) / (800 + 1e-3 * 4**8))


def test_totals_without_the_operators() -> None:
    network = Workload.from_operators([LOOKUP, FC, GRAM, RELU])
    for execution in ("pipelined", "layer-by-layer"):
        chip = PimConfig(execution=execution, adc_bits=np.array([4, 8, 10]))
        full, totals = (estimate(network, chip, by_operator=flag) for flag in (True, False))
        assert totals.operators == ()
        for field in fields(Estimate):
            mine, theirs = getattr(totals, field.name), getattr(full, field.name)
            if "by_operator" in field.name:
                assert mine.shape == (3, 0)
            elif field.name != "operators":
                assert np.array_equal(mine, theirs), field.name


def test_concatenated_rows_are_the_batch() -> None:
    network = Workload.from_operators([LOOKUP, FC, GRAM, RELU])
    chips = PimConfig(adc_bits=np.array([4, 6, 8, 10]))
    whole = estimate(network, chips)
    joined = Estimate.concatenate([estimate(network, chips.take(rows)) for rows in (slice(0, 3), slice(3, 4))])
    for field in fields(Estimate):
        mine, theirs = getattr(joined, field.name), getattr(whole, field.name)
        assert mine == theirs if isinstance(theirs, tuple) else mine == pytest.approx(theirs, rel=1e-14)


def test_one_network_on_many_chips_and_many_networks_on_one() -> None:
    network = Workload.from_operators([FC, GRAM])
    chips = PimConfig(adc_bits=np.array([4, 8]), product_unit=np.array(["digital", "crossbar"]))
    on_chips = estimate(network, chips)
    assert on_chips.energy_pj.shape == (2,)
    assert on_chips.energy_pj[0] == pytest.approx(estimate(network, chips.take(0)).energy_pj[0])
    assert on_chips.energy_pj[1] == pytest.approx(estimate(network, chips.take(1)).energy_pj[0])
    assert on_chips.lifetime_s[0] == np.inf
    assert on_chips.lifetime_s[1] == estimate(network, chips.take(1)).lifetime_s[0]
    copies = estimate(network.take([0, 0, 0]), ISAAC)
    assert copies.energy_pj == pytest.approx(np.full(3, estimate(network, ISAAC).energy_pj[0]))


def test_lengths_must_meet() -> None:
    network = Workload.from_operators([FC]).take([0, 0])
    message = "one length, or one of them length 1, got 2 networks and 3 configurations"
    for function in (estimate, breakdown):
        with pytest.raises(ValueError, match=message):
            function(network, PimConfig(adc_bits=np.array([4, 6, 8])))
