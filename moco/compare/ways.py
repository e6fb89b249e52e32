"""A run's search beside naive mapping and a search in two steps: ratios, fronts and hypervolumes, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from moco.compare.fronts import FrontGain, front_gains
from moco.compare.judge import Judge, Plan
from moco.compare.matches import (
    NAIVE,
    TWO_STEPS,
    Candidates,
    Match,
    against_search,
    naive_references,
    two_step_references,
)
from moco.compare.references import against_retrained
from moco.compare.searches import Found, architecture_search, chip_search, first_trials, joint_search
from moco.compare.volumes import in_logarithms, volumes
from moco.oracle.oracle import Oracle
from moco.oracle.truth import TRUTH, Truth
from moco.runs.run import Run
from moco.runs.settings import SearchSettings, stored
from moco.search.codesign import CodesignStudy
from pimmodel import Calibration
from spaces import Genomes

FOLDER = "compare"
"""Of a run's folder."""

JOINT = "co-design"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """How much of one box the searches of one seed dominate.

    Attributes:
        seed: Of the searches.
        n_evaluations: Distinct designs of each.
        shares: By search, and of all together; the box is that of the run's hypervolume.
        log_shares: The same, energy and latency by their logarithms.
    """

    seed: int
    n_evaluations: Mapping[str, int]
    shares: Mapping[str, float]
    log_shares: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How searches are compared.

    Attributes:
        calibrations: Of the hardware model by name, the search's first.
        n_evaluations: Of each way of searching.
        n_seeds: Searches of each way.
        n_retrained: Trainings of each reference of the run's own seed, whose designs are retrained; 0 compares scores
            alone.
        n_jobs: Processes; None for one a core.
    """

    calibrations: Mapping[str, Calibration]
    n_evaluations: int
    n_seeds: int
    n_retrained: int
    n_jobs: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """What the searches say; see `Comparison`."""

    matches: Sequence[Match] = ()
    volumes: Sequence[Volumes] = ()
    fronts: Sequence[FrontGain] = ()


def compare_searches(
    run: Run,
    study: CodesignStudy,
    trained: Candidates | None,
    settings: Ways,
) -> Searched:
    """The run's search beside naive mapping and a search in two steps, at equal numbers of evaluations.

    Args:
        run: Searched already.
        study: Its search.
        trained: Retrained designs of the run, to compare references with that are retrained too; None compares scores
            alone.
        settings: Of the searches.
    """
    search = stored(run.folder / "search.json", SearchSettings) or SearchSettings()
    judge = Judge.of(study, Oracle(run.supernet, run.data, n_jobs=settings.n_jobs))
    truth = Truth.read(run.folder, TRUTH)
    networks = np.zeros((0, run.space.n_network_blocks), dtype=np.int64)
    networks = networks if truth is None else truth.useful(run.data).genomes
    parts = []
    for seed in range(run.settings.seed, run.settings.seed + settings.n_seeds):
        plan = Plan(
            storage=run.folder / FOLDER / "searches.db",
            seed=seed,
            n_evaluations=settings.n_evaluations,
            engine=search.engine,
            population_size=search.population_size,
        )
        joint = (
            Found(study, first_trials(study.study.trials(), settings.n_evaluations))
            if seed == run.settings.seed
            else joint_search(judge, plan, run.space, networks)
        )
        parts.append(_of_seed(judge, plan, run, joint, networks, trained, settings))
    return Searched(
        matches=[match for part in parts for match in part.matches],
        volumes=[one for part in parts for one in part.volumes],
        fronts=[one for part in parts for one in part.fronts],
    )


def _of_seed(
    judge: Judge, plan: Plan, run: Run, joint: Found, networks: Genomes, trained: Candidates | None, settings: Ways
) -> Searched:
    """A joint search beside the two others of its seed."""
    first, whole = architecture_search(judge, plan, run.space, networks)
    chips = chip_search(judge, plan, run.space, first)
    ways = {JOINT: (joint,), TWO_STEPS: (first, chips), NAIVE: (whole,)}
    candidates = Candidates.of_search(joint, settings.calibrations, plan.seed)
    matches = []
    for against, references in ((NAIVE, naive_references(whole)), (TWO_STEPS, two_step_references(chips))):
        matches += against_search(against, candidates, references, settings.calibrations, plan.seed)
        if trained is not None and references and plan.seed == run.settings.seed:
            matches += against_retrained(
                against,
                references,
                trained,
                run,
                plan,
                settings.calibrations,
                settings.n_retrained,
                settings.n_jobs,
            )
    useful = {name: np.concatenate([one.trials.values[one.useful] for one in parts]) for name, parts in ways.items()}
    reference = np.array([one.reference for one in judge.objectives], dtype=np.float64)
    in_logs = {name: in_logarithms(one) for name, one in useful.items()}
    pairs = [(JOINT, TWO_STEPS), (TWO_STEPS, JOINT), (JOINT, NAIVE), (NAIVE, JOINT)]
    return Searched(
        matches=matches,
        volumes=[
            Volumes(
                seed=plan.seed,
                n_evaluations={name: sum(len(part.trials) for part in parts) for name, parts in ways.items()},
                shares=volumes(useful, reference),
                log_shares=volumes(in_logs, in_logarithms(reference[None])[0]),
            )
        ],
        fronts=[
            gain for one, other in pairs for gain in front_gains(one, useful[one], other, useful[other], plan.seed)
        ],
    )
