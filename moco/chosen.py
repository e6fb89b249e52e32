"""The designs one would look at first: the most accurate of a front and its knee, trained from scratch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed

from moco.data import ClickLog
from moco.design import Design
from moco.files import write_text_whole
from moco.retrain import FinalSettings, train_from_scratch
from spaces import Architecture
from studies import knee

ROLES = ("most accurate", "second most accurate", "third most accurate")


@dataclass(frozen=True, slots=True, kw_only=True)
class FromScratch:
    """One chosen design, trained from scratch.

    Attributes:
        key: The design's key.
        role: Why it was chosen, such as "most accurate" or "knee".
        seed: Of the training.
        n_epochs: Epochs to the valid minimum.
        valid_logloss: At the valid minimum; likewise the others. Test rows are read once, at the end.
    """

    key: str
    role: str
    seed: int
    n_epochs: float
    valid_logloss: float
    valid_auc: float
    test_logloss: float
    test_auc: float


def chosen_designs(front: Sequence[Design]) -> list[tuple[str, Design]]:
    """The three most accurate networks of a front, each on its best chip, and the knee, with the reason.

    Designs that differ in the chip alone have one accuracy, so each network is taken once.
    """
    networks: dict[Architecture, Design] = {}
    for design in sorted(front, key=lambda design: design.logloss):
        networks.setdefault(design.architecture, design)
    chosen = list(zip(ROLES, networks.values(), strict=False))
    if front:
        costs = np.array([[design.logloss, np.log(design.energy_pj), np.log(design.latency_ns)] for design in front])
        balanced = front[knee(costs)]
        if all(balanced.key != design.key for _, design in chosen):
            chosen.append(("knee", balanced))
    return chosen


def train_chosen(
    data: ClickLog,
    chosen: Sequence[tuple[str, Design]],
    file: Path,
    *,
    settings: FinalSettings,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[FromScratch]:
    """Trains each chosen design from scratch, one process each, and keeps the results in a file.

    Designs that the file already has are not trained again, so an interrupted call goes on where it stopped.

    Args:
        data: The click log.
        chosen: From `chosen_designs`.
        file: JSON file of results; made when it is not there.
        settings: Of the training.
        seed: Of the training.
        n_jobs: Processes; by default one a core.
        progress: Called with the number of trained designs and of all.

    Raises:
        ValueError: The file holds something else.
    """
    done = {(result.key, result.seed): result for result in read_from_scratch(file)}
    missing = [(role, design) for role, design in chosen if (design.key, seed) not in done]
    if progress is not None:
        progress(len(chosen) - len(missing), len(chosen))
    tasks = Parallel(n_jobs=n_jobs or cpu_count(), return_as="generator_unordered")(
        delayed(_trained)(data, role, design, settings, seed) for role, design in missing
    )
    for result in tasks:
        done[(result.key, result.seed)] = result
        write_text_whole(file, json.dumps([asdict(entry) for entry in done.values()], indent=1))
        if progress is not None:
            progress(sum((design.key, seed) in done for _, design in chosen), len(chosen))
    return [replace(done[(design.key, seed)], role=role) for role, design in chosen]


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


def _trained(data: ClickLog, role: str, design: Design, settings: FinalSettings, seed: int) -> FromScratch:
    trained = train_from_scratch(data, design.architecture, settings=settings, seed=seed)
    return FromScratch(
        key=design.key,
        role=role,
        seed=seed,
        n_epochs=trained.n_epochs,
        valid_logloss=trained.valid.logloss,
        valid_auc=trained.valid.auc,
        test_logloss=trained.test.logloss,
        test_auc=trained.test.auc,
    )
