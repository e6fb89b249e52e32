"""Designs of a search trained from scratch: the chosen ones, those that promise most, and to the end with seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from moco.chosen.choice import chosen_designs, find_design
from moco.chosen.confirming import least_sure
from moco.chosen.promising import Candidates, Terms, Truths
from moco.chosen.retrained import FOLDER as RETRAINED
from moco.chosen.retrained import Retrained, retrain
from moco.chosen.trained import (
    PROMISING,
    FromScratch,
    front_of_trained,
    n_trained_at_once,
    on_all_chips,
    read_from_scratch,
    train_chosen,
    valid_logloss,
)
from moco.data import ClickLog
from moco.design import Design
from moco.progress import Bar, console, progress_bar
from moco.runs.budget import Budget
from moco.runs.seconds import timed
from moco.search.best_chip import allowed_costs, best_genomes, least_energy
from moco.search.codesign import CodesignStudy
from moco.settings import FinalSettings
from moco.supernet.metrics import Score
from moco.training.from_scratch import train_from_scratch
from moco.training.pace import Pace, training_time
from moco.training.tuned import tuned_settings
from spaces import ArchitectureBatch
from studies import Trials

if TYPE_CHECKING:
    from moco.runs.run import Run

ROUND_SHARE = 0.25
"""Of the time that is left, the most that one round of promising designs takes, where any takes less: what it shows is
for the choice of the next."""

CONFIRMING_SHARE = 0.25
"""Of the time for training from scratch, to train the best designs with further seeds."""


class Finals:
    """The final trainings of a run, kept in its folder.

    Args:
        run: Whose designs.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def train_chosen(self, study: CodesignStudy) -> None:
        """Trains the chosen designs of the front from scratch."""
        with self._bar("designs") as bar:
            self._train(self.chosen(study), bar.update)

    def train_promising(self, study: CodesignStudy, budget: Budget) -> None:
        """Trains promising designs from scratch, each choice learning from those before; then the best again.

        A share of the time goes to training the best ones with further seeds: the design of lowest log loss among many
        is the luckiest as well. Where no time is left, those that stand out on the front are trained all the same. What
        counts is the energy that a network needs, on whatever chip loses nothing: what it loses on others, trained to
        the end, scores do not tell. In the end the best ones get their best chips.
        """
        designs, least_pj = self._on_good_chips(study)
        if not designs:
            return
        reference = study.study.objectives[0].reference or max(design.logloss for design in designs)
        at_first_s = max(budget.left_s, 1.0)
        with self._bar("s") as bar:
            candidates = Candidates.of(study, designs, least_pj, self._truths(study))
            pace = Pace(first=float(np.median(candidates.time)))
            while budget.left_s > CONFIRMING_SHARE * at_first_s:
                started_s = time.monotonic()
                haste = budget.left_s / at_first_s
                longest = [pace.longest(share * budget.left_s) for share in (ROUND_SHARE, 1)]
                every_terms = (Terms(reference, haste, most_time) for most_time in longest)
                trained = valid_logloss(self.results(study))
                found = (candidates.most_promising(trained, self._n_at_once, terms) for terms in every_terms)
                promising = next(filter(None, found), [])
                if not promising:
                    break
                self._train_in_time(promising, pace, started_s)
                bar.update(budget.used_s, budget.total_s, f"{len(self.from_scratch)} designs trained")
            self._confirm(designs, least_pj, budget, pace, bar)
            if not self.from_scratch:
                self._train([(PROMISING, design) for _, design in self.chosen(study)], None)
            self._add_best_chips(study, least_pj)

    def _on_good_chips(self, study: CodesignStudy) -> tuple[list[Design], dict[str, float]]:
        """Feasible designs, those on lossy chips only where no other chip is allowed, and what energy each needs in pJ.

        Networks that the search looked at on lossy chips alone join the study on others.
        """
        n_network = study.space.n_network_blocks
        trials = _feasible(study)
        better, energies_pj, has_good = least_energy(study, trials.genomes)
        is_good = allowed_costs(study, trials.genomes, study.calibration)[0]
        networks = [network.tobytes() for network in trials.genomes[:, :n_network]]
        good_ones = {networks[row] for row in np.flatnonzero(is_good)}
        missing = {networks[row]: row for row in np.flatnonzero(has_good) if networks[row] not in good_ones}
        if missing:
            with progress_bar("search on chips that lose nothing", "designs") as bar:
                study.add(better[list(missing.values())], bar.update)
            trials = _feasible(study)
            _, energies_pj, has_good = least_energy(study, trials.genomes)
            is_good = allowed_costs(study, trials.genomes, study.calibration)[0]
        trials, energies_pj = trials.select(is_good | ~has_good), energies_pj[is_good | ~has_good]
        return study.designs(trials), dict(zip(trials.keys, energies_pj.tolist(), strict=True))

    @contextmanager
    def _bar(self, unit: str) -> Iterator[Bar]:
        """Progress and time of training from scratch; a teacher has its own, before."""
        _ = self._run.lessons
        with timed(self._run.folder, "from scratch"), progress_bar("training from scratch", unit) as bar:
            yield bar

    @property
    def _n_at_once(self) -> int:
        return n_trained_at_once(self._run.settings.device)

    def _add_best_chips(self, study: CodesignStudy, least_pj: Mapping[str, float]) -> None:
        """Adds the networks of the trained front on their best chips to the study."""
        trained = valid_logloss(self.from_scratch)
        front = front_of_trained(_designs_of(study, trained), trained, lambda design: (least_pj[design.key],))
        study.add(best_genomes(study, front)[1])

    def _confirm(
        self, designs: Sequence[Design], least_pj: Mapping[str, float], budget: Budget, pace: Pace, bar: Bar
    ) -> None:
        """Trains the best designs with further seeds until each has enough, or time is over."""
        n_again, times = 0, self._times(designs)
        while budget.left_s > 0:
            most_time = pace.longest(budget.left_s)
            in_time = [design for design, time in zip(designs, times, strict=True) if time <= most_time]
            again, n_seeds = least_sure(in_time, least_pj, self.from_scratch, self._n_at_once)
            if not again:
                break
            self._train_in_time(again, pace, time.monotonic(), self._run.settings.seed + n_seeds)
            n_again += len(again)
            bar.update(budget.used_s, budget.total_s, f"{n_again} trainings of the best again")

    def _train_in_time(self, designs: Sequence[Design], pace: Pace, started_s: float, seed: int | None = None) -> None:
        """Trains promising designs side by side, and learns how long a round of the longest of them takes."""
        self._train([(PROMISING, design) for design in designs], None, seed)
        pace.ended(float(self._times(designs).max()), time.monotonic() - started_s)

    def _times(self, designs: Sequence[Design]) -> NDArray[np.float64]:
        """(n,) how long each takes to train; see `training_time`."""
        return training_time(self._run.space.network, ArchitectureBatch.of([design.architecture for design in designs]))

    def _truths(self, study: CodesignStudy) -> Truths:
        """What networks reached on the data that designs are trained on."""
        truth = self._run.checks.truth
        if truth is None or self._run.whole_data is not self._run.data:
            return Truths.none()
        score, features = study.features(self._run.space.network.networks(truth.genomes))
        return Truths(score, features, np.nanmean(truth.figures(), axis=1))

    def chosen(self, study: CodesignStudy) -> list[tuple[str, Design]]:
        """The designs to look at, with the reason; where promising ones were trained from scratch, judged by that."""
        front = self.trained_front(study)
        return chosen_designs(front, valid_logloss(self.results(study))) if front else chosen_designs(study.front())

    def trained_front(self, study: CodesignStudy) -> list[Design]:
        """Trained designs that no other beats in log loss from scratch, energy and latency, the most accurate first.

        None where designs were trained for their scores alone.
        """
        results = self.results(study)
        if not any(result.role == PROMISING for result in results):
            return []
        trained = valid_logloss(results)
        designs = _designs_of(study, trained)
        return front_of_trained(designs, trained, lambda design: (design.energy_pj, design.latency_ns))

    def shown(self, study: CodesignStudy) -> list[Design]:
        """Designs to show with what they reached: the trained front, or those trained for their scores."""
        trained = valid_logloss(self.results(study))
        return self.trained_front(study) or [design for _, design in self.chosen(study) if design.key in trained]

    def designs(self, study: CodesignStudy) -> list[Design]:
        """The front, then what was trained from scratch beside it."""
        front = study.front()
        beside = set(valid_logloss(self.results(study))) - {design.key for design in front}
        return [*front, *_designs_of(study, beside)]

    def find(self, study: CodesignStudy, name: str) -> Design:
        """The design that a person names; see `find_design`."""
        return find_design(self.designs(study), name, dict(self.chosen(study)))

    @property
    def from_scratch(self) -> list[FromScratch]:
        """Trainings from scratch so far."""
        return read_from_scratch(self._run.folder / "from_scratch.json")

    def results(self, study: CodesignStudy) -> list[FromScratch]:
        """What designs reached from scratch, on all chips of the study that are as good for their networks."""
        return on_all_chips(study, self.from_scratch)

    def _train(
        self,
        chosen: Sequence[tuple[str, Design]],
        progress: Callable[[float, float], None] | None,
        seed: int | None = None,
    ) -> None:
        train_chosen(
            self._run.lessons,
            chosen,
            self._run.folder / "from_scratch.json",
            settings=self._run.recipe.final,
            seed=self._run.settings.seed if seed is None else seed,
            device=self._run.settings.device,
            progress=progress,
        )

    def retrain(
        self,
        chosen: Sequence[tuple[str, Design]],
        n_seeds: int,
        *,
        from_supernet: bool = True,
        for_chip: bool = True,
        n_tunings: int = 0,
        monitor: str | None = None,
        n_teachers: int | None = None,
    ) -> list[Retrained]:
        """Trains designs to the end with several seeds and keeps their weights; see `moco.chosen.retrained.retrain`.

        With a monitor, the best round is best in that; see `FinalSettings`. With a number of tunings, the recipe is
        tuned first, by so many trainings of the first design. With a number of teachers, so many hand-made networks
        soften train labels in place of the run's teacher; see `moco.runs.teacher`.
        """
        data = self._run.lessons if n_teachers is None else self._run.taught_by(n_teachers)
        settings = self._run.recipe.final if monitor is None else replace(self._run.recipe.final, monitor=monitor)
        settings = self.tuned_settings(data, chosen[0][1], settings, n_tunings) if n_tunings > 0 else settings
        with timed(self._run.folder, "retraining"), progress_bar("retraining", "trainings") as bar:
            return retrain(
                data,
                chosen,
                self._run.folder / RETRAINED,
                settings=settings,
                seeds=range(self._run.settings.seed, self._run.settings.seed + n_seeds),
                supernet=self._run.supernet if from_supernet else None,
                is_taught=data is not self._run.whole_data,
                for_chip=for_chip,
                device=self._run.settings.device,
                progress=bar.update,
            )

    def tuned_settings(self, data: ClickLog, design: Design, settings: FinalSettings, n_trials: int) -> FinalSettings:
        """Settings tuned by n trainings of a design's network, from scratch and in plain numbers."""
        (self._run.folder / RETRAINED).mkdir(exist_ok=True)
        with timed(self._run.folder, "tuning"), progress_bar("tuning the recipe", "trainings") as bar:

            def train(tried: FinalSettings, report: Callable[[Score], None]) -> float:
                return train_from_scratch(
                    data,
                    design.architecture,
                    settings=tried,
                    seed=self._run.settings.seed,
                    device=self._run.settings.device,
                    after_round=report,
                ).valid.loss(tried.monitor)

            settings, found = tuned_settings(
                train,
                settings,
                n_trials=n_trials,
                what=f"design {design.key} on data {data.digest}",
                seed=self._run.settings.seed,
                file=self._run.folder / RETRAINED / f"tuning-{design.key[:12]}-{settings.monitor}-{data.digest[:8]}.db",
                progress=bar.update,
            )
        console.print(f"[bold]recipe[/bold]    {found.summary()}", soft_wrap=True)
        return settings


def _feasible(study: CodesignStudy) -> Trials:
    trials = study.study.trials()
    return trials.select(trials.is_feasible)


def _designs_of(study: CodesignStudy, keys: Iterable[str]) -> list[Design]:
    """The designs with these keys, by trial number."""
    trials = study.study.trials()
    return study.designs(trials.select(np.isin(trials.keys, list(keys))))
