"""A run: data, supernet, search, training from scratch and report, stage by stage in one folder.

Each stage keeps its own files in the folder and goes on where it stopped, so a run that was killed at any moment ends
with the same front as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from moco.chosen import FromScratch, chosen_designs, read_from_scratch, train_chosen
from moco.codesign import CAPS, CodesignStudy, caps, codesign_space, create_study
from moco.data import ClickLog, TableSchema, load_dataset
from moco.data.logs import LOG_FORMATS
from moco.files import write_text_whole
from moco.progress import console, progress_bar
from moco.recipes import Recipe, recipe_for
from moco.report import ReportInputs, write_report
from moco.settings import TrainSettings
from moco.supernet import TrainedSupernet, TrainProgress, train_supernet
from moco.supernet.ranks import n_started
from pimmodel import find_calibration
from spaces import CodesignSpace
from studies import ENGINES

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
        folder: Holds run.json, search.json, supernet.safetensors, study.db, from_scratch.json, seconds.json and the
            report.
        settings: As stored in run.json.
    """

    def __init__(self, folder: Path, settings: RunSettings) -> None:
        """Opens the run of a folder, or begins one.

        Raises:
            ValueError: The folder holds a run with other settings.
        """
        self.folder = folder
        self.settings = _kept(folder / "run.json", settings)

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
                self.space.network,
                settings=self.supernet_settings,
                seed=self.settings.seed,
                checkpoint=self.supernet_file,
                device=self.settings.device,
                progress=show,
            )

    def study(self, search: SearchSettings) -> CodesignStudy:
        """The study of the run's folder, with a trained supernet; ValueError when the search settings differ."""
        kept = _kept(self.folder / "search.json", search)
        return create_study(
            self.settings.dataset,
            self.data,
            self.space,
            self.supernet,
            storage=self.study_file,
            seed=self.settings.seed,
            cardinalities=self.whole_data.cardinalities,
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

    def search(self, study: CodesignStudy, n_trials: int) -> None:
        """Searches until the study holds n_trials designs."""
        require_budget(n_trials)
        with self._timed("search"), progress_bar("search", "designs") as bar:
            study.optimize(n_trials, progress=lambda n_scored, note: bar.update(n_scored, n_trials, note))

    def train_from_scratch(self, study: CodesignStudy) -> list[FromScratch]:
        """Trains the chosen designs of the front from scratch."""
        with self._timed("from scratch"), progress_bar("training from scratch", "designs") as bar:
            return train_chosen(
                self.whole_data,
                chosen_designs(study.front()),
                self.folder / "from_scratch.json",
                settings=self.recipe.final,
                seed=self.settings.seed,
                device=self.settings.device,
                progress=bar.update,
            )

    def report(self, study: CodesignStudy) -> Path:
        """Writes the report, unless the one that is there says the same."""
        supernet, search = self.supernet, self._stored_search()
        calibration = study.calibration
        front = study.front()
        results = read_from_scratch(self.folder / "from_scratch.json")
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
                [settings, supernet.digest],
            ]
        )
        digest = hashlib.sha256(state.encode()).hexdigest()
        page, marker = self.folder / "report.html", self.folder / "report.digest"
        if page.exists() and marker.exists() and marker.read_text() == digest:
            return page
        with self._timed("report"):
            inputs = ReportInputs(
                title=f"moco: {self.settings.dataset}",
                study=study,
                chosen=chosen_designs(front),
                from_scratch=results,
                supernet=supernet,
                settings=settings,
                seconds_by_stage=self._seconds(),
            )
            page = write_report(inputs, self.folder)
        write_text_whole(marker, digest)
        return page

    def _seconds(self) -> dict[str, float]:
        file = self.folder / "seconds.json"
        return json.loads(file.read_text()) if file.exists() else {}

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        """Adds the time of a `with` block to that of its stage; a block that fails ends with its own error."""
        start_s = time.monotonic()
        try:
            yield
        except BaseException:
            with suppress(OSError):
                self._add_seconds(stage, time.monotonic() - start_s)
            raise
        self._add_seconds(stage, time.monotonic() - start_s)

    def _add_seconds(self, stage: str, spent_s: float) -> None:
        if spent_s > 1.0:  # a stage that was found done is not counted again
            seconds = self._seconds()
            seconds[stage] = round(seconds.get(stage, 0.0) + spent_s, 1)
            write_text_whole(self.folder / "seconds.json", json.dumps(seconds, indent=1))


def run(folder: Path, settings: RunSettings, search: SearchSettings, n_trials: int | None = None) -> CodesignStudy:
    """The whole way: data, supernet, search, training from scratch, report.

    Args:
        folder: Of the run; made when it is not there.
        settings: Of data and supernet.
        search: Of the search.
        n_trials: Distinct designs to score; None takes the data set's recipe.

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
    this = Run(folder, settings)
    console.print(f"[bold]data[/bold]      {this.data.name}: {len(this.data.train):,} train rows")
    console.print(
        f"[bold]space[/bold]     {this.space.name}, {len(this.space.blocks)} choice blocks, "
        f"{float(this.space.cardinality):.2g} designs"
    )
    study = this.study(search)
    console.print(f"[bold]supernet[/bold]  {this.supernet_file}")
    this.search(study, this.recipe.n_trials if n_trials is None else n_trials)
    console.print(f"[bold]search[/bold]    {len(study.study):,} designs scored, {len(study.front())} on the front")
    this.train_from_scratch(study)
    page = this.report(study)
    console.print(f"[bold]report[/bold]    {page}")
    require_front(study)
    return study


def require_budget(n_trials: int) -> None:
    """ValueError when there is nothing to search with."""
    if n_trials < 1:
        raise ValueError(f"n_trials must be at least 1, got {n_trials}")


def require_front(study: CodesignStudy) -> None:
    """ValueError that names the constraint that no design meets, when the front is empty."""
    if len(study.study) > 0 and not study.front():
        raise ValueError(f"{study.study.summary()} Raise that limit, or search longer.")


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
