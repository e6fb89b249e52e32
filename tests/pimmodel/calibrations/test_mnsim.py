from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil, exp, log, log2
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.calibrations.mnsim import MNSIM
from pimmodel.calibrations.mnsim_tables import BUFFERS, log_linear
from pimmodel.config import PimConfig
from pimmodel.costs import OperatorCosts, Operators

# Scalar reference, written from the formulas and tables of MNSIM's closed form, W and nJ as there.
ADC = {  # bits: W, GS/s, um2
    1: (1.629e-6, 1.0, 1),
    4: (0.7e-3, 1.0, 500),
    6: (1.26e-3, 1.0, 1650),
    8: (2e-3, 1.28, 1200),
    10: (6.92e-3, 1.5, 1600),
}
DAC = {  # bits: W, um2
    1: (3.9e-6, 0.166),
    2: (7.8e-6, 0.332),
    3: (15.6e-6, 0.664),
    4: (31.2e-6, 1.328),
    6: (124.8e-6, 5.312),
    8: (0.4992, 21.248),
}
SRAM_90NM = {  # KB: read pJ, write pJ, leakage mW, area mm2
    2: (7.5695, 13.1361, 1.006428, 0.0405803),
    4: (8.54257, 19.9484, 1.95684, 0.0686947),
    8: (18.382, 21.1344, 4.1222, 0.156974886),
    16: (44.837, 43.7094, 8.86342, 0.616313686),
    32: (61.8356, 60.1423, 17.46566, 1.060004216),
    64: (103.042, 88.27501, 32.1096, 1.974404875),
    128: (156.421, 116.896, 63.688, 3.583918894),
    256: (275.02, 162.096, 121.8756, 6.974574682),
    512: (356.492, 243.037, 243.484, 14.22112082),
}
CELL_W = 0.1 * 0.15**2 / (1e6 * 1e4 / (0.67 * 1e4 + 0.33 * 1e6))


def adc(bits: int) -> tuple[float, ...]:
    known = sorted(ADC)
    return tuple(exp(np.interp(bits, known, [log(ADC[b][k]) for b in known])) for k in range(3))


def sram(n_bytes: float) -> tuple[float, float, float, float]:
    kilobytes = 2 ** ceil(log2(n_bytes)) / 1024
    return SRAM_90NM[min((size for size in SRAM_90NM if size >= kilobytes), default=512)]


def reference(widths: Sequence[int], weight_bits: int, chip: dict[str, Any]) -> list[dict[str, Any]]:
    big, act, d, a, n = (
        chip[name] for name in ("crossbar_size", "activation_bits", "dac_bits", "adc_bits", "n_active_wordlines")
    )
    m = max(1, big // chip["columns_per_adc"])
    om, im = ceil(big / m), ceil(big / n)
    slices = max(1, ceil((weight_bits - 1) / chip["cell_bits"]))
    layers = list(pairwise(widths))
    pes = [slices * ceil(o / big) * ceil(i / big) for i, o in layers]
    in_buffer = sram(max(i * act / 8 / pe for (i, _), pe in zip(layers, pes, strict=True)))
    out_buffer = sram(max(2 * o * act / 8 / ceil(pe / 4) for (_, o), pe in zip(layers, pes, strict=True)))
    p_adc, rate, a_adc = adc(a)
    p_dac, a_dac = DAC[d]
    results = []
    for (i, o), pe in zip(layers, pes, strict=True):
        tiles, q, r, c = ceil(pe / 4), min(pe, 4), min(i, big), min(o, big)
        rounds = ceil(act / d) * ceil(r / n) * ceil(c / m)
        s = big * big / 8192
        t_dac = rounds * (d + 2)
        t_crossbar = rounds * (3.16 + 0.001 * (2e-4 * s**2 + 5e-6 * s))
        t_adc = rounds / rate if a == 1 else rounds * (a + 2) / rate
        g = ceil(log2(q))
        t_read = 20 * (ceil(r * act / 64) + ceil(c * act * q / 64))
        t_write = 20 * (ceil(r * act / 64) + ceil((a + g) * c * q / 64))
        read_w, write_w = (
            1e-3 * sum(share * (part[k] / 20 + part[2]) for share, part in ((q, in_buffer), (1, out_buffer)))
            for k in (0, 1)
        )
        nanojoules = {
            "adc": tiles * q * ceil(c / om) * p_adc * t_adc,
            "dac": tiles * q * ceil(r / im) * p_dac * t_dac,
            "crossbar": tiles * q * 2 * r * c * CELL_W / (im * om) * t_crossbar,
            "buffer": tiles * (read_w * t_read + write_w * t_write),
        }
        results.append(
            {
                "tiles": tiles,
                "energy_pj": {name: 1e3 * nj for name, nj in nanojoules.items()},
                "time_ns": {"adc": t_adc, "dac": t_dac, "crossbar": t_crossbar, "buffer": t_read + t_write},
                "area_um2": {
                    "adc": tiles * 4 * m * a_adc,
                    "dac": tiles * 4 * n * a_dac,
                    "crossbar": tiles * 4 * 2 * (1.44 * big * big + 1150 * big),
                    "buffer": tiles * (4 * in_buffer[3] + out_buffer[3]) * 1e6,
                },
            }
        )
    return results


def layers_of(chains: Sequence[Sequence[int]], weight_bits: float = 8, n_vectors: float = 1) -> Operators:
    """The layers of fully connected chains, one design each."""
    shapes = [(design, i, o) for design, chain in enumerate(chains) for i, o in pairwise(chain)]
    design, n_in, n_out = (np.array([shape[k] for shape in shapes], dtype=np.float64) for k in range(3))
    return Operators(
        n_designs=len(chains),
        design=design.astype(np.intp),
        in_features=n_in,
        out_features=n_out,
        n_vectors=np.full(len(shapes), float(n_vectors)),
        weight_bits=np.full(len(shapes), float(weight_bits)),
    )


def costs_of(
    chain: Sequence[int], weight_bits: float = 8, n_vectors: float = 1, n_copies: float = 1, **chip: Any
) -> OperatorCosts:
    return MNSIM.mvm_costs(layers_of([chain], weight_bits, n_vectors), np.full(1, float(n_copies)), PimConfig(**chip))


def total(costs: dict[str, np.ndarray]) -> float:
    return float(np.sum([np.sum(values) for values in costs.values()]))


BASE: dict[str, Any] = {
    "crossbar_size": 128,
    "cell_bits": 1,
    "dac_bits": 1,
    "adc_bits": 8,
    "columns_per_adc": 8,
    "n_active_wordlines": 128,
    "activation_bits": 8,
}


def test_one_full_layer_by_hand() -> None:
    # 128 x 128 of 8 bits: 7 slices, so 7 PEs in T = 2 tiles of q = 4. m = 16 ADCs, 8 bitlines each;
    # M = 8 input bits x 1 x 8 rounds = 64.
    costs = costs_of((128, 128), **BASE)
    assert costs.n_tiles.item() == 2
    assert costs.n_crossbars.item() == 16
    assert costs.n_used_cells.item() == 2 * 7 * 128 * 128
    # ADC 64 x 10 / 1.28; DAC 64 x 3; crossbar 64 x (3.16 + 0.001 (4 x 2e-4 + 2 x 5e-6)); words of the buffers,
    # 20 ns each: reading 16 + 64, writing 16 + (8 + 2) x 128 x 4 / 64 = 96
    assert costs.time_ns["adc"].item() == pytest.approx(500)
    assert costs.time_ns["dac"].item() == pytest.approx(192)
    assert costs.time_ns["crossbar"].item() == pytest.approx(202.24005184, rel=1e-12)
    assert costs.time_ns["buffer"].item() == pytest.approx(80 * 20 + 96 * 20)
    # input registers (8 + 64) x 2; shift registers 64 x 2; demultiplexer, one line: 64 x 2 x 0.27933;
    # multiplexer, 8 lines: 64 x 3 x 0.032744; output registers 8 x 2; two levels of joint modules x 2
    digital_ns = 144 + 128 + 35.75424 + 6.286848 + 16 + 4
    assert costs.time_ns["digital"].item() == pytest.approx(digital_ns, rel=1e-12)
    # (2 (8 + 2) - 2 x 3 / 2) x 128 bits at 1024 per ns
    assert costs.time_ns["interconnect"].item() == pytest.approx(17 / 8)
    assert costs.busy_ns.item() == pytest.approx(500 + 192 + 202.24005184 + 3520 + digital_ns + 2.125, rel=1e-12)
    # T q = 8 PEs: 16 ADCs of 2 mW; 128 DACs of 3.9 uW; 2 x 128 x 128 cells of 75.7575 nW, 1/8 of them a round
    assert costs.energy_pj["adc"].item() == pytest.approx(8 * 16 * 2 * 500)
    assert costs.energy_pj["dac"].item() == pytest.approx(766.7712, rel=1e-12)
    assert costs.energy_pj["crossbar"].item() == pytest.approx(502.045105431144, rel=1e-12)
    # 2 KB buffers: reading 7.5695 / 20 + 1.006428 = 1.384903 mW, writing 1.663233 mW; 2 tiles of 5 buffers
    assert costs.energy_pj["buffer"].item() == pytest.approx(54092.5216, rel=1e-12)
    # uW at 45 nm (45 / 65)^2 = 0.4793: register 9.0107e-3; shift register 0.81; joint module 126.53; demultiplexer
    # of 8 and multiplexer of 72 transistors of 12 nW. 128 (0.096 x 35.75424 + 9.0107e-3 x 144) fJ = 0.6054324 pJ,
    # 16 (0.864 x 6.286848 + 0.81 x 128 + 9.0107e-3 x 16) fJ = 1.7480961 pJ, 3 x 16 x 126.53 x 4 fJ = 24.2942485 pJ
    assert costs.energy_pj["digital"].item() == pytest.approx(2 * (4 * (0.6054324 + 1.7480961) + 24.2942485), rel=1e-7)
    assert "interconnect" not in costs.energy_pj
    assert costs.area_um2["crossbar"].item() == pytest.approx(2 * 8 * (1.44 * 128**2 + 1150 * 128))
    assert costs.area_um2["adc"].item() == pytest.approx(2 * 4 * 16 * 1200)
    assert costs.area_um2["dac"].item() == pytest.approx(2 * 4 * 128 * 0.166)
    assert costs.area_um2["buffer"].item() == pytest.approx(2 * 5 * 40580.3)
    # register 0.683276 um2, shift register 1.42, transistor 0.169, joint module 169.553609, pooling 91917.1562:
    # 4 (128 (0.683276 + 8 x 0.169) + 16 (0.683276 + 1.42 + 72 x 0.169)) + 48 x 169.553609 + 91917.1562
    assert costs.area_um2["digital"].item() == pytest.approx(2 * 102011.1523, rel=1e-8)
    assert costs.static_mw.item() == 0
    assert costs.overhead_ns.item() == 0


def test_one_column_beyond_a_crossbar_by_hand() -> None:
    # 33 x 1 of 4 bits in 2-bit cells, crossbars of 32: S = 2, 4 PEs in one tile. One ADC for 32 bitlines; DACs for
    # 10 of 32 wordlines, 4 wordlines each. M = ceil(6 / 4) x ceil(32 / 10) x 1 = 8.
    chip = {
        "crossbar_size": 32,
        "cell_bits": 2,
        "dac_bits": 4,
        "adc_bits": 6,
        "columns_per_adc": 32,
        "n_active_wordlines": 10,
    }
    costs = costs_of((33, 1), weight_bits=4, activation_bits=6, **chip)
    assert costs.n_tiles.item() == 1
    assert costs.time_ns["adc"].item() == pytest.approx(8 * 8)
    assert costs.time_ns["dac"].item() == pytest.approx(8 * 6)
    assert costs.time_ns["crossbar"].item() == pytest.approx(8 * (3.16 + 3.75e-9), rel=1e-12)  # s = 1/8
    assert costs.time_ns["buffer"].item() == pytest.approx((3 + 1) * 20 + (3 + 1) * 20)
    assert costs.energy_pj["adc"].item() == pytest.approx(4 * 1 * 1.26 * 64)
    assert costs.energy_pj["dac"].item() == pytest.approx(4 * 8 * 0.0312 * 48)
    assert costs.energy_pj["crossbar"].item() == pytest.approx(
        4 * 2 * 32 * 1 * 7.57575e-5 / (4 * 32) * 25.28000003, rel=1e-10
    )
    assert costs.energy_pj["buffer"].item() == pytest.approx(5 * (1.384903 + 1.663233) * 80, rel=1e-12)


def test_buffers_of_the_neediest_layer_by_hand() -> None:
    # 1024 -> 4096 of 2 bits in crossbars of 1024: S = 1, 4 PEs, one tile whose results take 2 x 4096 B: 8 KB. The
    # second layer, 4096 -> 10, has the same: 18.382 / 20 + 4.1222 mW reading, 21.1344 / 20 + 4.1222 mW writing.
    # It reads 128 + ceil(10 x 8 x 4 / 64) words and, from 1-bit ADCs, writes 128 + ceil((1 + 2) x 10 x 4 / 64).
    chip = {"crossbar_size": 1024, "cell_bits": 1, "dac_bits": 8, "adc_bits": 1}
    wide = {"columns_per_adc": 1024, "n_active_wordlines": 1024, "activation_bits": 8}
    costs = costs_of((1024, 4096, 10), weight_bits=2, **chip, **wide)
    last = {name: values[-1] for name, values in costs.energy_pj.items()}
    assert costs.time_ns["buffer"][-1] == pytest.approx(133 * 20 + 130 * 20)
    expected = (4 * 1.384903 + 5.0413) * 2660 + (4 * 1.663233 + 5.17892) * 2600
    assert last["buffer"] == pytest.approx(expected, rel=1e-12)
    assert costs.area_um2["buffer"][-1] == pytest.approx(4 * 40580.3 + 156974.886)
    # M = 1 x 1 x 10; one sense amplifier works 1 ns a round; 1024 DACs of 499.2 mW for 10 ns a round
    assert last["adc"] == pytest.approx(4 * 1.629e-3 * 10)
    assert last["dac"] == pytest.approx(4 * 1024 * 499.2 * 100)


WIDTHS = st.one_of(st.sampled_from((1, 33, 130, 257)), st.integers(1, 1500))
CHAINS = st.lists(WIDTHS, min_size=2, max_size=6)


@st.composite
def chips(draw: st.DrawFn) -> dict[str, Any]:
    size = 2 ** draw(st.integers(3, 10))
    return {
        "crossbar_size": size,
        "cell_bits": draw(st.integers(1, 4)),
        "dac_bits": draw(st.sampled_from(sorted(DAC))),
        "adc_bits": draw(st.integers(1, 10)),
        "columns_per_adc": draw(st.integers(1, size)),
        "n_active_wordlines": draw(st.integers(1, size)),
        "activation_bits": draw(st.integers(1, 16)),
    }


@given(CHAINS, st.integers(1, 16), chips())
@settings(max_examples=150)
def test_agrees_with_the_closed_form(widths: list[int], weight_bits: int, chip: dict[str, Any]) -> None:
    costs = costs_of(widths, weight_bits, **chip)
    for layer, expected in enumerate(reference(widths, weight_bits, chip)):
        assert costs.n_tiles[layer] == expected["tiles"]
        for quantity in ("energy_pj", "time_ns", "area_um2"):
            for component, value in expected[quantity].items():
                got = np.broadcast_to(getattr(costs, quantity)[component], len(widths) - 1)[layer]
                assert got == pytest.approx(value, rel=1e-9), (quantity, component, layer)


@given(st.lists(st.tuples(CHAINS, chips()), min_size=2, max_size=5))
@settings(max_examples=25)
def test_a_batch_costs_what_its_designs_cost(designs: list[tuple[list[int], dict[str, Any]]]) -> None:
    batch = PimConfig(**{name: np.array([chip[name] for _, chip in designs]) for name in designs[0][1]})
    operators = layers_of([chain for chain, _ in designs])
    together = MNSIM.mvm_costs(operators, np.ones(1), batch)
    for design, (chain, chip) in enumerate(designs):
        alone, here = costs_of(chain, **chip), operators.design == design
        for quantity in ("energy_pj", "time_ns", "area_um2"):
            for component, values in getattr(alone, quantity).items():
                got = np.broadcast_to(getattr(together, quantity)[component], operators.design.shape)[here]
                np.testing.assert_allclose(got, np.broadcast_to(values, got.shape), rtol=1e-12)
        np.testing.assert_allclose(together.busy_ns[here], alone.busy_ns, rtol=1e-12)


def test_a_design_without_layers_changes_nothing() -> None:
    operators = replace(layers_of([(300, 40)]), n_designs=3, design=np.array([1]))
    costs = MNSIM.mvm_costs(operators, np.ones(1), PimConfig(**(BASE | {"adc_bits": np.array([4, 8, 6])})))
    np.testing.assert_allclose(operators.total(costs.busy_ns), [0, costs_of((300, 40), **BASE).busy_ns.item(), 0])


def test_vectors_take_turns_at_copies() -> None:
    one, many = costs_of((300, 40), **BASE), costs_of((300, 40), n_vectors=7, n_copies=3, **BASE)
    assert total(many.energy_pj) == pytest.approx(7 * total(one.energy_pj))
    assert many.busy_ns.item() == pytest.approx(3 * one.busy_ns.item())  # ceil(7 / 3) turns
    assert many.busy_ns.item() == pytest.approx(total(many.time_ns))
    assert total(many.area_um2) == pytest.approx(3 * total(one.area_um2))
    assert many.n_tiles.item() == 3 * one.n_tiles.item()
    assert many.n_crossbars.item() == 3 * one.n_crossbars.item()
    assert many.n_used_cells.item() == 3 * one.n_used_cells.item()


@pytest.mark.parametrize(
    ("weight_bits", "cell_bits", "n_slices"),
    # W8: 7 bits beside the sign; 4-bit cells hold 4 and 3 of them. A single bit is sign alone: one cell pair.
    [(8, 1, 7), (8, 2, 4), (8, 3, 3), (8, 4, 2), (2, 4, 1), (5, 4, 1), (6, 4, 2), (1, 1, 1)],
)
def test_slices(weight_bits: int, cell_bits: int, n_slices: int) -> None:
    work = MNSIM.pe_work(layers_of([(257, 130)], weight_bits), PimConfig(**(BASE | {"cell_bits": cell_bits})))
    assert work.n_slices.item() == n_slices
    assert work.n_pes.item() == n_slices * 3 * 2
    assert work.n_tiles.item() == -(-n_slices * 6 // 4)


def test_adc_energy_per_conversion() -> None:
    # As MNSIM counts it, power x (bits + 2) / rate: 15.6 pJ at 8 bits, 55 at 10, 10.1 at 6, 4.2 at 4, 1.6 fJ at 1
    conversion_pj = [
        power * (1 if bits == 1 else bits + 2) / rate
        for bits, power, rate in zip(range(1, 13), MNSIM.adc_power_mw, MNSIM.adc_samples_per_ns, strict=True)
    ]
    assert [conversion_pj[bits - 1] for bits in (1, 4, 6, 8, 10)] == pytest.approx(
        [0.0016, 4.2, 10.1, 15.6, 55.4], rel=0.02
    )
    assert np.all(np.diff(conversion_pj) > 0)


def test_converters_without_an_entry() -> None:
    # a constant factor per bit between entries, and beyond the last: 1, 4, 16 then 32, 64 and on
    assert log_linear({1: 1.0, 3: 16.0, 5: 64.0}, 7) == pytest.approx((1, 4, 16, 32, 64, 128, 256))
    assert MNSIM.adc_power_mw[9 - 1] == pytest.approx((2.0 * 6.92) ** 0.5)
    assert MNSIM.adc_area_um2[12 - 1] == pytest.approx(1600 * 1600 / 1200)
    assert MNSIM.dac_power_mw[:7] == pytest.approx([0.0039 * 2**bits for bits in range(7)])
    assert MNSIM.dac_area_um2[:7] == pytest.approx([0.166 * 2**bits for bits in range(7)])
    for entries, bits in ((ADC, MNSIM.adc_power_mw), (DAC, MNSIM.dac_power_mw)):
        for entry, (watt, *_) in entries.items():
            assert bits[entry - 1] == pytest.approx(1e3 * watt, rel=1e-15)


def rising(chain: Sequence[int], field: str, values: Sequence[int], *, falling: bool = False) -> bool:
    costs = [
        costs_of(chain, value if field == "weight_bits" else 8, **(BASE | {field: value} if field in BASE else BASE))
        for value in values
    ]
    energy = [total(cost.energy_pj) for cost in costs]
    return bool(np.all(np.diff(energy[::-1] if falling else energy) > 0))


@pytest.mark.parametrize("chain", [(512, 256, 64, 1), (1300, 1024, 512, 256, 1)], ids=["small", "large"])
def test_directions_both_simulators_obey(chain: Sequence[int]) -> None:
    assert rising(chain, "adc_bits", range(1, 13))
    assert rising(chain, "weight_bits", (2, 4, 6, 8))
    assert rising(chain, "activation_bits", range(2, 9))
    assert rising(chain, "cell_bits", (1, 2, 4), falling=True)
    sizes = [
        costs_of(chain, **(BASE | {"crossbar_size": size, "n_active_wordlines": size})) for size in (32, 64, 128, 256)
    ]
    assert np.all(np.diff([total(costs.energy_pj) for costs in sizes]) < 0)
    assert np.all(np.diff([total(costs.area_um2) for costs in sizes]) < 0)
    cells = [total(costs_of(chain, **(BASE | {"cell_bits": bits})).area_um2) for bits in (1, 2, 4)]
    assert np.all(np.diff(cells) < 0)
    shares = [costs_of(chain, **(BASE | {"columns_per_adc": share})) for share in (1, 2, 4, 8, 16, 32)]
    assert np.all(np.diff([total(costs.time_ns) for costs in shares]) > 0)
    assert np.all(np.diff([total(costs.area_um2) for costs in shares]) < 0)


@given(CHAINS, chips(), st.sampled_from(("adc_bits", "activation_bits")))
@settings(max_examples=40)
def test_more_bits_take_more_energy_anywhere(widths: list[int], chip: dict[str, Any], field: str) -> None:
    more = costs_of(widths, **(chip | {field: chip[field] + 1 if field == "adc_bits" else min(16, chip[field] + 1)}))
    for component, energy_pj in costs_of(widths, **chip).energy_pj.items():
        assert np.all(more.energy_pj[component] >= energy_pj * (1 - 1e-12)), component


@given(CHAINS, chips(), st.integers(1, 15))
@settings(max_examples=40)
def test_more_slices_never_take_less(widths: list[int], chip: dict[str, Any], weight_bits: int) -> None:
    less, more = costs_of(widths, weight_bits, **chip), costs_of(widths, weight_bits + 1, **chip)
    assert np.all(more.n_tiles >= less.n_tiles)
    for component in ("adc", "dac", "crossbar", "digital"):  # buffers can shrink when shared by more tiles
        assert np.all(more.energy_pj[component] >= less.energy_pj[component] * (1 - 1e-12)), component


def test_nodes_of_the_buffers() -> None:
    # 2 KB at 45 nm: 3.66611 / 20 + 3.06844 = 3.2517455 mW reading, 4.31575 / 20 + 3.06844 = 3.2842275 mW writing
    newer = replace(MNSIM, buffer_nm=45)
    costs = newer.mvm_costs(layers_of([(128, 128)]), np.ones(1), PimConfig(**BASE))
    assert costs.energy_pj["buffer"].item() == pytest.approx(10 * (3.2517455 * 1600 + 3.2842275 * 1920), rel=1e-12)
    assert costs.area_um2["buffer"].item() == pytest.approx(10 * 26389.593)
    assert newer.digest != MNSIM.digest


def test_work_outside_crossbars_is_that_of_isaac32() -> None:
    assert MNSIM.movement == ISAAC32.movement
    assert MNSIM.digital == ISAAC32.digital
    assert MNSIM.table_memory == ISAAC32.table_memory


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"adc_power_mw": (1.0,)}, "adc_power_mw of calibration 'mnsim' must have 12 entries, one per bit, got 1"),
        ({"dac_area_um2": (1.0,) * 9}, "dac_area_um2 of calibration 'mnsim' must have 8 entries, one per bit, got 9"),
        ({"buffer_nm": 32}, "buffer_nm of calibration 'mnsim' must be one of 90, 65, 45, got 32"),
    ],
)
def test_wrong_constants_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(MNSIM, **change)


def test_wrong_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="read_pj must have 9 entries, got 2"):
        replace(BUFFERS[90], read_pj=(1.0, 2.0))
    with pytest.raises(ValueError, match="multiplexer_transistors must have 6 entries, got 0"):
        replace(MNSIM.logic, multiplexer_transistors=())
