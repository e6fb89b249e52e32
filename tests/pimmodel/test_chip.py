from __future__ import annotations

import numpy as np
import pytest

from pimmodel import (
    ISAAC,
    PimConfig,
    chip_area_mm2,
    chip_power_mw,
    ima_area_mm2,
    ima_power_mw,
    peak_ops_per_s,
    tile_area_mm2,
    tile_power_mw,
)


@pytest.mark.parametrize(
    ("computed", "published"),
    [
        # ISAAC (ISCA 2016, doi:10.1109/ISCA.2016.12), Table I and the CE column of its results
        pytest.param(ima_power_mw(), 24.1, id="IMA-mW"),
        pytest.param(ima_area_mm2(), 0.0131, id="IMA-mm2"),
        pytest.param(tile_power_mw(), 330, id="tile-mW"),
        pytest.param(tile_area_mm2(), 0.372, id="tile-mm2"),
        pytest.param(chip_power_mw(), 65_800, id="chip-mW"),
        pytest.param(chip_area_mm2(), 85.4, id="chip-mm2"),
        pytest.param(peak_ops_per_s(PimConfig(activation_bits=16)), 41.3e12, id="peak-16-bit"),
    ],
)
def test_isaac_is_rebuilt(computed: float, published: float) -> None:
    assert computed == pytest.approx(published, rel=0.02)


def test_wider_adcs_draw_more_and_take_more() -> None:
    wide = PimConfig(adc_bits=10)
    assert chip_power_mw(wide) > chip_power_mw(ISAAC)
    assert chip_area_mm2(wide) > chip_area_mm2(ISAAC)


def test_peak_follows_the_input_cycles() -> None:
    # 8-bit inputs take half the cycles of 16-bit ones; 64 driven wordlines take half the read time, twice,
    # but the 128 columns of one ADC still take 100 ns each time
    assert peak_ops_per_s(ISAAC) == pytest.approx(2 * peak_ops_per_s(PimConfig(activation_bits=16)))
    assert peak_ops_per_s(PimConfig(n_active_wordlines=64)) == pytest.approx(peak_ops_per_s(ISAAC) / 2)


def test_a_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"config must be one scalar design, got 2; pick one with take\(i\)"):
        ima_power_mw(PimConfig(adc_bits=np.array([4, 8])))


def test_a_calibration_without_imas_is_refused() -> None:
    for figure in (ima_power_mw, chip_area_mm2, peak_ops_per_s):
        with pytest.raises(ValueError, match="calibration 'mnsim' describes no IMAs and tiles; use one that does"):
            figure(calibration="mnsim")


def test_an_ima_of_small_crossbars_serves_as_many_wordlines() -> None:
    small = PimConfig(crossbar_size=64, columns_per_adc=64, n_active_wordlines=64)
    # 16 crossbars of 64 wordlines, each with its own ADC, in place of 8: 8 x 1230 um2 more ADC and
    # shift-and-add; half the cells
    assert ima_area_mm2(small) - ima_area_mm2() == pytest.approx((8 * 1230 - 100) / 1e6)
