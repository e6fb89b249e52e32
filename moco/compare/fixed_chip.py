"""Networks alone: the joint space with its weights at 8 bits and its chip settled as ISAAC's."""

from __future__ import annotations

import numpy as np

from pimmodel import ISAAC
from spaces import Choice, CodesignSpace, Genomes, NasrecSpace, codesign_of

UNIFORM_BITS = 8
"""Of every weight of a naively mapped network."""

ISAAC_CHOICES: dict[str, Choice] = {
    "crossbar_size": int(ISAAC.crossbar_size),
    "cell_bits": int(ISAAC.cell_bits),
    "dac_bits": int(ISAAC.dac_bits),
    "adc_bits": int(ISAAC.adc_bits),
    "adc_range": str(ISAAC.adc_range),
    "columns_per_adc": int(ISAAC.columns_per_adc),
    "wordline_groups": int(ISAAC.crossbar_size) // int(ISAAC.n_active_wordlines),
    "activation_bits": int(ISAAC.activation_bits),
    "weight_encoding": str(ISAAC.weight_encoding),
    "product_unit": str(ISAAC.product_unit),
    "n_copies": int(ISAAC.n_copies),
    "execution": str(ISAAC.execution),
    "table_memory": str(ISAAC.table_memory),
    "table_bits": int(ISAAC.table_bits),
}
"""ISAAC's configuration in the words of the hardware space."""


def fixed_chip_space(space: CodesignSpace) -> CodesignSpace:
    """The networks of a joint space at 8 bits, all on ISAAC's chip.

    Raises:
        ValueError: The joint space has no 8-bit weights.
    """
    if UNIFORM_BITS not in space.network.weight_bits:
        raise ValueError(
            f"a naive mapping has {UNIFORM_BITS}-bit weights, and space {space.name!r} chooses among "
            f"{space.network.weight_bits}: search one with {UNIFORM_BITS} among its weight bits"
        )
    network = NasrecSpace.from_dict({**space.network.to_dict(), "weight_bits": [UNIFORM_BITS]})
    return codesign_of(network, space.hardware.with_choices({name: (it,) for name, it in ISAAC_CHOICES.items()}))


def bit_columns(network: NasrecSpace) -> list[int]:
    """Columns of the choices of weight bits."""
    return [column for column, block in enumerate(network.blocks) if block.name.endswith("_bits")]


def at_uniform_bits(network: NasrecSpace, genomes: Genomes) -> Genomes:
    """(B, P) networks of a space, every weight at 8 bits, whatever its bits were."""
    changed = genomes.copy()
    changed[:, bit_columns(network)] = network.weight_bits.index(UNIFORM_BITS)
    return changed


def on_fixed_chip(space: CodesignSpace, networks: Genomes) -> Genomes:
    """(B, P) genomes of a fixed-chip space of (B, P') networks of the joint space; their weight bits become 8."""
    genomes = np.zeros((len(networks), len(space.blocks)), dtype=np.int64)
    genomes[:, : space.n_network_blocks] = networks
    genomes[:, bit_columns(space.network)] = 0
    return genomes
