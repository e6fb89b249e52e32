"""Named calibrations: each file holds one source's constants."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pimmodel.calibration import Calibration
from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.calibrations.mnsim import MNSIM
from pimmodel.calibrations.neurosim22 import NEUROSIM22
from pimmodel.calibrations.puma32 import PUMA32

CALIBRATIONS: Mapping[str, Calibration] = MappingProxyType(
    {calibration.name: calibration for calibration in (ISAAC32, PUMA32, MNSIM, NEUROSIM22)}
)
"""Calibrations by name."""
