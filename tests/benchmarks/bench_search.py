"""Is the search better than chance? Hypervolume of NSGA-II against random search: same oracle, costs and budget.

Uses the supernet of runs/movielens-100k, which `make run` trains. Random search is given twice: as it is, and
restricted to chips with lossless ADCs, which spares it the designs that the search learns to avoid.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from moco.batch_costs import design_costs
from moco.codesign import CodesignStudy, create_study
from moco.known import known_designs
from moco.run_settings import RunSettings
from moco.runs import Run
from spaces import Genomes
from studies.front import hypervolume
from studies.objective import Evaluation


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


def volumes(folder: Path, seed: int, n_trials: int) -> dict[str, float]:
    """Hypervolume of each way to search, as a share of the box below the reference point."""
    run = Run(folder, RunSettings(dataset="movielens-100k"))
    shares = {}
    for way, engine, improves_chips in (
        ("nsga2", "nsga2", True),
        ("nsga2, chips as bred", "nsga2", False),
        ("random", "random", False),
    ):
        study = create_study(
            way, run.data, run.space, run.supernet, seed=seed, engine=engine, n_jobs=1, improves_chips=improves_chips
        )
        study.optimize(n_trials)
        reference = np.array([objective.reference for objective in study.study.objectives], dtype=float)
        shares[way] = study.study.hypervolume() / float(np.prod(reference))
    evaluation = study.evaluate(lossless_designs(study, n_trials, seed))
    assert isinstance(evaluation, Evaluation)
    shares["random, lossless"] = hypervolume(np.asarray(evaluation.values), reference) / float(np.prod(reference))
    return shares


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/movielens-100k"))
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    start_s = time.monotonic()
    rows = Parallel(n_jobs=-1)(delayed(volumes)(given.folder, seed, given.trials) for seed in range(given.seeds))
    print(f"hypervolume as a share of the box below the reference point, {given.trials} designs, {given.seeds} seeds")
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        print(f"  {name:<18} {values.mean():.4f} +- {values.std(ddof=1):.4f}   {np.round(values, 4).tolist()}")
    ratios = [row["nsga2"] / max(row["random"], row["random, lossless"]) for row in rows]
    print(f"  nsga2 over the better random, seed by seed: {np.round(ratios, 3).tolist()}")
    print(f"  {time.monotonic() - start_s:.0f} s")


if __name__ == "__main__":
    main()
