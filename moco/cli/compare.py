"""The command line of comparisons: `moco compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    *,
    baselines: Annotated[
        Path | None,
        typer.Option(
            help="Results of 'moco baselines' on the run's data; baselines/baselines.json of the run when left out."
        ),
    ] = None,
    evaluations: Annotated[
        int | None,
        typer.Option(help="Designs that each way of searching evaluates; as many as the run did when left out."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Searches of each way, with seeds from the run's own on.")] = 1,
    only: Annotated[
        str | None, typer.Option(help="accuracy: trained networks alone; codesign: no need of trained ones.")
    ] = None,
    retrain: Annotated[
        int, typer.Option(help="Trainings of each reference of other searches, to compare test log loss too.")
    ] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that score or train; one a core when left out.")
    ] = None,
) -> None:
    """Compares a run with hand-made networks, with a naive mapping, and with network first, chip second.

    Accuracy: every retrained design beside every baseline, with the noise over seeds. Co-design: energy, latency, area
    and power efficiency of designs that are no less accurate than each reference, under every calibration; and the
    hypervolume of each way of searching at equal numbers of evaluations.

    Reads the folder of 'moco run', 'moco retrain' and 'moco baselines'. Writes compare/compare.md, .json, .csv and the
    searches into it. Run again, it goes on where it stopped.
    """
    from moco.compare.comparison import compare as compared
    from moco.compare.outputs import write_comparison
    from moco.compare.page import tables_of
    from moco.progress import console
    from moco.report.tables import text_of
    from moco.runs.run import Run

    this = Run.reopen(folder)
    found = compared(
        this,
        baselines,
        n_evaluations=evaluations,
        n_seeds=seeds,
        only=only,
        n_retrained=retrain,
        n_jobs=jobs,
    )
    page = write_comparison(found, folder, f"moco compare: {this.settings.dataset}")
    typer.echo(text_of(tables_of(found)))
    console.print(f"[bold]comparison[/bold]  {page}", soft_wrap=True)
