"""The command line of study files: `moco studies list`, `rename`, `delete`, `copy`, `merge`, `export` and `import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="studies",
    help="Lists, renames, deletes, copies, merges, exports and imports the studies of a study file.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

OPTUNA_SUFFIXES = (".db", ".sqlite", ".sqlite3")

StudyFile = Annotated[Path, typer.Argument(help="Study file, or the folder of a run, whose study.db is meant.")]
Name = Annotated[str, typer.Argument(help="Name of the study, as 'moco studies list' shows it.")]


@app.command(name="list")
def list_(file: StudyFile) -> None:
    """Lists the studies of a file, oldest first."""
    from studies import list_studies

    rows = [
        (
            info.name,
            info.engine,
            str(info.seed),
            str(info.population_size),
            f"{info.n_generations:,}",
            f"{info.n_trials:,}",
            f"{info.n_failed:,}",
            f"{info.n_feasible:,}",
            info.created_at,
        )
        for info in list_studies(_file(file))
    ]
    header = ("study", "engine", "seed", "population", "generations", "trials", "failed", "feasible", "created (UTC)")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if column in (0, 1, 8) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


@app.command()
def rename(file: StudyFile, name: Name, new_name: Annotated[str, typer.Argument(help="Its new name.")]) -> None:
    """Renames a study, its view trials_NAME and what the dashboard shows of it."""
    from studies import rename_study

    rename_study(_file(file), name, new_name)
    typer.echo(f"{_file(file)}: {name} is now {new_name}")


@app.command()
def delete(
    file: StudyFile,
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Deletes a study for good, with its view and what the dashboard shows of it. Asks first."""
    from studies import delete_study, list_studies

    path = _file(file)
    found = [info for info in list_studies(path) if info.name.casefold() == name.casefold()]
    if found and not yes:
        typer.confirm(f"Delete study {name!r} with {found[0].n_trials:,} trials from {path}?", abort=True)
    delete_study(path, name)
    typer.echo(f"{path}: {name} is deleted")


@app.command()
def copy(
    file: StudyFile,
    name: Name,
    to_file: Annotated[Path, typer.Argument(help="Study file to copy into: the same or another, new or not.")],
    *,
    new_name: Annotated[str | None, typer.Option("--name", help="Of the copy; the same name when left out.")] = None,
) -> None:
    """Copies a study with all it needs to go on, into the same or another file."""
    from studies import copy_study

    copy_study(_file(file), name, _file(to_file), new_name)
    typer.echo(f"{_file(to_file)}: {new_name or name}")


@app.command()
def merge(
    file: Annotated[Path, typer.Argument(help="Study file to write into, new or not.")],
    new_name: Annotated[str, typer.Argument(help="Name of the merged study.")],
    sources: Annotated[list[str], typer.Argument(help="Studies, as FILE::NAME; FILE alone where it holds one study.")],
) -> None:
    """Puts studies of one question, searched apart, into a new one that goes on from all of them.

    For islands: the same search with another --seed on each machine, then one file. Space, digests, objectives and
    constraints must be the same. Designs that occur again are kept once; engine, seed and population are those of the
    first source.
    """
    from studies import merge_studies

    merged = merge_studies(_file(file), new_name, [_source(source) for source in sources])
    typer.echo(f"{_file(file)}: {new_name} with {merged.n_trials:,} trials, {merged.n_repeated:,} repeats left out")


@app.command()
def export(
    file: StudyFile,
    name: Name,
    out: Annotated[Path, typer.Argument(help="A .csv or .parquet file; or a new .db file for an Optuna study.")],
) -> None:
    """Writes every trial of a study to a table, or to an Optuna study in a file of its own.

    A table has one row a trial: number, generation, key, is_feasible, objectives, constraints, attributes, and the
    choice of every block in words. An Optuna study has every block as a parameter, for Optuna's own tools; for the
    dashboard, 'moco dashboard' shows a run more quickly.
    """
    if out.suffix.lower() in OPTUNA_SUFFIXES:
        from studies.exchange.optuna_export import export_optuna

        n_trials = export_optuna(_file(file), name, out)
    else:
        from studies.exchange.table import TABLE_SUFFIXES, export_table

        if out.suffix.lower() not in TABLE_SUFFIXES:
            known = ", ".join((*TABLE_SUFFIXES, *OPTUNA_SUFFIXES))
            raise ValueError(f"the name of the exported file must end in one of {known}, got {out.name!r}")
        n_trials = export_table(_file(file), name, out)
    typer.echo(f"{out}: {n_trials:,} trials")


@app.command(name="import")
def import_(
    source: Annotated[str, typer.Argument(help="SQLite file of an Optuna study, or a URL as Optuna takes it.")],
    file: Annotated[Path, typer.Argument(help="Study file to write into, new or not.")],
    *,
    study: Annotated[
        str | None, typer.Option(help="The Optuna study; may be left out where there is only one.")
    ] = None,
    new_name: Annotated[str | None, typer.Option("--name", help="Of our study; the same name when left out.")] = None,
    like: Annotated[
        str | None, typer.Option(help="Take the space of this study, FILE::NAME; FILE alone where it holds one.")
    ] = None,
    space: Annotated[Path | None, typer.Option(help="Take the space of this JSON file.")] = None,
) -> None:
    """Reads the finished trials of an Optuna study whose parameters are the blocks of a space, into a new study.

    What 'moco studies export' wrote says its space itself; others need --like or --space. Prints how many trials were
    left out, and why.
    """
    from spaces import read_space
    from studies.exchange.optuna_import import import_optuna
    from studies.exchange.optuna_source import optuna_studies
    from studies.files.stored import stored_study
    from studies.urls import shown_url

    if like is not None and space is not None:
        raise ValueError("--like and --space both say what the space is: give one of them")
    chosen = None
    if like is not None:
        chosen = stored_study(*_source(like)).space
    elif space is not None:
        chosen = read_space(space.read_text(encoding="utf-8"))
    if study is None:
        names = optuna_studies(source)
        if len(names) != 1:
            held = ", ".join(map(repr, names)) or "none"
            raise ValueError(f"{shown_url(source)} holds the Optuna studies {held}: give --study")
        study = names[0]
    imported = import_optuna(source, study, _file(file), chosen, new_name=new_name)
    typer.echo(f"{_file(file)}: {new_name or study}: {imported.summary()}")


def _file(path: Path) -> Path:
    """The study file itself, or that in the folder of a run."""
    return path / "study.db" if (path / "study.db").is_file() else path


def _source(text: str) -> tuple[Path, str]:
    """File and name of FILE::NAME, or of the only study of FILE."""
    from studies import list_studies

    file, separator, name = text.partition("::")
    path = _file(Path(file))
    if separator:
        return path, name
    names = [info.name for info in list_studies(path)]
    if len(names) != 1:
        raise ValueError(f"{path} holds the studies {', '.join(map(repr, names)) or 'none'}: say which as {file}::NAME")
    return path, names[0]
