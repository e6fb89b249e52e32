"""DeepFM beside FuxiCTR's in one run: rows a second of training and of predictions.

Generated rows of Frappe's shape, the hyper-parameters of BARS for Frappe_x1 (batch 4096, 3 x 400, batch normalisation,
dropout, a penalty on whole tables). The two take turns, an epoch each, so that both meet the same machine.

FUXICTR_PYTHON=... python -m tests.benchmarks deepfm; without FuxiCTR's environment, ours alone.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from moco.baselines.deep import DeepFm
from moco.baselines.hand_made import HandMade
from moco.data import Rows
from moco.settings import FinalSettings
from moco.supernet.loop import Trainer, logloss_of, threads
from moco.supernet.metrics import PREDICT_BATCH
from moco.supernet.numerics import FLOAT
from moco.supernet.rows import TensorRows

CARDINALITIES = (957, 4082, 7, 7, 2, 3, 2, 9, 80, 233)
"""Frappe's."""

N_ROWS, BATCH, N_THREADS, N_TURNS = 202_027, 4096, 2, 5
LEAST_RATIO = 2.5

Seconds = Callable[[str], float]


def generated_rows() -> TensorRows:
    """Rows of Frappe's shape whose label depends on two fields."""
    rng = np.random.default_rng(0)
    ids = np.stack([rng.integers(0, size, N_ROWS) for size in CARDINALITIES], axis=1).astype(np.int32)
    labels = (rng.random(N_ROWS) < np.where((ids[:, 0] + ids[:, 1]) % 3 == 0, 0.8, 0.1)).astype(np.float32)
    return TensorRows.of(Rows(ids, np.zeros((N_ROWS, 0), dtype=np.float32), labels), torch.device("cpu"))


def ours(rows: TensorRows) -> Seconds:
    """Seconds of an epoch of training, or of a pass of predictions, by this project."""
    settings = FinalSettings(
        epochs=100, batch_size=BATCH, learning_rate=1e-3, embedding_l2=0.05, embedding_dropout=0, average_share=0
    )
    network = HandMade(DeepFm(dropout=0.2), CARDINALITIES, 0, seed=0)
    trainer = Trainer(network.embedding, (network.weights,), settings, rows, np.arange(N_ROWS), (0,))

    def seconds(what: str) -> float:
        started = time.perf_counter()
        with threads(N_THREADS):
            if what == "train":
                network.train()
                trainer.run(
                    trainer.next_round(),
                    lambda batch, embedded: logloss_of(network.logits(batch.dense, embedded, FLOAT), batch.labels),
                )
            else:
                network.eval()
                with torch.no_grad():
                    for batch in rows.batches(PREDICT_BATCH):
                        network(batch.ids, batch.dense)
        return time.perf_counter() - started

    return seconds


def fuxictr(process: subprocess.Popen[str]) -> Seconds:
    """The same by a process of `fuxictr_deepfm`."""

    def seconds(what: str) -> float:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(what + "\n")
        process.stdin.flush()
        return float(process.stdout.readline())

    return seconds


def main() -> None:
    rows = generated_rows()
    peers: dict[str, Seconds] = {"moco": ours(rows)}
    with tempfile.TemporaryDirectory() as folder:
        process = None
        if "FUXICTR_PYTHON" in os.environ:
            arrays = Path(folder) / "rows.npz"
            np.savez(
                arrays,
                ids=rows.ids.numpy(),
                labels=rows.labels.numpy(),
                cardinalities=CARDINALITIES,
                batch=BATCH,
                n_threads=N_THREADS,
            )
            script = Path(__file__).with_name("fuxictr_deepfm.py")
            process = subprocess.Popen(
                [os.environ["FUXICTR_PYTHON"], str(script), str(arrays)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            peers["FuxiCTR"] = fuxictr(process)
        found: dict[str, dict[str, float]] = {}
        for what in ("train", "predict"):
            taken_s: dict[str, list[float]] = {name: [] for name in peers}
            for _ in range(1 + N_TURNS):  # the first turn warms up
                for name, seconds in peers.items():
                    taken_s[name].append(seconds(what))
            found[what] = {name: N_ROWS / statistics.median(taken[1:]) for name, taken in taken_s.items()}
        if process is not None:
            process.communicate()
    for what, rates in found.items():
        line = ", ".join(f"{name} {rate:,.0f} rows/s" for name, rate in rates.items())
        ratio = rates["moco"] / rates["FuxiCTR"] if "FuxiCTR" in rates else None
        print(f"{what:<8} {line}" + ("" if ratio is None else f": {ratio:.2f} times as fast"))
        if what == "train" and ratio is not None and ratio < LEAST_RATIO:
            print(f"  below {LEAST_RATIO} times")


if __name__ == "__main__":
    main()
