"""Truths: networks of three data sets, spread evenly over log MACs, trained from scratch with two seeds each.

python -m tests.benchmarks.truth frappe [--networks 60] [--seeds 2] [--jobs 2]   trains what is missing; goes on
python -m tests.benchmarks.truth frappe --qualify                                8 networks x 2 seeds, then the verdict
python -m tests.benchmarks.truth frappe --show                                   noise, ceiling, controls

A truth can be ranked where its networks differ at least twice as much as two trainings of one of them.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from moco.data import ClickLog, CtrDataset, load_dataset
from moco.oracle.fidelity import SPREAD_OVER_NOISE, Noise, ceiling, rank_correlation
from moco.oracle.spread import log_macs, spread_networks
from moco.oracle.truth import Truth, train_truth
from moco.progress import progress_bar
from moco.recipes import recipe_for
from moco.runs.teacher import taught
from moco.search.codesign import codesign_space
from spaces import liveness
from spaces.architecture import ATTENTION, SPARSE_OPERATORS
from spaces.nasrec import NasrecSpace

FOLDER = Path(__file__).parent
SHARED = FOLDER.parents[3] / "shared" / "data"
N_NETWORKS = 60
N_QUALIFYING = 8

SYNTHETIC = {"n_rows": 1_000_000, "interaction_order": 3, "max_cardinality": 1000}
"""Options of the synthetic log, where architecture matters."""


def dataset(name: str) -> CtrDataset:
    """The data of a truth."""
    if name == "frappe":
        return load_dataset("frappe", SHARED / "frappe")
    if name == "movielens-100k":
        return load_dataset(name)
    return load_dataset("synthetic", **SYNTHETIC)


def lessons(data: CtrDataset) -> ClickLog:
    """What the networks of its truth are trained on: as in a run, a teacher softens labels where the recipe has one."""
    return taught(data, recipe_for(data).n_teachers, Path("runs") / f"teacher-{data.digest[:8]}")


def show(truth: Truth, space: NasrecSpace) -> None:
    """Prints what a truth is worth, and how controls order it."""
    for figure in ("valid_logloss", "test_logloss", "valid_auc"):
        table = truth.figures(figure)
        complete = table[~np.isnan(table).any(axis=1)]
        noise = Noise.of(complete)
        print(
            f"{figure:<14} {len(complete)} networks, quartiles "
            f"{' '.join(f'{value:.4f}' for value in np.quantile(complete.mean(axis=1), [0, 0.25, 0.5, 0.75, 1]))}; "
            f"seed sd {noise.seed_sd:.4f}, between networks {noise.network_sd:.4f}, "
            f"ratio {noise.network_sd / noise.seed_sd:.1f}, ceiling of tau {ceiling(complete):.2f}"
        )
    table = truth.figures()
    is_complete = ~np.isnan(table).any(axis=1)
    genomes, means = truth.genomes[is_complete], table[is_complete].mean(axis=1)
    verdict = "can" if Noise.of(table[is_complete]).can_be_ranked else "cannot"
    print(f"It {verdict} be ranked: networks must differ {SPREAD_OVER_NOISE:g} times as much as seeds.")
    live = liveness(space.networks(genomes))
    is_attention = space.networks(genomes).sparse_operator == SPARSE_OPERATORS.index("attention")
    controls = {
        "more MACs": -log_macs(space, genomes),
        "more live blocks": -live.block.sum(axis=1),
        "more attention": -(live.sparse_operator & is_attention).sum(axis=1),
        "test log loss": truth.figures("test_logloss")[is_complete].mean(axis=1),
    }
    assert SPARSE_OPERATORS[ATTENTION] == "attention"
    half = means <= np.median(means)
    for name, score in controls.items():
        print(
            f"{name:<18} tau {rank_correlation(score, means)}, better half {rank_correlation(score[half], means[half])}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("frappe", "movielens-100k", "synthetic"))
    parser.add_argument("--networks", type=int, default=N_NETWORKS)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, help="processes; one a core when left out")
    parser.add_argument("--most-macs", type=float, default=math.inf, help="leave larger networks for later")
    parser.add_argument("--qualify", action="store_true", help=f"{N_QUALIFYING} networks only")
    parser.add_argument("--show", action="store_true", help="train nothing")
    given = parser.parse_args()
    data = dataset(given.data)
    truth = Truth.read(FOLDER, given.data)
    space = codesign_space(data, truth.space_kind if given.show and truth is not None else None).network
    if not given.show:
        genomes = spread_networks(space, given.networks)
        genomes = genomes[np.expm1(log_macs(space, genomes)) <= given.most_macs]
        if given.qualify:
            genomes = genomes[np.linspace(0, len(genomes) - 1, N_QUALIFYING).round().astype(int)]
        with progress_bar("from scratch", "runs") as bar:
            truth = train_truth(
                lessons(data),
                space,
                genomes,
                range(given.seeds),
                FOLDER,
                given.data,
                settings=recipe_for(data).final,
                n_jobs=given.jobs,
                progress=bar.update,
            )
    if truth is None:
        parser.error(f"there is no truth of {given.data} yet: leave --show out")
    useful = truth.useful(data)
    print(f"{len(truth.runs) - len(useful.runs)} of {len(truth.runs)} runs never began to learn and do not count")
    show(useful, space)


if __name__ == "__main__":
    main()
