"""How many evaluations does the joint space take? The default search beside Optuna's NSGA-II, with a trained supernet.

Both score by the same supernet and begin with the same hand-made designs. Hypervolume of log loss, energy and latency,
plain and with energy and latency in logarithms (`tests.benchmarks.bench_search.shares`); then the number of
evaluations after which the default search has what Optuna's NSGA-II has at its end.

python -m tests.benchmarks.bench_joint --folder runs/frappe [--seeds 0 1 2 3 4] [--evaluations 2000] [--ours 700]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from moco.runs.run import Run
from moco.search.codesign import create_study
from moco.search.look_ahead import LOOKS_AHEAD
from tests.benchmarks.bench_search import shares

BEST = np.array([0.0, 1e3, 1e2])
"""Log loss, pJ and ns that no design goes below, or hardly."""

STEP = 25
WAYS = {"Optuna NSGA-II": ("optuna:nsga2", 100, False), "moco": (LOOKS_AHEAD, 50, True)}
"""Engine, population, and whether networks get better chips and the designs of most work are known."""


def found(folder: Path, way: str, seed: int, n: int) -> NDArray[np.float64]:
    """(n / STEP, 2) plain and logarithmic share after each STEP evaluations."""
    run = Run.reopen(folder)
    engine, population_size, improves_chips = WAYS[way]
    study = create_study(
        way,
        run.data,
        run.space,
        run.supernet,
        seed=seed,
        engine=engine,
        population_size=population_size,
        correction=run.checks.trusted_correction,
        n_jobs=1,
        improves_chips=improves_chips,
    )
    study.optimize(n)
    reference = np.array([objective.reference for objective in study.study.objectives], dtype=float)
    values = study.study.trials().values
    return np.array([shares(values[:end], reference, BEST) for end in range(STEP, n + 1, STEP)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("runs/frappe"))
    parser.add_argument("--seeds", type=int, nargs="*", default=range(5))
    parser.add_argument("--evaluations", type=int, default=2000)
    parser.add_argument("--ours", type=int, default=700)
    given = parser.parse_args()
    print(f"{given.folder.name}: {given.evaluations} evaluations of Optuna's NSGA-II, {given.ours} of moco", flush=True)
    budgets = {"Optuna NSGA-II": given.evaluations, "moco": given.ours}
    for seed in given.seeds:
        theirs, ours = Parallel(n_jobs=2)(delayed(found)(given.folder, way, seed, budgets[way]) for way in WAYS)
        for column, what in enumerate(("plain share", "log share")):
            reached = np.flatnonzero(ours[:, column] >= theirs[-1, column])
            when = f"after {STEP * (reached[0] + 1)}" if len(reached) else "not reached"
            print(
                f"seed {seed}, {what}: Optuna's {theirs[-1, column]:.4f} {when}, moco's at its end "
                f"{ours[-1, column]:.4f}; Optuna's after as many {theirs[len(ours) - 1, column]:.4f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
