"""What one network on one chip costs under a calibration, and how many times less that is than another's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moco.baselines import Structure, baseline_workload
from moco.costs.lowering import lower
from moco.design import Design
from pimmodel import CALIBRATIONS, ISAAC, Calibration, Estimate, PimConfig, Workload, estimate
from spaces import Architecture, ArchitectureBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One network on one chip.

    Attributes:
        macs: Multiply-accumulates of one inference.
        energy_pj: Of one inference; likewise latency_ns.
        throughput_per_s: Inferences per second of the full pipeline.
        area_mm2: Of the chip.
        inferences_per_s_w: Power efficiency: throughput over the power drawn at it.
    """

    macs: float
    energy_pj: float
    latency_ns: float
    throughput_per_s: float
    area_mm2: float
    inferences_per_s_w: float


COSTS = ("energy_pj", "latency_ns", "throughput_per_s", "area_mm2", "inferences_per_s_w")
"""What a chip costs; multiply-accumulates are what it is for."""

MORE_IS_BETTER = ("throughput_per_s", "inferences_per_s_w")


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """The work of one network, and the chip that does it."""

    workload: Workload
    chip: PimConfig

    @classmethod
    def of_design(cls, design: Design) -> Contender:
        """A searched network on its chip."""
        networks = ArchitectureBatch.of([design.architecture])
        return cls(lower(networks, design.n_dense, design.cardinalities), design.hardware)

    @classmethod
    def of_baseline(cls, network: Structure | Architecture, n_dense: int, cardinalities: tuple[int, ...]) -> Contender:
        """A baseline's network with 8-bit weights on ISAAC's chip."""
        return cls(baseline_workload(network, n_dense, cardinalities), ISAAC)


def figures(contender: Contender, calibration: str | Calibration) -> Figures:
    """What the hardware model says of a network on its chip."""
    result = estimate(contender.workload, contender.chip, calibration, by_operator=False)
    return Figures(**{name: float(values[0]) for name, values in columns_of(result).items()})


def columns_of(result: Estimate) -> dict[str, NDArray[np.float64]]:
    """(B,) figures of B designs, by their names in `Figures`."""
    power_w = result.power_mw / 1000
    return {
        "macs": result.n_macs,
        "energy_pj": result.energy_pj,
        "latency_ns": result.latency_ns,
        "throughput_per_s": result.throughput_per_s,
        "area_mm2": result.area_mm2,
        "inferences_per_s_w": _times(result.throughput_per_s, power_w),
    }


def gains(design: Figures, reference: Figures) -> dict[str, float]:
    """How many times better the design is, by figure: 2 is half the energy, or twice the throughput; 1 is equal.

    Infinite where the design takes none of what the reference takes.
    """
    return {name: float(values) for name, values in gains_of(asdict(design), reference).items()}


def gains_of(columns: Mapping[str, ArrayLike], reference: Figures) -> dict[str, NDArray[np.float64]]:
    """(B,) how many times better each of B designs is, by figure; see `gains`."""
    of_reference = asdict(reference)
    return {
        name: _times(*((values, of_reference[name]) if name in MORE_IS_BETTER else (of_reference[name], values)))
        for name, values in columns.items()
    }


def every_calibration(searched: Calibration) -> dict[str, Calibration]:
    """All calibrations by name, the one that the search went by first."""
    found = {searched.name: searched}
    for name, calibration in CALIBRATIONS.items():
        found.setdefault(name, calibration)
    return found


def figures_by_calibration(contender: Contender, calibrations: Mapping[str, Calibration]) -> dict[str, Figures]:
    """The same network on the same chip under each calibration."""
    return {name: figures(contender, calibration) for name, calibration in calibrations.items()}


def _times(much: ArrayLike, little: ArrayLike) -> NDArray[np.float64]:
    """How many times more one is than the other: 1 where they are equal, infinite where the other is nothing."""
    much, little = np.asarray(much, dtype=np.float64), np.asarray(little, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(much == little, 1.0, much / little)
