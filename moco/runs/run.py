"""A run in its folder: data, supernet, search, training from scratch and report, each made when it is asked for.

Each stage keeps its own files in the folder and goes on where it stopped, so a run that was killed at any moment ends
with the same front as one that was not.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from moco.chosen.retrained import FOLDER as RETRAINED
from moco.chosen.retrained import retrained_networks
from moco.data import ClickLog, TableSchema, load_dataset
from moco.files import write_text_whole
from moco.progress import progress_bar
from moco.recipes import Recipe, recipe_for
from moco.report import ReportInputs, write_report
from moco.report.comparison import comparison_section
from moco.runs.budget import Budget
from moco.runs.checks import Checks
from moco.runs.finals import Finals
from moco.runs.seconds import seconds_of, timed
from moco.runs.settings import RunSettings, SearchSettings, kept, stored
from moco.runs.teacher import FOLDER as TEACHER
from moco.runs.teacher import taught
from moco.search.best_chip import best_chips
from moco.search.codesign import CodesignStudy, codesign_space, create_study
from moco.settings import TrainSettings
from moco.supernet import CheckpointError, TrainedSupernet, TrainProgress, load_supernet, train_supernet
from spaces import CodesignSpace


class Run:
    """One run in its folder.

    Attributes:
        folder: Holds run.json, search.json, supernet.safetensors, truth.csv, validation.json, correction.json,
            study.db, from_scratch.json, seconds.json and the report.
        settings: As stored in run.json.
    """

    def __init__(self, folder: Path, settings: RunSettings, *, keep: bool = True) -> None:
        """Opens the run of a folder, or begins one; without `keep` nothing is written yet.

        Raises:
            ValueError: The folder holds a run with other settings.
        """
        self.folder = folder
        self.settings = kept(folder / "run.json", settings) if keep else settings

    @classmethod
    def reopen(cls, folder: Path) -> Run:
        """The run that a folder holds; ValueError when it holds none."""
        settings = stored(folder / "run.json", RunSettings)
        if settings is None:
            raise ValueError(f"{folder} holds no run: make one with 'moco run' or 'moco train'")
        return cls(folder, settings)

    def begun(self, settings: RunSettings) -> Run:
        """The folder's run with other settings of training, which it keeps; logs that were read are not read again.

        Raises:
            ValueError: The folder holds a run with other settings.
        """
        run = Run(self.folder, settings)
        vars(run).update({name: log for name, log in vars(self).items() if name in ("data", "whole_data")})
        return run

    @property
    def supernet_file(self) -> Path:
        """The checkpoint."""
        return self.folder / "supernet.safetensors"

    @property
    def study_file(self) -> Path:
        """The SQLite file of the search."""
        return self.folder / "study.db"

    @cached_property
    def data(self) -> ClickLog:
        """The click log as supernet and search see it."""
        options = self._options
        if self.settings.search_rows is not None:
            options["n_rows"] = min(self.settings.search_rows, options.get("n_rows") or self.settings.search_rows)
        return self._loaded(options)

    @cached_property
    def whole_data(self) -> ClickLog:
        """The click log that chosen designs are trained on: all of its rows, with full tables."""
        options = self._options
        if options.pop("max_table_rows", None) is None and self.settings.search_rows is None:
            return self.data
        return self._loaded(options)

    @property
    def _options(self) -> dict[str, Any]:
        options = dict(self.settings.options)
        if "schema" in options:
            options["schema"] = TableSchema(**options["schema"])
        return options

    def _loaded(self, options: dict[str, Any]) -> ClickLog:
        return load_dataset(self.settings.dataset, self.settings.path, seed=self.settings.seed, **options)

    @property
    def n_teachers(self) -> int:
        """Hand-made networks of the run's teacher: the recipe's, unless the run has its own number."""
        return self.recipe.n_teachers if self.settings.n_teachers is None else self.settings.n_teachers

    @cached_property
    def lessons(self) -> ClickLog:
        """The log that networks are trained on from scratch: all rows, with the labels that the run's teacher gives."""
        return self.taught_by(self.n_teachers)

    def taught_by(self, n_teachers: int) -> ClickLog:
        """All rows, their train labels softened by a teacher of so many hand-made networks; see `moco.runs.teacher`."""
        if n_teachers == 0:
            return self.whole_data
        with timed(self.folder, "teacher"), progress_bar("teacher", "networks") as bar:
            return taught(self.whole_data, n_teachers, self.folder / TEACHER, progress=bar.update)

    @cached_property
    def recipe(self) -> Recipe:
        """Settings that suit the data set."""
        return recipe_for(self.data)

    @cached_property
    def space(self) -> CodesignSpace:
        """The joint space."""
        return codesign_space(self.data, self.settings.space)

    @property
    def supernet_settings(self) -> TrainSettings:
        """Of supernet training: the recipe's, with the run's own number of epochs."""
        settings = self.recipe.supernet
        return settings if self.settings.n_epochs is None else replace(settings, epochs=self.settings.n_epochs)

    @cached_property
    def supernet(self) -> TrainedSupernet:
        """The supernet: trained when it is first asked for, or read when its training is finished."""
        with timed(self.folder, "supernet"), progress_bar("supernet", "rows") as bar:

            def show(state: TrainProgress) -> None:
                bar.update(state.n_rows, state.n_rows_total, state.note)

            return train_supernet(
                self.data,
                self.space,
                settings=self.supernet_settings,
                seed=self.settings.seed,
                checkpoint=self.supernet_file,
                device=self.settings.device,
                progress=show,
            )

    @property
    def is_trained(self) -> bool:
        """Whether the supernet's training has ended."""
        with suppress(CheckpointError):  # not there yet, or not finished
            return load_supernet(self.supernet_file, self.data, self.space) is not None
        return False

    @cached_property
    def checks(self) -> Checks:
        """Networks trained from scratch that judge the supernet and correct its scores."""
        return Checks(self)

    def study(self, search: SearchSettings) -> CodesignStudy:
        """The study of the run's folder, with a trained supernet; ValueError when the search settings differ."""
        return self._study(kept(self.folder / "search.json", search), self.study_file)

    def shared_study(self, search: SearchSettings) -> CodesignStudy:
        """The study in memory, with what it asks and how it scores: for a study that many workers share.

        Raises:
            ValueError: The supernet is not trained to its end, or the folder holds another search.
        """
        if not self.is_trained:
            raise ValueError(f"{self.folder} holds no trained supernet: end 'moco train' first")
        before = stored(self.folder / "search.json", SearchSettings)
        if before is not None and before != search:
            raise ValueError(
                f"{self.folder} holds another search, by engine {before.engine!r}: search with its settings, or in a "
                "copy of the folder without search.json and study.db"
            )
        return self._study(search, None)

    def keep_search(self, search: SearchSettings) -> None:
        """Makes these the settings of the folder's search, so that a study of many workers can come home to it."""
        kept(self.folder / "search.json", search)

    def _study(self, search: SearchSettings, storage: Path | None) -> CodesignStudy:
        truth = self.checks.truth
        return create_study(
            self.settings.dataset,
            self.data,
            self.space,
            self.supernet,
            storage=storage,
            seed=self.settings.seed,
            cardinalities=self.whole_data.cardinalities,
            correction=self.checks.trusted_correction,
            known_networks=None if truth is None else truth.genomes,
            **asdict(search),
        )

    def stored_study(self) -> CodesignStudy:
        """The study that the folder holds; ValueError when nothing was searched yet."""
        return self.study(self._stored_search())

    def _stored_search(self) -> SearchSettings:
        search = stored(self.folder / "search.json", SearchSettings)
        if search is None:
            raise ValueError(f"{self.folder} holds no search yet: start one with 'moco search {self.folder}'")
        return search

    def search(self, study: CodesignStudy, n_trials: int, budget: Budget | None = None) -> None:
        """Searches until the study holds n_trials designs, or the budget's time for it is over."""
        require_budget(n_trials)
        with timed(self.folder, "search"), progress_bar("search", "designs") as bar:
            study.optimize(
                n_trials,
                progress=lambda n_scored, note: bar.update(n_scored, n_trials, note),
                is_over=None if budget is None else lambda: len(study.study) > 0 and budget.is_search_over,
            )

    @cached_property
    def finals(self) -> Finals:
        """Designs of the search, trained from scratch."""
        return Finals(self)

    def report(self, study: CodesignStudy) -> Path:
        """Writes the report, unless the one that is there says the same."""
        supernet, search = self.supernet, self._stored_search()
        calibration = study.calibration
        front, chosen, validation = study.front(), self.finals.chosen(study), self.checks.stored_validation()
        results, retrained = self.finals.results(study), retrained_networks(self.folder / RETRAINED)
        comparison = comparison_section(self.folder)
        settings = {
            "engine": f"{search.engine}, {search.population_size} designs a generation",
            "seed": str(self.settings.seed),
            "calibration": f"{calibration.name}, digest {calibration.digest}",
            "teacher": f"hand-made networks: {self.n_teachers}",
            "supernet training": ", ".join(f"{name} {value}" for name, value in asdict(supernet.settings).items()),
        }
        state = json.dumps(
            [
                [design.key for design in front],
                len(study.study),
                [asdict(result) for result in results],
                [[one.design.key, one.seed, one.start, asdict(one.chip_test)] for one in retrained],
                comparison,
                [settings, supernet.digest, None if validation is None else validation.to_json()],
            ]
        )
        digest = hashlib.sha256(state.encode()).hexdigest()
        page, marker = self.folder / "report.html", self.folder / "report.digest"
        if page.exists() and marker.exists() and marker.read_text() == digest:
            return page
        with timed(self.folder, "report"):
            exact = study.exact([design for _, design in chosen])
            inputs = ReportInputs(
                title=f"moco: {self.settings.dataset}",
                study=study,
                chosen=chosen,
                from_scratch=results,
                trained_front=self.finals.trained_front(study),
                retrained=retrained,
                comparison=comparison,
                supernet=supernet,
                validation=validation,
                other_chips=best_chips(study, [design for _, design in chosen]),
                exact=dict(zip((design.key for _, design in chosen), exact, strict=True)),
                settings=settings,
                seconds_by_stage=seconds_of(self.folder),
            )
            page = write_report(inputs, self.folder)
        write_text_whole(marker, digest)
        return page


def require_budget(n_trials: int) -> None:
    """ValueError when there is nothing to search with."""
    if n_trials < 1:
        raise ValueError(f"n_trials must be at least 1, got {n_trials}")


def require_front(study: CodesignStudy) -> None:
    """ValueError that says why, when the front is empty."""
    if len(study.study) > 0 and not study.front():
        raise ValueError(study.why_empty())
