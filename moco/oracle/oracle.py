"""The oracle: log loss and AUC of networks on chips, from a trained supernet, without training them.

For each network its own copy of the layers is tuned in a few steps on fixed train rows. Then the inputs of the head are
computed on two fixed sets of rows: train rows that supernet training never saw, on which the head is fitted anew, and
valid rows, on which the network is then scored. Given a chip,
every product is computed as the chip would: activations in its bits, and what its converters do to column sums.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from moco.data import ClickLog, Rows
from moco.recipes import recipe_for
from moco.supernet.checkpoint import TrainedSupernet, held_out_rows, part, seen_rows
from moco.supernet.crossbars import MOST_LOGIT, N_SAMPLED, NEGLIGIBLE, numerics_keys
from moco.supernet.fine_tuning import BATCH_SIZE, LEARNING_RATE
from moco.supernet.head import RIDGE
from moco.supernet.loop import threads
from moco.supernet.metrics import Score
from moco.supernet.network import Supernet
from moco.supernet.numerics import FLOAT_BITS
from moco.supernet.ranges import CLIPS
from moco.supernet.rows import TensorRows
from moco.supernet.score import SCORED_AT_ONCE, Scorer
from pimmodel import PimConfig
from pimmodel.numerics import K_SIGMA
from spaces.architecture import BLOCK_FIELDS, Architecture, ArchitectureBatch
from spaces.nasrec import NasrecSpace

N_ROWS = 5_000
"""Rows of each kind, if there are as many: twice as many take twice as long and order networks hardly better."""

SHARD = 8
"""Networks that a process scores at a time."""

N_EXACT_ROWS = 2000
"""Valid rows for the exact score of a design, which takes long."""

_Task = tuple[Architecture, int, PimConfig | None]
"""A network, the bits of its embedding tables, and its chip."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of B networks.

    Attributes:
        logloss: (B,) mean binary cross-entropy in nats.
        auc: (B,) area under the receiver operating characteristic.
        logloss_se: (B,) standard error of the log loss over the rows, which are the same for all networks: two scores
            differ by far less than this by chance.
    """

    logloss: NDArray[np.float64]
    auc: NDArray[np.float64]
    logloss_se: NDArray[np.float64]

    def __iter__(self) -> Iterator[Score]:
        return map(Score, self.logloss.tolist(), self.auc.tolist(), self.logloss_se.tolist())

    @classmethod
    def of(cls, scores: Sequence[Score]) -> Scores:
        """Of one score a network."""
        return cls(
            logloss=np.array([score.logloss for score in scores], dtype=np.float64),
            auc=np.array([score.auc for score in scores], dtype=np.float64),
            logloss_se=np.array([score.logloss_se for score in scores], dtype=np.float64),
        )


class Oracle:
    """Scores networks with a trained supernet. A network's score depends on nothing but the network.

    Args:
        supernet: Trained on the same data.
        data: The click log.
        n_refit_rows: Most train rows to refit heads on, of those the supernet never saw.
        n_score_rows: Most valid rows to score on.
        n_tuning_steps: Most steps in which a network's layers are tuned, as many as there are rows for in one pass; the
            recipe's for the data where left out.
        n_jobs: Processes; by default one a core. Each computes with one thread.

    Attributes:
        digest: 16 hexadecimal digits that change with whatever changes a score.

    Raises:
        ValueError: A number is below 1, the supernet is of other data, or the rows hold labels of one kind only.
    """

    def __init__(
        self,
        supernet: TrainedSupernet,
        data: ClickLog,
        *,
        n_refit_rows: int = N_ROWS,
        n_score_rows: int = N_ROWS,
        n_tuning_steps: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        for name, value in (("n_refit_rows", n_refit_rows), ("n_score_rows", n_score_rows), ("n_jobs", n_jobs)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if n_tuning_steps is not None and n_tuning_steps < 0:
            raise ValueError(f"n_tuning_steps must be at least 0, got {n_tuning_steps}")
        if supernet.data_digest != data.digest:
            raise ValueError(
                f"the supernet was trained on data {supernet.data_digest}, this is data {data.digest}: "
                "train a supernet on it"
            )
        rng = np.random.default_rng((supernet.seed, 4))
        held_out = held_out_rows(len(data.train), supernet.settings, supernet.seed)
        refit = _tensors(data.train.rows(np.sort(rng.permutation(held_out)[:n_refit_rows])))
        score = _tensors(data.valid.rows(np.sort(rng.permutation(len(data.valid))[:n_score_rows])))
        n_steps = recipe_for(data).n_tuning_steps if n_tuning_steps is None else n_tuning_steps
        n_tuned = min(n_steps, (len(data.train) - len(held_out)) // BATCH_SIZE) * BATCH_SIZE
        for kind, rows in (("refit", refit), ("score", score)):
            if float(rows["labels"].min()) == float(rows["labels"].max()):
                raise ValueError(
                    f"all {len(rows['labels'])} {kind} rows have one label, an oracle needs both: "
                    f"take more with n_{kind}_rows"
                )
        self._space = supernet.supernet.space
        self._cardinalities = supernet.supernet.embedding.cardinalities
        self._tensors = {
            **{
                f"supernet.{name}": value.detach().contiguous()
                for name, value in supernet.supernet.state_dict().items()
            },
            **{f"refit.{name}": value for name, value in refit.items()},
            **{f"score.{name}": value for name, value in score.items()},
        }
        if n_tuned > 0:
            seen = seen_rows(len(data.train), held_out)
            tune = _tensors(data.train.rows(rng.permutation(seen)[:n_tuned]))
            self._tensors |= {f"tune.{name}": value for name, value in tune.items()}
        self._n_jobs = n_jobs or len(os.sched_getaffinity(0))
        self._worker: _Worker | None = None
        self._known: dict[bytes, Score] = {}
        numerics = [CLIPS, N_SAMPLED, NEGLIGIBLE, MOST_LOGIT, K_SIGMA, SCORED_AT_ONCE]
        tuning = [n_tuned, BATCH_SIZE, LEARNING_RATE]
        rule = [supernet.digest, len(refit["labels"]), len(score["labels"]), RIDGE, *numerics, *tuning]
        self.digest = hashlib.sha256(json.dumps(rule).encode()).hexdigest()[:16]

    def score(
        self,
        networks: ArchitectureBatch,
        table_bits: ArrayLike | None = None,
        chips: PimConfig | None = None,
        *,
        progress: Callable[[int], None] | None = None,
    ) -> Scores:
        """Scores of B networks, each by its canonical form; what was scored before is not computed again.

        Args:
            networks: Of the supernet's space.
            table_bits: (B,) bits of the embedding tables' numbers; 32 and None leave them as they are.
            chips: B chips to compute on; None computes with plain numbers. What a chip loses follows the moment model
                of `pimmodel.numerics`, its noise from a fixed seed.
            progress: Called now and then with how many of the networks are scored.

        Raises:
            ValueError: The networks are not of the supernet's space, or there are not as many table_bits or chips.
        """
        tasks, keys = self._tasks(networks, table_bits, chips)
        in_order = sorted(range(len(keys)), key=keys.__getitem__)  # chips of one network together: it is tuned once
        missing = {keys[row]: row for row in in_order if keys[row] not in self._known}
        for key, score in zip(missing, self._scored([tasks[row] for row in missing.values()]), strict=True):
            self._known[key] = score
            if progress is not None:
                progress(sum(key in self._known for key in keys))
        return Scores.of([self._known[key] for key in keys])

    def exact(
        self,
        networks: ArchitectureBatch,
        table_bits: ArrayLike | None,
        chips: PimConfig,
        *,
        n_rows: int = N_EXACT_ROWS,
        progress: Callable[[int], None] | None = None,
    ) -> Scores:
        """Scores of the same weights and heads with every product on crossbars computed slice by slice.

        Args:
            networks: Of the supernet's space.
            table_bits: As in `score`.
            chips: B chips.
            n_rows: First valid rows to score on, of those of `score`.
            progress: Called with how many of the networks are scored.

        Raises:
            ValueError: As in `score`.
        """
        tasks, _ = self._tasks(networks, table_bits, chips)
        found = []
        for score in self._scored(tasks, n_rows):
            found.append(score)
            if progress is not None:
                progress(len(found))
        return Scores.of(found)

    def _tasks(
        self, networks: ArchitectureBatch, table_bits: ArrayLike | None, chips: PimConfig | None
    ) -> tuple[list[_Task], list[bytes]]:
        """What to score, and a key for each that says all that its score depends on."""
        networks = self._space.networks(self._space.canonical(self._space.genomes(networks)))
        bits = np.full(len(networks), FLOAT_BITS) if table_bits is None else np.asarray(table_bits)
        if bits.shape != (len(networks),):
            raise ValueError(f"table_bits must have shape ({len(networks)},), one a network, got {bits.shape}")
        of_chips: list[tuple[object, ...]] = [()] * len(networks) if chips is None else numerics_keys(chips)
        if len(of_chips) != len(networks):
            raise ValueError(f"chips must be {len(networks)}, one a network, got {len(of_chips)}")
        columns = [getattr(networks, name).astype(np.int64) for name in BLOCK_FIELDS]
        rows = np.concatenate([*columns, bits[:, None].astype(np.int64)], axis=1)
        keys = [row.tobytes() + repr(of_chip).encode() for row, of_chip in zip(rows, of_chips, strict=True)]
        tasks = [
            (networks[row], int(bits[row]), None if chips is None else chips.take(row)) for row in range(len(networks))
        ]
        return tasks, keys

    @cached_property
    def _file(self) -> str:
        """Where worker processes read the supernet and the rows."""
        folder = tempfile.mkdtemp(prefix="moco-oracle-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        file = Path(folder) / "oracle.safetensors"
        safetensors.torch.save_file(self._tensors, file)
        return str(file)

    def _scored(self, tasks: Sequence[_Task], n_exact_rows: int | None = None) -> Iterator[Score]:
        """The score of each task in order, as they come; exact ones where a number of rows is given."""
        if self._n_jobs == 1 or len(tasks) == 1:
            self._worker = self._worker or _Worker(self._tensors, self._space, self._cardinalities)
            yield from (self._worker.score(task, n_exact_rows) for task in tasks)
            return
        shards = [tasks[start : start + SHARD] for start in range(0, len(tasks), SHARD)]
        scored = Parallel(n_jobs=self._n_jobs, batch_size=1, return_as="generator")(
            delayed(_scores_of_shard)(self._file, self._space, self._cardinalities, shard, n_exact_rows)
            for shard in shards
        )
        for shard in scored:
            yield from shard


class _Worker:
    """The supernet and the rows of one process."""

    def __init__(self, tensors: dict[str, Tensor], space: NasrecSpace, cardinalities: tuple[int, ...]) -> None:
        supernet = Supernet(space, cardinalities, seed=0)
        supernet.load_state_dict(part(tensors, "supernet."))
        refit, judge, tune = (part(tensors, f"{kind}.") for kind in ("refit", "score", "tune"))
        self._scorer = Scorer(supernet, TensorRows(**refit), TensorRows(**judge), TensorRows(**tune) if tune else None)

    def score(self, task: _Task, n_exact_rows: int | None) -> Score:
        """The score of a task."""
        network, table_bits, chip = task
        with threads(1):
            if n_exact_rows is None or chip is None:
                return self._scorer.score(network, table_bits, chip)
            return self._scorer.exact(network, table_bits, chip, n_exact_rows)


def _tensors(rows: Rows) -> dict[str, Tensor]:
    return {name: torch.from_numpy(getattr(rows, name)) for name in ("ids", "dense", "labels")}


@lru_cache(maxsize=1)
def _worker_of(file: str, space: NasrecSpace, cardinalities: tuple[int, ...]) -> _Worker:
    return _Worker(safetensors.torch.load_file(file), space, cardinalities)


def _scores_of_shard(
    file: str, space: NasrecSpace, cardinalities: tuple[int, ...], tasks: Sequence[_Task], n_exact_rows: int | None
) -> list[Score]:
    """Scores in a worker process, which reads the supernet once."""
    return [_worker_of(file, space, cardinalities).score(task, n_exact_rows) for task in tasks]
