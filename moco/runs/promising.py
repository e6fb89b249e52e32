"""Designs of a search trained from scratch within a time: those that promise most, then the best of them again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moco.chosen.choice import chosen_designs
from moco.chosen.confirming import least_sure
from moco.chosen.promising import Candidates, Terms, Truths
from moco.chosen.trained import PROMISING, front_of, n_trained_at_once, valid_logloss
from moco.design import Design
from moco.progress import Bar, progress_bar
from moco.runs.budget import Budget
from moco.runs.run import Run
from moco.search.best_chip import best_genomes
from moco.search.codesign import CodesignStudy
from moco.search.least_energy import on_good_chips
from moco.training.pace import Pace, training_time
from spaces import ArchitectureBatch

ROUND_SHARE = 0.25
"""Of the time that is left, the most that one round of promising designs takes, where any takes less: what it shows is
for the choice of the next."""

CONFIRMING_SHARE = 0.25
"""Of the time for training from scratch, to train the best designs with further seeds."""


def train_promising(run: Run, study: CodesignStudy, budget: Budget) -> None:
    """Trains promising designs from scratch, each choice learning from those before; then the best again.

    A share of the time goes to training the best ones with further seeds: the design of lowest log loss among many
    is the luckiest as well. Where no time is left, those that stand out on the front are trained all the same. What
    counts is the energy that a network needs, on whatever chip loses nothing: what it loses on others, trained to
    the end, scores do not tell. In the end the best ones get their best chips.

    Args:
        run: Keeps what designs reached.
        study: Of the designs.
        budget: What is left of it is for this.
    """
    with progress_bar("search on chips that lose nothing", "designs") as bar:
        designs, least_pj = on_good_chips(study, bar.update)
    if not designs:
        return
    at_first_s = max(budget.left_s, 1.0)
    with run.finals.bar("s") as bar:
        candidates = Candidates.of(study, designs, least_pj, _truths(run, study))
        rounds = _Rounds(run, study, budget, least_pj, Pace(first=float(np.median(candidates.time))), bar)
        rounds.explore(candidates, at_first_s)
        rounds.confirm(designs)
        if not run.finals.from_scratch:
            scores = {design.key: design.logloss for design in designs}
            scored_front = front_of(designs, scores, lambda design: (design.energy_pj, design.latency_ns))
            run.finals.train([(PROMISING, design) for _, design in chosen_designs(scored_front)])
        front = front_of(designs, valid_logloss(run.finals.from_scratch), lambda design: (least_pj[design.key],))
        study.add(best_genomes(study, front)[1])


def _truths(run: Run, study: CodesignStudy) -> Truths:
    """What networks reached on the data that designs are trained on."""
    truth = run.checks.truth
    if truth is None or run.whole_data is not run.data:
        return Truths.none()
    score, features = study.features(run.space.network.networks(truth.genomes))
    return Truths(score, features, np.nanmean(truth.figures(), axis=1))


@dataclass(frozen=True)
class _Rounds:
    """Trainings round by round: as many side by side as there are cores.

    Attributes:
        run: Keeps what designs reached.
        study: Of the designs.
        budget: Of time.
        least_pj: Energy that the networks of designs need, by key.
        pace: How long a round takes; learns from each.
        bar: Shows how much of the time is used.
    """

    run: Run
    study: CodesignStudy
    budget: Budget
    least_pj: Mapping[str, float]
    pace: Pace
    bar: Bar

    def explore(self, candidates: Candidates, at_first_s: float) -> None:
        """Trains what promises most until nothing does, or only the time to confirm the best is left."""
        reference = self.study.study.objectives[0].reference or max(design.logloss for design in candidates.designs)
        while self.budget.left_s > CONFIRMING_SHARE * at_first_s:
            started_s, haste = time.monotonic(), self.budget.left_s / at_first_s
            longest = [self.pace.longest(share * self.budget.left_s) for share in (ROUND_SHARE, 1)]
            every_terms = (Terms(reference, haste, most_time) for most_time in longest)
            trained = valid_logloss(self.run.finals.results(self.study))
            found = (candidates.most_promising(trained, self._n_at_once, terms) for terms in every_terms)
            promising = next(filter(None, found), [])
            if not promising:
                break
            self._train(promising, started_s)
            self._show(f"{len(self.run.finals.from_scratch)} designs trained")

    def confirm(self, designs: Sequence[Design]) -> None:
        """Trains the best designs with further seeds until each has enough, or time is over."""
        n_again, times = 0, self._times(designs)
        while self.budget.left_s > 0:
            started_s, most_time = time.monotonic(), self.pace.longest(self.budget.left_s)
            in_time = [design for design, time in zip(designs, times, strict=True) if time <= most_time]
            again, n_seeds = least_sure(in_time, self.least_pj, self.run.finals.from_scratch, self._n_at_once)
            if not again:
                break
            self._train(again, started_s, self.run.settings.seed + n_seeds)
            n_again += len(again)
            self._show(f"{n_again} trainings of the best again")

    @property
    def _n_at_once(self) -> int:
        return n_trained_at_once(self.run.settings.device)

    def _train(self, designs: Sequence[Design], started_s: float, seed: int | None = None) -> None:
        """Trains designs side by side, and learns how long a round takes in which the longest of them is trained."""
        self.run.finals.train([(PROMISING, design) for design in designs], seed)
        self.pace.ended(float(self._times(designs).max()), time.monotonic() - started_s)

    def _times(self, designs: Sequence[Design]) -> NDArray[np.float64]:
        """(n,) how long each takes to train; see `training_time`."""
        return training_time(self.run.space.network, ArchitectureBatch.of([design.architecture for design in designs]))

    def _show(self, note: str) -> None:
        self.bar.update(self.budget.used_s, self.budget.total_s, note)
