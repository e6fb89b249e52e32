"""A run in its folder: data, supernet, search, training from scratch and report, each made when it is asked for.

Each stage keeps its own files in the folder and goes on where it stopped, so a run that was killed at any moment ends
with the same front as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from moco.budget import Budget, without_the_longest
from moco.chosen import (
    PROMISING,
    FromScratch,
    chosen_designs,
    n_trained_at_once,
    read_from_scratch,
    train_chosen,
    valid_logloss,
)
from moco.codesign import CodesignStudy, codesign_space, create_study
from moco.compare.section import comparison_section
from moco.correction import Correction
from moco.data import ClickLog, TableSchema, load_dataset
from moco.design import Design
from moco.features import network_features
from moco.files import write_text_whole
from moco.meanwhile import meanwhile
from moco.oracle import Oracle
from moco.progress import console, progress_bar
from moco.promising import Candidates, Truths
from moco.recipes import Recipe, recipe_for
from moco.report import ReportInputs, write_report
from moco.retrain import train_from_scratch
from moco.retrained import FOLDER as RETRAINED
from moco.retrained import Retrained, retrain, retrained_networks
from moco.run_settings import RunSettings, SearchSettings, kept, stored
from moco.seconds import seconds_of, timed
from moco.settings import FinalSettings, TrainSettings
from moco.spread import log_macs, spread_networks
from moco.supernet import CheckpointError, TrainedSupernet, TrainProgress, load_supernet, train_supernet
from moco.supernet.metrics import Score
from moco.truth import LEAST_NETWORKS, Truth, train_truth
from moco.tuned import tuned_settings
from moco.validation import Validation, validate
from spaces import CodesignSpace, Genomes
from studies import is_non_dominated

TRUTH = "truth"
"""Of the files of networks trained from scratch, by which the supernet is judged and its scores are corrected."""

N_TRIED = 4
"""Designs that are trained shortly for each that is trained to the end."""

SHORTER = 8
"""A short training's part of the epochs of a whole one."""

N_LAST_ROUNDS = 3
"""Rounds of such training, of which the longest says how long the next will take."""


class Run:
    """One run in its folder.

    Attributes:
        folder: Holds run.json, search.json, supernet.safetensors, truth.csv, validation.json, study.db,
            from_scratch.json, seconds.json and the report.
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

    def validate(
        self, n_networks: int, n_seeds: int = 2, is_over: Callable[[], bool] | None = None
    ) -> Validation | None:
        """Rank fidelity of the supernet on n networks spread over cost, trained from scratch; None where n is 0.

        Args:
            n_networks: How many.
            n_seeds: Trainings of each.
            is_over: Asked before each training; once it says so, those that are done must do, if they are enough.

        Raises:
            ValueError: There are fewer than 3 networks.
        """
        stored = self.stored_validation()
        if n_networks == 0 or (stored is not None and stored.n_networks >= n_networks):
            return stored
        if n_networks < LEAST_NETWORKS:
            raise ValueError(f"a rank needs at least {LEAST_NETWORKS} networks, got {n_networks}; 0 checks nothing")
        networks = spread_networks(self.space.network, n_networks, self.settings.seed)
        if is_over is not None:
            networks = networks[without_the_longest(np.expm1(log_macs(self.space.network, networks)))]
        seeds = range(self.settings.seed, self.settings.seed + n_seeds)
        with self._meanwhile(partial(self._train_truth, TRUTH, self.recipe.final, networks, seeds)):
            supernet = self.supernet
        with timed(self.folder, "rank fidelity"), progress_bar("checking ranks", "trainings") as bar:
            truth = self._train_truth(TRUTH, self.recipe.final, networks, seeds, is_over, progress=bar.update)
            if len(truth.useful(self.data).genomes) < LEAST_NETWORKS:
                return None
            found = validate(self.data, supernet, truth)
        write_text_whole(self.folder / "validation.json", found.to_json())
        return found

    @contextmanager
    def _meanwhile(self, work: Callable[..., object]) -> Iterator[None]:
        """Lets the cores that a supernet leaves idle do work while it is trained, if it is not trained yet."""
        n_idle = n_trained_at_once(self.settings.device) - self.supernet_settings.n_threads
        if n_idle < 1 or self.is_trained:
            yield
            return
        with meanwhile(partial(work, n_jobs=n_idle)):
            yield

    def _train_truth(
        self,
        name: str,
        settings: FinalSettings,
        networks: Genomes,
        seeds: Sequence[int],
        is_over: Callable[[], bool] | None = None,
        *,
        n_jobs: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Truth:
        return train_truth(
            self.data,
            self.space.network,
            networks,
            seeds,
            self.folder,
            name,
            settings=settings,
            n_jobs=n_jobs or n_trained_at_once(self.settings.device),
            device=self.settings.device,
            progress=progress,
            is_over=is_over,
        )

    @cached_property
    def correction(self) -> Correction | None:
        """What networks trained from scratch teach about scores: learned when it is first asked for, and kept from then
        on, so that a search never changes what it goes by. None where too few were trained.
        """
        file = self.folder / "correction.json"
        if not file.exists():
            truth = Truth.read(self.folder, TRUTH)
            truth = None if truth is None else truth.useful(self.data)
            if truth is None or len(truth.genomes) < LEAST_NETWORKS:
                return None
            networks = self.space.network.networks(truth.genomes)
            score = Oracle(self.supernet, self.data).score(networks).logloss
            features = network_features(networks, self.space.network.n_dense, self.space.network.n_sparse)
            found = Correction.fit(score, features, np.nanmean(truth.figures(), axis=1))
            write_text_whole(file, found.to_json())
        return Correction.from_json(file.read_text())

    @property
    def trusted_correction(self) -> Correction | None:
        """The correction where it predicts better than the score alone: what searches go by."""
        found = self.correction
        return found if found is not None and found.is_better else None

    def stored_validation(self) -> Validation | None:
        """Rank fidelity as measured before, of this supernet; None where it was not."""
        file = self.folder / "validation.json"
        stored = Validation.from_json(file.read_text()) if file.exists() else None
        return stored if stored is not None and stored.supernet == self.supernet.digest else None

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
        truth = Truth.read(self.folder, TRUTH)
        return create_study(
            self.settings.dataset,
            self.data,
            self.space,
            self.supernet,
            storage=storage,
            seed=self.settings.seed,
            cardinalities=self.whole_data.cardinalities,
            correction=self.trusted_correction,
            known_networks=None if truth is None else truth.useful(self.data).genomes,
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

    def train_from_scratch(self, study: CodesignStudy) -> None:
        """Trains the chosen designs of the front from scratch."""
        with timed(self.folder, "from scratch"), progress_bar("training from scratch", "designs") as bar:
            self._train(self.chosen(study), bar.update)

    def train_promising(self, study: CodesignStudy, budget: Budget) -> None:
        """Trains promising designs from scratch, some shortly and the best of those to the end, until time is over."""
        trials = study.study.trials()
        designs = study.designs(trials.select(trials.is_feasible))
        if not designs:
            return
        reference = study.study.objectives[0].reference or max(design.logloss for design in designs)
        n_at_once = n_trained_at_once(self.settings.device)
        rounds_s, at_first_s = [0.0], max(budget.left_s, 1.0)
        with timed(self.folder, "from scratch"), progress_bar("training from scratch", "s") as bar:
            candidates = Candidates.of(study, designs, self._truths(study))
            while budget.left_s > max(rounds_s[-N_LAST_ROUNDS:]):
                started_s, haste = time.monotonic(), budget.left_s / at_first_s
                trained, tried = valid_logloss(self.from_scratch), valid_logloss(self.tried)
                if self.short_settings is None:
                    promising = candidates.by_score(trained, tried, n_at_once, reference, haste)
                else:
                    to_try = candidates.by_score(trained, tried, N_TRIED * n_at_once, reference, haste)
                    self._train([(PROMISING, design) for design in to_try], None, self.short_settings)
                    tried = valid_logloss(self.tried)
                    promising = candidates.by_short_training(trained, tried, n_at_once, reference, haste)
                if not promising:
                    break
                self._train([(PROMISING, design) for design in promising], None)
                rounds_s.append(time.monotonic() - started_s)
                note = f"{len(trained) + len(promising)} designs trained, {len(tried)} shortly"
                bar.update(budget.total_s - max(budget.left_s, 0.0), budget.total_s, note)

    def _truths(self, study: CodesignStudy) -> Truths:
        """What networks reached on the data that designs are trained on, after a short training too."""
        truth = Truth.read(self.folder, TRUTH)
        if truth is None or self.short_settings is None or self.whole_data is not self.data:
            return Truths.none()
        truth = truth.useful(self.data)
        short = self._train_truth("short", self.short_settings, truth.genomes, [self.settings.seed])
        rows = {genome.tobytes(): row for row, genome in enumerate(short.genomes)}
        order = [rows[genome.tobytes()] for genome in truth.genomes]
        score, features = study.features(self.space.network.networks(truth.genomes))
        return Truths(score, short.figures()[order, 0], features, np.nanmean(truth.figures(), axis=1))

    @property
    def short_settings(self) -> FinalSettings | None:
        """Of a short training: the whole schedule in an eighth of the epochs; None where there are not as many."""
        epochs = self.recipe.final.epochs // SHORTER
        return replace(self.recipe.final, epochs=epochs) if epochs > 0 else None

    def chosen(self, study: CodesignStudy) -> list[tuple[str, Design]]:
        """The designs to look at, with the reason; where promising ones were trained from scratch, judged by that."""
        results = self.from_scratch
        if not any(result.role == PROMISING for result in results):
            return chosen_designs(study.front())
        trained = valid_logloss(results)
        trials = study.study.trials()
        designs = study.designs(trials.select(np.isin(trials.keys, list(trained))))
        costs = np.array([[trained[design.key], design.energy_pj, design.latency_ns] for design in designs])
        kept = [design for design, is_kept in zip(designs, is_non_dominated(costs), strict=True) if is_kept]
        return chosen_designs(kept, trained)

    @property
    def from_scratch(self) -> list[FromScratch]:
        """Designs trained from scratch so far."""
        return read_from_scratch(self.folder / "from_scratch.json")

    @property
    def tried(self) -> list[FromScratch]:
        """Designs trained shortly so far."""
        return read_from_scratch(self.folder / "tried.json")

    def _train(
        self,
        chosen: Sequence[tuple[str, Design]],
        progress: Callable[[float, float], None] | None,
        short: FinalSettings | None = None,
    ) -> list[FromScratch]:
        return train_chosen(
            self.whole_data,
            chosen,
            self.folder / ("from_scratch.json" if short is None else "tried.json"),
            settings=short or self.recipe.final,
            seed=self.settings.seed,
            device=self.settings.device,
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
    ) -> list[Retrained]:
        """Trains designs to the end with several seeds and keeps their weights; see `moco.retrained.retrain`.

        With a monitor, the best round is best in that; see `FinalSettings`. With a number of tunings, the recipe is
        tuned first, by so many trainings of the first design.
        """
        settings = self.recipe.final if monitor is None else replace(self.recipe.final, monitor=monitor)
        settings = self.tuned_settings(chosen[0][1], settings, n_tunings) if n_tunings > 0 else settings
        with timed(self.folder, "retraining"), progress_bar("retraining", "trainings") as bar:
            return retrain(
                self.whole_data,
                chosen,
                self.folder / RETRAINED,
                settings=settings,
                seeds=range(self.settings.seed, self.settings.seed + n_seeds),
                supernet=self.supernet if from_supernet else None,
                for_chip=for_chip,
                device=self.settings.device,
                progress=bar.update,
            )

    def tuned_settings(self, design: Design, settings: FinalSettings, n_trials: int) -> FinalSettings:
        """Settings tuned by n trainings of a design's network, from scratch and in plain numbers."""
        (self.folder / RETRAINED).mkdir(exist_ok=True)
        with timed(self.folder, "tuning"), progress_bar("tuning the recipe", "trainings") as bar:

            def train(tried: FinalSettings, report: Callable[[Score], None]) -> float:
                return train_from_scratch(
                    self.whole_data,
                    design.architecture,
                    settings=tried,
                    seed=self.settings.seed,
                    device=self.settings.device,
                    after_round=report,
                ).valid.loss(tried.monitor)

            settings, found = tuned_settings(
                train,
                settings,
                n_trials=n_trials,
                what=f"design {design.key} on data {self.whole_data.digest}",
                seed=self.settings.seed,
                file=self.folder / RETRAINED / f"tuning-{design.key[:12]}-{settings.monitor}.db",
                progress=bar.update,
            )
        console.print(f"[bold]recipe[/bold]    {found.summary()}", soft_wrap=True)
        return settings

    def report(self, study: CodesignStudy) -> Path:
        """Writes the report, unless the one that is there says the same."""
        supernet, search = self.supernet, self._stored_search()
        calibration = study.calibration
        front, chosen, validation = study.front(), self.chosen(study), self.stored_validation()
        results, retrained = self.from_scratch, retrained_networks(self.folder / RETRAINED)
        comparison = comparison_section(self.folder)
        settings = {
            "engine": f"{search.engine}, {search.population_size} designs a generation",
            "seed": str(self.settings.seed),
            "calibration": f"{calibration.name}, digest {calibration.digest}",
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
                retrained=retrained,
                comparison=comparison,
                supernet=supernet,
                validation=validation,
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
