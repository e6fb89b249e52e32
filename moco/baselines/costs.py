"""What a baseline costs on a chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moco.baselines.catalogue import find_baseline
from moco.baselines.hand_made import HandMade, Structure, drawn
from moco.costs.lowering import lower
from moco.supernet.network import Network
from pimmodel import ISAAC, Calibration, PimConfig, Workload, estimate
from spaces import Architecture, ArchitectureBatch, n_parameters

WEIGHT_BITS = 8
"""Of the weights on the chip, as in NASRec's published networks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineCosts:
    """What one network costs.

    Attributes:
        n_table_parameters: Numbers of the tables.
        n_parameters: All other trained numbers.
        n_macs: Multiply-accumulates of one inference.
        energy_pj: Of one inference; likewise the others.
    """

    n_table_parameters: int
    n_parameters: int
    n_macs: int
    energy_pj: float
    latency_ns: float
    area_mm2: float


def baseline_workload(
    network: str | Structure | Architecture | HandMade | Network,
    n_dense: int,
    cardinalities: Sequence[int],
    weight_bits: int = WEIGHT_BITS,
) -> Workload:
    """The work of one inference, in the conventions of `moco.costs.lowering.lower`.

    Args:
        network: A baseline's name, a structure, or a network with weights.
        n_dense: Dense fields of the data.
        cardinalities: (F,) rows of each categorical field's embedding table.
        weight_bits: Of products' weights; an architecture names its own.

    Returns:
        A workload of one network. "embedding" reads one row a field; products have the names that
        `moco.supernet.numerics.Arithmetic` is given; element-wise work is numbered by function, such as "relu_2".

    Raises:
        ValueError: There is no baseline of that name, or a number of fields or rows is wrong.
    """
    network = _plain(network)
    if isinstance(network, Architecture):
        return lower(ArchitectureBatch.of([network]), n_dense, cardinalities)
    return drawn(network, cardinalities, n_dense, weight_bits).workload()


def baseline_costs(
    network: str | Structure | Architecture | HandMade | Network,
    n_dense: int,
    cardinalities: Sequence[int],
    hardware: PimConfig = ISAAC,
    calibration: str | Calibration = "isaac32",
    weight_bits: int = WEIGHT_BITS,
) -> BaselineCosts:
    """What a network costs on a chip; see `baseline_workload`."""
    network = _plain(network)
    result = estimate(baseline_workload(network, n_dense, cardinalities, weight_bits), hardware, calibration)
    if isinstance(network, Architecture):
        width = network.embedding_dim
        n_others = int(n_parameters(ArchitectureBatch.of([network]), n_dense, len(cardinalities))[0])
    else:
        width = network.table_width
        n_others = drawn(network, cardinalities, n_dense, weight_bits).n_parameters
    return BaselineCosts(
        n_table_parameters=sum(cardinalities) * width,
        n_parameters=n_others,
        n_macs=int(result.n_macs[0]),
        energy_pj=float(result.energy_pj[0]),
        latency_ns=float(result.latency_ns[0]),
        area_mm2=float(result.area_mm2[0]),
    )


def _plain(network: str | Structure | Architecture | HandMade | Network) -> Structure | Architecture:
    if isinstance(network, str):
        return find_baseline(network).network
    if isinstance(network, HandMade):
        return network.structure
    return network.architecture if isinstance(network, Network) else network
