"""The joint space of a network and the chip that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spaces.architecture import ATTENTION, DOT_PRODUCT, ArchitectureBatch
from spaces.hardware import HARDWARE_SPACE
from spaces.liveness import liveness
from spaces.nasrec import NasrecSpace
from spaces.space import Genomes, Space


@dataclass(frozen=True)
class CodesignSpace(Space):
    """Networks and hardware in one genome: the network's choice blocks first, then the hardware's.

    Made by `codesign_of`.

    Attributes:
        network: The space of networks.
        hardware: The space of chips.
    """

    network: NasrecSpace
    hardware: Space

    @property
    def n_network_blocks(self) -> int:
        """Columns of the genome that belong to the network."""
        return len(self.network.blocks)

    def networks(self, genomes: ArrayLike) -> ArchitectureBatch:
        """The networks of (B, P) genomes."""
        return self.network.networks(self.check(genomes)[:, : self.n_network_blocks])

    def hardware_values(self, genomes: ArrayLike) -> dict[str, NDArray[Any]]:
        """(B,) values of every hardware choice, by name."""
        return self.hardware.columns(self.check(genomes)[:, self.n_network_blocks :])

    def canonical(self, genomes: ArrayLike) -> Genomes:
        """(B, P) canonical genomes.

        Where a network multiplies no two activations (no dot product, no attention), the place of such products
        changes nothing.
        """
        checked = self.check(genomes)
        network = self.network.canonical(checked[:, : self.n_network_blocks])
        hardware = checked[:, self.n_network_blocks :].copy()
        networks = self.network.networks(network)
        live = liveness(networks)
        has_activation_product = (
            (live.dense_operator & (networks.dense_operator == DOT_PRODUCT))
            | (live.sparse_operator & (networks.sparse_operator == ATTENTION))
        ).any(axis=1)
        for column, block in enumerate(self.hardware.blocks):
            if block.name == "product_unit":
                hardware[~has_activation_product, column] = 0
        return np.concatenate([network, self.hardware.canonical(hardware)], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON: both spaces."""
        return {"network": self.network.to_dict(), "hardware": self.hardware.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CodesignSpace:
        """The space that `to_dict` wrote; ValueError names what is wrong."""
        try:
            return codesign_of(NasrecSpace.from_dict(data["network"]), Space.from_dict(data["hardware"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is not a co-design space: entry missing or of the wrong type ({error})") from error


def codesign_of(network: NasrecSpace, hardware: Space = HARDWARE_SPACE) -> CodesignSpace:
    """The joint space of a space of networks and a space of chips."""
    return CodesignSpace(
        name=f"{network.name} x {hardware.name}",
        blocks=(*network.blocks, *hardware.blocks),
        network=network,
        hardware=hardware,
    )
