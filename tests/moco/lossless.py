"""Whether a design computes as in plain numbers."""

from __future__ import annotations

import numpy as np

from moco.batch_costs import loses_nothing
from moco.design import Design
from pimmodel.numerics import required_adc_bits


def is_lossless(design: Design) -> bool:
    """Whether its chip loses nothing."""
    shortfall = required_adc_bits(design.hardware) - np.asarray(design.hardware.adc_bits)
    return bool(loses_nothing(design.hardware, shortfall).all())
