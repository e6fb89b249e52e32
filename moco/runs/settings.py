"""What a run is made with: settings that its folder keeps, and that must be the same when it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from moco.data.logs import LOG_FORMATS
from moco.files import read_kept, write_text_whole
from moco.search.look_ahead import LOOKS_AHEAD
from moco.search.objectives import CAPS, caps
from pimmodel import find_calibration
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
        space: Kind of the space; what `moco.codesign_space` takes for the data when left out.
        n_epochs: Of supernet training; None takes the data set's recipe.
        n_teachers: Hand-made networks that soften the labels of trainings from scratch; likewise.
        seed: Of data splits, training and search.
        device: "cpu", "auto", or another that torch knows, for training.
    """

    dataset: str
    path: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    search_rows: int | None = None
    space: str | None = None
    n_epochs: int | None = None
    n_teachers: int | None = None
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        if self.n_teachers is not None and self.n_teachers < 0:
            raise ValueError(f"a teacher has 0 networks or more, got {self.n_teachers}")
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

    population_size: int = 50
    engine: str = LOOKS_AHEAD
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


def kept(file: Path, settings: Settings) -> Settings:
    """The settings, stored in a file that is made when it is not there; ValueError names what differs."""
    before = stored(file, type(settings))
    if before is None:
        write_text_whole(file, json.dumps(asdict(settings), indent=1))
        return settings
    now = json.loads(json.dumps(asdict(settings)))
    for name, value in asdict(before).items():
        if value != now[name]:
            raise ValueError(
                f"{file.parent} holds a run with {name} {value!r}, this asks for {now[name]!r}: "
                "give another folder, or the same settings"
            )
    return before


def stored(file: Path, kind: type[Settings]) -> Settings | None:
    """The settings that a file holds; None where there is none, ValueError where it holds something else."""

    def read(text: str) -> Settings:
        try:
            return kind(**json.loads(text))
        except TypeError as error:
            raise ValueError(f"these are no settings of a run ({error})") from error

    return read_kept(file, read)
