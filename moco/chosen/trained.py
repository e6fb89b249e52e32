"""Designs trained from scratch, side by side, and what they reached, kept in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed

from moco.costs.batch import are_lossless
from moco.costs.lowering import pim_config
from moco.data import ClickLog
from moco.design import Design
from moco.files import write_text_whole
from moco.search.codesign import CodesignStudy
from moco.supernet.loop import threads
from moco.supernet.on_chip import NetworkOnChip
from moco.supernet.ranks import n_started
from moco.supernet.rows import rows_on
from moco.training.from_scratch import FinalSettings, train_from_scratch
from moco.training.shares import Shares, share_writer
from studies import is_non_dominated

PROMISING = "promising"
"""Role of a design that was trained because of what its training would tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromScratch:
    """One chosen design, trained from scratch: in plain numbers where its chip loses nothing, else for its chip.

    Attributes:
        key: The design's key.
        role: Why it was chosen, such as "most accurate" or "knee".
        seed: Of the training.
        n_epochs: Epochs to the valid minimum.
        valid_logloss: Of the weights there, computed as the chip does; likewise the others. Test rows are read once,
            at the end.
    """

    key: str
    role: str
    seed: int
    n_epochs: float
    valid_logloss: float
    valid_auc: float
    test_logloss: float
    test_auc: float


def train_chosen(
    data: ClickLog,
    chosen: Sequence[tuple[str, Design]],
    file: Path,
    *,
    settings: FinalSettings,
    seed: int = 0,
    device: str = "cpu",
    n_jobs: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> list[FromScratch]:
    """Trains each chosen design from scratch, one process each, and keeps the results in a file.

    Designs that the file already has are not trained again, and one whose training was interrupted goes on from its
    checkpoint beside the file. Under torchrun all processes train one design after another together.

    Args:
        data: The click log.
        chosen: From `chosen_designs`.
        file: JSON file of results; made when it is not there.
        settings: Of the training.
        seed: Of the training.
        device: "cpu", "auto", or another that torch knows.
        n_jobs: Processes; by default one a core, and one on an accelerator.
        progress: Called with the number of trained designs, begun ones in part, and of all.

    Raises:
        ValueError: The file holds something else.
    """
    done = {(result.key, result.seed): result for result in read_from_scratch(file)}
    missing = [(role, design) for role, design in chosen if (design.key, seed) not in done]
    n_jobs = n_jobs or n_trained_at_once(device)
    with Shares(len(chosen), progress) as shares:
        shares.tell(len(chosen) - len(missing))
        tasks = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
            delayed(_trained)(
                data,
                role,
                design,
                settings,
                seed,
                device,
                _checkpoint(file, design, seed),
                shares.file(design.key),
            )
            for role, design in missing
        )
        for result, checkpoint in tasks:
            done[(result.key, result.seed)] = result
            write_text_whole(file, json.dumps([asdict(entry) for entry in done.values()], indent=1))
            checkpoint.unlink(missing_ok=True)
            shares.tell(sum((design.key, seed) in done for _, design in chosen), ended=result.key)
    return [replace(done[(design.key, seed)], role=role) for role, design in chosen]


def n_trained_at_once(device: str) -> int:
    """Trainings side by side: one a core; one on an accelerator, or where the processes of torchrun train together."""
    return int(cpu_count()) if device == "cpu" and n_started() == 1 else 1


def valid_logloss(results: Sequence[FromScratch]) -> dict[str, float]:
    """Valid log loss of each trained design by its key, the mean over its seeds."""
    losses: dict[str, list[float]] = {}
    for result in results:
        losses.setdefault(result.key, []).append(result.valid_logloss)
    return {key: float(np.mean(values)) for key, values in losses.items()}


def front_of(
    designs: Iterable[Design], logloss: Mapping[str, float], costs: Callable[[Design], tuple[float, ...]]
) -> list[Design]:
    """Designs that no other beats in log loss and costs, the most accurate first.

    Args:
        designs: To choose from.
        logloss: By key, such as what designs reached from scratch; those without are left out.
        costs: What counts beside log loss; the same number of figures for each.
    """
    known = [design for design in designs if design.key in logloss]
    if not known:
        return []
    points = np.array([[logloss[design.key], *costs(design)] for design in known])
    is_on = is_non_dominated(points)
    return [known[row] for row in np.lexsort(points.T[::-1]) if is_on[row]]


def on_all_chips(study: CodesignStudy, results: Sequence[FromScratch]) -> list[FromScratch]:
    """Results, and the same for all chips of a study on which the trained network loses nothing either.

    There a network computes the same numbers, but for the bits of tables beyond 8.
    """
    trials = study.study.trials()
    is_lossless = are_lossless(pim_config(study.space.hardware_values(trials.genomes)))
    networks = [genome.tobytes() for genome in trials.genomes[:, : study.space.n_network_blocks]]
    keys_of: dict[bytes, list[str]] = {}
    for row in np.flatnonzero(is_lossless):
        keys_of.setdefault(networks[row], []).append(trials.keys[row])
    network_of = {key: network for network, keys in keys_of.items() for key in keys}
    found = {(result.key, result.seed): result for result in results}
    for result in results:
        for key in keys_of.get(network_of.get(result.key, b""), []):
            found.setdefault((key, result.seed), replace(result, key=key))
    return list(found.values())


def _checkpoint(file: Path, design: Design, seed: int) -> Path:
    return file.absolute().with_name(f"{file.stem}-{design.key[:12]}-{seed}.safetensors")


def read_from_scratch(file: Path) -> list[FromScratch]:
    """Results that `train_chosen` kept; none when there is no file."""
    if not file.exists():
        return []
    try:
        return [FromScratch(**entry) for entry in json.loads(file.read_text())]
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(
            f"{file} does not hold results of training from scratch ({error}); remove it to train again"
        ) from error


def _trained(
    data: ClickLog,
    role: str,
    design: Design,
    settings: FinalSettings,
    seed: int,
    device: str,
    checkpoint: Path,
    share: Path,
) -> tuple[FromScratch, Path]:
    is_lossless = bool(are_lossless(design.hardware).all())
    trained = train_from_scratch(
        data,
        design.architecture,
        settings=settings,
        seed=seed,
        device=device,
        hardware=None if is_lossless else design.hardware,
        checkpoint=checkpoint,
        progress=share_writer(share),
    )
    valid, test = trained.valid, trained.test
    if is_lossless:
        here = torch.device("cpu")
        with threads(settings.n_threads):
            on_chip = NetworkOnChip(trained.network, design.hardware, rows_on(data.train, here))
            valid, test = (on_chip.score(rows_on(part, here)) for part in (data.valid, data.test))
    result = FromScratch(
        key=design.key,
        role=role,
        seed=seed,
        n_epochs=trained.n_epochs,
        valid_logloss=valid.logloss,
        valid_auc=valid.auc,
        test_logloss=test.logloss,
        test_auc=test.auc,
    )
    return result, checkpoint
