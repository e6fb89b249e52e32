"""The end that counts: is the best design of a search better than what the same time buys without a supernet?

Three ways to spend the same hours on two cores, each repeated with several seeds:

- moco: `moco run --hours H`, supernet, correction, search and training from scratch together;
- MACs: the same search and the same choice of what to train, steered by counting multiply-accumulates (more is
  better) in place of the supernet's score; the time of the supernet goes to training;
- random: random networks, each on the cheapest of 100 random chips whose ADC loses nothing, trained one after another.

Of each way the trained design with the lowest valid log loss is taken, of moco and MACs on the best of its chips:
without a cap, and under caps of 1/2, 1/4 and 1/10 of a random design's median energy. It is judged by training it anew
with three other seeds: log loss and AUC on the test rows, computed as its chip does. Everything is kept in the folder,
so the benchmark goes on where it stopped.

python -m tests.benchmarks.end movielens-100k [--path P] [--hours 0.1] [--seeds 0 1 2] [--ways moco MACs random]
    [--folder runs/end]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from moco.chosen.trained import FromScratch, read_from_scratch, train_chosen, valid_logloss
from moco.costs.batch import design_costs
from moco.data import CtrDataset
from moco.design import Design
from moco.oracle.oracle import Oracle, Scores
from moco.oracle.spread import log_macs
from moco.runs.budget import TEACHER_SHARE, Budget
from moco.runs.promising import train_promising
from moco.runs.run import Run
from moco.runs.settings import RunSettings, SearchSettings
from moco.runs.stages import run
from moco.runs.teacher import affordable_teachers
from moco.search.better_chips import BetterChips
from moco.search.codesign import CodesignStudy
from moco.search.known import known_designs
from moco.search.look_ahead import LookAhead
from moco.search.objectives import objectives
from pimmodel import PimConfig, find_calibration
from pimmodel.numerics import required_adc_bits
from spaces import ArchitectureBatch, CodesignSpace, Genomes
from studies import Study
from tests.benchmarks.truth.__main__ import SYNTHETIC

CAPS = {"none": np.inf, "1/2": 0.5, "1/4": 0.25, "1/10": 0.1}
"""Shares of a random design's median energy."""

N_CHIPS = 100
"""Random chips of which a random network takes the cheapest."""

USELESS = 10.0
"""A log loss that no design is worth."""

N_MEDIAN = 1000
N_MACS_TRIALS = 5000
JUDGED_SEEDS = (1001, 1002, 1003)
WAYS = ("moco", "MACs", "random")


class MacsOracle:
    """Scores by the logarithm of multiply-accumulates alone: more is better; a chip whose ADC loses bits is useless."""

    def __init__(self, space: CodesignSpace) -> None:
        self._space = space.network

    def score(
        self,
        networks: ArchitectureBatch,
        table_bits: ArrayLike | None = None,
        chips: PimConfig | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Scores:
        """As `Oracle.score`; never above 0, so that every design on a good chip counts as useful."""
        score = -log_macs(self._space, self._space.genomes(networks))
        if chips is not None:
            score = np.where(required_adc_bits(chips) <= chips.adc_bits, score, USELESS)
        return Scores(score, np.full(len(networks), 0.5), np.zeros(len(networks)))


def lossless_random(this: Run, rng: np.random.Generator, n: int) -> Genomes:
    """(n, P) random networks, each on the cheapest of N_CHIPS random chips whose ADC loses nothing."""
    space = this.space
    found: list[Genomes] = []
    while len(found) < n:
        genomes = space.sample(rng, N_CHIPS)
        genomes[:, : len(space.network.blocks)] = genomes[0, : len(space.network.blocks)]
        costs = design_costs(this.data, space, space.canonical(genomes))
        energy = np.where(costs.adc_shortfall_bits <= 0, costs.estimate.energy_pj, np.inf)
        if np.isfinite(energy.min()):
            found.append(genomes[energy.argmin()])
    return space.canonical(np.array(found))


def steered_by_macs(this: Run, folder: Path, seed: int) -> CodesignStudy:
    """The study of a search that never asks a supernet."""
    model = find_calibration("isaac32")
    study = Study(
        "macs",
        this.space,
        objectives(this.data, this.space, model),
        storage=folder / "study.db",
        seed=seed,
        known=known_designs(this.space),
        improve=BetterChips(LookAhead(this.data, this.space, model, this.data.cardinalities)),
    )
    oracle = cast(Oracle, MacsOracle(this.space))
    return CodesignStudy(this.data, this.space, oracle, study, model, this.data.cardinalities)


def designs_of(this: Run, genomes: Genomes) -> list[Design]:
    """Random designs, through a study that only costs them."""
    model = find_calibration("isaac32")
    study = Study("random", this.space, objectives(this.data, this.space, model), engine="random", known=genomes)
    oracle = cast(Oracle, MacsOracle(this.space))
    holder = CodesignStudy(this.data, this.space, oracle, study, model, this.data.cardinalities)
    holder.optimize(len(genomes))
    return holder.designs(study.trials())


def spend(way: str, settings: RunSettings, folder: Path, hours: float) -> None:
    """Spends the hours one way; the folder then holds from_scratch.json, trained.json and designs.json."""
    if (folder / "designs.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if way == "moco":
        study = run(folder, settings, SearchSettings(), hours=hours)
        this = Run.reopen(folder)
    else:
        this = Run(folder, settings, keep=False)
        if this.n_teachers > 0:
            n_teachers = affordable_teachers(cast(CtrDataset, this.whole_data), TEACHER_SHARE * hours * 3600)
            settings = replace(settings, n_teachers=min(this.n_teachers, n_teachers))
        this = this.begun(settings)
        budget = Budget(hours, json.loads(_text(folder / "seconds.json", "{}")))
        if way == "MACs":
            study = steered_by_macs(this, folder, settings.seed)
            study.optimize(N_MACS_TRIALS)
            train_promising(this, study, budget)
        else:
            designs = train_random(this, budget, folder, settings.seed)
    results = this.finals.from_scratch
    if way != "random":
        designs, results = this.finals.designs(study), this.finals.results(study)
    trained = valid_logloss(results)
    (folder / "trained.json").write_text(json.dumps(trained, indent=1))
    kept = [json.loads(design.to_json()) for design in designs if design.key in trained]
    (folder / "designs.json").write_text(json.dumps(kept))


def train_random(this: Run, budget: Budget, folder: Path, seed: int) -> list[Design]:
    """Trains random designs, two at a time, until the time is over."""
    rng = np.random.default_rng((seed, 99))
    designs: list[Design] = []
    longest_s = 0.0
    _ = this.lessons  # a teacher's time is not that of a design
    while budget.left_s > longest_s:
        started_s = time.monotonic()
        some = designs_of(this, lossless_random(this, rng, 2))
        train_chosen(
            this.lessons,
            [("random", design) for design in some],
            folder / "from_scratch.json",
            settings=this.recipe.final,
            seed=seed,
        )
        designs += some
        longest_s = max(longest_s, time.monotonic() - started_s)
    return designs


def median_energy_pj(this: Run) -> float:
    """Of random designs whose ADC loses nothing, each on a chip of its own."""
    genomes = this.space.canonical(this.space.sample(np.random.default_rng(0), N_MEDIAN))
    costs = design_costs(this.data, this.space, genomes)
    return float(np.median(costs.estimate.energy_pj[costs.adc_shortfall_bits <= 0]))


def best_design(folder: Path, cap_pj: float) -> Design | None:
    """The trained design of lowest valid log loss under a cap."""
    trained = json.loads((folder / "trained.json").read_text())
    designs = [Design.from_json(json.dumps(entry)) for entry in json.loads((folder / "designs.json").read_text())]
    allowed = [design for design in designs if design.energy_pj <= cap_pj]
    return min(allowed, key=lambda design: (trained[design.key], design.energy_pj), default=None)


def judged(this: Run, designs: Sequence[Design], file: Path) -> dict[str, list[FromScratch]]:
    """The designs trained anew with each of JUDGED_SEEDS, by their keys."""
    once = list({design.key: ("judged", design) for design in designs}.values())
    runs: dict[str, list[FromScratch]] = {}
    for seed in JUDGED_SEEDS:
        for one in train_chosen(this.lessons, once, file, settings=this.recipe.final, seed=seed):
            runs.setdefault(one.key, []).append(one)
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--path")
    parser.add_argument("--hours", type=float, default=0.1)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="one a repeat")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--folder", type=Path, default=Path("runs/end"))
    given = parser.parse_args()
    folder = given.folder / given.dataset
    options = SYNTHETIC if given.dataset == "synthetic" else {}
    unseeded = RunSettings(dataset=given.dataset, path=given.path, options=options)
    first = Run(folder / "first", unseeded, keep=False)
    median_pj = median_energy_pj(first)
    print(
        f"{given.dataset}: {given.hours:g} hours each, median energy of random designs {median_pj:,.0f} pJ", flush=True
    )
    table: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for seed in given.seeds:
        settings = replace(unseeded, seed=seed)
        this = Run(folder / "first", settings, keep=False)
        for way in given.ways:
            place = folder / f"{way}-{seed}"
            spend(way, settings, place, given.hours)
            best = {cap: best_design(place, share * median_pj) for cap, share in CAPS.items()}
            runs = judged(this, [design for design in best.values() if design is not None], place / "judged.json")
            for cap, design in best.items():
                if design is None:
                    print(f"seed {seed}, cap {cap:<4} {way:<6} no design", flush=True)
                    continue
                figures = np.array([[one.test_logloss, one.test_auc] for one in runs[design.key]])
                table.setdefault((cap, way), []).append(figures.mean(axis=0))
                n_trained = len(read_from_scratch(place / "from_scratch.json"))
                print(
                    f"seed {seed}, cap {cap:<4} {way:<6} test log loss {np.round(figures[:, 0], 4).tolist()}, "
                    f"AUC {np.round(figures[:, 1], 4).tolist()}, {design.energy_pj:,.0f} pJ, {design.macs:,} MACs, "
                    f"best of {n_trained}",
                    flush=True,
                )
    for (cap, way), means in table.items():
        values = np.array(means)
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(2)
        print(
            f"cap {cap:<4} {way:<6} test log loss {values[:, 0].mean():.4f} +- {spread[0]:.4f}, "
            f"AUC {values[:, 1].mean():.4f} +- {spread[1]:.4f}, {len(values)} repeats"
        )


def _text(file: Path, otherwise: str) -> str:
    return file.read_text() if file.exists() else otherwise


if __name__ == "__main__":
    main()
