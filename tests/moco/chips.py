"""What tests ask of a design's chip."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from moco.costs.batch import loses_nothing
from moco.design import Design
from pimmodel.numerics import required_adc_bits


def is_lossless(design: Design) -> bool:
    """Whether its chip loses nothing."""
    shortfall = required_adc_bits(design.hardware) - np.asarray(design.hardware.adc_bits)
    return bool(loses_nothing(design.hardware, shortfall).all())


def product(design: Design, figures: Sequence[str]) -> float:
    """Of some of its figures."""
    return math.prod(getattr(design, name) for name in figures)
