"""The command line of baselines: `moco baselines`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moco.cli.data import Categorical, DataPath, Dataset, Label, Numeric, Options, Seed, Time, data_options

app = typer.Typer(rich_markup_mode="markdown")

Only = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="One baseline, such as DeepFM; may be given several times. All hand-made ones "
        "when left out; NASRec's published networks have names such as 'NASRec criteo-full'.",
    ),
]
Seeds = Annotated[int, typer.Option(min=1, help="Trainings of each baseline, with seeds 0, 1, ...")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Trainings side by side; one a core when left out.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Epochs of each training; those of its recipe when left out.")]
Tune = Annotated[
    int,
    typer.Option(
        min=0,
        help="Trainings to tune each baseline's learning rate and regularisation with on valid rows, before the seeds; "
        "0 keeps its recipe.",
    ),
]
Teacher = Annotated[
    int,
    typer.Option(
        min=0,
        help="Hand-made networks, trained first, that soften the labels which baselines learn from, as 'moco retrain' "
        "has them; results stand beside those from labels alone.",
    ),
]
CalibrationName = Annotated[
    str, typer.Option("--calibration", help="Of the hardware model: a name of 'moco calibrations' or a file.")
]


@app.command()
def baselines(
    dataset: Dataset,
    path: DataPath = None,
    *,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; runs/DATASET when left out.")] = None,
    only: Only = None,
    seeds: Seeds = 3,
    epochs: Epochs = None,
    tune: Tune = 0,
    teacher: Teacher = 0,
    calibration: CalibrationName = "isaac32",
    label: Label = None,
    categorical: Categorical = None,
    numeric: Numeric = None,
    time: Time = None,
    options: Options = None,
    jobs: Jobs = None,
    seed: Seed = 0,
) -> None:
    """Trains the networks that people made by hand, and costs them on ISAAC's chip.

    LR, FM, DNN, Wide&Deep, DeepFM, DCNv2, xDeepFM, AutoInt+, DLRM, MaskNet and FinalMLP, with the settings of the
    public benchmark BARS where it has some for the data set. Scores are on test rows, mean and deviation over seeds; on
    chip with 8-bit weights, activations and tables.

    Writes baselines.json and baselines.csv into the folder, and with --tune a tuning-NAME.db for each; prints all that
    the folder has. Run again, it goes on where it stopped.
    """
    from moco.baselines.catalogue import HAND_MADE
    from moco.baselines.results import read_results
    from moco.baselines.table import baseline_rows, baselines_csv, baselines_text
    from moco.baselines.train import recipes_of, train_baselines
    from moco.baselines.tuned import tuned_recipes
    from moco.data import TableSchema, load_dataset
    from moco.files import write_text_whole
    from moco.progress import progress_bar
    from moco.runs.teacher import FOLDER, taught
    from pimmodel import find_calibration

    constants = find_calibration(calibration)
    given = data_options(label, categorical, numeric, time, options)
    if "schema" in given:
        given["schema"] = TableSchema(**given["schema"])
    data = load_dataset(dataset, path, seed=seed, **given)
    folder = Path("runs") / dataset if out is None else out
    recipes = recipes_of(data, only or HAND_MADE, epochs=epochs)
    lessons, tunings = data, folder
    if teacher:
        tunings = folder / "taught"
        with progress_bar("teacher", "networks") as bar:
            lessons = taught(data, teacher, folder / FOLDER, n_jobs=jobs, progress=bar.update)
    if tune:
        with progress_bar("tuning", "trainings") as bar:
            recipes = tuned_recipes(lessons, recipes, tune, tunings, n_jobs=jobs, progress=bar.update)
    file = folder / "baselines.json"
    with progress_bar("baselines", "trainings") as bar:
        train_baselines(data, recipes, file, seeds=range(seeds), lessons=lessons, n_jobs=jobs, progress=bar.update)
    rows = baseline_rows(read_results(file, data), data, constants)
    write_text_whole(folder / "baselines.csv", baselines_csv(rows))
    typer.echo(baselines_text(rows))
