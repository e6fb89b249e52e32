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

from pimmodel.breakdown import Breakdown, breakdown
from pimmodel.calibration import Calibration
from pimmodel.calibration_file import calibration_dict, calibration_from_dict, calibration_text, read_calibration
from pimmodel.calibrations import CALIBRATIONS
from pimmodel.catalogue import find_calibration
from pimmodel.chip import (
    chip_area_mm2,
    chip_power_mw,
    ima_area_mm2,
    ima_power_mw,
    peak_ops_per_s,
    tile_area_mm2,
    tile_power_mw,
)
from pimmodel.components import Digital, Dram, Movement, Part, TableMemory
from pimmodel.config import ISAAC, PimConfig, lossless_adc_bits
from pimmodel.costs import COMPONENTS, OperatorCosts, Operators
from pimmodel.estimate import Estimate, estimate
from pimmodel.isaac import IsaacCalibration
from pimmodel.remarks import remarks
from pimmodel.scaling import scaled
from pimmodel.workload import FUNCTIONS, Kind, Operator, Workload

__all__ = [
    "CALIBRATIONS",
    "COMPONENTS",
    "FUNCTIONS",
    "ISAAC",
    "Breakdown",
    "Calibration",
    "Digital",
    "Dram",
    "Estimate",
    "IsaacCalibration",
    "Kind",
    "Movement",
    "Operator",
    "OperatorCosts",
    "Operators",
    "Part",
    "PimConfig",
    "TableMemory",
    "Workload",
    "breakdown",
    "calibration_dict",
    "calibration_from_dict",
    "calibration_text",
    "chip_area_mm2",
    "chip_power_mw",
    "estimate",
    "find_calibration",
    "ima_area_mm2",
    "ima_power_mw",
    "lossless_adc_bits",
    "peak_ops_per_s",
    "read_calibration",
    "remarks",
    "scaled",
    "tile_area_mm2",
    "tile_power_mw",
]
