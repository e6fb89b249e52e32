"""Designs as the dashboard shows them: readable parameters, and a design file each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from moco.costs.lowering import pim_config
from moco.data import ClickLog
from moco.design import design_parts
from spaces import CodesignSpace, Genomes, liveness, products
from spaces.architecture import DENSE_OPERATORS, SPARSE_OPERATORS


def design_texts(data: ClickLog, space: CodesignSpace, genomes: Genomes, cardinalities: Sequence[int]) -> list[str]:
    """Each design as the JSON text of a design file, which `moco cost` reads."""
    networks, chips = space.networks(genomes), pim_config(space.hardware_values(genomes))
    return [
        json.dumps(design_parts(networks[row], chips.take(row), len(data.dense), cardinalities))
        for row in range(len(genomes))
    ]


def summaries(data: ClickLog, space: CodesignSpace, genomes: Genomes) -> list[dict[str, str | int | float]]:
    """At most 20 readable parameters of each design: the chip's choices, and the network in figures."""
    networks = space.networks(genomes)
    live = liveness(networks)
    counts: dict[str, NDArray[Any]] = {"n_live_blocks": live.block.sum(axis=1)}
    for code, operator in enumerate(DENSE_OPERATORS):
        counts[f"n_{operator}"] = (live.dense_operator & (networks.dense_operator == code)).sum(axis=1)
    for code, operator in enumerate(SPARSE_OPERATORS):
        counts[f"n_{operator}"] = (live.sparse_operator & (networks.sparse_operator == code)).sum(axis=1)
    counts["macs"] = products(networks, len(data.dense), len(data.categorical), live).macs
    chips = {
        block.name: values
        for block, values in zip(space.hardware.blocks, space.hardware_values(genomes).values(), strict=True)
        if len(block.choices) > 1
    }
    columns = {**chips, **counts}
    return [{name: values[row].item() for name, values in columns.items()} for row in range(len(genomes))]
