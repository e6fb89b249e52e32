"""What a search may look at before it proposes designs: everything but log loss costs next to nothing to compute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moco.costs.batch import Costs, design_costs
from moco.data import ClickLog
from pimmodel import Calibration
from spaces import CodesignSpace, Genomes
from studies import Constraint, Evaluation

LOOKS_AHEAD = "surrogate"
"""The engine that computes what is cheap by itself, and so needs no better chips (`moco.search.better_chips`)."""


@dataclass(frozen=True)
class LookAhead:
    """Energy, latency and capped costs of designs; their log loss is what an evaluation says.

    Attributes:
        data: The click log.
        space: Of the designs.
        calibration: Of the hardware model.
        cardinalities: (F,) rows of the embedding tables on the chip.
        constraints: Caps on costs.
    """

    data: ClickLog
    space: CodesignSpace
    calibration: Calibration
    cardinalities: tuple[int, ...]
    constraints: tuple[Constraint, ...] = ()

    def __call__(self, genomes: Genomes) -> Evaluation:
        """Costs of (B, P) genomes, with what log loss depends on most: size, and bits that the ADC lacks."""
        costs = self.costs(genomes)
        found, unknown = costs.estimate, np.full(len(genomes), np.nan)
        capped = [getattr(found, constraint.name) for constraint in self.constraints]
        return Evaluation(
            values=np.column_stack([unknown, found.energy_pj, found.latency_ns]),
            constraints=np.column_stack(capped) if capped else None,
            attributes={
                "log_macs": np.log1p(costs.macs),
                "adc_shortfall_bits": np.maximum(costs.adc_shortfall_bits, 0).astype(np.float64),
            },
        )

    def costs(self, genomes: Genomes) -> Costs:
        """All that the hardware model says of (B, P) genomes."""
        return design_costs(self.data, self.space, genomes, self.calibration, self.cardinalities)

    def keeps_caps(self, costs: Costs) -> NDArray[np.bool_]:
        """(B,) which of B designs keep all caps."""
        is_within = np.ones(len(costs.macs), dtype=bool)
        for constraint in self.constraints:
            is_within &= getattr(costs.estimate, constraint.name) <= constraint.limit
        return is_within
