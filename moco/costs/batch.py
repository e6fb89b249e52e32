"""What designs cost, whole batches at a time: networks lowered to work, and the hardware model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moco.costs.lowering import lower, pim_config
from moco.data import ClickLog
from pimmodel import Calibration, Estimate, PimConfig, estimate
from pimmodel.numerics import required_adc_bits
from spaces import CodesignSpace, Genomes, products


@dataclass(frozen=True, slots=True)
class Costs:
    """What the hardware model says of B designs.

    Attributes:
        configs: The B chips.
        estimate: Energy, latency, area, power and their breakdowns.
        macs: (B,) live multiply-accumulates.
        n_parameters: (B,) live trainable numbers without embedding tables.
        adc_shortfall_bits: (B,) bits that the ADC lacks for lossless column sums; 0 or less is lossless.
    """

    configs: PimConfig
    estimate: Estimate
    macs: NDArray[np.int64]
    n_parameters: NDArray[np.int64]
    adc_shortfall_bits: NDArray[np.int64]

    @property
    def is_lossless(self) -> NDArray[np.bool_]:
        """(B,) whether their chips lose nothing; see `are_lossless`."""
        return are_lossless(self.configs)


LEAST_BITS = 8
"""Of activations and tables that cost no accuracy. Fewer cost networks that have learned all they can more than scores
of a supernet say (BENCHMARKS.md)."""

_DESIGNS_AT_ONCE = 2048
"""Bounds the memory that lowered networks take."""


def design_costs(
    data: ClickLog,
    space: CodesignSpace,
    genomes: Genomes,
    calibration: str | Calibration = "isaac32",
    cardinalities: Sequence[int] | None = None,
) -> Costs:
    """Costs of (B, P) genomes: lowering and the hardware model; no breakdown by operator.

    Args:
        data: The click log.
        space: Of the genomes.
        genomes: (B, P).
        calibration: Of the hardware model.
        cardinalities: (F,) rows of the embedding tables on the chip; those of the data when left out.
    """
    cardinalities = data.cardinalities if cardinalities is None else cardinalities
    configs = pim_config(space.hardware_values(genomes))
    estimates, macs, n_parameters = [], [], []
    for start in range(0, len(genomes), _DESIGNS_AT_ONCE):
        rows = slice(start, start + _DESIGNS_AT_ONCE)
        networks = space.networks(genomes[rows])
        made = products(networks, len(data.dense), len(data.categorical))
        workload = lower(networks, len(data.dense), cardinalities, made)
        estimates.append(estimate(workload, configs.take(rows), calibration, by_operator=False))
        macs.append(made.macs)
        n_parameters.append(made.n_parameters)
    return Costs(
        configs=configs,
        estimate=Estimate.concatenate(estimates),
        macs=np.concatenate(macs),
        n_parameters=np.concatenate(n_parameters),
        adc_shortfall_bits=required_adc_bits(configs) - configs.adc_bits,
    )


def are_lossless(chips: PimConfig) -> NDArray[np.bool_]:
    """(B,) chips on which networks score as in plain numbers, to .002: no sum is cut, LEAST_BITS or more are kept."""
    is_precise = (np.asarray(chips.activation_bits) >= LEAST_BITS) & (np.asarray(chips.table_bits) >= LEAST_BITS)
    return np.asarray((required_adc_bits(chips) <= chips.adc_bits) & is_precise)
