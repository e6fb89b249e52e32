"""Truth: networks trained from scratch, with several seeds each, against which scores of networks are judged.

A truth is one csv file of runs beside one JSON file that says what they are runs of: data, space and recipe. It grows
run by run, so that a job of hours goes on where it stopped, and grows by seeds and networks later.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray

from moco.data import ClickLog
from moco.files import write_text_whole
from moco.settings import FinalSettings
from moco.training.from_scratch import begun_below, train_from_scratch
from moco.training.pace import Pace, training_time
from spaces.architecture import Architecture
from spaces.nasrec import NasrecSpace
from spaces.space import Genomes

TRUTH = "truth"
"""Name of the truth of a run's folder, by which the supernet is judged and its scores are corrected."""

LEAST_NETWORKS = 3
"""Networks without which there is no rank."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthRun:
    """One network, trained from scratch to its lowest valid log loss with one seed.

    Attributes:
        genome: Canonical choice indices of the network, joined by dashes.
        seed: Of the training.
        n_epochs: Epochs to the lowest valid log loss.
        valid_logloss: There; likewise the others. Test rows are read once, at the end.
    """

    genome: str
    seed: int
    n_epochs: float
    valid_logloss: float
    valid_auc: float
    test_logloss: float
    test_auc: float


@dataclass(frozen=True)
class Truth:
    """The runs of one data set, space and recipe.

    Attributes:
        what: Names and digests of data, space and settings of the training.
        runs: In the order in which they were asked for, whichever ended first: what is learned from them must not
            depend on that.
    """

    what: dict[str, Any]
    runs: tuple[TruthRun, ...]

    @classmethod
    def read(cls, folder: Path, name: str) -> Self | None:
        """The truth of a folder; None where there is none; ValueError where a file is damaged."""
        header, table = folder / f"{name}.json", folder / f"{name}.csv"
        if not header.exists():
            return None
        try:
            rows = list(csv.DictReader(io.StringIO(table.read_text()))) if table.exists() else []
            runs = tuple(
                TruthRun(genome=row["genome"], seed=int(row["seed"]), **{name: float(row[name]) for name in _FIGURES})
                for row in rows
            )
            return cls(json.loads(header.read_text()), runs)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{table} does not hold runs of training from scratch ({error!r}): remove it") from error

    def write(self, folder: Path, name: str) -> None:
        """Writes both files."""
        folder.mkdir(parents=True, exist_ok=True)
        write_text_whole(folder / f"{name}.json", json.dumps(self.what, indent=1) + "\n")
        text = io.StringIO()
        table = csv.DictWriter(text, [field.name for field in fields(TruthRun)], lineterminator="\n")
        table.writeheader()
        for run in self.runs:
            table.writerow({**asdict(run), "n_epochs": f"{run.n_epochs:.6g}"})
        write_text_whole(folder / f"{name}.csv", text.getvalue())

    def useful(self, data: ClickLog) -> Truth:
        """Without runs that never began to learn, which tell of chance alone; all where too few others are left."""
        worst = begun_below(data)
        kept = Truth(self.what, tuple(run for run in self.runs if run.valid_logloss < worst))
        return kept if len(kept.genomes) >= LEAST_NETWORKS else self

    @property
    def space_kind(self) -> str:
        """Kind of the space of its networks."""
        return str(self.what["space"]["kind"])

    @property
    def genomes(self) -> Genomes:
        """(n, P) distinct networks, in the order of their runs."""
        return np.array([_genes(genome) for genome in dict.fromkeys(run.genome for run in self.runs)], dtype=np.int64)

    def figures(self, name: str = "valid_logloss") -> NDArray[np.float64]:
        """(n, S) a figure of each network and each of S seeds, NaN where that run is missing."""
        rows = {genome: row for row, genome in enumerate(dict.fromkeys(run.genome for run in self.runs))}
        columns = {seed: column for column, seed in enumerate(sorted({run.seed for run in self.runs}))}
        table = np.full((len(rows), len(columns)), np.nan)
        for run in self.runs:
            table[rows[run.genome], columns[run.seed]] = getattr(run, name)
        return table


_FIGURES = ("n_epochs", "valid_logloss", "valid_auc", "test_logloss", "test_auc")


def train_truth(
    data: ClickLog,
    space: NasrecSpace,
    genomes: Genomes,
    seeds: Sequence[int],
    folder: Path,
    name: str,
    *,
    settings: FinalSettings,
    n_repeated: int | None = None,
    largest_first: bool = True,
    n_jobs: int | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    is_over: Callable[[], bool] | None = None,
    seconds_left: Callable[[], float] | None = None,
) -> Truth:
    """Trains networks from scratch, one process each, and keeps every run in the folder as it ends.

    Runs that the folder has are not done again. Networks come in an order in which any beginning is spread evenly over
    all of them, each with all its seeds.

    Args:
        data: The click log.
        space: Of the genomes.
        genomes: (n, P) canonical genomes.
        seeds: Of each network's trainings.
        folder: Where the truth is kept.
        name: Of its files.
        settings: Of the training.
        n_repeated: How many of the first networks are trained with every seed, the others with the first alone; all by
            default.
        largest_first: Whether the last network is the first to be trained: given by their cost, the one that takes
            longest is not waited for at the end. Else the first one is: more are done if time is over before the end.
        n_jobs: Processes; by default one a core.
        device: "cpu", "auto", or another that torch knows.
        progress: Called with the number of runs done and of all.
        is_over: Asked before each run; once it says so, no further one is begun.
        seconds_left: Asked before each run, which is not begun where it would take longer, going by those that have
            ended.

    Raises:
        ValueError: The folder's truth is of other data, another space or other settings.
    """
    what: dict[str, Any] = {
        "data": {"name": data.name, "digest": data.digest},
        "space": {**space.to_dict(), "digest": space.digest},
        "settings": asdict(settings),
    }
    truth = Truth.read(folder, name) or Truth(json.loads(json.dumps(what)), ())
    if isinstance(stored := truth.what.get("settings"), dict):
        truth.what["settings"] = {**asdict(FinalSettings()), **stored}  # what is new since then was at its default
    for part, value in json.loads(json.dumps(what)).items():
        if truth.what.get(part) != value:
            raise ValueError(
                f"{folder / name}.csv is of {part} {truth.what.get(part)}, this is {value}: take another name"
            )
    runs = {(run.genome, run.seed): run for run in truth.runs}
    n_repeated = len(genomes) if n_repeated is None else n_repeated
    order = [len(genomes) - 1 - place if largest_first else place for place in _evenly(len(genomes))]
    wanted = [(_text(genomes[row]), seed) for row in order for seed in (seeds if row < n_repeated else seeds[:1])]
    missing = [key for key in wanted if key not in runs]

    def run_of(genome: str, seed: int) -> Any:
        network = space.networks([_genes(genome)])[0]
        return delayed(_run)(data, network, genome, seed, settings, device)

    times = dict(zip(map(_text, genomes), training_time(space, space.networks(genomes)).tolist(), strict=True))
    pace = Pace()

    def begun() -> Iterator[tuple[str, int]]:
        for genome, seed in missing:
            if is_over is not None and is_over():
                return
            if seconds_left is None or times[genome] <= pace.longest(seconds_left()):
                yield genome, seed

    ended = Parallel(
        n_jobs=n_jobs or cpu_count(), return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
    )(run_of(genome, seed) for genome, seed in begun())
    if progress is not None:
        progress(len(wanted) - len(missing), len(wanted))
    for run, seconds in ended:
        pace.ended(times[run.genome], seconds)
        runs[(run.genome, run.seed)] = run
        truth = Truth(truth.what, tuple(runs[key] for key in dict.fromkeys([*wanted, *runs]) if key in runs))
        truth.write(folder, name)
        if progress is not None:
            progress(sum(key in runs for key in wanted), len(wanted))
    return truth


def _run(
    data: ClickLog,
    network: Architecture,
    genome: str,
    seed: int,
    settings: FinalSettings,
    device: str,
) -> tuple[TruthRun, float]:
    """A run, and the seconds that it took."""
    started_s = time.monotonic()
    trained = train_from_scratch(data, network, settings=settings, seed=seed, device=device)
    run = TruthRun(
        genome=genome,
        seed=seed,
        n_epochs=_kept(trained.n_epochs),
        valid_logloss=_kept(trained.valid.logloss),
        valid_auc=_kept(trained.valid.auc),
        test_logloss=_kept(trained.test.logloss),
        test_auc=_kept(trained.test.auc),
    )
    return run, time.monotonic() - started_s


def _kept(figure: float) -> float:
    """A figure as the table keeps it, so that a truth read back is the same."""
    return float(f"{figure:.6g}")


def _evenly(n: int) -> list[int]:
    """Numbers below n in an order in which any beginning is spread evenly: bits reversed."""
    n_bits = max(1, (n - 1).bit_length())
    order = sorted(range(2**n_bits), key=lambda number: int(f"{number:0{n_bits}b}"[::-1], 2))
    return [number for number in order if number < n]


def _text(genome: NDArray[np.int64]) -> str:
    return "-".join(map(str, genome.tolist()))


def _genes(text: str) -> list[int]:
    return [int(gene) for gene in text.split("-")]
