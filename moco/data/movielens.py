"""MovieLens-100k (Harper and Konstan, ACM TiiS 2015, doi:10.1145/2827872): a rating of 4 or 5 counts as a click."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import polars as pl

from moco.data.dataset import CtrDataset
from moco.data.folders import whole_folder
from moco.data.frames import frames_of
from moco.data.rows import DataError
from moco.data.schema import TableSchema, as_numbers, require_columns, typed_log
from moco.data.split import PartRows, held_out_rows, stratified_rows
from moco.data.stretches import label_means
from moco.data.tables import read_csv

SCHEMA = TableSchema(
    label="is_liked",
    categorical=(
        "user",
        "item",
        "age",
        "gender",
        "occupation",
        "zip",
        "year",
        "genre_1",
        "genre_2",
        "genre_3",
        "hour",
        "weekday",
    ),
)
# RecBole (Zhao et al., CIKM 2021) carries the data set in its package, in its "atomic" tab-separated form.
_PACKAGE = "recbole==1.2.1"
_PACKAGE_FOLDER = "recbole/dataset_example/ml-100k"
_MD5 = {
    "ml-100k.inter": "a8a8c3f165aedc53f63b5dc0a0463b14",
    "ml-100k.item": "fb748e97e64d9a35421d06d7083d0959",
    "ml-100k.user": "ac50ecbab626dbefa83288a3593f92ab",
}
_ORIGINAL_NAMES = ("u.data", "u.item", "u.user")
_SPLITS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")  # GroupLens's own: five folds, and two with 10 ratings a user
_RATING_COLUMNS = ("user", "item", "rating", "timestamp")
_GENRES = (  # the order of the flags in u.item
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)


def movielens_files(folder: Path) -> tuple[Path, ...]:
    """The files of ratings, items and users: ml-100k.inter, .item, .user (plain or .gz), or u.data, u.item, u.user.

    After them the files of GroupLens's own splits that are there, u1.base, u1.test and so on.

    Raises:
        DataError: they are not all there.
    """
    for names in (tuple(_MD5), tuple(f"{name}.gz" for name in _MD5), _ORIGINAL_NAMES):
        files = tuple(folder / name for name in names)
        if all(file.is_file() for file in files):
            of_splits = (folder / f"{split}.{end}" for split in _SPLITS for end in ("base", "test"))
            return (*files, *(file for file in of_splits if file.is_file()))
    raise DataError(
        f"no MovieLens-100k in {folder}; {', '.join(_MD5)} (plain or .gz) or {', '.join(_ORIGINAL_NAMES)} are expected"
    )


def fetched_movielens_files(folder: Path) -> tuple[Path, ...]:
    """The files in a folder, fetched through pip when they are not there yet.

    Raises:
        DataError: pip or its package index cannot be reached, or something else came than the known files.
    """
    if not all((folder / name).is_file() for name in _MD5):
        with whole_folder(folder) as partial, tempfile.TemporaryDirectory() as download:
            _extract(_downloaded_wheel(Path(download)), partial)
    return movielens_files(folder)


def _downloaded_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [*command, "--quiet", "--disable-pip-version-check", "--dest", str(folder), _PACKAGE],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise DataError(
            f"cannot fetch MovieLens-100k: pip download {_PACKAGE} failed ({''.join(reason)}); "
            f"give the path of a folder with {', '.join(_MD5)} or {', '.join(_ORIGINAL_NAMES)} instead"
        )
    return wheels[0]


def _extract(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as package:
        for name, md5 in _MD5.items():
            try:
                content = package.read(f"{_PACKAGE_FOLDER}/{name}")
            except KeyError as error:
                raise DataError(f"{wheel.name} holds no {_PACKAGE_FOLDER}/{name}; give a path instead") from error
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
                raise DataError(f"{name} in {wheel.name} is not the known file (md5 differs); give a path instead")
            (folder / name).write_bytes(content)


def read_movielens(
    files: tuple[Path, ...],
    *,
    split: str | None = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    min_count: int = 1,
    seed: int = 0,
) -> CtrDataset:
    """The ratings with 12 fields of user, item and time, split at random with equal label means or as GroupLens did.

    Args:
        files: From `movielens_files`.
        split: "u1" to "u5", "ua" or "ub": test is that file of GroupLens's, u1.test, and valid is drawn from its
            u1.base. Drawn at random when not given.
        valid_fraction: Share of the rows for valid; of those of u1.base in a split of GroupLens's.
        test_fraction: Share of the rows for test, unless GroupLens gave it.
        min_count: A value seen in fewer train rows shares id 0.
        seed: Of the split.

    Raises:
        DataError: a file cannot be read, or those of the split do not hold each rating once.
    """
    is_original = files[0].name in _ORIGINAL_NAMES
    ratings, items, users = (_original_tables if is_original else _atomic_tables)(files[:3])
    n_base = None
    if split is not None:
        base, test = _given_split(files, split, ratings)
        ratings, n_base = pl.concat([base, test]), base.height
    log = ratings.join(users, on="user", how="left", maintain_order="left")
    log = log.join(items, on="item", how="left", maintain_order="left")
    source = files[0].name
    seconds = as_numbers(log["timestamp"], source).cast(pl.Int64)
    at = pl.from_epoch(seconds, time_unit="s")
    genres = pl.col("genres").str.split(" ").list
    log = log.with_columns(
        (as_numbers(log["rating"], source) >= 4).cast(pl.Float64).alias("is_liked"),
        (as_numbers(log["age"], files[2].name) // 5).cast(pl.Int64).alias("age"),
        pl.col("zip").str.slice(0, 2),
        pl.col("year").str.extract(r"^(\d{4})$"),
        *(genres.get(place, null_on_oob=True).alias(f"genre_{place + 1}") for place in range(3)),
        at.dt.hour().alias("hour"),
        at.dt.weekday().alias("weekday"),
    )
    frame = typed_log(log, SCHEMA, source)
    labels = frame[SCHEMA.label].to_numpy()
    if n_base is None:
        rows = stratified_rows(labels, valid_fraction, test_fraction, seed)
    else:
        rows = PartRows(*held_out_rows(labels[:n_base], valid_fraction, seed), np.arange(n_base, len(labels)))
    name = "MovieLens-100k" if split is None else f"MovieLens-100k, split {split}"
    return CtrDataset.from_frames(
        name,
        SCHEMA,
        frames_of(frame, rows),
        min_count=min_count,
        label_means=label_means(labels[np.argsort(seconds.to_numpy(), kind="stable")]),
        order="by timestamp",
    )


def _given_split(files: tuple[Path, ...], split: str, ratings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The ratings of base and of test, which together must be all ratings, each once."""
    if split not in _SPLITS:
        raise DataError(f"unknown split {split!r} of MovieLens-100k; splits are {', '.join(map(repr, _SPLITS))}")
    parts = []
    for end in ("base", "test"):
        name = f"{split}.{end}"
        path = next((path for path in files if path.name == name), None)
        if path is None:
            raise DataError(
                f"split {split!r} needs {name} in {files[0].parent}; give a folder with all of GroupLens's ml-100k"
            )
        parts.append(read_csv(path, "\t", names=_RATING_COLUMNS))
    base, test = parts
    in_both = base.join(test, on=["user", "item"], how="semi", maintain_order="left")
    if in_both.height:
        user, item = in_both.row(0)[:2]
        raise DataError(
            f"{split}.base and {split}.test must not share ratings, but both hold {in_both.height}, first that of item "
            f"{item} by user {user}; unpack ml-100k.zip anew"
        )
    both = pl.concat(parts)
    expected = _comparable(ratings, files[0].name)
    given = _comparable(both, f"{split}.base and {split}.test")
    if not given.equals(expected):
        n_foreign = given.join(expected, on=_RATING_COLUMNS, how="anti").height
        n_lacking = expected.join(given, on=_RATING_COLUMNS, how="anti").height
        raise DataError(
            f"{split}.base and {split}.test must hold each of the {len(expected)} ratings of {files[0].name} once, got "
            f"{len(given)} ratings, {n_foreign} of them foreign and {n_lacking} lacking; unpack ml-100k.zip anew"
        )
    return base, test


def _comparable(ratings: pl.DataFrame, source: str) -> pl.DataFrame:
    """The ratings in one order and with their numbers read, which the atomic form may write as 3.0."""
    numbers = [as_numbers(ratings[name], source) for name in ("rating", "timestamp")]
    return ratings.with_columns(numbers).sort(_RATING_COLUMNS)


def _atomic_tables(files: tuple[Path, ...]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Ratings, items and users of RecBole's form, whose header says name:type."""
    wanted = (
        {"user_id": "user", "item_id": "item", "rating": "rating", "timestamp": "timestamp"},
        {"item_id": "item", "release_year": "year", "class": "genres"},
        {"user_id": "user", "age": "age", "gender": "gender", "occupation": "occupation", "zip_code": "zip"},
    )
    tables = []
    for path, names in zip(files, wanted, strict=True):
        table = read_csv(path, "\t").rename(lambda column: column.split(":")[0])
        require_columns(table, tuple(names), path.name)
        tables.append(table.select(pl.col(column).alias(name) for column, name in names.items()))
    ratings, items, users = tables
    return ratings, items.with_columns(pl.col("genres").replace("unknown", None)), users


def _original_tables(files: tuple[Path, ...]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Ratings, items and users of GroupLens's own form, which has no headers and a flag for each genre."""
    ratings = read_csv(files[0], "\t", names=_RATING_COLUMNS)
    items = read_csv(
        files[1], "|", names=("item", "title", "date", "video_date", "url", *_GENRES), encoding="utf8-lossy"
    )
    users = read_csv(files[2], "|", names=("user", "age", "gender", "occupation", "zip"))
    flagged = (pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in _GENRES[1:])
    genres = pl.concat_str(*flagged, separator=" ", ignore_nulls=True).replace("", None)
    return ratings, items.select("item", pl.col("date").str.slice(-4).alias("year"), genres.alias("genres")), users
