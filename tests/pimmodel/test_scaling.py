from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pimmodel import CALIBRATIONS, ISAAC, Kind, Operator, Workload, estimate
from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.scaling import scaled

NODES = st.floats(min_value=16, max_value=65)


def constants(record: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of a calibration, with its path."""
    if is_dataclass(record):
        for field in fields(record):
            yield from constants(getattr(record, field.name), f"{path}.{field.name}")
    elif isinstance(record, dict | tuple):
        for key, value in record.items() if isinstance(record, dict) else enumerate(record):
            yield from constants(value, f"{path}.{key}")
    elif isinstance(record, int | float):
        yield path, record


def ratio(path: str, old: Any, new: Any) -> float:
    return dict(constants(new))[path] / dict(constants(old))[path]


@pytest.mark.parametrize(
    ("path", "node_nm", "expected"),
    [
        # Stillmaker and Baas at 0.8 V: energy 45 -> 32 -> 22 nm as 1 : .66 : .29, area as 1 : .46 : .25.
        pytest.param(".digital.mac_energy_pj.7", 22, 0.29 / 0.66, id="MAC-energy-22"),
        pytest.param(".digital.mac_area_um2.7", 22, 0.25 / 0.46, id="MAC-area-22"),
        pytest.param(".digital.multiply_energy_pj.0", 45, 1 / 0.66, id="multiply-energy-45"),
        pytest.param(".digital.table_area_um2", 45, 1 / 0.46, id="table-area-45"),
        pytest.param(".dac_energy_pj.0", 22, 0.29 / 0.66, id="DAC-energy-22"),
        pytest.param(".dac_area_um2.7", 22, 0.25 / 0.46, id="DAC-area-22"),
        pytest.param(".shift_add_energy_pj", 22, 0.29 / 0.66, id="shift-add-energy-22"),
        pytest.param(".shift_add_area_um2", 22, 0.25 / 0.46, id="shift-add-area-22"),
        pytest.param(".tile_parts.edram.power_mw", 22, 0.29 / 0.66, id="eDRAM-power-22"),
        pytest.param(".tile_parts.edram.static_mw", 22, 0.29 / 0.66, id="eDRAM-static-22"),
        pytest.param(".tile_parts.router.area_um2", 22, 0.25 / 0.46, id="router-area-22"),
        pytest.param(".ima_parts.input_register.power_mw", 45, 1 / 0.66, id="register-power-45"),
        # Half way between 45 and 32 nm on a log scale, sqrt(45 * 32) = 37.9473: sqrt(1 * .66) of 45 nm.
        pytest.param(".digital.mac_energy_pj.7", 37.94733192202055, 0.66**-0.5, id="MAC-energy-between"),
        # The survey's regression at 8 bits, 1 GS/s: 1.37 pJ and 5972 um2 at 32 nm, 0.68 and 3334 at 22 nm.
        pytest.param(".adc_energy_pj.7", 22, 0.68 / 1.37, id="ADC-energy-22"),
        pytest.param(".adc_area_um2.7", 22, 3334 / 5972, id="ADC-area-22"),
        # 6 bits: 0.85 pJ and 5180 um2, 0.42 and 2892.
        pytest.param(".adc_energy_pj.5", 22, 0.42 / 0.85, id="ADC-6-bit-energy-22"),
        pytest.param(".adc_area_um2.5", 22, 2892 / 5180, id="ADC-6-bit-area-22"),
        # NeuroSim's SAR ADC, 8 bits: 8.90 + 8 * 1.129 = 17.9 uW at 32 nm, 16.69 + 8 * 2.169 = 34.0 at 45 nm.
        pytest.param(".adc_energy_pj.7", 45, 34.04 / 17.93, id="ADC-energy-45"),
        pytest.param(".table_memory.sense_energy_pj.0", 22, 0.68 / 1.37, id="table-sensing-22"),
        # Cells: F^2. Back at 22 nm the cell of a table is the one of the 22 nm macro, 10.1 Mb/mm2.
        pytest.param(".cell_area_um2", 22, (22 / 32) ** 2, id="cell-area-22"),
        pytest.param(".cell_area_um2", 64, 4.0, id="cell-area-64"),
        pytest.param(".table_memory.cell_area_um2", 22, 1 / 10.1 / ISAAC32.table_memory.cell_area_um2, id="table-cell"),
    ],
)
def test_rules(path: str, node_nm: float, expected: float) -> None:
    assert ratio(path, ISAAC32, scaled(ISAAC32, node_nm)) == pytest.approx(expected, rel=0.01)


@given(NODES)
def test_what_a_node_does_not_change(node_nm: float) -> None:
    new = scaled(ISAAC32, node_nm)
    kept = {
        *("cell_read_energy_pj", "cell_write_energy_pj", "row_write_ns", "cell_endurance_writes"),
        *("sample_energy_pj", "sample_hold_area_um2", "adc_samples_per_ns", "read_ns_per_wordline", "edram_bytes"),
        *("crossbars_per_ima", "tiles_per_chip", "pipeline_overhead_cycles", "chip_parts", "drams"),
    }
    assert {name: getattr(new, name) for name in kept} == {name: getattr(ISAAC32, name) for name in kept}
    assert new.digital.clock_ns == ISAAC32.digital.clock_ns
    assert new.table_memory.sense_ns == ISAAC32.table_memory.sense_ns
    assert new.tile_parts["edram"].events_per_ns == ISAAC32.tile_parts["edram"].events_per_ns


def test_own_node_is_itself() -> None:
    assert scaled(ISAAC32, 32) is ISAAC32


def test_name_and_source_say_from_what() -> None:
    at_22 = scaled(ISAAC32, 22)
    assert (at_22.name, at_22.node_nm) == ("isaac32@22nm", 22.0)
    assert at_22.source.startswith(ISAAC32.source)
    assert "scaled from 32 to 22 nm" in at_22.source
    assert scaled(at_22, 28.5).name == "isaac32@28.5nm"
    assert at_22.digest == scaled(ISAAC32, 22.0).digest


@given(NODES, NODES)
def test_two_steps_are_one(first_nm: float, second_nm: float) -> None:
    direct, by_steps = (
        dict(constants(c)) for c in (scaled(ISAAC32, second_nm), scaled(scaled(ISAAC32, first_nm), second_nm))
    )
    assert by_steps == pytest.approx(direct, rel=1e-12, abs=0)


@given(NODES, NODES)
def test_a_smaller_node_costs_nothing_more(one_nm: float, other_nm: float) -> None:
    small, large = (dict(constants(scaled(ISAAC32, nm))) for nm in sorted((one_nm, other_nm)))
    assert all(small[path] <= value * (1 + 1e-12) for path, value in large.items())


def test_parts_follow_their_component() -> None:
    adcs = replace(ISAAC32.tile_parts["router"], component="adc")
    samplers, cells = replace(adcs, component="sample_hold"), replace(adcs, component="crossbar")
    parts = {**ISAAC32.tile_parts, "adcs": adcs, "samplers": samplers, "cells": cells}
    chip = replace(ISAAC32, tile_parts=parts)
    at_22 = scaled(chip, 22)
    assert at_22.tile_parts["adcs"].power_mw / adcs.power_mw == pytest.approx((22 / 32) ** 1.88)
    assert at_22.tile_parts["samplers"] == samplers
    assert at_22.tile_parts["cells"].power_mw == cells.power_mw
    assert at_22.tile_parts["cells"].area_um2 / cells.area_um2 == pytest.approx((22 / 32) ** 2)


def test_estimates_follow() -> None:
    # Mostly ADC at n^1.88 (0.494) and digital (0.439); only cells and samples stay.
    network = Workload.from_operators([Operator(name="fc", kind=Kind.MVM, in_features=512, out_features=256)])
    old, new = (estimate(network, ISAAC, calibration) for calibration in (ISAAC32, scaled(ISAAC32, 22)))
    assert 0.4 < new.energy_pj[0] / old.energy_pj[0] < 0.6
    assert new.latency_ns[0] == old.latency_ns[0]


@pytest.mark.parametrize("node_nm", [15.9, 65.1, 0, -22, float("nan"), 7])
def test_nodes_without_data(node_nm: float) -> None:
    with pytest.raises(ValueError, match=r"node_nm must be between 16 and 65, got .*; scaling has no data"):
        scaled(ISAAC32, node_nm)


def test_calibrations_that_do_not_scale() -> None:
    with pytest.raises(ValueError, match="node_nm of calibration 'old' must be between 16 and 65, got 90"):
        scaled(replace(ISAAC32, name="old", node_nm=90), 32)
    with pytest.raises(ValueError, match="calibration 'mnsim' cannot be scaled"):
        scaled(CALIBRATIONS["mnsim"], 32)
