"""A calibration at another technology node: what first-order rules make of its energies and areas.

Rules, each by the source it rests on; n is the node:
- Digital (DACs, shift-and-add, registers, buffers, buses, routers, arithmetic), at equal speed: energy and area by
  DIGITAL_ENERGY and DIGITAL_AREA, between their nodes a constant power of n. A DAC is counted as digital because
  ISAAC's, at 1 bit, only drives a wordline. Static power goes with the energy: no source splits it.
- ADC at equal bits and rate: energy ~ n^1.88, area ~ n^0.99 energy^0.30 ~ n^1.55. Regression over Murmann's ADC
  survey: Andrulis et al., arXiv 2404.06553. NeuroSim's SAR ADC at 8 bits agrees for energy from 22 to 45 nm
  (n^1.9); from 45 to 65 nm it says n^1.35.
- Sensing rows of embedding tables: energy as the ADC that does it.
- ReRAM cells: area ~ n^2 (a cell is so many F^2; NeuroSim: 4 F x 12 F). Energy of reading and writing them is not
  scaled: voltage, resistance and pulse are the device's, not the node's.
- Sample-and-hold: not scaled; its capacitor is set by noise, not by the node.
- Times, rates and clocks are kept; DRAM beside the chip and links between chips (chip_parts) as well.

Left out: wires, which shrink less than gates; more leakage per area at smaller nodes; lower supply voltages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from pimmodel.calibration import Calibration
from pimmodel.components import Digital, Part
from pimmodel.isaac import IsaacCalibration

DIGITAL_ENERGY = {65: 1.24, 45: 1.0, 32: 0.66, 22: 0.29, 20: 0.22, 16: 0.17}
"""Energy by node in nm, relative to 45 nm, at 0.8 V.

Stillmaker and Baas, Integration 58 (2017), doi:10.1016/j.vlsi.2017.02.002; 22 nm between their 20 and 32 nm, linear.
"""

DIGITAL_AREA = {65: 1.5, 45: 1.0, 32: 0.46, 22: 0.25, 20: 0.21, 16: 0.19}
"""Area by node in nm, relative to 45 nm; source as DIGITAL_ENERGY."""

ADC_ENERGY_POWER = 1.88
ADC_AREA_POWER = 0.99 + 0.30 * ADC_ENERGY_POWER


def scaled(calibration: Calibration, node_nm: float) -> IsaacCalibration:
    """The calibration at another node, named "isaac32@22nm"; at its own node, itself.

    Args:
        calibration: An `IsaacCalibration`, made for a node of 16 to 65 nm.
        node_nm: Technology node, 16 to 65 nm.

    Raises:
        ValueError: Another kind of calibration, or a node outside 16 to 65 nm.
    """
    if not isinstance(calibration, IsaacCalibration):
        raise ValueError(
            f"calibration {calibration.name!r} cannot be scaled to another node: its constants are a simulator's own; "
            "scale an ISAAC one such as 'isaac32'"
        )
    old_nm = calibration.node_nm
    for what, nm in (("node_nm of calibration " + repr(calibration.name), old_nm), ("node_nm", node_nm)):
        if not min(DIGITAL_ENERGY) <= nm <= max(DIGITAL_ENERGY):
            raise ValueError(f"{what} must be between 16 and 65, got {nm:g}; scaling has no data outside that range")
    if node_nm == old_nm:
        return calibration
    digital_energy = _at(DIGITAL_ENERGY, node_nm) / _at(DIGITAL_ENERGY, old_nm)
    digital_area = _at(DIGITAL_AREA, node_nm) / _at(DIGITAL_AREA, old_nm)
    adc_energy, adc_area = ((node_nm / old_nm) ** power for power in (ADC_ENERGY_POWER, ADC_AREA_POWER))
    cell_area = (node_nm / old_nm) ** 2
    energy = {"adc": adc_energy, "crossbar": 1.0, "sample_hold": 1.0}  # the rest is digital
    area = {"adc": adc_area, "crossbar": cell_area, "sample_hold": 1.0}

    def parts(old: Mapping[str, Part]) -> dict[str, Part]:
        return {
            name: replace(
                part,
                power_mw=part.power_mw * energy.get(part.component, digital_energy),
                static_mw=part.static_mw * energy.get(part.component, digital_energy),
                area_um2=part.area_um2 * area.get(part.component, digital_area),
            )
            for name, part in old.items()
        }

    tables = calibration.table_memory
    return replace(
        calibration,
        name=f"{calibration.name.partition('@')[0]}@{node_nm:g}nm",
        source=f"{calibration.source}; scaled from {old_nm:g} to {node_nm:g} nm by the rules of pimmodel.scaling",
        node_nm=float(node_nm),
        adc_energy_pj=_times(adc_energy, calibration.adc_energy_pj),
        adc_area_um2=_times(adc_area, calibration.adc_area_um2),
        dac_energy_pj=_times(digital_energy, calibration.dac_energy_pj),
        dac_area_um2=_times(digital_area, calibration.dac_area_um2),
        cell_area_um2=cell_area * calibration.cell_area_um2,
        shift_add_energy_pj=digital_energy * calibration.shift_add_energy_pj,
        shift_add_area_um2=digital_area * calibration.shift_add_area_um2,
        ima_parts=parts(calibration.ima_parts),
        tile_parts=parts(calibration.tile_parts),
        digital=scaled_digital(calibration.digital, digital_energy, digital_area),
        table_memory=replace(
            tables,
            cell_area_um2=cell_area * tables.cell_area_um2,
            sense_energy_pj=_times(adc_energy, tables.sense_energy_pj),
        ),
    )


def scaled_digital(digital: Digital, energy: float, area: float) -> Digital:
    """Energies times `energy`, areas times `area`; lanes, clock and overhead as they are."""
    factors = {"energy_pj": energy, "area_um2": area}
    changes: dict[str, Any] = {}
    for name in (field.name for field in fields(digital)):
        for unit, factor in factors.items():
            if name.endswith(unit):
                value = getattr(digital, name)
                changes[name] = _times(factor, value) if isinstance(value, tuple) else factor * value
    return replace(digital, **changes)


def _at(by_node: Mapping[int, float], node_nm: float) -> float:
    """A table's value at a node, between two of its nodes as a constant power of it."""
    nodes = sorted(by_node)
    return float(np.exp(np.interp(np.log(node_nm), np.log(nodes), np.log([by_node[node] for node in nodes]))))


def _times(factor: float, values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(factor * value for value in values)
