"""Speed of supernet training, of the oracle and of training from scratch, on a log of MovieLens-100k's shape.

Run: python tests/benchmarks/bench_supernet.py
"""

from __future__ import annotations

import time

import numpy as np

from moco.data import load_dataset
from moco.oracle.oracle import Oracle
from moco.settings import FinalSettings, TrainSettings
from moco.supernet import TrainProgress, train_supernet
from moco.training.from_scratch import train_from_scratch
from spaces.nasrec import nasrec_space

N_SCORED = 48
N_TRAINED = 4


def main() -> None:
    """Prints one line a figure."""
    data = load_dataset("synthetic", n_rows=100_000, n_fields=12, n_dense=0, max_cardinality=1700)
    space = nasrec_space(
        n_dense=0, n_sparse=12, dense_dims=(16, 32, 64, 128), sparse_dims=(4, 8, 16), weight_bits=(4, 8)
    )
    settings = TrainSettings(epochs=2, embedding_epochs=0)
    marks: list[tuple[int, float]] = []

    def mark(state: TrainProgress) -> None:
        marks.append((state.n_rows, time.perf_counter()))

    supernet = train_supernet(data, space, settings=settings, progress=mark)
    (first_rows, first_s), (last_rows, last_s) = marks[0], marks[-1]
    rows_per_s = (last_rows - first_rows) / (last_s - first_s)
    print(f"supernet            {rows_per_s:10,.0f} rows/s  {rows_per_s / settings.batch_size:8.1f} steps/s")

    networks = space.networks(space.canonical(space.sample(np.random.default_rng(0), N_SCORED + 8)))
    scored, warm_up = networks.take(np.arange(N_SCORED)), networks.take(np.arange(N_SCORED, N_SCORED + 8))
    for n_jobs in (1, 2):
        oracle = Oracle(supernet, data, n_jobs=n_jobs)
        oracle.score(warm_up)  # starts the processes and reads the supernet there
        start_s = time.perf_counter()
        oracle.score(scored)
        seconds = time.perf_counter() - start_s
        print(f"oracle, {n_jobs} process{'es' if n_jobs > 1 else '  '}  {N_SCORED / seconds:10.2f} designs/s")

    start_s = time.perf_counter()
    final = FinalSettings(epochs=1)
    for row in range(N_TRAINED):
        train_from_scratch(data, networks[row], settings=final)
    seconds = time.perf_counter() - start_s
    print(f"from scratch        {N_TRAINED * len(data.train) / seconds:10,.0f} rows/s")


if __name__ == "__main__":
    main()
