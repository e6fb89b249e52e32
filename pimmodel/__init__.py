"""What a processing-in-memory chip costs: energy, latency, area and power of whole batches of designs.

    from pimmodel import ISAAC, Kind, Operator, Workload, estimate

    network = Workload.from_operators(
        [
            Operator(name="fc", kind=Kind.MVM, in_features=256, out_features=64),
            Operator(name="relu", kind=Kind.ELEMENTWISE, in_features=0, out_features=64,
                     function="relu", inputs=("fc",)),
        ]
    )
    estimate(network, ISAAC).energy_pj

A batch is a `Workload` of B networks, a `PimConfig` of B chips, or both. Costs come from a named
calibration; absolute energies of published models differ a hundredfold, ranks of designs far less.
"""

from pimmodel.calibrations import CALIBRATIONS, find_calibration
from pimmodel.chip import (
    chip_area_mm2,
    chip_power_mw,
    ima_area_mm2,
    ima_power_mw,
    peak_ops_per_s,
    tile_area_mm2,
    tile_power_mw,
)
from pimmodel.components import COMPONENTS, Calibration, Digital, Dram, Part
from pimmodel.config import ISAAC, PimConfig, lossless_adc_bits
from pimmodel.estimate import Estimate, energy_breakdown_pj, estimate
from pimmodel.workload import FUNCTIONS, Kind, Operator, Workload

__all__ = [
    "CALIBRATIONS",
    "COMPONENTS",
    "FUNCTIONS",
    "ISAAC",
    "Calibration",
    "Digital",
    "Dram",
    "Estimate",
    "Kind",
    "Operator",
    "Part",
    "PimConfig",
    "Workload",
    "chip_area_mm2",
    "chip_power_mw",
    "energy_breakdown_pj",
    "estimate",
    "find_calibration",
    "ima_area_mm2",
    "ima_power_mw",
    "lossless_adc_bits",
    "peak_ops_per_s",
    "tile_area_mm2",
    "tile_power_mw",
]
