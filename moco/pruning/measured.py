"""What each network of a pruning comes to: its scores, in plain numbers and on the chip, and its costs there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from moco.costs.lowering import lower
from moco.data import ClickLog
from moco.design import Design
from moco.pruning.curve import PrunedRound
from moco.pruning.network import pruned
from moco.pruning.stored import StoredRound
from moco.pruning.work import pruned_workload
from moco.supernet.metrics import Score, score_of
from moco.supernet.network import Network
from moco.supernet.on_chip import NetworkOnChip
from moco.supernet.predictor import Predictor
from moco.supernet.rows import rows_on
from moco.training.from_scratch import EXACT_ROWS
from pimmodel import Calibration, PimConfig, Workload, estimate
from spaces import macs, n_parameters
from spaces.architecture import ArchitectureBatch


def scores_of(
    network: Predictor, data: ClickLog, chip: PimConfig, on_chip: dict[str, Score] | None = None
) -> dict[str, Score]:
    """Scores "valid" and "test" in plain numbers, "chip_valid" and "chip_test" on a chip where they are not known."""
    here = torch.device("cpu")
    rows = {"valid": rows_on(data.valid, here), "test": rows_on(data.test, here)}
    if on_chip is None:
        calibrated = NetworkOnChip(network, chip, rows_on(data.train, here))
        on_chip = {f"chip_{name}": calibrated.exact_of_all(part, EXACT_ROWS) for name, part in rows.items()}
    return {**{name: score_of(network, part) for name, part in rows.items()}, **on_chip}


def rounds_of(
    design: Design,
    seed: int,
    trained: Network,
    scores: dict[str, Score],
    rounds: Sequence[StoredRound],
    calibration: str | Calibration,
) -> list[PrunedRound]:
    """Scores and costs of one seed's networks.

    Args:
        design: The network and its chip.
        seed: Of the trainings.
        trained: The network as it was: round 0.
        scores: Its scores, by the names that `scores_of` gives.
        rounds: All others.
        calibration: Of the hardware model.
    """
    networks, n_dense, n_sparse = ArchitectureBatch.of([design.architecture]), design.n_dense, len(design.cardinalities)

    def entry(number: int, workload: Workload, scores: dict[str, Score], **figures: Any) -> PrunedRound:
        found = estimate(workload, design.hardware, calibration)
        return PrunedRound(
            seed=seed,
            number=number,
            energy_pj=float(found.energy_pj[0]),
            latency_ns=float(found.latency_ns[0]),
            area_mm2=float(found.area_mm2[0]),
            n_crossbars=float(found.n_crossbars[0]),
            valid=scores["valid"],
            test=scores["test"],
            chip_valid=scores["chip_valid"],
            chip_test=scores["chip_test"],
            **figures,
        )

    first = entry(
        0,
        whole_workload(design),
        scores,
        kept={},
        n_units=sum(map(len, pruned(trained, {}).kept.values())),
        macs=whole_macs(design),
        n_parameters=int(n_parameters(networks, n_dense, n_sparse)[0]),
    )
    others = [
        entry(
            number,
            pruned_workload(one.network),
            one.scores,
            kept=one.network.kept,
            n_units=sum(map(len, one.network.kept.values())),
            macs=one.network.cut.macs,
            n_parameters=one.network.cut.n_parameters,
        )
        for number, one in enumerate(rounds, start=1)
    ]
    return [first, *others]


def whole_workload(design: Design) -> Workload:
    """One inference of the network that a design names."""
    return lower(ArchitectureBatch.of([design.architecture]), design.n_dense, design.cardinalities)


def whole_macs(design: Design) -> int:
    """Multiply-accumulates of one inference of it."""
    return int(macs(ArchitectureBatch.of([design.architecture]), design.n_dense, len(design.cardinalities))[0])
