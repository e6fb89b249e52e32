"""Chips alone: a space of a few settled networks, in which weight bits and hardware are still to be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from moco.compare.fixed_chip import at_uniform_bits, bit_columns
from moco.search.known import known_designs
from spaces import ChoiceBlock, CodesignSpace, Genomes, Space


@dataclass(frozen=True)
class SettledNetworks(Space):
    """Which of the settled networks, the weight bits of its operators, and the chip.

    Made by `settled_networks`.

    Attributes:
        joint: The space in which the same designs are searched together.
        networks: Genomes of the networks in the joint space's networks.
    """

    joint: CodesignSpace
    networks: tuple[tuple[int, ...], ...]

    def joint_genomes(self, genomes: ArrayLike) -> Genomes:
        """(B, P') the same designs in the joint space."""
        checked = self.check(genomes)
        columns = bit_columns(self.joint.network)
        networks = np.array(self.networks, dtype=np.int64)[checked[:, 0]]
        networks[:, columns] = checked[:, 1 : 1 + len(columns)]
        return np.concatenate([networks, checked[:, 1 + len(columns) :]], axis=1)

    def canonical(self, genomes: ArrayLike) -> Genomes:
        """(B, P) genomes without choices that change nothing, by the joint space's rules."""
        checked = self.check(genomes)
        joint = self.joint.canonical(self.joint_genomes(checked))
        return np.concatenate(
            [checked[:, :1], joint[:, bit_columns(self.joint.network)], joint[:, self.joint.n_network_blocks :]],
            axis=1,
        )

    def known(self) -> Genomes:
        """(n, P) every network at 8 bits on the hand-made chips that start the joint search."""
        chips = np.unique(known_designs(self.joint)[:, self.joint.n_network_blocks :], axis=0)
        networks = at_uniform_bits(self.joint.network, np.array(self.networks, dtype=np.int64))
        bits = networks[:, bit_columns(self.joint.network)]
        rows = [np.concatenate([[index], bits[index], chip]) for chip in chips for index in range(len(networks))]
        return np.array(rows, dtype=np.int64).reshape(len(rows), len(self.blocks))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON and for the digest."""
        return {"joint": self.joint.to_dict(), "networks": [list(network) for network in self.networks]}


def settled_networks(joint: CodesignSpace, networks: Genomes) -> SettledNetworks:
    """The chips and weight bits for (n, P) networks of a joint space, in an order in which neighbours are alike.

    Raises:
        ValueError: There are no networks.
    """
    if len(networks) == 0:
        raise ValueError("a search of chips needs at least one network, got none")
    canonical = joint.network.canonical(networks)
    blocks = (
        ChoiceBlock("network", tuple(range(len(canonical))), is_ordered=True),
        *(joint.network.blocks[column] for column in bit_columns(joint.network)),
        *joint.hardware.blocks,
    )
    rows: Sequence[Sequence[int]] = canonical.tolist()
    return SettledNetworks(
        name=f"{len(canonical)} settled networks x {joint.hardware.name}",
        blocks=blocks,
        joint=joint,
        networks=tuple(tuple(row) for row in rows),
    )
