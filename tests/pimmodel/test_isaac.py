from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pimmodel import ISAAC, OperatorCosts, Operators, PimConfig
from pimmodel.calibrations.isaac32 import ISAAC32

EDRAM = ISAAC32.tile_parts["edram"]


def costs(config: PimConfig = ISAAC, **numbers: int) -> OperatorCosts:
    """Of one product of 8-bit weights; a list of numbers gives as many products of one design."""
    shapes = {"in_features": 128, "out_features": 32, "n_vectors": 1, "n_copies": 1} | numbers
    columns = np.broadcast_arrays(*(np.atleast_1d(np.asarray(number, dtype=np.float64)) for number in shapes.values()))
    in_features, out_features, n_vectors, n_copies = columns
    operators = Operators(
        n_designs=1,
        design=np.zeros(len(in_features), dtype=np.intp),
        in_features=in_features,
        out_features=out_features,
        n_vectors=n_vectors,
        weight_bits=np.full(len(in_features), 8.0),
    )
    return ISAAC32.mvm_costs(operators, n_copies, config)


def test_crossbar_area_by_hand() -> None:
    # 128 columns by 32: 4 ADCs of 1200 um2 with 30 um2 of shift-and-add each
    area_um2 = ISAAC32.crossbar_area_um2(PimConfig(columns_per_adc=32))
    assert {name: area.item() for name, area in area_um2.items()} == pytest.approx(
        {"adc": 4800, "dac": 21.25, "crossbar": 25, "sample_hold": 5, "shift_add": 120}
    )


def test_crossbars_fill_a_tile() -> None:
    # 96 ISAAC crossbars with their shares make the tile of Table I, 0.372 mm2
    shares_um2 = ISAAC32.mapped_crossbar_area_um2(PimConfig())
    assert 96 * sum(area.item() for area in shares_um2.values()) == pytest.approx(0.372e6, rel=0.01)


@pytest.mark.parametrize(
    ("config", "expected_ns"),
    [
        pytest.param(PimConfig(), 100, id="ISAAC-read-and-conversions-alike"),
        pytest.param(PimConfig(columns_per_adc=8), 100, id="more-ADCs-leave-the-read"),
        pytest.param(PimConfig(n_active_wordlines=16), 100, id="fewer-wordlines-leave-the-conversions"),
        pytest.param(PimConfig(n_active_wordlines=16, columns_per_adc=8), 12.5, id="both"),
        pytest.param(
            PimConfig(crossbar_size=256, columns_per_adc=256, n_active_wordlines=256), 200, id="twice-as-large"
        ),
        # a conversion takes a step per bit, 128 of 8 bits 100 ns
        pytest.param(PimConfig(adc_bits=12), 150, id="wider-ADCs-convert-slower"),
        pytest.param(PimConfig(adc_bits=4), 100, id="narrower-ADCs-leave-the-read"),
        pytest.param(PimConfig(adc_bits=4, n_active_wordlines=16), 50, id="narrower-ADCs-convert-faster"),
        # 64 pairs at one ADC in place of 128 bitlines
        pytest.param(PimConfig(n_active_wordlines=16, weight_encoding="differential"), 50, id="pairs-convert-half"),
    ],
)
def test_cycle_time(config: PimConfig, expected_ns: float) -> None:
    # 256 x 256 weights: 8 input cycles in each of the wordline groups; 6 cycles more until the result is out
    result = costs(config, in_features=256, out_features=256)
    n_cycles = 8 * int(config.crossbar_size) / int(config.n_active_wordlines)
    assert result.busy_ns.item() == pytest.approx(n_cycles * expected_ns)
    assert result.overhead_ns.item() == pytest.approx(6 * expected_ns)
    assert max(time.item() for time in result.time_ns.values()) == pytest.approx(result.busy_ns.item())


def test_unused_columns_take_no_time() -> None:
    # 4 outputs of 4 slices: 16 of the 128 columns take 12.5 ns, 16 wordlines as long
    result = costs(in_features=16, out_features=4)
    assert result.busy_ns.item() == pytest.approx(8 * 12.5)
    # 24 driven of 200 wordlines take 18.75 ns; 30 bitlines over 4 ADCs, 8 in turn at 1.28 GS/s, 6.25 ns
    config = PimConfig(crossbar_size=64, columns_per_adc=16, n_active_wordlines=24, cell_bits=4, activation_bits=1)
    result = costs(config, in_features=200, out_features=15)
    assert result.time_ns["crossbar"].item() == pytest.approx(3 * 18.75)
    assert result.time_ns["adc"].item() == pytest.approx(3 * 6.25)
    assert result.busy_ns.item() == pytest.approx(3 * 18.75)


def test_buffers_grow_with_the_inputs() -> None:
    # 128 x 32 weights on one crossbar, 1/96 of a tile: its share of the 64 KB holds 5 vectors of 128 B
    fitting, beyond = (costs(n_vectors=n).area_um2["buffer"].item() for n in (5, 1000))
    shared_um2 = (83_000 + 3_200) / 96 + (2_100 + 770) / 8
    assert fitting == pytest.approx(shared_um2)
    assert beyond == pytest.approx(shared_um2 + (1000 * 128 / 65_536 - 1 / 96) * 83_000)
    missing_mw = costs(n_vectors=1000).static_mw.item() - costs(n_vectors=5).static_mw.item()
    assert missing_mw == pytest.approx((1000 * 128 / 65_536 - 1 / 96) * EDRAM.static_mw)
    # 192 copies fill two tiles, whose buffers hold the 1.95 x 64 KB
    assert costs(n_vectors=1000, n_copies=192).area_um2["buffer"].item() == pytest.approx(192 * shared_um2)


def test_operators_in_turn_share_the_buffers() -> None:
    # a full crossbar with one vector beside 8 x 1 weights with 80: 640 B fit the buffers of two crossbars, 2 x 683 B
    shapes: dict[str, Any] = {"in_features": [128, 8], "out_features": [32, 1], "n_vectors": [1, 80]}
    alone, in_turn = (costs(PimConfig(execution=execution), **shapes) for execution in ("pipelined", "layer-by-layer"))
    assert in_turn.n_crossbars.sum() == pytest.approx(alone.n_crossbars.sum())
    for component, area_um2 in alone.area_um2.items():
        assert in_turn.area_um2[component].sum() == pytest.approx(area_um2.sum())
    # 240 and 480 vectors need 1920 and 3840 B; the neediest sets what is missing, shared out by bytes
    shapes = {"in_features": [8, 8], "out_features": [1, 1], "n_vectors": [240, 480]}
    in_turn = costs(PimConfig(execution="layer-by-layer"), **shapes)
    assert in_turn.n_crossbars == pytest.approx([0.5, 0.5])
    missing = 3840 / 65_536 - 1 / 96
    own_um2 = 0.5 * ((83_000 + 3_200) / 96 + (2_100 + 770) / 8)
    assert in_turn.area_um2["buffer"] == pytest.approx(
        [own_um2 + missing / 3 * 83_000, own_um2 + missing * 2 / 3 * 83_000]
    )


def test_static_power_is_that_of_the_tiles() -> None:
    # eDRAM and router of Table I, less what their traffic takes
    static_mw = 20.7 - 17.2 / 32 * 34.56
    assert ISAAC32.tile_static_mw == pytest.approx(static_mw * (1 + 10.5 / 20.7))
    assert costs(out_features=32 * 96).static_mw.item() == pytest.approx(ISAAC32.tile_static_mw)
    assert costs(out_features=32 * 96).n_tiles.item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"adc_energy_pj": (1.0,)}, "adc_energy_pj of calibration 'isaac32' must have 12 entries, one per bit, got 1"),
        ({"adc_samples_per_ns": (1.0, 2.0)}, "adc_samples_per_ns of calibration 'isaac32' must have 12 entries"),
        ({"dac_area_um2": ()}, "dac_area_um2 of calibration 'isaac32' must have 8 entries"),
        ({"drams": {}}, "drams of calibration 'isaac32' must name 'hbm2'"),
        ({"tile_parts": {}}, "tile_parts of calibration 'isaac32' must name 'bus'"),
        ({"ima_parts": {}}, "ima_parts of calibration 'isaac32' must name 'input_register'"),
    ],
)
def test_incomplete_calibrations_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ISAAC32, **changes)
