"""Chosen designs trained to the end with their weights kept: with several seeds, from scratch and from the supernet.

Every design is trained for its chip: weights and activations in few bits, and what its converters do, in every step.
Of two trainings of one seed, the one with the lower valid log loss counts; test rows have no say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from joblib import Parallel, delayed

from moco.chosen.trained import n_trained_at_once
from moco.data import ClickLog
from moco.design import Design
from moco.settings import TAUGHT, FinalSettings
from moco.supernet import TrainedSupernet
from moco.supernet.checkpoint import CheckpointError, read_tensors, weights_digest, write_tensors
from moco.supernet.contributions import contributions
from moco.supernet.loop import threads
from moco.supernet.metrics import Bin, Score, predictions, reliability, score_of
from moco.supernet.network import Network
from moco.supernet.on_chip import NetworkOnChip
from moco.supernet.rows import rows_on
from moco.training.from_scratch import EXACT_ROWS, train_from_scratch
from moco.training.shares import Shares, share_writer

SCRATCH, SUPERNET = "scratch", "supernet"
STARTS = (SCRATCH, SUPERNET)
"""Where first weights come from: drawn anew, or the design's share of the supernet's."""

FOLDER = "retrained"
"""Of a run's folder."""

FORMAT = "moco retrained 1"


@dataclass(frozen=True, eq=False)
class Retrained:
    """One trained design.

    Attributes:
        design: The network and its chip.
        role: Why it was chosen, such as "knee".
        seed: Of the training.
        start: One of STARTS, followed by TAUGHT where a teacher softened labels.
        n_epochs: Epochs to the valid minimum.
        network: With the weights there.
        valid: Its score on the valid rows in plain numbers; `test` likewise.
        chip_valid: Its score on the valid rows as the chip computes it, slice by slice on at most `EXACT_ROWS` of them
            (`NetworkOnChip.exact_of_all`); `chip_test` likewise.
        history: Score on valid rows after every round of the training.
        reliability: Predictions on test rows against what came, in plain numbers.
        contributions: Rise of valid log loss without each operator; see `moco.supernet.contributions`.
    """

    design: Design
    role: str
    seed: int
    start: str
    n_epochs: float
    network: Network
    valid: Score
    test: Score
    chip_valid: Score
    chip_test: Score
    history: tuple[Score, ...]
    reliability: tuple[Bin, ...]
    contributions: dict[str, float]


def retrain(
    data: ClickLog,
    chosen: Sequence[tuple[str, Design]],
    folder: Path,
    *,
    settings: FinalSettings,
    seeds: Sequence[int],
    supernet: TrainedSupernet | None = None,
    is_taught: bool = False,
    for_chip: bool = True,
    device: str = "cpu",
    n_jobs: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> list[Retrained]:
    """Trains each design with each seed, one process a core, and keeps the weights in a folder.

    Trainings that the folder has are not done again, and one that was interrupted goes on.

    Args:
        data: The click log.
        chosen: Designs with the reason for each, one role a design.
        folder: Of the weights; made when it is not there.
        settings: Of every training.
        seeds: Of the trainings.
        supernet: Its weights are tried as first weights too; of the same data. None trains from scratch alone.
        is_taught: Whether a teacher softened the train labels, which the results then say.
        for_chip: Whether training computes as the chip does; else only the scores do.
        device: "cpu", "auto", or another that torch knows.
        n_jobs: Processes; by default one a core, and one on an accelerator.
        progress: Called with the number of finished trainings, begun ones in part, and of all.

    Returns:
        The better start of each design and seed by valid log loss on its chip.

    Raises:
        ValueError: The supernet's tables are of other sizes than the data's.
        CheckpointError: A file of the folder is damaged.
    """
    if supernet is not None and supernet.supernet.embedding.cardinalities != data.cardinalities:
        raise ValueError(
            "the supernet was trained with other table sizes than the designs get, so its weights cannot be first "
            "weights: train from scratch alone"
        )
    folder.mkdir(parents=True, exist_ok=True)
    common = {"data": data.digest, "settings": asdict(settings), "for_chip": for_chip, "scored": "all rows"}
    tasks: list[_Task] = []
    for role, design in chosen:
        for start in STARTS if supernet is not None else (SCRATCH,):
            for seed in seeds:
                first = None if supernet is None or start == SCRATCH else supernet.supernet.cut_out(design.architecture)
                digest = "" if first is None else weights_digest(first.state_dict())
                name = start + TAUGHT * is_taught
                what = {**common, "key": design.key, "seed": seed, "start": name, "first_weights": digest}
                tasks.append(_Task(_file(folder, design, seed, name), role, design, seed, first, what))
    missing = [task for task in tasks if not _is_done(task)]
    with Shares(len(tasks), progress) as shares:
        n_done = len(tasks) - len(missing)
        shares.tell(n_done)
        ended = Parallel(n_jobs=n_jobs or n_trained_at_once(device), return_as="generator_unordered")(
            delayed(_train)(data, task, settings, for_chip, device, shares.file(task.file.stem)) for task in missing
        )
        for name in ended:
            n_done += 1
            shares.tell(n_done, ended=name)
    return _best([_read(task.file) for task in tasks])


def retrained_networks(folder: Path) -> list[Retrained]:
    """What `retrain` kept in a folder: the better start of each design and seed; none when there is no folder.

    Raises:
        CheckpointError: A file is damaged.
    """
    return _best([_read(file) for file in sorted(folder.glob("*.safetensors"))])


def by_key(found: Iterable[Retrained]) -> dict[str, list[Retrained]]:
    """The trainings of each design by its key, in their order."""
    designs: dict[str, list[Retrained]] = {}
    for one in found:
        designs.setdefault(one.design.key, []).append(one)
    return designs


def _best(found: Sequence[Retrained]) -> list[Retrained]:
    best: dict[tuple[str, int], Retrained] = {}
    for one in sorted(found, key=lambda one: one.chip_valid.logloss):
        best.setdefault((one.design.key, one.seed), one)
    order = {one.design.key: place for place, one in reversed(list(enumerate(found)))}
    return sorted(best.values(), key=lambda one: (order[one.design.key], one.seed))


@dataclass(frozen=True, eq=False)
class _Task:
    file: Path
    role: str
    design: Design
    seed: int
    first: Network | None
    what: dict[str, Any]


def _file(folder: Path, design: Design, seed: int, start: str) -> Path:
    return folder.absolute() / f"{design.key[:12]}-{seed}-{start.replace(', ', '-')}.safetensors"


def _is_done(task: _Task) -> bool:
    """Whether the file holds this very training; one with other data or settings is made anew."""
    if not task.file.exists():
        return False
    header, _ = read_tensors(task.file, FORMAT, "retrained network")
    return bool(header.get("what") == json.loads(json.dumps(task.what)))


def _train(data: ClickLog, task: _Task, settings: FinalSettings, for_chip: bool, device: str, share: Path) -> str:
    checkpoint = task.file.with_suffix(".training")
    design, here = task.design, torch.device("cpu")
    trained = train_from_scratch(
        data,
        design.architecture,
        settings=settings,
        seed=task.seed,
        device=device,
        start=task.first,
        hardware=design.hardware if for_chip else None,
        checkpoint=checkpoint,
        progress=share_writer(share),
    )
    with threads(settings.n_threads):
        parts = {"valid": rows_on(data.valid, here), "test": rows_on(data.test, here)}
        scores = {name: score_of(trained.network, part) for name, part in parts.items()}
        if for_chip:
            scores |= {"chip_valid": trained.valid, "chip_test": trained.test}
        else:
            on_chip = NetworkOnChip(trained.network, design.hardware, rows_on(data.train, here))
            scores |= {f"chip_{name}": on_chip.exact_of_all(part, EXACT_ROWS) for name, part in parts.items()}
        bins = reliability(*predictions(trained.network, parts["test"]))
        told = contributions(trained.network, parts["valid"])
    header = {
        "what": task.what,
        "design": json.loads(design.to_json()),
        "role": task.role,
        "n_epochs": trained.n_epochs,
        "scores": {name: asdict(score) for name, score in scores.items()},
        "history": [asdict(score) for score in trained.history],
        "reliability": [asdict(one) for one in bins],
        "contributions": told,
    }
    write_tensors(task.file, FORMAT, header, trained.weights)
    checkpoint.unlink(missing_ok=True)
    return task.file.stem


def _read(file: Path) -> Retrained:
    header, tensors = read_tensors(file, FORMAT, "retrained network")
    try:
        what, design = header["what"], Design.from_json(json.dumps(header["design"]))
        network = Network(design.architecture, design.cardinalities, design.n_dense, seed=0)
        network.load_state_dict(tensors)
        return Retrained(
            design=design,
            role=header["role"],
            seed=what["seed"],
            start=what["start"],
            n_epochs=header["n_epochs"],
            network=network.eval(),
            history=tuple(Score(**one) for one in header["history"]),
            reliability=tuple(Bin(**one) for one in header["reliability"]),
            contributions=header["contributions"],
            **{name: Score(**header["scores"][name]) for name in ("valid", "test", "chip_valid", "chip_test")},
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{file} does not hold a retrained network ({error}): remove it and retrain") from error
