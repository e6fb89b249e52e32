"""Designs of a search trained from scratch: which, and what they reached; and to the end, with seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from moco.chosen.choice import chosen_designs, find_design
from moco.chosen.retrained import FOLDER as RETRAINED
from moco.chosen.retrained import Retrained, retrain
from moco.chosen.trained import (
    PROMISING,
    FromScratch,
    front_of,
    on_all_chips,
    read_from_scratch,
    train_chosen,
    valid_logloss,
)
from moco.data import ClickLog
from moco.design import Design
from moco.progress import Bar, console, progress_bar
from moco.runs.seconds import timed
from moco.search.codesign import CodesignStudy
from moco.settings import FinalSettings
from moco.supernet.metrics import Score
from moco.training.from_scratch import train_from_scratch
from moco.training.tuned import tuned_settings

if TYPE_CHECKING:
    from moco.runs.run import Run


class Finals:
    """The final trainings of a run, kept in its folder.

    Args:
        run: Whose designs.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def train_chosen(self, study: CodesignStudy) -> None:
        """Trains the chosen designs of the front from scratch."""
        with self.bar("designs") as bar:
            self.train(self.chosen(study), progress=bar.update)

    @contextmanager
    def bar(self, unit: str) -> Iterator[Bar]:
        """Progress and time of training from scratch; a teacher has its own, before."""
        _ = self._run.lessons
        with timed(self._run.folder, "from scratch"), progress_bar("training from scratch", unit) as bar:
            yield bar

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
        return front_of(designs, trained, lambda design: (design.energy_pj, design.latency_ns))

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

    def train(
        self,
        chosen: Sequence[tuple[str, Design]],
        seed: int | None = None,
        progress: Callable[[float, float], None] | None = None,
    ) -> None:
        """Trains designs from scratch, those that were not yet with this seed; by default it is that of the run."""
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


def _designs_of(study: CodesignStudy, keys: Iterable[str]) -> list[Design]:
    """The designs with these keys, by trial number."""
    trials = study.study.trials()
    return study.designs(trials.select(np.isin(trials.keys, list(keys))))
