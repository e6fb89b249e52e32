"""The rounds of pruning that a run's folder holds, found without their weights."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from moco.design import Design
from moco.pruning.gates import GateSettings
from moco.pruning.rounds import PruningSettings
from moco.pruning.stored import FORMAT
from moco.supernet.checkpoint import CheckpointError, read_header

FOLDER = "pruned"
"""Of a run's folder; each pruning has a folder of its own there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundRound:
    """One round of one seed; `moco.pruning.read_round` reads its network.

    Attributes:
        file: Where it lies.
        design: Its network before pruning, and the chip.
        pruning: How it was pruned; its n_rounds is the number of this round.
        seed: Of its training.
    """

    file: Path
    design: Design
    pruning: PruningSettings
    seed: int

    @property
    def number(self) -> int:
        """Of the round, from 1."""
        return self.pruning.n_rounds


def found_rounds(folder: Path) -> dict[str, list[FoundRound]]:
    """The rounds below a folder of prunings, by the name of each pruning's folder; none where there is no folder.

    Raises:
        CheckpointError: A file is damaged.
    """
    rounds: dict[str, list[FoundRound]] = {}
    for file in sorted(folder.glob("*/*.safetensors")):
        rounds.setdefault(file.parent.name, []).append(_found(file))
    return {name: sorted(ones, key=lambda one: (one.number, one.seed)) for name, ones in rounds.items()}


def _found(file: Path) -> FoundRound:
    header = read_header(file, FORMAT, "pruned network")
    try:
        what, settings = header["what"], header["what"]["pruning"]
        gates = GateSettings(**settings["gates"])
        return FoundRound(
            file=file,
            design=Design.from_json(json.dumps(header["design"])),
            pruning=PruningSettings(**{**settings, "gates": gates, "n_rounds": what["round"]}),
            seed=int(what["seed"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{file} does not hold a pruned network ({error}): remove it and prune again") from error
