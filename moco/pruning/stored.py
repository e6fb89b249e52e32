"""Pruned networks on disk: one safetensors file a round and seed, with what it was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from moco.design import Design
from moco.pruning.network import PrunedNetwork
from moco.supernet.checkpoint import CheckpointError, read_tensors, write_tensors
from moco.supernet.metrics import Score

FORMAT = "moco pruned network 1"
SCORES = ("valid", "test", "chip_valid", "chip_test")


@dataclass(frozen=True, slots=True, eq=False)
class StoredRound:
    """A pruned network and its scores, by the names of SCORES."""

    network: PrunedNetwork
    scores: dict[str, Score]


def write_round(path: Path, what: Mapping[str, Any], design: Design, this: StoredRound) -> None:
    """Writes a round, whole or not at all; `what` says, as plain data for JSON, what it follows from."""
    header = {
        "what": dict(what),
        "design": json.loads(design.to_json()),
        "kept": this.network.kept,
        "scores": {name: asdict(score) for name, score in this.scores.items()},
    }
    write_tensors(path, FORMAT, header, this.network.state_dict())


def read_round(path: Path, what: Mapping[str, Any] | None = None) -> StoredRound:
    """The round that a file holds.

    Raises:
        CheckpointError: The file is damaged, or holds something else than `what` says.
    """
    header, tensors = read_tensors(path, FORMAT, "pruned network")
    if what is not None and header.get("what") != json.loads(json.dumps(what)):
        raise CheckpointError(
            f"{path} holds a pruned network of other weights, data or settings: give another folder, or remove the file"
        )
    try:
        design = Design.from_json(json.dumps(header["design"]))
        kept = {name: tuple(units) for name, units in header["kept"].items()}
        network = PrunedNetwork(design.architecture, design.cardinalities, design.n_dense, kept)
        network.load_state_dict(tensors)
        return StoredRound(network.eval(), {name: Score(**header["scores"][name]) for name in SCORES})
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
        raise CheckpointError(f"{path} does not hold a pruned network ({error}): remove it and prune again") from error
