"""The command line: `moco run` and its stages, each also alone."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from moco.cli import baselines, compare, cost, data, export, prune, retrain, studies, worker
from moco.cli.data import Categorical, DataPath, Dataset, Label, Numeric, Options, Seed, Time, data_options
from moco.cli.options import (
    CalibrationName,
    Chip,
    Folder,
    MaxArea,
    MaxEnergy,
    MaxLatency,
    MaxPower,
    Population,
    Trials,
    calibration_path,
)
from moco.progress import console

if TYPE_CHECKING:
    from moco.runs.run import Run
    from moco.search.codesign import CodesignStudy
    from moco.supernet.ranks import Ranks

app = typer.Typer(
    name="moco",
    help="Search recommender networks and processing-in-memory hardware together, and get the Pareto front.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

app.add_typer(data.app)
app.add_typer(studies.app)

Out = Annotated[Path | None, typer.Option(help="Folder of the run; runs/DATASET when left out.")]
SpaceKind = Annotated[
    str | None,
    typer.Option(
        "--space",
        help="nasrec-full, nasrec-small, or nasrec-flat, whose networks read all embeddings side by side as well; "
        "nasrec-flat for a log without numeric fields and nasrec-full for others when left out.",
    ),
]
SearchRows = Annotated[
    int | None,
    typer.Option(help="Of criteo, avazu and kdd2012: rows that supernet and search see; all when left out."),
]
Device = Annotated[str, typer.Option(help="For training: cpu, auto (an accelerator where there is one), cuda:1 ...")]
Check = Annotated[
    int | None,
    typer.Option(
        help="Networks to train from scratch, the cheapest quarter twice, to see how well the supernet ranks and to "
        "correct its scores; 0 for none, the data set's recipe when left out."
    ),
]
Epochs = Annotated[int | None, typer.Option(help="Epochs of supernet training; the data set's recipe when left out.")]
Teacher = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Hand-made networks that are trained first, to soften the labels of trainings from scratch: small ones "
        "learn more from them. 0 for none, the data set's recipe when left out.",
    ),
]
Engine = Annotated[
    str,
    typer.Option(
        help="surrogate, which predicts log loss and computes costs; nsga2 or another of pymoo's; random; optuna:tpe "
        "and the like."
    ),
]


@app.command()
def run(
    dataset: Dataset,
    path: DataPath = None,
    *,
    out: Out = None,
    trials: Trials = None,
    epochs: Epochs = None,
    space: SpaceKind = None,
    population: Population = 50,
    engine: Engine = "surrogate",
    calibration: CalibrationName = "isaac32",
    max_energy_pj: MaxEnergy = None,
    max_latency_ns: MaxLatency = None,
    max_area_mm2: MaxArea = None,
    max_power_mw: MaxPower = None,
    label: Label = None,
    categorical: Categorical = None,
    numeric: Numeric = None,
    time: Time = None,
    options: Options = None,
    search_rows: SearchRows = None,
    check: Check = None,
    teacher: Teacher = None,
    hours: Annotated[
        float | None,
        typer.Option(
            help="Spend this much time in all: a third on the supernet at most, a tenth on a teacher where the recipe "
            "has one, a tenth on networks that correct the scores, a sixth on the search, the rest on training "
            "promising designs from scratch."
        ),
    ] = None,
    device: Device = "cpu",
    seed: Seed = 0,
) -> None:
    """The whole way: data, supernet, search, front, report, in one folder.

    Reads the data set. Writes supernet.safetensors, study.db, front.csv, front.json, report.html and pictures into the
    folder; with --hours, trained_front.csv and trained_front.json too. Run again, it goes on where it stopped; a larger
    --trials goes on searching.
    """
    from moco.runs.run import Run
    from moco.runs.settings import RunSettings, SearchSettings
    from moco.runs.stages import run as run_all

    folder = _folder(out, dataset)
    study = run_all(
        folder,
        RunSettings(
            dataset=dataset,
            path=_absolute(path),
            options=data_options(label, categorical, numeric, time, options),
            search_rows=search_rows,
            space=space,
            n_epochs=epochs,
            n_teachers=teacher,
            seed=seed,
            device=device,
        ),
        SearchSettings(
            population_size=population,
            engine=engine,
            calibration=calibration_path(calibration),
            max_energy_pj=max_energy_pj,
            max_latency_ns=max_latency_ns,
            max_area_mm2=max_area_mm2,
            max_power_mw=max_power_mw,
        ),
        trials,
        n_checked=check,
        hours=hours,
    )
    _print_front(Run.reopen(folder), study, 20)


@app.command()
def train(
    dataset: Dataset,
    path: DataPath = None,
    *,
    out: Out = None,
    epochs: Epochs = None,
    space: SpaceKind = None,
    label: Label = None,
    categorical: Categorical = None,
    numeric: Numeric = None,
    time: Time = None,
    options: Options = None,
    search_rows: SearchRows = None,
    check: Check = None,
    teacher: Teacher = None,
    device: Device = "cpu",
    seed: Seed = 0,
) -> None:
    """Trains the supernet of a run. Writes supernet.safetensors into the folder; goes on where it stopped.

    torchrun --nproc-per-node 4 -m moco train ... shares each batch between processes or GPUs.
    """
    from moco.runs.run import Run
    from moco.runs.settings import RunSettings

    with _processes() as ranks:
        with ranks.first_alone():
            this = Run(
                _folder(out, dataset),
                RunSettings(
                    dataset=dataset,
                    path=_absolute(path),
                    options=data_options(label, categorical, numeric, time, options),
                    search_rows=search_rows,
                    space=space,
                    n_epochs=epochs,
                    n_teachers=teacher,
                    seed=seed,
                    device=device,
                ),
            )
            data = this.data
        summary = this.supernet.summary()
        if ranks.rank == 0:
            typer.echo(f"{this.supernet_file}: {summary} on {data.name}")
    if ranks.n_ranks == 1:
        this.checks.validate(this.recipe.n_checked if check is None else check)
        _print_fidelity(this)


@app.command()
def search(
    folder: Folder,
    *,
    trials: Trials = None,
    population: Population = 50,
    engine: Engine = "surrogate",
    calibration: CalibrationName = "isaac32",
    max_energy_pj: MaxEnergy = None,
    max_latency_ns: MaxLatency = None,
    max_area_mm2: MaxArea = None,
    max_power_mw: MaxPower = None,
) -> None:
    """Searches with the supernet of a run. Reads the folder of 'moco train'; writes study.db into it."""
    from moco.runs.run import Run
    from moco.runs.settings import SearchSettings

    this = Run.reopen(folder)
    study = this.study(
        SearchSettings(
            population_size=population,
            engine=engine,
            calibration=calibration_path(calibration),
            max_energy_pj=max_energy_pj,
            max_latency_ns=max_latency_ns,
            max_area_mm2=max_area_mm2,
            max_power_mw=max_power_mw,
        )
    )
    this.search(study, this.recipe.n_trials if trials is None else trials)
    _print_front(this, study, 20)
    _print_fidelity(this)


@app.command()
def front(
    folder: Folder,
    rows: Annotated[int, typer.Option(help="Designs to print; 0 prints all.")] = 20,
    design: Annotated[
        str | None,
        typer.Option(help="Print one design as JSON: by its key, its rank from 1, or its role (knee)."),
    ] = None,
    chip: Chip = None,
) -> None:
    """Prints the front of a run, lowest score first, then what designs that were trained reached.

    Reads the folder of 'moco run' or 'moco search'.
    """
    from moco.runs.run import Run
    from moco.search.best_chip import with_best_chip

    if chip is not None and design is None:
        raise ValueError("--chip puts one network on another chip: name a design with --design")

    this = Run.reopen(folder)
    study = this.stored_study()
    if design is None:
        _print_front(this, study, rows or None)
        _print_fidelity(this)
        return
    found = this.finals.find(study, design)
    typer.echo((found if chip is None else with_best_chip(study, found, chip)).to_json())


@app.command()
def report(folder: Folder) -> None:
    """Trains the chosen designs from scratch and writes the report. Reads the folder of 'moco search'.

    Writes report.html, its pictures, front.csv, front.json and from_scratch.json into the folder. Under torchrun all
    processes train one design after another together.
    """
    from moco.runs.run import Run

    this = Run.reopen(folder)
    with _processes() as ranks:
        with ranks.first_alone():
            study = this.stored_study()
        this.finals.train_chosen(study)
        if ranks.rank == 0:
            typer.echo(this.report(study))


for _command in (
    worker.worker,
    retrain.retrain,
    prune.prune,
    export.export,
    export.predict,
    baselines.baselines,
    compare.compare,
    cost.cost,
    cost.calibrations,
):
    app.command()(_command)


@app.command()
def dashboard(
    folder: Folder,
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 8080,
) -> None:
    """Opens the study of a run in optuna-dashboard, at http://localhost:PORT, until interrupted.

    Brings what the dashboard shows up to date in the folder's study.db: front, sample of all designs, figures.
    """
    from moco.runs.run import Run
    from studies import StudyBusyError

    this = Run.reopen(folder)
    program = shutil.which("optuna-dashboard", path=str(Path(sys.executable).parent)) or shutil.which(
        "optuna-dashboard"
    )
    if program is None or importlib.util.find_spec("optuna_dashboard") is None:
        raise ValueError("the dashboard is an extra: install it with  pip install 'moco[dashboard]'")
    study = this.stored_study().study
    try:
        study.publish_dashboard()
    except StudyBusyError:
        console.print("a search is writing to the study; the dashboard shows the state of its last end")
    study.close()
    subprocess.run([program, f"sqlite:///{this.study_file}", "--port", str(port)], check=True)


def main() -> None:
    """Entry point: bad input ends in one line on standard error, exit code 2 for wrong usage and 1 for the rest."""
    try:
        app()
    except (ValueError, TypeError, OSError, FloatingPointError, subprocess.CalledProcessError) as error:
        _fail(error)
    except RuntimeError as error:
        from studies import StudyBusyError, TooManyFailuresError

        if not isinstance(error, StudyBusyError | TooManyFailuresError):
            raise
        _fail(error)


def _fail(error: Exception) -> NoReturn:
    console.print(f"[red]error:[/red] {_escaped(_message(error))}", soft_wrap=True)
    sys.exit(1)


@contextmanager
def _processes() -> Iterator[Ranks]:
    """The processes of torchrun, of which the first one alone speaks."""
    from moco.supernet.ranks import joined

    with joined() as ranks:
        console.quiet = ranks.rank > 0
        yield ranks


def _print_front(this: Run, study: CodesignStudy, n_rows: int | None) -> None:
    from moco.report import front_table, trained_table
    from moco.runs.run import require_front

    require_front(study)
    typer.echo(front_table(study.front(), n_rows=n_rows))
    if trained := this.finals.shown(study):
        typer.echo("\n" + trained_table(trained, this.finals.results(study)))


def _print_fidelity(this: Run) -> None:
    validation = this.checks.stored_validation()
    console.print(
        "The supernet's order has not been compared with training from scratch: 'moco train --check 10' does."
        if validation is None
        else validation.summary(),
        soft_wrap=True,
    )


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror is not None:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


def _folder(out: Path | None, dataset: str) -> Path:
    return Path("runs") / dataset if out is None else out


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.expanduser().resolve())
