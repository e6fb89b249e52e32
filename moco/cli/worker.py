"""The command line of a search that several processes and machines share: `moco worker`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from moco.cli.options import (
    CalibrationName,
    Folder,
    MaxArea,
    MaxEnergy,
    MaxLatency,
    MaxPower,
    Population,
    Trials,
    calibration_path,
)

if TYPE_CHECKING:
    from studies.shared.tally import SharedProgress


def worker(
    folder: Folder,
    *,
    storage: Annotated[
        str,
        typer.Option(
            help="URL of a PostgreSQL database: postgresql://user@host/database. The password is better left to "
            "PGPASSWORD or ~/.pgpass."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Of the shared study; the data set's name when left out.")] = None,
    trials: Trials = None,
    population: Population = 50,
    engine: Annotated[
        str, typer.Option(help="optuna:nsga2, optuna:nsga3, optuna:tpe or another sampler of Optuna's.")
    ] = "optuna:nsga2",
    calibration: CalibrationName = "isaac32",
    max_energy_pj: MaxEnergy = None,
    max_latency_ns: MaxLatency = None,
    max_area_mm2: MaxArea = None,
    max_power_mw: MaxPower = None,
) -> None:
    """Searches with the supernet of a run, together with other workers on this and other machines.

    Reads the folder of 'moco train', of which each machine has a copy, and writes search.json into it; the designs
    stand in the database. The first worker makes the study, the others join it with the same options. Each scores one
    design at a time on one core; start as many as there are cores. A worker that is killed loses nothing: another one
    takes its design over. All of them end when the study is complete.

    moco train frappe --out run;  createdb -h server moco;  scp -r run other:

    here:   moco worker run --storage postgresql://me@server/moco --trials 2000

    other:  moco worker run --storage postgresql://me@server/moco --trials 2000

    here, at the end:  moco studies import postgresql://me@server/moco run/study.db --study frappe;  moco report run
    """
    from moco.progress import console, progress_bar
    from moco.runs.run import Run, require_budget
    from moco.runs.settings import SearchSettings
    from studies.shared.study import SharedStudy
    from studies.urls import shown_url

    this = Run.reopen(folder)
    n_trials = this.recipe.n_trials if trials is None else trials
    require_budget(n_trials)
    settings = SearchSettings(
        population_size=population,
        engine=engine,
        calibration=calibration_path(calibration),
        max_energy_pj=max_energy_pj,
        max_latency_ns=max_latency_ns,
        max_area_mm2=max_area_mm2,
        max_power_mw=max_power_mw,
    )
    study, n_own = this.shared_study(settings), 0
    with SharedStudy.of(study.study, storage, name) as shared, progress_bar("search", "designs") as bar:

        def show(state: SharedProgress) -> None:
            nonlocal n_own
            n_own = state.n_own
            note = f"{n_own:,} here, front {state.n_front}, hypervolume {state.hypervolume:.4g}"
            bar.update(state.n_trials, n_trials, note)

        this.keep_search(settings)
        shared.optimize(study.evaluate, n_trials, progress=show)
        n_done = len(shared)
    console.print(f"[bold]search[/bold]    {n_done:,} designs scored, {n_own:,} of them here; to bring them home:")
    words = ["moco", "studies", "import", shown_url(storage), str(this.study_file), "--study", shared.name]
    if shared.name != study.study.name:
        words += ["--name", study.study.name]
    typer.echo(shlex.join(words))
