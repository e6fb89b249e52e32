"""What a co-design study minimises, and what may be capped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from moco.costs.batch import design_costs
from moco.data import ClickLog
from moco.supernet.metrics import mean_logloss
from pimmodel import Calibration
from spaces import CodesignSpace
from studies import Constraint, Objective

CAPS = {
    "energy_pj": "pJ",
    "latency_ns": "ns",
    "area_mm2": "mm2",
    "power_mw": "mW",
}
"""Costs that can be capped, and their units."""

N_REFERENCE_DESIGNS = 2000


def objectives(
    data: ClickLog,
    space: CodesignSpace,
    calibration: str | Calibration = "isaac32",
    cardinalities: Sequence[int] | None = None,
) -> list[Objective]:
    """Log loss, energy and latency, each minimised, with the reference point of the hypervolume.

    The reference point is what a sensible design stays below: the log loss of always predicting the mean label, and
    the energy and latency that 5 % of random designs with lossless ADCs exceed.
    """
    genomes = space.sample(np.random.default_rng(0), N_REFERENCE_DESIGNS)
    costs = design_costs(data, space, genomes, calibration, cardinalities)
    is_lossless = costs.adc_shortfall_bits <= 0
    rows = is_lossless if is_lossless.any() else np.ones_like(is_lossless)
    energy_pj, latency_ns = (
        float(np.quantile(values[rows], 0.95)) for values in (costs.estimate.energy_pj, costs.estimate.latency_ns)
    )
    return [
        Objective(name="logloss", reference=mean_logloss(data.train.label_mean)),
        Objective(name="energy_pj", unit="pJ", reference=energy_pj),
        Objective(name="latency_ns", unit="ns", reference=latency_ns),
    ]


def caps(limits: Mapping[str, float | None]) -> list[Constraint]:
    """A constraint for each cost with a limit; ValueError when a limit is not a positive number."""
    constraints = []
    for cost, limit in limits.items():
        if limit is None:
            continue
        if not (math.isfinite(limit) and limit > 0):
            raise ValueError(f"max_{cost} must be a positive number of {CAPS[cost]}, got {limit}")
        constraints.append(Constraint(name=cost, limit=limit, unit=CAPS[cost]))
    return constraints
