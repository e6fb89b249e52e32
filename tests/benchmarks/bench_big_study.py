"""A study of 100,000 designs: seconds and peak memory to open and to read it, each in a process of its own.

120 unordered blocks of 2 to 8 choices, 3 objectives, 7 attributes and a breakdown of 12 columns. Run it alone on a
quiet machine; with a path, the study is made there once and kept:

    python tests/benchmarks/bench_big_study.py [study.db]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Evaluation, Objective, Study

ROOT = Path(__file__).resolve().parents[2]
N_BLOCKS = 120
N_TRIALS = 100_000
SPACE = Space("bench", tuple(ChoiceBlock(f"b{i}", tuple(range(2 + i % 7))) for i in range(N_BLOCKS)))
COST = np.random.default_rng(0).random((N_BLOCKS, 8, 3))
ACTIONS = ("open", "ask", "front", "summary", "trials")


def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
    """Sums of a table, and attributes as many as a co-design has."""
    parts = COST[np.arange(N_BLOCKS), genomes]
    scalars = {f"attribute{i}": parts[:, i, 0] for i in range(7)}
    return Evaluation(parts.sum(axis=1), attributes=scalars | {"breakdown": parts[:, :12, 1]})


def opened(storage: Path) -> Study:
    return Study("big", SPACE, [Objective(name=f"f{i}", reference=80.0) for i in range(3)], storage=storage)


def make(storage: Path) -> None:
    with opened(storage) as study:
        started, n_before = time.perf_counter(), len(study)
        while len(study) < N_TRIALS:
            genomes = study.ask(min(100, N_TRIALS - len(study)))
            study.tell(genomes, evaluate(genomes))
        per_trial_ms = (time.perf_counter() - started) / (len(study) - n_before) * 1e3 if len(study) > n_before else 0.0
    print(f"made: {per_trial_ms:.3f} ms a trial, {storage.stat().st_size / 2**20:.0f} MiB", flush=True)


def peak_mib() -> float:
    """Of this process; what getrusage says includes the process that started it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 2**10


def measure(action: str, storage: Path) -> None:
    """Prints seconds from opening on, and the process's peak memory."""
    import studies.engines.pymoo  # noqa: F401 - so that its import is not measured

    before_mib = peak_mib()
    started = time.perf_counter()
    study = opened(storage)
    match action:
        case "ask":
            study.ask(100)
        case "front":
            study.front()
        case "summary":
            study.summary()
        case "trials":
            study.trials()
    seconds = time.perf_counter() - started
    more_mib = peak_mib() - before_mib
    print(f"{action:8} {seconds:8.3f} s {more_mib:8.0f} MiB beyond the {before_mib:.0f} MiB of imports", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "study.db"
        make(storage)
        for action in ACTIONS:
            arguments = [sys.executable, __file__, "measure", action, str(storage)]
            subprocess.run(arguments, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        measure(sys.argv[2], Path(sys.argv[3]))
    else:
        main()
