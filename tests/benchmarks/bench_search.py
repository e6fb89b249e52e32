"""Is the search better than chance? Hypervolume of each way to search: same oracle, costs and budget.

Uses the supernet of runs/movielens-100k, which `make run` trains, and its correction. Random search is given twice: as
it is, and restricted to chips with lossless ADCs, which spares it the designs that the search learns to avoid. Shares
of the box below the reference point, and of that from BEST to it with energy and latency in logarithms: the most
accurate corner rules the first, all decades of cost count in the second.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from moco.costs.batch import design_costs
from moco.runs.run import Run
from moco.search.codesign import CodesignStudy, create_study
from moco.search.known import known_designs
from spaces import Genomes
from studies.front import hypervolume
from studies.objective import Evaluation

BEST = np.array([0.53, 1e3, 1e2])
"""Log loss, pJ and ns that no design of MovieLens-100k goes below, or hardly."""


def shares(
    values: NDArray[np.float64], reference: NDArray[np.float64], best: NDArray[np.float64] = BEST
) -> tuple[float, float]:
    """The plain and the logarithmic share of (B, 3) log losses, energies and latencies."""
    inside = np.maximum(values, best)
    plain = hypervolume(values, reference) / float(np.prod(reference))
    low, high = (np.concatenate([point[:1], np.log(point[1:])]) for point in (best, reference))
    points = np.column_stack([inside[:, 0], np.log(inside[:, 1:])])
    return plain, hypervolume(points, high) / float(np.prod(high - low))


def lossless_designs(study: CodesignStudy, n: int, seed: int) -> Genomes:
    """(n, P) distinct random designs whose ADC loses nothing, the hand-made ones first."""
    rng = np.random.default_rng(seed)
    genomes = study.space.canonical(known_designs(study.space))
    while len(genomes) < n:
        drawn = study.space.canonical(study.space.sample(rng, n))
        is_lossless = design_costs(study.data, study.space, drawn).adc_shortfall_bits <= 0
        genomes = np.unique(np.concatenate([genomes, drawn[is_lossless]]), axis=0)
    known = study.space.canonical(known_designs(study.space))
    others = genomes[~(genomes[:, None] == known).all(axis=2).any(axis=1)]
    return np.concatenate([known, rng.permutation(others)])[:n]


def volumes(folder: Path, seed: int, n_trials: int) -> dict[str, tuple[float, float]]:
    """Both shares of each way to search."""
    run = Run.reopen(folder)
    found = {}
    for way, engine, improves_chips in (
        ("surrogate", "surrogate", True),
        ("nsga2", "nsga2", True),
        ("nsga2, chips as bred", "nsga2", False),
        ("random", "random", False),
    ):
        study = create_study(
            way,
            run.data,
            run.space,
            run.supernet,
            seed=seed,
            engine=engine,
            correction=run.checks.trusted_correction,
            n_jobs=1,
            improves_chips=improves_chips,
        )
        study.optimize(n_trials)
        reference = np.array([objective.reference for objective in study.study.objectives], dtype=float)
        found[way] = shares(study.study.trials().values, reference)
    evaluation = study.evaluate(lossless_designs(study, n_trials, seed))
    assert isinstance(evaluation, Evaluation)
    found["random, lossless"] = shares(np.asarray(evaluation.values), reference)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/movielens-100k"))
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    start_s = time.monotonic()
    rows = Parallel(n_jobs=-1)(delayed(volumes)(given.folder, seed, given.trials) for seed in range(given.seeds))
    for column, what in enumerate(("plain share", "log share")):
        print(f"{what}, {given.trials} designs, {given.seeds} seeds")
        for way in rows[0]:
            values = np.array([row[way][column] for row in rows])
            print(f"  {way:<20} {values.mean():.4f} +- {values.std(ddof=1):.4f}   {np.round(values, 4).tolist()}")
    print(f"{time.monotonic() - start_s:.0f} s")


if __name__ == "__main__":
    main()
