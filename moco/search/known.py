"""Designs that stand in the first population of every search: those that people would draw by hand, and some more.

Each hand-made network is a pattern known in the field, written in the space's operators at its smallest and largest
widths, on chips close to ISAAC's whose ADC loses nothing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from moco.search.better_chips import with_better_chips
from moco.search.look_ahead import LookAhead
from moco.search.most_work import most_work
from spaces import Architecture, Block, Choice, CodesignSpace, Genomes, NasrecSpace

_CHIPS: tuple[dict[str, Choice], ...] = (
    # ISAAC's crossbar with four ADCs, tables in LPDDR4 (Shafiee et al., ISCA 2016).
    {
        "crossbar_size": 128,
        "cell_bits": 2,
        "dac_bits": 1,
        "adc_bits": 8,
        "columns_per_adc": 32,
        "wordline_groups": 1,
        "table_memory": "lpddr4",
    },
    # A quarter of its wordlines driven together, so that a smaller ADC loses nothing; one bit a cell.
    {
        "crossbar_size": 128,
        "cell_bits": 1,
        "dac_bits": 1,
        "adc_bits": 5,
        "columns_per_adc": 8,
        "wordline_groups": 4,
        "table_memory": "hbm2",
    },
)
_EVERY_CHIP: dict[str, Choice] = {
    "adc_range": "full-scale",
    "activation_bits": 8,
    "weight_encoding": "isaac",
    "execution": "pipelined",
    "product_unit": "digital",
    "n_copies": 1,
    "table_bits": 8,
}


def known_networks(space: NasrecSpace) -> dict[str, Architecture]:
    """Hand-made networks in a space of networks, by name."""
    networks = {}
    for size, width in (("small", 0), ("large", -1)):
        base = replace(
            space.neutral_block,
            dense_dim=space.dense_dims[width],
            sparse_dim=space.sparse_dims[width],
            dense_bits=space.weight_bits[-1],
            sparse_bits=space.weight_bits[-1],
            dense_to_sparse_bits=space.weight_bits[-1],
            fm_bits=space.weight_bits[-1],
        )
        chains: dict[str, list[Block]] = {
            "linear on rows": [base],
            "factorisation machine": [replace(base, has_fm=True)],
        }
        if "dot-product" in space.dense_operators:
            dot = replace(base, dense_operator="dot-product")
            chains["dlrm"] = [base, replace(dot, dense_inputs=(1,))]
            chains["deepfm"] = [
                dot,
                replace(base, dense_inputs=(1,)),
                replace(base, dense_inputs=(2,), has_fm=True),
            ]
        if "attention" in space.sparse_operators:
            attention = replace(base, sparse_operator="attention")
            chains["autoint"] = [attention, replace(attention, sparse_inputs=(1,))]
        if space.has_flat_input:
            chains["dnn"] = [replace(base, dense_inputs=(node,)) for node in range(3)]
        for name, blocks in chains.items():
            if len(blocks) <= space.n_blocks:
                networks[f"{name}, {size}"] = space.architecture(blocks)
    return networks


def known_designs(space: CodesignSpace, others: Genomes | None = None) -> Genomes:
    """(n, P) genomes of every hand-made network on every hand-made chip that the space can express.

    Args:
        space: Of the designs.
        others: (m, P') networks to put on the chips too, such as those that were trained from scratch.
    """
    networks = space.network.genomes_of(list(known_networks(space.network).values()))
    if others is not None:
        networks = np.concatenate([networks, others])
    choices = {block.name: block.choices for block in space.hardware.blocks}
    chips = []
    for chip in _CHIPS:
        design = {**_EVERY_CHIP, **chip}
        if design.keys() == choices.keys() and all(value in choices[name] for name, value in design.items()):
            chips.append(space.hardware.encode([design])[0])
    genomes = [np.concatenate([network, chip]) for chip in chips for network in networks]
    return np.array(genomes, dtype=np.int64).reshape(len(genomes), len(space.blocks))


def first_population(look: LookAhead, seed: int, others: Genomes | None = None) -> Genomes:
    """(n, P) genomes to begin a search with: known networks, on better chips too, and those of most work.

    Args:
        look: Says what designs cost.
        seed: Of the search.
        others: (m, P') networks to put on chips beside the hand-made ones.
    """
    known = known_designs(look.space, others)
    return np.concatenate([with_better_chips(known, look, seed), most_work(look, seed, known)])
