"""The command line of data: `moco data describe`, `prepare` and `generate`; and what other commands say of data."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from moco.data import DATASETS, LogOptions, TableSchema, load_dataset
from moco.data.logs import LOG_FORMATS, LogSample, StoredLog, generate_log
from moco.data.logs.formats import EncodingName
from moco.data.logs.read import prepared
from moco.data.logs.stored import is_stored
from moco.progress import progress_bar

app = typer.Typer(
    name="data",
    help="Describes data sets, and makes the stored form of the big public logs, or logs of their form.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Dataset = Annotated[
    str, typer.Argument(help=f"Data set: {', '.join(DATASETS)}. 'table' is any csv, parquet, npz, libsvm or libFM.")
]
DataPath = Annotated[
    Path | None, typer.Argument(help="Its raw file or folder. movielens-100k is fetched when left out.")
]
Label = Annotated[str | None, typer.Option(help="Of a table: the column of 0 and 1.")]
Categorical = Annotated[str | None, typer.Option(help="Of a table: categorical columns, separated by commas.")]
Numeric = Annotated[str | None, typer.Option(help="Of a table: numeric columns, separated by commas.")]
Time = Annotated[str | None, typer.Option(help="Of a table: the column that orders rows in time.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Another option of the data set's reader, such as min_count=5."),
]
Seed = Annotated[int, typer.Option(help="Fixes splits, training and search.")]
Log = Annotated[str, typer.Argument(help=f"Log: {', '.join(LOG_FORMATS)}.")]

_FIRST_BAD_LINES = 5


@app.command()
def describe(
    dataset: Annotated[str, typer.Argument(help=f"Data set: {', '.join(DATASETS)}; or the folder of a stored log.")],
    path: DataPath = None,
    *,
    label: Label = None,
    categorical: Categorical = None,
    numeric: Numeric = None,
    time: Time = None,
    options: Options = None,
    max_table_rows: Annotated[
        int | None, typer.Option(help="Of criteo, avazu and kdd2012: limit on the rows of each table.")
    ] = None,
    embedding_dim: Annotated[int, typer.Option(help="Numbers of a table row, for the sizes of tables.")] = 16,
    seed: Seed = 0,
) -> None:
    """Describes a data set: rows, label means by part and over time, fields, missing values, sizes of tables.

    Reads and encodes it, and writes the encoded form into the cache, which makes the next call quick. criteo, avazu and
    kdd2012 are read from their raw files (plain, .gz or .zst) into a stored form of any size, and described whole.
    """
    from moco.costs.table_sizes import table_sizes_text

    if path is None and is_stored(Path(dataset)):
        log = StoredLog.open(dataset).capped(max_table_rows)
        typer.echo(f"{log.describe()}\n\n{table_sizes_text(log, embedding_dim)}")
        return
    given = data_options(label, categorical, numeric, time, options)
    if "schema" in given:
        given["schema"] = TableSchema(**given["schema"])
    if max_table_rows is not None:
        given["max_table_rows"] = max_table_rows
    if dataset in LOG_FORMATS:
        given.pop("n_rows", None)
    data = load_dataset(dataset, path, seed=seed, **given)
    assert not isinstance(data, LogSample)
    typer.echo(f"{data.describe()}\n\n{table_sizes_text(data, embedding_dim)}")


@app.command()
def prepare(
    log: Log,
    path: Annotated[Path, typer.Argument(help="Its raw file, plain, .gz or .zst, or the folder that holds it.")],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the stored log.")],
    encoding: Annotated[EncodingName, typer.Option(help="vocabulary or authors; see above.")] = "vocabulary",
    min_count: Annotated[int, typer.Option(help="Of vocabulary: rarer values share row 0.")] = 2,
    hash_above: Annotated[
        int | None, typer.Option(help="Of vocabulary: a field with more values is hashed into --hash-rows rows.")
    ] = None,
    hash_rows: Annotated[int, typer.Option(help="Table rows of a hashed field.")] = 1_000_000,
    max_table_rows: Annotated[
        int | None, typer.Option(help="Of authors: limit on the rows of each table; 500,000 in the authors' search.")
    ] = None,
    max_bad_share: Annotated[float, typer.Option(help="Share of bad lines above which the file is refused.")] = 0.001,
) -> None:
    """Makes the stored form of a raw public log: memory-mapped, with the authors' split; any size, any of its rows.

    --encoding vocabulary gives each value that train holds a table row of its own. --encoding authors takes NASRec's
    hashed indices, so that results can be set beside the paper's, with its defects: values collide, as the modulo of
    random hashes leaves 37 % of the rows empty and lets 63 % of the values share one; Avazu's `id` names the row; KDD
    Cup 2012's `Impression` is known only after the fact and leaks the label. That the authors' splitter shifts rows
    against their folds by one is not repeated.

    Killed, it goes on from the last block when it is run again. The folder can be given as PATH wherever the raw file
    can.
    """
    options = LogOptions(
        encoding=encoding,
        min_count=min_count,
        hash_above=hash_above,
        hash_rows=hash_rows,
        max_table_rows=max_table_rows,
        max_bad_share=max_bad_share,
    )
    made = prepared(log, path, out, options)
    typer.echo(made.describe())
    n_bad = made.manifest["n_bad_lines"]
    if n_bad:
        typer.echo(f"\nfirst bad lines of {n_bad:,}, all in {out / 'bad_lines.tsv'}:")
        with (out / "bad_lines.tsv").open(encoding="utf-8") as lines:
            for line in islice(lines, _FIRST_BAD_LINES):
                number, reason, text = line.rstrip("\n").split("\t", 2)
                typer.echo(f"  line {number}: {reason}: {text[:80]}")


@app.command()
def generate(
    log: Log,
    path: Annotated[Path, typer.Argument(help="File to write; of kdd2012, which has two, a folder.")],
    *,
    rows: Annotated[int, typer.Option(help="Lines to write.")] = 200_000,
    seed: Annotated[int, typer.Option(help="Of all draws.")] = 0,
) -> None:
    """Writes a log in the raw format of a public one, of any size, for a first try without the real one.

    Its fields have as many values as the real ones, and its labels depend on values and on pairs of them.
    """
    with progress_bar(f"writing {path}", "rows") as bar:
        generate_log(log, path, rows, seed, progress=lambda n_done: bar.update(n_done, rows))
    typer.echo(f"{path}: {rows:,} rows")


def data_options(
    label: str | None, categorical: str | None, numeric: str | None, time: str | None, options: list[str] | None
) -> dict[str, Any]:
    """The options of a data set's reader that a command line gives; declared columns under "schema"."""
    given: dict[str, Any] = {}
    for option in options or []:
        name, equals, text = option.partition("=")
        if not equals:
            raise ValueError(f"--set takes NAME=VALUE, got {option!r}")
        try:
            given[name] = json.loads(text)
        except json.JSONDecodeError:
            given[name] = text
    if label is None and (categorical or numeric or time):
        raise ValueError("declare the label column too: --label NAME")
    if label is not None:
        given["schema"] = {
            "label": label,
            "categorical": _names(categorical),
            "numeric": _names(numeric),
            "time": time,
        }
    return given


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())
