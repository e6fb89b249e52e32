"""What a study costs besides the evaluation: time per trial, with a function that costs nothing.

120 unordered blocks of 2 to 8 choices, 3 objectives, population 100; against Optuna's NSGA-II by ask and tell, in
memory and on its own SQLite storage. Run it alone on a quiet machine:

    python tests/benchmarks/bench_studies.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Objective, Study

N_BLOCKS = 120
N_TRIALS = 20_000
N_READ = 5000
MARKS = (200, 1000, 5000, 20_000)
MAX_MS = 1.0
MIN_RATIO = 200.0
MAX_READ_S = 1.0
SPACE = Space("bench", tuple(ChoiceBlock(f"b{i}", tuple(range(2 + i % 7))) for i in range(N_BLOCKS)))
COST = np.random.default_rng(0).random((N_BLOCKS, 8, 3))
OBJECTIVES = [Objective(name=f"f{i}", reference=80.0) for i in range(3)]


def evaluate(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(B, 3) sums of a table."""
    return COST[np.arange(N_BLOCKS), genomes].sum(axis=1)


def study_times(storage: Path | None, n_trials: int) -> tuple[NDArray[np.float64], float]:
    """Seconds from the start to the end of each generation, and of the dashboard's study after the last."""
    ended: list[float] = []
    with Study("bench", SPACE, OBJECTIVES, storage=storage) as study:
        started = time.perf_counter()
        study.optimize(evaluate, n_trials, progress=lambda _: ended.append(time.perf_counter() - started))
        finished = time.perf_counter() - started
    return np.array(ended), finished - ended[-1]


def read_s(storage: Path) -> float:
    """Seconds to open a stored study and read its trials as arrays, again in a new Study."""
    started = time.perf_counter()
    with Study("bench", SPACE, OBJECTIVES, storage=storage) as study:
        trials = study.trials()
    assert trials.genomes.shape[1] == N_BLOCKS
    return time.perf_counter() - started


def optuna_ms(n_warm: int, n_timed: int, storage: str | None) -> float:
    """Milliseconds a trial of Optuna's NSGA-II by ask and tell."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.NSGAIISampler(seed=0, population_size=100)
    study = optuna.create_study(directions=["minimize"] * 3, sampler=sampler, storage=storage)
    for number in range(n_warm + n_timed):
        if number == n_warm:
            started = time.perf_counter()
        trial = study.ask()
        genome = np.array([[trial.suggest_categorical(block.name, block.choices) for block in SPACE.blocks]])
        study.tell(trial, evaluate(genome)[0].tolist())
    return (time.perf_counter() - started) / n_timed * 1e3


def verdict(is_kept: bool) -> str:
    return "kept" if is_kept else "NOT KEPT"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=N_TRIALS)
    given = parser.parse_args()
    study_times(None, 300)  # imports
    in_memory, _ = study_times(None, 2000)
    print(f"study in memory           {in_memory[-1] / 2:8.3f} ms a trial")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "study.db"
        ended, dashboard_s = study_times(file, given.trials)
        print(f"study in a file, {given.trials} trials, history and state of every generation stored:")
        worst_ms = 0.0
        for mark in (mark for mark in MARKS if mark <= given.trials):
            last = mark // 100
            first = max(0, last - 10) if mark > 200 else 0
            ms = (ended[last - 1] - (ended[first - 1] if first else 0.0)) / (last - first) * 10
            worst_ms = max(worst_ms, ms)
            print(f"  up to trial {mark:<6}      {ms:8.3f} ms a trial")
        all_in_ms = (ended[-1] + dashboard_s) / given.trials * 1e3
        print(f"  the dashboard's study   {dashboard_s:8.3f} s once, at the end")
        print(f"  all in                  {all_in_ms:8.3f} ms a trial; at most {MAX_MS}: {verdict(all_in_ms <= MAX_MS)}")
        small = Path(folder) / "small.db"
        study_times(small, N_READ)
        seconds = read_s(small)
        print(f"{N_READ} x {N_BLOCKS} read as arrays {seconds:8.3f} s; under {MAX_READ_S}: {verdict(seconds < MAX_READ_S)}")
        memory_ms = optuna_ms(200, 100, None)
        print(f"Optuna NSGA-II in memory  {memory_ms:8.3f} ms a trial: {memory_ms / all_in_ms:.0f} times a study in a file")
        stored_ms = optuna_ms(10, 20, f"sqlite:///{folder}/optuna.db")
    ratio = stored_ms / all_in_ms
    print(f"Optuna NSGA-II on SQLite  {stored_ms:8.3f} ms a trial: {ratio:.0f} times; {verdict(ratio >= MIN_RATIO)}")


if __name__ == "__main__":
    main()
