"""What a study costs besides the evaluation: time per trial, with a function that costs nothing.

120 unordered blocks of 2 to 8 choices, 3 objectives, population 100; against Optuna's NSGA-II by ask and tell, in
memory and on its own SQLite storage. Run it alone on a quiet machine:

    python tests/benchmarks/bench_studies.py
"""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Objective, Study

N_BLOCKS = 120
SIZES = (200, 1000, 5000, 20_000)
N_READ = 5000
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
    study_times(None, 300)  # imports
    with tempfile.TemporaryDirectory() as folder:
        _, first_s = study_times(Path(folder) / "first.db", 300)  # imports of the dashboard's study
    gc.collect()  # what they left
    print(f"the first dashboard's study of a process takes {first_s:.3f} s, what it imports included")
    in_memory, _ = study_times(None, 2000)
    print(f"study in memory {in_memory[-1] / 2:.3f} ms a trial")
    print("study in a file: ms a trial, of history and the engine's state, and of the dashboard's study at the end")
    with tempfile.TemporaryDirectory() as folder:
        for n_trials in SIZES:
            ended, dashboard_s = study_times(Path(folder) / f"{n_trials}.db", n_trials)
            n_last = min(10, len(ended) - 1)
            last_ms = (ended[-1] - ended[-1 - n_last]) / n_last * 10
            stored_ms, shown_ms = (seconds / n_trials * 1e3 for seconds in (ended[-1], dashboard_s))
            all_in_ms = stored_ms + shown_ms
            print(
                f"  {n_trials:>6} trials: {stored_ms:.3f} (last {n_last} generations {last_ms:.3f}) + {shown_ms:.3f} = "
                f"{all_in_ms:.3f}; at most {MAX_MS:g}: {verdict(all_in_ms <= MAX_MS)}",
                flush=True,
            )
        seconds = read_s(Path(folder) / f"{N_READ}.db")
        is_quick = verdict(seconds < MAX_READ_S)
        print(f"{N_READ} x {N_BLOCKS} read as arrays in {seconds:.3f} s; under {MAX_READ_S:g}: {is_quick}")
        memory_ms = optuna_ms(200, 100, None)
        optuna_file_ms = optuna_ms(10, 20, f"sqlite:///{folder}/optuna.db")
    print(f"Optuna NSGA-II by ask and tell: {memory_ms:.1f} ms a trial in memory, {optuna_file_ms:.0f} on SQLite")
    ratio = optuna_file_ms / all_in_ms
    is_far = verdict(ratio >= MIN_RATIO)
    print(f"  SQLite over a study of {SIZES[-1]} trials, all in: {ratio:.0f}; at least {MIN_RATIO:g}: {is_far}")


if __name__ == "__main__":
    main()
