"""The chip a calibration describes, at full use: figures to hold against the publication it comes from.

Made from the counts and costs that `estimate` uses; a full IMA is a product that fills its crossbars.
Every function takes one scalar configuration.
"""

from __future__ import annotations

import numpy as np

from pimmodel.calibrations import find_calibration
from pimmodel.components import Calibration, crossbar_area_um2
from pimmodel.config import ISAAC, PimConfig
from pimmodel.mapping import Shapes
from pimmodel.operators import OperatorCosts, mvm_costs

_WEIGHT_BITS = 16  # ISAAC's operands


def ima_power_mw(config: PimConfig = ISAAC, calibration: str | Calibration = "isaac32") -> float:
    """Power of one IMA with every crossbar, converter and register busy."""
    constants = find_calibration(calibration)
    costs, _ = _full_ima(config, constants)
    analog = ("adc", "dac", "crossbar", "sample_hold", "shift_add")
    power_mw = sum(costs.energy_pj[component].item() for component in analog) / costs.busy_ns.item()
    return float(power_mw + sum(part.power_mw for part in constants.ima_parts.values()))


def ima_area_mm2(config: PimConfig = ISAAC, calibration: str | Calibration = "isaac32") -> float:
    """Area of one IMA."""
    constants = find_calibration(calibration)
    costs, _ = _full_ima(config, constants)
    crossbar_um2 = sum(area.item() for area in crossbar_area_um2(config, constants).values())
    parts_um2 = sum(part.area_um2 for part in constants.ima_parts.values())
    return float((np.asarray(costs.n_crossbars).item() * crossbar_um2 + parts_um2) / 1e6)


def tile_power_mw(config: PimConfig = ISAAC, calibration: str | Calibration = "isaac32") -> float:
    """Power of one tile with every part busy."""
    constants = find_calibration(calibration)
    parts_mw = sum(part.power_mw for part in constants.tile_parts.values())
    return constants.imas_per_tile * ima_power_mw(config, constants) + parts_mw


def tile_area_mm2(config: PimConfig = ISAAC, calibration: str | Calibration = "isaac32") -> float:
    """Area of one tile."""
    constants = find_calibration(calibration)
    parts_um2 = sum(part.area_um2 for part in constants.tile_parts.values())
    return constants.imas_per_tile * ima_area_mm2(config, constants) + parts_um2 / 1e6


def chip_power_mw(config: PimConfig = ISAAC, calibration: str | Calibration = "isaac32") -> float:
    """Power of the whole chip with every part busy."""
    constants = find_calibration(calibration)
    parts_mw = sum(part.power_mw for part in constants.chip_parts.values())
    return constants.tiles_per_chip * tile_power_mw(config, constants) + parts_mw


def chip_area_mm2(config: PimConfig = ISAAC, calibration: str | Calibration = "isaac32") -> float:
    """Area of the whole chip."""
    constants = find_calibration(calibration)
    parts_um2 = sum(part.area_um2 for part in constants.chip_parts.values())
    return constants.tiles_per_chip * tile_area_mm2(config, constants) + parts_um2 / 1e6


def peak_ops_per_s(config: PimConfig = ISAAC, calibration: str | Calibration = "isaac32") -> float:
    """Multiplications and additions per second of a full chip at 16-bit weights.

    Inputs are of the configuration's activation_bits.
    """
    constants = find_calibration(calibration)
    costs, n_weights = _full_ima(config, constants)
    n_imas = constants.imas_per_tile * constants.tiles_per_chip
    return float(n_imas * 2 * n_weights / (costs.busy_ns.item() * 1e-9))


def _full_ima(config: PimConfig, calibration: Calibration) -> tuple[OperatorCosts, float]:
    """One input vector through a product that fills an IMA, and the weights it holds."""
    if len(config) != 1:
        raise ValueError(f"config must be one scalar design, got {len(config)}; pick one with take(i)")
    n_bitlines = calibration.ima_wordlines  # square crossbars
    out_features = n_bitlines / np.ceil(_WEIGHT_BITS / config.cell_bits)
    one = np.ones((1, 1))
    shapes = Shapes(
        in_features=one * config.crossbar_size,
        out_features=one * out_features,
        n_vectors=one,
        weight_bits=one * _WEIGHT_BITS,
    )
    n_weights = float(np.prod(shapes.in_features * shapes.out_features))
    return mvm_costs(shapes, config, calibration), n_weights
