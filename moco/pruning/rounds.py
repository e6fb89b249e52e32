"""Pruning of a trained design round by round: a share of the work goes, the rest is trained again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from moco.chosen.trained import n_trained_at_once
from moco.data import ClickLog
from moco.design import Design
from moco.pruning.choose import magnitudes, without_lowest
from moco.pruning.curve import PruningCurve
from moco.pruning.gates import GateSettings, learned_gates
from moco.pruning.measured import rounds_of, scores_of, whole_macs, whole_workload
from moco.pruning.network import PrunedNetwork, pruned
from moco.pruning.stored import StoredRound, read_round, write_round
from moco.pruning.work import pruned_workload, stuck_operators
from moco.recipes import recipe_for
from moco.settings import FinalSettings, check_name, check_range
from moco.supernet.checkpoint import weights_digest
from moco.supernet.loop import TrainProgress, threads
from moco.supernet.metrics import Score
from moco.supernet.network import Network
from moco.training.from_scratch import train_predictor
from moco.training.shares import Shares, share_writer
from pimmodel import Calibration

MAGNITUDE, LEARNED_MASK = "magnitude", "learned-mask"
CRITERIA = (MAGNITUDE, LEARNED_MASK)
"""By the size of a neuron's weights, or by a gate that is trained for it."""

FINE_TUNE, REWIND = "fine-tune", "rewind"
WAYS = (FINE_TUNE, REWIND)
"""From the weights at hand, or from the first weights, as if the network had always been small."""

FINE_TUNE_RATE = 0.2
"""Learning rate of fine-tuning, as a share of the recipe's: weights that fit are moved less."""


@dataclass(frozen=True, eq=False)
class PruningStart:
    """A trained network of a design, to be pruned.

    Attributes:
        seed: Of its training, and of those to come.
        trained: With its weights; stays as it is.
        first: With the weights that its training began with; those that the seed draws when left out.
    """

    seed: int
    trained: Network
    first: Network | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PruningSettings:
    """How a design is pruned.

    Attributes:
        criterion: One of CRITERIA.
        way: One of WAYS.
        share: Of the multiply-accumulates left, removed in each round. NASRec's authors remove 20 % of the neurons.
        n_rounds: Of removing and training.
        gates: Of learned masks.
        for_chip: Whether training computes as the chip does; else only the scores do.
    """

    criterion: str = MAGNITUDE
    way: str = FINE_TUNE
    share: float = 0.2
    n_rounds: int = 6
    gates: GateSettings = field(default_factory=GateSettings)
    for_chip: bool = True

    def __post_init__(self) -> None:
        if self.criterion not in CRITERIA:
            raise ValueError(f"unknown criterion {self.criterion!r}; criteria are {', '.join(map(repr, CRITERIA))}")
        check_name(self, "way", WAYS)
        check_range(self, "share", 0.01, 0.91)
        if self.n_rounds < 1:
            raise ValueError(f"n_rounds must be at least 1, got {self.n_rounds}")


def prune(
    data: ClickLog,
    design: Design,
    starts: Sequence[PruningStart],
    folder: Path,
    pruning: PruningSettings | None = None,
    *,
    settings: FinalSettings | None = None,
    calibration: str | Calibration = "isaac32",
    device: str = "cpu",
    n_jobs: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> PruningCurve:
    """Prunes a design's trained networks, one process each, and keeps every round's weights and scores in a folder.

    Rounds that the folder has are not done again, and one that was interrupted goes on. The same arguments give the
    same networks, interrupted or not.

    Args:
        data: The click log.
        design: The network and its chip.
        starts: The trained networks, each with a seed of its own.
        folder: Of the rounds; made when it is not there.
        pruning: What is removed and how.
        settings: Of training from scratch; those of the data set's recipe when left out. Fine-tuning takes a smaller
            learning rate.
        calibration: Of the hardware model.
        device: "cpu", "auto", or another that torch knows.
        n_jobs: Processes; by default one a core, and one on an accelerator.
        progress: Called with the number of rounds done, begun ones in part, and of all.

    Returns:
        Round 0, the networks as they were, and all others. A curve ends early where no neuron can be removed any more.

    Raises:
        ValueError: There is no start, two have one seed, or one is of another network or of other data.
        CheckpointError: A file of the folder is damaged, or of other weights, data or settings.
    """
    _check(data, design, starts)
    pruning, settings = pruning or PruningSettings(), settings or recipe_for(data).final
    folder.mkdir(parents=True, exist_ok=True)
    found: list[tuple[dict[str, Score], list[StoredRound]]] = []
    with Shares(len(starts) * pruning.n_rounds, progress) as shares:
        shares.tell(0)
        n_jobs = min(n_jobs or n_trained_at_once(device), len(starts))
        tasks = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(_pruned)(
                _Task(data, design, start, folder.absolute(), pruning, settings, device, shares.file(str(start.seed)))
            )
            for start in starts
        )
        for start, result in zip(starts, tasks, strict=True):
            found.append(result)
            shares.tell(len(found) * pruning.n_rounds, ended=str(start.seed))
    rounds = [
        one
        for start, result in zip(starts, found, strict=True)
        for one in rounds_of(design, start.seed, start.trained, *result, calibration)
    ]
    remarks: list[str] = []
    if found[0][1]:
        last = pruned_workload(found[0][1][-1].network)
        remarks = stuck_operators(whole_workload(design), last, design.hardware, calibration)
    return PruningCurve(
        design=design.key,
        criterion=pruning.criterion,
        way=pruning.way,
        share=pruning.share,
        rounds=tuple(rounds),
        remarks=tuple(remarks),
    )


def round_file(folder: Path, design: Design, pruning: PruningSettings, seed: int, number: int) -> Path:
    """Where `prune` keeps a round; `read_round` reads it."""
    name = f"{design.key[:12]}-{pruning.criterion}-{pruning.way}-{pruning.share:g}-{seed}-{number}"
    return folder / f"{name}.safetensors"


@dataclass(frozen=True, eq=False)
class _Task:
    data: ClickLog
    design: Design
    start: PruningStart
    folder: Path
    pruning: PruningSettings
    settings: FinalSettings
    device: str
    share: Path

    def first(self) -> Network:
        """The network as it was before its training."""
        architecture, data = self.design.architecture, self.data
        return self.start.first or Network(architecture, data.cardinalities, len(data.dense), self.start.seed)


def _pruned(task: _Task) -> tuple[dict[str, Score], list[StoredRound]]:
    """Scores of the network as it was, and every round."""
    start, pruning = task.start, task.pruning
    what: dict[str, Any] = {
        "data": task.data.digest,
        "design": task.design.key,
        "settings": asdict(task.settings),
        "pruning": {name: value for name, value in asdict(pruning).items() if name != "n_rounds"},
        "seed": start.seed,
        "trained": weights_digest(start.trained.state_dict()),
        "first": weights_digest(task.first().state_dict()) if pruning.way == REWIND else "",
    }
    write_share = share_writer(task.share)
    all_macs = whole_macs(task.design)
    network, rounds = pruned(start.trained, {}), list[StoredRound]()
    for number in range(1, pruning.n_rounds + 1):
        path = round_file(task.folder, task.design, pruning, start.seed, number)
        this_round = {**what, "round": number}
        if not path.exists():

            def tell(state: TrainProgress, done: int = number - 1) -> None:
                n_rows = state.n_rows + done * state.n_rows_total
                write_share(TrainProgress(n_rows, state.n_rows_total, state.note))

            target_macs = all_macs * (1 - pruning.share) ** number
            made = _round(task, network, target_macs, this_round, path, tell)
            if made is None:
                break
            write_round(path, this_round, task.design, made)
            for checkpoint in path.parent.glob(f"{path.stem}.*training"):
                checkpoint.unlink()
        rounds.append(read_round(path, this_round))
        network = rounds[-1].network
    with threads(task.settings.n_threads):
        return scores_of(start.trained, task.data, task.design.hardware), rounds


def _round(
    task: _Task,
    before: PrunedNetwork,
    target_macs: float,
    what: dict[str, Any],
    path: Path,
    progress: Callable[[TrainProgress], None],
) -> StoredRound | None:
    """A network with fewer neurons, trained; None where none can be removed."""
    pruning, settings = task.pruning, task.settings
    hardware = task.design.hardware if pruning.for_chip else None
    seed = task.start.seed + 1000 * what["round"]
    if pruning.criterion == MAGNITUDE:
        scores = magnitudes(before)
    else:
        scores = learned_gates(
            task.data,
            before,
            what,
            gate_settings=pruning.gates,
            settings=settings,
            seed=seed,
            hardware=hardware,
            device=task.device,
            checkpoint=path.with_suffix(".gates-training"),
            progress=progress,
        )
    kept = without_lowest(before, scores, target_macs)
    if kept == before.kept:
        return None
    if pruning.way == FINE_TUNE:
        network = pruned(before, kept)
        settings = replace(settings, learning_rate=FINE_TUNE_RATE * settings.learning_rate)
    else:
        network, seed = pruned(task.first(), kept), task.start.seed
    trained = train_predictor(
        task.data,
        network,
        what,
        settings=settings,
        seed=seed,
        device=task.device,
        hardware=hardware,
        checkpoint=path.with_suffix(".training"),
        progress=progress,
    )
    with threads(settings.n_threads):
        on_chip = {"chip_valid": trained.valid, "chip_test": trained.test} if pruning.for_chip else None
        return StoredRound(trained.network, scores_of(trained.network, task.data, task.design.hardware, on_chip))


def _check(data: ClickLog, design: Design, starts: Sequence[PruningStart]) -> None:
    if not starts:
        raise ValueError("pruning needs at least one trained network, got none")
    seeds = [start.seed for start in starts]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"every trained network needs a seed of its own, got {seeds}")
    if design.cardinalities != tuple(data.cardinalities) or design.n_dense != len(data.dense):
        raise ValueError("the design is for data of other fields or table sizes than these")
    for start in starts:
        for network in (start.trained, start.first):
            if network is not None and network.architecture != design.architecture:
                raise ValueError(f"the network of seed {start.seed} is not of the design's architecture")
