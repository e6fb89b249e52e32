"""The chip a calibration describes, at full use: figures to hold against the publication it comes from.

Made from the counts and costs that `estimate` uses; a full IMA is a product that fills its crossbars.
Every function takes one scalar configuration.
"""

from __future__ import annotations

import numpy as np

from pimmodel.catalogue import find_calibration
from pimmodel.config import ISAAC, PimConfig
from pimmodel.costs import OperatorCosts, Operators
from pimmodel.isaac import IsaacCalibration
from pimmodel.mapping import per_design

_WEIGHT_BITS = 16  # ISAAC's operands


def ima_power_mw(config: PimConfig = ISAAC, calibration: str | IsaacCalibration = "isaac32") -> float:
    """Power of one IMA with every crossbar, converter and register busy."""
    constants = _chip_calibration(calibration)
    costs, _ = _full_ima(config, constants)
    analog = ("adc", "dac", "crossbar", "sample_hold", "shift_add")
    power_mw = sum(costs.energy_pj[component].item() for component in analog) / costs.busy_ns.item()
    return float(power_mw + sum(part.power_mw for part in constants.ima_parts.values()))


def ima_area_mm2(config: PimConfig = ISAAC, calibration: str | IsaacCalibration = "isaac32") -> float:
    """Area of one IMA."""
    constants = _chip_calibration(calibration)
    costs, _ = _full_ima(config, constants)
    crossbar_um2 = sum(area.item() for area in constants.crossbar_area_um2(config).values())
    parts_um2 = sum(part.area_um2 for part in constants.ima_parts.values())
    return float((costs.n_crossbars.item() * crossbar_um2 + parts_um2) / 1e6)


def tile_power_mw(config: PimConfig = ISAAC, calibration: str | IsaacCalibration = "isaac32") -> float:
    """Power of one tile with every part busy."""
    constants = _chip_calibration(calibration)
    parts_mw = sum(part.power_mw for part in constants.tile_parts.values())
    return constants.imas_per_tile * ima_power_mw(config, constants) + parts_mw


def tile_area_mm2(config: PimConfig = ISAAC, calibration: str | IsaacCalibration = "isaac32") -> float:
    """Area of one tile."""
    constants = _chip_calibration(calibration)
    parts_um2 = sum(part.area_um2 for part in constants.tile_parts.values())
    return constants.imas_per_tile * ima_area_mm2(config, constants) + parts_um2 / 1e6


def chip_power_mw(config: PimConfig = ISAAC, calibration: str | IsaacCalibration = "isaac32") -> float:
    """Power of the whole chip with every part busy."""
    constants = _chip_calibration(calibration)
    parts_mw = sum(part.power_mw for part in constants.chip_parts.values())
    return constants.tiles_per_chip * tile_power_mw(config, constants) + parts_mw


def chip_area_mm2(config: PimConfig = ISAAC, calibration: str | IsaacCalibration = "isaac32") -> float:
    """Area of the whole chip."""
    constants = _chip_calibration(calibration)
    parts_um2 = sum(part.area_um2 for part in constants.chip_parts.values())
    return constants.tiles_per_chip * tile_area_mm2(config, constants) + parts_um2 / 1e6


def peak_ops_per_s(config: PimConfig = ISAAC, calibration: str | IsaacCalibration = "isaac32") -> float:
    """Multiplications and additions per second of a full chip at 16-bit weights.

    Inputs are of the configuration's activation_bits.
    """
    constants = _chip_calibration(calibration)
    costs, n_weights = _full_ima(config, constants)
    n_imas = constants.imas_per_tile * constants.tiles_per_chip
    return float(n_imas * 2 * n_weights / (costs.busy_ns.item() * 1e-9))


def _chip_calibration(calibration: str | IsaacCalibration) -> IsaacCalibration:
    constants = find_calibration(calibration)
    if not isinstance(constants, IsaacCalibration):
        raise ValueError(f"calibration {constants.name!r} describes no IMAs and tiles; use one that does, as 'isaac32'")
    return constants


def _full_ima(config: PimConfig, calibration: IsaacCalibration) -> tuple[OperatorCosts, float]:
    """One input vector through a product that fills an IMA, and the weights it holds."""
    if len(config) != 1:
        raise ValueError(f"config must be one scalar design, got {len(config)}; pick one with take(i)")
    n_bitlines = calibration.ima_wordlines  # square crossbars
    in_features = per_design(config.crossbar_size)
    out_features = n_bitlines / np.ceil(_WEIGHT_BITS / per_design(config.cell_bits))
    product = Operators(
        n_designs=1,
        design=np.zeros(1, dtype=np.intp),
        in_features=in_features,
        out_features=out_features,
        n_vectors=np.ones(1),
        weight_bits=np.full(1, float(_WEIGHT_BITS)),
    )
    return calibration.mvm_costs(product, np.ones(1), config), float((in_features * out_features).item())
