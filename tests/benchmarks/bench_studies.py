"""What a study costs besides the evaluation: time per trial, with a function that costs nothing.

120 unordered blocks of 2 to 8 choices, 3 objectives, population 100. Run it alone on a quiet machine:

    python tests/benchmarks/bench_studies.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Objective, Study

N_BLOCKS = 120
N_TRIALS = 2000
N_OPTUNA_TRIALS = 300
SPACE = Space("bench", tuple(ChoiceBlock(f"b{i}", tuple(range(2 + i % 7))) for i in range(N_BLOCKS)))
COST = np.random.default_rng(0).random((N_BLOCKS, 8, 3))


def evaluate(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
    """(B, 3) sums of a table."""
    return COST[np.arange(N_BLOCKS), genomes].sum(axis=1)


def study_ms(storage: Path | None) -> tuple[float, float]:
    """Milliseconds a trial of the search, and of the dashboard's study at the end of it."""
    objectives = [Objective(name=f"f{i}", reference=80.0) for i in range(3)]
    with Study("bench", SPACE, objectives, storage=storage) as study:
        stored = [0.0]
        started = time.perf_counter()
        study.optimize(evaluate, N_TRIALS, progress=lambda _: stored.append(time.perf_counter()))
        ended = time.perf_counter()
    return (stored[-1] - started) / N_TRIALS * 1e3, (ended - stored[-1]) / N_TRIALS * 1e3


def optuna_ms() -> float:
    """Milliseconds a trial of Optuna's NSGA-II by ask and tell, in memory."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.NSGAIISampler(seed=0, population_size=100)
    study = optuna.create_study(directions=["minimize"] * 3, sampler=sampler)
    started = time.perf_counter()
    for _ in range(N_OPTUNA_TRIALS):
        trial = study.ask()
        genome = np.array([[trial.suggest_categorical(block.name, block.choices) for block in SPACE.blocks]])
        study.tell(trial, evaluate(genome)[0].tolist())
    return (time.perf_counter() - started) / N_OPTUNA_TRIALS * 1e3


def main() -> None:
    study_ms(None)  # imports
    search, _ = study_ms(None)
    print(f"study in memory        {search:8.3f} ms a trial")
    with tempfile.TemporaryDirectory() as folder:
        stored, dashboard = study_ms(Path(folder) / "study.db")
    print(f"study in a file        {stored:8.3f} ms a trial, the dashboard's study {dashboard:.3f} ms a trial more")
    reference = optuna_ms()
    print(f"Optuna NSGA-II, memory {reference:8.3f} ms a trial: {reference / stored:.0f} times a study in a file")


if __name__ == "__main__":
    main()
