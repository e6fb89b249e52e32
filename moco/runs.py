"""A run: data, supernet, search, training from scratch and report, stage by stage in one folder.

Each stage keeps its own files in the folder and goes on where it stopped, so a run that was killed at any moment ends
with the same front as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from moco.budget import SUPERNET_SHARE, Budget, affordable
from moco.chosen import (
    PROMISING,
    FromScratch,
    chosen_designs,
    n_trained_at_once,
    read_from_scratch,
    train_chosen,
    valid_logloss,
)
from moco.codesign import CAPS, CodesignStudy, caps, codesign_space, create_study
from moco.correction import Correction
from moco.data import ClickLog, TableSchema, load_dataset
from moco.data.logs import LOG_FORMATS
from moco.design import Design
from moco.features import network_features
from moco.files import write_text_whole
from moco.meanwhile import meanwhile
from moco.oracle import Oracle
from moco.progress import console, progress_bar
from moco.promising import Candidates, Truths
from moco.recipes import Recipe, recipe_for
from moco.report import ReportInputs, write_report
from moco.settings import FinalSettings, TrainSettings
from moco.spread import spread_networks
from moco.supernet import CheckpointError, TrainedSupernet, TrainProgress, load_supernet, train_supernet
from moco.supernet.ranks import n_started
from moco.truth import LEAST_NETWORKS, Truth, train_truth
from moco.validation import Validation, validate
from pimmodel import find_calibration
from spaces import CodesignSpace, Genomes
from studies import ENGINES, is_non_dominated

TRUTH = "truth"
"""Of the files of networks trained from scratch, by which the supernet is judged and its scores are corrected."""

N_TRIED = 4
"""Designs that are trained shortly for each that is trained to the end."""

SHORTER = 8
"""A short training's part of the epochs of a whole one."""

N_LAST_ROUNDS = 3
"""Rounds of such training, of which the longest says how long the next will take."""

MANY_TRAINED = 8
"""Designs trained from scratch, from which on they and not supernet scores say which to look at."""

Settings = TypeVar("Settings", "RunSettings", "SearchSettings")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What a run's supernet depends on.

    Attributes:
        dataset: Name of the data set.
        path: Where its raw files lie; None where the data set needs none.
        options: Further options of its reader, and for own tables the declared columns under "schema". The table rows
            of a public log are limited to max_table_rows in the search alone; designs are costed and trained with full
            tables.
        search_rows: Of a public log: rows that supernet and search see; all that are read when left out.
        space: "nasrec-full" or "nasrec-small".
        n_epochs: Of supernet training; None takes the data set's recipe.
        seed: Of data splits, training and search.
        device: "cpu", "auto", or another that torch knows, for training.
    """

    dataset: str
    path: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    search_rows: int | None = None
    space: str = "nasrec-full"
    n_epochs: int | None = None
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        if self.search_rows is not None and self.dataset not in LOG_FORMATS:
            raise ValueError(
                f"search_rows is for the logs {', '.join(map(repr, LOG_FORMATS))}, got it for {self.dataset!r}: "
                "leave it out"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """What a run's search depends on, beside its supernet.

    Attributes:
        population_size: Designs of a generation.
        engine: Of the study.
        calibration: Of the hardware model.
        max_energy_pj: Cap; None for none. Likewise the other three.
    """

    population_size: int = 100
    engine: str = "nsga2"
    calibration: str = "isaac32"
    max_energy_pj: float | None = None
    max_latency_ns: float | None = None
    max_area_mm2: float | None = None
    max_power_mw: float | None = None

    def __post_init__(self) -> None:
        """Refuses what the study would refuse, before a supernet is trained for it."""
        if self.population_size < 1:
            raise ValueError(f"population_size must be at least 1, got {self.population_size}")
        if self.engine not in ENGINES:
            raise ValueError(f"unknown engine {self.engine!r}; engines are {', '.join(map(repr, ENGINES))}")
        find_calibration(self.calibration)
        caps({cost: getattr(self, f"max_{cost}") for cost in CAPS})


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
        self.settings = _kept(folder / "run.json", settings) if keep else settings

    @classmethod
    def reopen(cls, folder: Path) -> Run:
        """The run that a folder holds; ValueError when it holds none."""
        stored = _stored(folder / "run.json", RunSettings)
        if stored is None:
            raise ValueError(f"{folder} holds no run: make one with 'moco run' or 'moco train'")
        return cls(folder, stored)

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
        with self._timed("supernet"), progress_bar("supernet", "rows") as bar:

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
        seeds = range(self.settings.seed, self.settings.seed + n_seeds)
        with self._meanwhile(partial(self._train_truth, TRUTH, self.recipe.final, networks, seeds)):
            supernet = self.supernet
        with self._timed("rank fidelity"), progress_bar("checking ranks", "trainings") as bar:
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
        is_trained = False
        with suppress(CheckpointError):  # not there yet, or not finished
            is_trained = load_supernet(self.supernet_file, self.data, self.space) is not None
        if n_idle < 1 or is_trained:
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

    def stored_validation(self) -> Validation | None:
        """Rank fidelity as measured before, of this supernet; None where it was not."""
        file = self.folder / "validation.json"
        stored = Validation.from_json(file.read_text()) if file.exists() else None
        return stored if stored is not None and stored.supernet == self.supernet.digest else None

    def study(self, search: SearchSettings) -> CodesignStudy:
        """The study of the run's folder, with a trained supernet; ValueError when the search settings differ."""
        kept = _kept(self.folder / "search.json", search)
        correction = self.correction
        return create_study(
            self.settings.dataset,
            self.data,
            self.space,
            self.supernet,
            storage=self.study_file,
            seed=self.settings.seed,
            cardinalities=self.whole_data.cardinalities,
            correction=correction if correction is not None and correction.is_better else None,
            **asdict(kept),
        )

    def stored_study(self) -> CodesignStudy:
        """The study that the folder holds; ValueError when nothing was searched yet."""
        return self.study(self._stored_search())

    def _stored_search(self) -> SearchSettings:
        stored = _stored(self.folder / "search.json", SearchSettings)
        if stored is None:
            raise ValueError(f"{self.folder} holds no search yet: start one with 'moco search {self.folder}'")
        return stored

    def search(self, study: CodesignStudy, n_trials: int, budget: Budget | None = None) -> None:
        """Searches until the study holds n_trials designs, or the budget's time for it is over."""
        require_budget(n_trials)
        with self._timed("search"), progress_bar("search", "designs") as bar:
            study.optimize(
                n_trials,
                progress=lambda n_scored, note: bar.update(n_scored, n_trials, note),
                is_over=None if budget is None else lambda: len(study.study) > 0 and budget.is_search_over,
            )

    def train_from_scratch(self, study: CodesignStudy) -> None:
        """Trains the chosen designs of the front from scratch."""
        with self._timed("from scratch"), progress_bar("training from scratch", "designs") as bar:
            self._train(self.chosen(study), bar.update)

    def train_promising(self, study: CodesignStudy, budget: Budget) -> None:
        """Trains promising designs from scratch, some shortly and the best of those to the end, until time is over."""
        trials = study.study.trials()
        designs = study.designs(trials.select(trials.is_feasible))
        if not designs:
            return
        reference = study.study.objectives[0].reference or max(design.logloss for design in designs)
        n_at_once = n_trained_at_once(self.settings.device)
        rounds_s = [0.0]
        with self._timed("from scratch"), progress_bar("training from scratch", "s") as bar:
            candidates = Candidates.of(study, designs, self._truths(study))
            while budget.left_s > max(rounds_s[-N_LAST_ROUNDS:]):
                started_s = time.monotonic()
                trained, tried = valid_logloss(self.from_scratch), valid_logloss(self.tried)
                if self.short_settings is None:
                    promising = candidates.by_score(trained, tried, n_at_once, reference)
                else:
                    to_try = candidates.by_score(trained, tried, N_TRIED * n_at_once, reference)
                    self._train([(PROMISING, design) for design in to_try], None, self.short_settings)
                    tried = valid_logloss(self.tried)
                    promising = candidates.by_short_training(trained, tried, n_at_once, reference)
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
        """The designs to look at, with the reason: judged by training from scratch where many designs are trained."""
        trained = valid_logloss(self.from_scratch)
        if len(trained) < MANY_TRAINED:
            return chosen_designs(study.front())
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

    def report(self, study: CodesignStudy) -> Path:
        """Writes the report, unless the one that is there says the same."""
        supernet, search = self.supernet, self._stored_search()
        calibration = study.calibration
        front, chosen, validation = study.front(), self.chosen(study), self.stored_validation()
        results = self.from_scratch
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
                [settings, supernet.digest, None if validation is None else validation.to_json()],
            ]
        )
        digest = hashlib.sha256(state.encode()).hexdigest()
        page, marker = self.folder / "report.html", self.folder / "report.digest"
        if page.exists() and marker.exists() and marker.read_text() == digest:
            return page
        with self._timed("report"):
            exact = study.exact([design for _, design in chosen])
            inputs = ReportInputs(
                title=f"moco: {self.settings.dataset}",
                study=study,
                chosen=chosen,
                from_scratch=results,
                supernet=supernet,
                validation=validation,
                exact=dict(zip((design.key for _, design in chosen), exact, strict=True)),
                settings=settings,
                seconds_by_stage=_seconds_of(self.folder),
            )
            page = write_report(inputs, self.folder)
        write_text_whole(marker, digest)
        return page

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        """Adds the time of a `with` block to that of its stage; a block that fails ends with its own error."""
        start_s = time.monotonic()
        try:
            yield
        except BaseException:
            with suppress(OSError):
                _add_seconds(self.folder, stage, time.monotonic() - start_s)
            raise
        _add_seconds(self.folder, stage, time.monotonic() - start_s)


def run(
    folder: Path,
    settings: RunSettings,
    search: SearchSettings,
    n_trials: int | None = None,
    *,
    n_checked: int | None = None,
    hours: float | None = None,
) -> CodesignStudy:
    """The whole way: data, supernet, search, training from scratch, report.

    With a number of hours, a third goes to the supernet at most, a tenth to networks that say how to correct its
    scores, a sixth to the search, and the rest to training from scratch the designs that promise most, each choice
    learning from those before.

    Args:
        folder: Of the run; made when it is not there.
        settings: Of data and supernet.
        search: Of the search.
        n_trials: Distinct designs to score; None takes the data set's recipe.
        n_checked: Networks to train from scratch to see how well the supernet ranks and to correct its scores; None
            takes the recipe's. Each is trained twice; where hours are given once, as many as there is time for.
        hours: For everything together, over interruptions; None for as long as it takes.

    Raises:
        ValueError: A setting is wrong, the data cannot be used, the folder holds another run, or no design met the
            constraints; the report is written all the same.
        OSError: A file cannot be read or written.
    """
    if n_trials is not None:
        require_budget(n_trials)
    if n_started() > 1:
        raise ValueError(
            "only training runs in several processes: 'torchrun -m moco train', then 'moco search', then "
            "'torchrun -m moco report'"
        )
    if hours is None:
        return _all_stages(Run(folder, settings), search, n_trials, n_checked, None)
    budget = Budget(hours, _seconds_of(folder))
    try:
        this = Run(folder, _affordable(folder, settings, budget))
        return _all_stages(this, search, n_trials, n_checked, budget)
    finally:
        with suppress(OSError):  # what is between the stages counts too, or a run would get it anew when it goes on
            _add_seconds(folder, "between", budget.total_s - budget.left_s - sum(_seconds_of(folder).values()))


def _all_stages(
    this: Run, search: SearchSettings, n_trials: int | None, n_checked: int | None, budget: Budget | None
) -> CodesignStudy:
    """Every stage of a run; arguments are those of `run`."""
    console.print(f"[bold]data[/bold]      {this.data.name}: {len(this.data.train):,} train rows")
    console.print(
        f"[bold]space[/bold]     {this.space.name}, {len(this.space.blocks)} choice blocks, "
        f"{float(this.space.cardinality):.2g} designs"
    )
    if n_checked is None:
        n_checked = this.recipe.n_checked
    is_over = None if budget is None else lambda: budget.is_truth_over
    validation = this.validate(n_checked, 1 if budget is not None else 2, is_over)
    console.print(f"[bold]supernet[/bold]  {this.supernet.digest}, {this.supernet_file}")
    if validation is not None:
        console.print(validation.summary(), soft_wrap=True)
    if this.correction is not None:
        console.print(this.correction.summary(), soft_wrap=True)
    study = this.study(search)
    this.search(study, this.recipe.n_trials if n_trials is None else n_trials, budget)
    console.print(f"[bold]search[/bold]    {len(study.study):,} designs scored, {len(study.front())} on the front")
    if budget is not None:
        this.train_promising(study, budget)
    this.train_from_scratch(study)
    page = this.report(study)
    console.print(f"[bold]report[/bold]    {page}")
    require_front(study)
    return study


def _seconds_of(folder: Path) -> dict[str, float]:
    """Seconds that each stage of a run has taken so far."""
    file = folder / "seconds.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _add_seconds(folder: Path, stage: str, spent_s: float) -> None:
    if spent_s > 1.0:  # a stage that was found done is not counted again
        seconds = _seconds_of(folder)
        seconds[stage] = round(seconds.get(stage, 0.0) + spent_s, 1)
        write_text_whole(folder / "seconds.json", json.dumps(seconds, indent=1))


def _affordable(folder: Path, settings: RunSettings, budget: Budget) -> RunSettings:
    """The settings with a number of epochs that fits the budget; a run that has begun keeps its own."""
    if settings.n_epochs is not None:
        return settings
    begun = _stored(folder / "run.json", RunSettings)
    if begun is not None:
        return replace(settings, n_epochs=begun.n_epochs)
    this = Run(folder, settings, keep=False)
    fitting = affordable(
        this.data,
        this.space,
        this.supernet_settings,
        SUPERNET_SHARE * budget.total_s,
        settings.device,
    )
    return replace(settings, n_epochs=fitting.epochs)


def require_budget(n_trials: int) -> None:
    """ValueError when there is nothing to search with."""
    if n_trials < 1:
        raise ValueError(f"n_trials must be at least 1, got {n_trials}")


def require_front(study: CodesignStudy) -> None:
    """ValueError that says why, when the front is empty."""
    if len(study.study) > 0 and not study.front():
        raise ValueError(study.why_empty())


def _kept(file: Path, settings: Settings) -> Settings:
    """The settings, stored in a file that is made when it is not there; ValueError names what differs."""
    stored = _stored(file, type(settings))
    if stored is None:
        write_text_whole(file, json.dumps(asdict(settings), indent=1))
        return settings
    before, now = asdict(stored), json.loads(json.dumps(asdict(settings)))
    for name, value in before.items():
        if value != now[name]:
            raise ValueError(
                f"{file.parent} holds a run with {name} {value!r}, this asks for {now[name]!r}: "
                "give another folder, or the same settings"
            )
    return stored


def _stored(file: Path, kind: type[Settings]) -> Settings | None:
    if not file.exists():
        return None
    try:
        return kind(**json.loads(file.read_text()))
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f"{file} does not hold the settings of a run ({error}): give another folder") from error
