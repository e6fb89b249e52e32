"""What tests ask of a design's chip."""

from __future__ import annotations

import math
from collections.abc import Sequence

from moco.costs.batch import are_lossless
from moco.design import Design


def is_lossless(design: Design) -> bool:
    """Whether its chip loses nothing."""
    return bool(are_lossless(design.hardware).all())


def product(design: Design, figures: Sequence[str]) -> float:
    """Of some of its figures."""
    return math.prod(getattr(design, name) for name in figures)
