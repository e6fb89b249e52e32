"""Do scores of co-designs rank as training from scratch with the hardware in the loop does?

Takes designs of the front of a finished run, evenly from the most accurate to the cheapest, trains each for its chip
with two seeds, by the run's teacher where it has one, and scores what was trained with products computed slice by
slice. Trainings are kept in the run's folder, so the benchmark goes on where it stopped.

python -m tests.benchmarks.codesigns RUN [--designs 20] [--seeds 2] [--jobs 2]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from moco.chosen.retrained import by_key, retrain
from moco.oracle.fidelity import Noise, ceiling, rank_correlation
from moco.oracle.oracle import Oracle
from moco.progress import progress_bar
from moco.runs.run import Run
from moco.supernet.rows import evenly
from pimmodel import PimConfig
from spaces import ArchitectureBatch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run with a search")
    parser.add_argument("--designs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    this = Run.reopen(given.run)
    study = this.stored_study()
    front = study.front()
    chosen = [front[row] for row in evenly(len(front), given.designs)]
    with progress_bar("training for chips", "trainings") as bar:
        found = retrain(
            this.lessons,
            [("", design) for design in chosen],
            given.run / "codesigns",
            settings=this.recipe.final,
            seeds=range(given.seeds),
            is_taught=this.lessons is not this.whole_data,
            n_jobs=given.jobs,
            progress=bar.update,
        )
    trained = by_key(found)
    table = np.array([[one.chip_valid.logloss for one in trained[design.key]] for design in chosen])
    tests = np.array([[one.chip_test.logloss for one in trained[design.key]] for design in chosen])
    truth, noise = table.mean(axis=1), Noise.of(table)
    networks = ArchitectureBatch.of([one.architecture for one in chosen])
    chips = PimConfig.concatenate([one.hardware for one in chosen])
    table_bits = [int(one.hardware.table_bits) for one in chosen]
    oracle = Oracle(this.supernet, this.data, n_jobs=given.jobs)
    untuned = Oracle(this.supernet, this.data, n_tuning_steps=0, n_jobs=given.jobs)
    corrected = np.array([design.logloss for design in chosen])
    scores = {
        "corrected score, which a search goes by": corrected,
        "score": oracle.score(networks, table_bits, chips).logloss,
        "score, layers not tuned": untuned.score(networks, table_bits, chips).logloss,
        "score in plain numbers": oracle.score(networks).logloss,
        "more MACs": -np.array([design.macs for design in chosen], dtype=np.float64),
        "more energy": -np.array([design.energy_pj for design in chosen]),
        "test log loss of the same trainings": tests.mean(axis=1),
    }
    print(
        f"{len(chosen)} designs of {len(front)}, valid log loss on chips {truth.min():.4f} to {truth.max():.4f}; seed "
        f"sd {noise.seed_sd:.4f}, between designs {noise.network_sd:.4f}, ceiling of tau {ceiling(table):.2f}"
    )
    half = truth <= np.median(truth)
    for name, score in scores.items():
        every, better = rank_correlation(score, truth), rank_correlation(score[half], truth[half])
        top = int(np.argsort(truth).argsort()[np.argsort(score)[:5]].min()) + 1
        print(f"{name:<42} tau {every}, Spearman {every.spearman:.2f}; better half {better}; best of top 5: {top}")
    for design, losses, score in zip(chosen, table, corrected, strict=True):
        print(
            f"{design.key[:8]} {design.macs:>8,} MACs {design.energy_pj:>10,.0f} pJ, score {score:.4f}, "
            f"from scratch {' '.join(f'{loss:.4f}' for loss in losses)}"
        )


if __name__ == "__main__":
    main()
