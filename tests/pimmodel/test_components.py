from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pimmodel import COMPONENTS, Movement
from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.components import by_bits


@pytest.mark.parametrize(
    ("computed", "published", "tolerance"),
    [
        # ISAAC, Table I: 2 mW per ADC at 1.28 GS/s; 0.3 mW per crossbar over 100 ns; 3.9 uW per DAC over 100 ns
        pytest.param(ISAAC32.adc_energy_pj[7], 1.5625, 1e-12, id="ADC-8-bit"),
        pytest.param(ISAAC32.cell_read_energy_pj * 128**2, 30.0, 1e-12, id="crossbar-read"),
        pytest.param(ISAAC32.dac_energy_pj[0], 0.39, 0.01, id="DAC-1-bit"),
        # ZigZag-IMC at 28 nm and 0.9 V: 0.32, 0.70, 0.94 and 1.66 pJ at 4, 8, 9 and 10 bits
        pytest.param(ISAAC32.adc_energy_pj[3] / ISAAC32.adc_energy_pj[7], 0.32 / 0.70, 0.02, id="ADC-4-bit"),
        pytest.param(ISAAC32.adc_energy_pj[8] / ISAAC32.adc_energy_pj[7], 0.94 / 0.70, 0.02, id="ADC-9-bit"),
        pytest.param(ISAAC32.adc_energy_pj[9] / ISAAC32.adc_energy_pj[7], 1.66 / 0.70, 0.02, id="ADC-10-bit"),
        # hwcomponents-library, ISAAC's ADC by Saberi's analysis: 361, 845, 1200 and 3002 um2 at 4, 7, 8 and 10 bits
        pytest.param(ISAAC32.adc_area_um2[3], 361, 0.01, id="ADC-4-bit-area"),
        pytest.param(ISAAC32.adc_area_um2[6], 845, 0.01, id="ADC-7-bit-area"),
        pytest.param(ISAAC32.adc_area_um2[7], 1200, 1e-12, id="ADC-8-bit-area"),
        pytest.param(ISAAC32.adc_area_um2[9], 3002, 0.01, id="ADC-10-bit-area"),
        # MNSIM 2.0: 1.328 and 21.25 um2 at 4 and 8 bits
        pytest.param(ISAAC32.dac_area_um2[3], 1.328, 0.01, id="DAC-4-bit-area"),
        pytest.param(ISAAC32.dac_area_um2[7], 21.25, 0.01, id="DAC-8-bit-area"),
        # Aladdin-scaled 32 nm multiply-accumulate: 0.23, 0.72 and 2.60 pJ at 4, 8 and 16 bits
        pytest.param(ISAAC32.digital.mac_energy_pj[3], 0.23, 1e-12, id="MAC-4-bit"),
        pytest.param(ISAAC32.digital.mac_energy_pj[7], 0.72, 1e-12, id="MAC-8-bit"),
        pytest.param(ISAAC32.digital.mac_energy_pj[15], 2.60, 1e-12, id="MAC-16-bit"),
        # hwcomponents' reading of Table I at 1.2 GS/s, 7 % slower: 20.45 pJ per 32 B of eDRAM, 0.054 pJ per bus bit
        pytest.param(ISAAC32.tile_parts["bus"].energy_pj, 0.054 * 8, 0.07, id="bus"),
        pytest.param(ISAAC32.tile_parts["edram"].power_mw / 34.56, 20.45 / 32, 0.07, id="eDRAM"),
        pytest.param(ISAAC32.shift_add_energy_pj, 0.021, 0.08, id="shift-and-add"),
        # V^2 t / R of MNSIM 2.0's device: 9 V^2 * 10 ns / 29.7 kohm
        pytest.param(ISAAC32.cell_write_energy_pj, 3.03, 0.001, id="cell-write"),
    ],
)
def test_isaac32_constants(computed: float, published: float, tolerance: float) -> None:
    assert computed == pytest.approx(published, rel=tolerance)


@pytest.mark.parametrize(
    "table",
    [
        ISAAC32.adc_energy_pj,
        ISAAC32.adc_area_um2,
        ISAAC32.dac_energy_pj,
        ISAAC32.dac_area_um2,
        ISAAC32.digital.mac_energy_pj,
        ISAAC32.digital.mac_area_um2,
        ISAAC32.digital.add_energy_pj,
        ISAAC32.digital.multiply_energy_pj,
    ],
)
def test_costs_rise_with_bits(table: tuple[float, ...]) -> None:
    assert np.all(np.diff(table) > 0)
    assert table[0] > 0


def test_full_use_is_dynamic_plus_static_power() -> None:
    for part in ISAAC32.tile_parts.values():
        assert part.energy_pj * part.events_per_ns + part.static_mw == pytest.approx(part.power_mw)
        assert 0 <= part.static_mw < part.power_mw
        assert part.component in COMPONENTS
    # PUMA's 17.2 pJ per 32 B of eDRAM is what an access costs; the rest of its power is static
    assert ISAAC32.tile_parts["edram"].energy_pj * 32 == pytest.approx(17.2)


def test_by_bits_keeps_the_shape() -> None:
    assert by_bits((1.0, 2.0, 4.0), np.array([3, 1])).tolist() == [4.0, 1.0]


def test_moved_bytes_by_hand() -> None:
    # 10 bytes in, 4 out: 14 through buffer and bus, 4 over the router
    moved = Movement(buffer_pj_per_byte=2.0, bus_pj_per_byte=3.0, router_pj_per_byte=5.0)
    energy_pj = moved.energy_pj(np.array([10.0]), np.array([4.0]))
    assert {name: energy.item() for name, energy in energy_pj.items()} == {"buffer": 28, "interconnect": 42 + 20}


def test_incomplete_digital_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="add_area_um2 must have 16 entries, got 1"):
        replace(ISAAC32.digital, add_area_um2=(1.0,))


def test_incomplete_table_memories_are_refused() -> None:
    with pytest.raises(ValueError, match="sense_energy_pj must have 4 entries, got 1"):
        replace(ISAAC32.table_memory, sense_energy_pj=(1.0,))


def test_digest_changes_with_any_constant() -> None:
    assert ISAAC32.digest == replace(ISAAC32).digest
    assert ISAAC32.digest != replace(ISAAC32, row_write_ns=ISAAC32.row_write_ns + 1).digest
