"""A teacher: hand-made networks whose mean prediction takes the place of a part of each train label.

A label says whether somebody clicked once; a prediction says how likely that was. So small networks learn more from a
teacher than from labels alone, and differ less from seed to seed.

Source: Hinton, Vinyals and Dean (2015, arXiv 1503.02531); by an ensemble for click prediction Zhu et al. (CIKM 2020,
doi:10.1145/3340531.3412704).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from scipy.special import expit

from moco.baselines.recipes import baseline_recipe
from moco.baselines.train import train_baseline
from moco.data import ClickLog, CtrDataset
from moco.runs.budget import PROBE_ROWS
from moco.supernet.checkpoint import read_tensors, write_tensors
from moco.supernet.loop import threads
from moco.supernet.metrics import predictions
from moco.supernet.rows import rows_on
from moco.training.shares import Shares, share_writer

NETWORKS = ("DCNv2", "DNN")
"""In turn: the best of the hand-made networks on MovieLens-100k, and one that errs otherwise."""

SHARE = 0.5
"""Of each label; 0.9 makes small networks differ hardly at all, and less accurate (BENCHMARKS.md)."""

FOLDER = "teacher"
"""Of a run's folder."""

FORMAT = "moco teacher 1"


def taught(
    data: ClickLog,
    n_networks: int,
    folder: Path,
    *,
    share: float = SHARE,
    n_jobs: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> ClickLog:
    """The log with train labels between 0 and 1: each is moved by a share towards what a teacher predicts for its row.

    Valid and test rows keep their labels. The teacher's networks are trained one process a core and their predictions
    kept in the folder, so a teacher that is there is not trained again, and one that was interrupted goes on.

    Args:
        data: The click log, in memory.
        n_networks: Of the teacher; 0 gives the log as it is.
        folder: Of the predictions; made when it is not there.
        share: How far labels move, from 0 to 1.
        n_jobs: Processes; by default one a core.
        progress: Called with the number of trained networks, begun ones in part, and of all.

    Raises:
        ValueError: n_networks is below 0, share is out of its range, or the log is too large for memory.
        CheckpointError: A file of the folder is damaged.
    """
    if n_networks < 0:
        raise ValueError(f"a teacher has 0 networks or more, got {n_networks}")
    if not 0 <= share <= 1:
        raise ValueError(f"share must be from 0 to 1, got {share}")
    if n_networks == 0:
        return data
    if not isinstance(data, CtrDataset):
        raise ValueError(f"a teacher needs a log in memory, {data.name!r} is stored on the disk: go without a teacher")
    folder.mkdir(parents=True, exist_ok=True)
    named = [(NETWORKS[number % len(NETWORKS)], number // len(NETWORKS)) for number in range(n_networks)]
    found = {key: predicted for key in named if (predicted := _kept(data, *key, folder)) is not None}
    missing = [key for key in named if key not in found]
    with Shares(n_networks, progress) as shares:
        shares.tell(len(found))
        tasks = Parallel(n_jobs=n_jobs or int(cpu_count()), return_as="generator_unordered")(
            delayed(_trained)(data, name, seed, folder, shares.file(f"{name}-{seed}")) for name, seed in missing
        )
        for name, seed, predicted in tasks:
            found[name, seed] = predicted
            shares.tell(len(found), ended=f"{name}-{seed}")
    mean = np.mean([found[key] for key in named], axis=0)
    labels = ((1 - share) * data.train.labels + share * mean).astype(np.float32)
    name = f"{data.name}, labels softened by a teacher of {n_networks} networks"
    return replace(data, name=name, train=replace(data.train, labels=labels))


def affordable_teachers(data: CtrDataset, seconds: float) -> int:
    """How many networks of a teacher train in so many seconds on all cores; some steps are trained to measure that."""
    final = baseline_recipe(NETWORKS[0], data).final
    n_rows = min(PROBE_ROWS, len(data.train))
    part = replace(data, train=data.train.rows(np.arange(n_rows)))
    started_s = time.monotonic()
    train_baseline(part, NETWORKS[0], settings=replace(final, epochs=1))
    one_s = (time.monotonic() - started_s) * final.epochs * len(data.train) / n_rows
    return int(seconds / one_s) * int(cpu_count())


def _what(data: CtrDataset, name: str, seed: int) -> dict[str, object]:
    return {"data": data.digest, "recipe": baseline_recipe(name, data).digest, "seed": seed}


def _file(folder: Path, name: str, seed: int) -> Path:
    return folder.absolute() / f"{name}-{seed}.safetensors"


def _kept(data: CtrDataset, name: str, seed: int, folder: Path) -> NDArray[np.float32] | None:
    """What one network predicts for the train rows, where the folder has it: (n,) probabilities."""
    file = _file(folder, name, seed)
    if not file.exists():
        return None
    header, tensors = read_tensors(file, FORMAT, "teacher's predictions")
    return tensors["predicted"].numpy() if header.get("what") == _what(data, name, seed) else None


def _trained(data: CtrDataset, name: str, seed: int, folder: Path, share: Path) -> tuple[str, int, NDArray[np.float32]]:
    """Trains one network and keeps what it predicts."""
    file = _file(folder, name, seed)
    checkpoint = file.with_suffix(".training")
    trained = train_baseline(data, name, seed=seed, checkpoint=checkpoint, progress=share_writer(share))
    with threads(1):
        _, logits = predictions(trained.network, rows_on(data.train, torch.device("cpu")))
    predicted = expit(logits)
    write_tensors(file, FORMAT, {"what": _what(data, name, seed)}, {"predicted": torch.from_numpy(predicted)})
    checkpoint.unlink(missing_ok=True)
    return name, seed, predicted
