"""Designs of other searches that stand for them, retrained as the run's own designs are, where that is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping

from moco.chosen.retrained import retrain
from moco.compare.accuracy import trained_designs
from moco.compare.figures import Contender
from moco.compare.judge import Plan
from moco.compare.matches import BY_TEST, Candidates, Match, matched
from moco.design import Design
from moco.progress import progress_bar
from moco.runs.run import Run
from pimmodel import Calibration


def against_retrained(
    against: str,
    references: Mapping[str, Design],
    candidates: Candidates,
    run: Run,
    plan: Plan,
    calibrations: Mapping[str, Calibration],
    n_seeds: int,
    n_jobs: int | None = None,
) -> list[Match]:
    """Retrained designs of the run against references that are retrained too, by test log loss on the chip of each.

    Args:
        against: What the references stand for.
        references: By role.
        candidates: Retrained ones of the run.
        run: Says data, recipe and first weights.
        plan: Says where to keep the weights, beside its searches.
        calibrations: Of the hardware model, the search's first.
        n_seeds: Trainings of each reference.
        n_jobs: Processes that train; one a core when left out.
    """
    folder = plan.storage.parent / "retrained" / f"{re.sub('[^a-z]+', '-', against)}-{plan.seed}-{plan.n_evaluations}"
    may_start_from_supernet = run.whole_data.cardinalities == run.data.cardinalities
    lessons = run.lessons  # a teacher has progress of its own
    with progress_bar(f"retraining {against}", "trainings") as bar:
        found = retrain(
            lessons,
            list(references.items()),
            folder,
            settings=run.recipe.final,
            seeds=range(run.settings.seed, run.settings.seed + n_seeds),
            supernet=run.supernet if may_start_from_supernet else None,
            is_taught=lessons is not run.whole_data,
            device=run.settings.device,
            n_jobs=n_jobs,
            progress=bar.update,
        )
    of_key = {reference.key: reference for reference in references.values()}
    return [
        matched(
            against,
            one.role,
            Contender.of_design(of_key[one.key]),
            one.mean("chip_logloss"),
            candidates,
            calibrations,
            judged_by=BY_TEST,
            seed=plan.seed,
        )
        for one in trained_designs(found, next(iter(calibrations.values())))
    ]
