"""Named calibrations: each file holds one source's constants."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pimmodel.calibrations.isaac32 import ISAAC32
from pimmodel.components import Calibration

CALIBRATIONS: Mapping[str, Calibration] = MappingProxyType(
    {calibration.name: calibration for calibration in (ISAAC32,)}
)
"""Calibrations by name."""


def find_calibration(calibration: str | Calibration) -> Calibration:
    """The calibration of that name, or the one given.

    Raises:
        ValueError: no calibration has that name.
    """
    if isinstance(calibration, Calibration):
        return calibration
    if calibration not in CALIBRATIONS:
        names = ", ".join(map(repr, CALIBRATIONS))
        raise ValueError(f"unknown calibration {calibration!r}; calibrations are {names}")
    return CALIBRATIONS[calibration]
