"""MovieLens-100k (Harper and Konstan, ACM TiiS 2015, doi:10.1145/2827872): a rating of 4 or 5 counts as a click."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import polars as pl

from moco.data.dataset import CtrDataset
from moco.data.folders import whole_folder
from moco.data.frames import frames_of
from moco.data.rows import DataError
from moco.data.schema import TableSchema, as_numbers, require_columns, typed_log
from moco.data.split import stratified_rows
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

    Raises:
        DataError: they are not all there.
    """
    for names in (tuple(_MD5), tuple(f"{name}.gz" for name in _MD5), _ORIGINAL_NAMES):
        files = tuple(folder / name for name in names)
        if all(file.is_file() for file in files):
            return files
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
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    min_count: int = 1,
    seed: int = 0,
) -> CtrDataset:
    """The ratings with 12 fields of user, item and time, split at random with equal label means.

    Args:
        files: From `movielens_files`.
        valid_fraction: Share of the rows for valid.
        test_fraction: Share of the rows for test.
        min_count: A value seen in fewer train rows shares id 0.
        seed: Of the split.

    Raises:
        DataError: a file cannot be read.
    """
    is_original = files[0].name in _ORIGINAL_NAMES
    ratings, items, users = _original_tables(files) if is_original else _atomic_tables(files)
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
    rows = stratified_rows(frame[SCHEMA.label].to_numpy(), valid_fraction, test_fraction, seed)
    return CtrDataset.from_frames("MovieLens-100k", SCHEMA, frames_of(frame, rows), min_count=min_count)


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
    ratings = read_csv(files[0], "\t", names=("user", "item", "rating", "timestamp"))
    items = read_csv(
        files[1], "|", names=("item", "title", "date", "video_date", "url", *_GENRES), encoding="utf8-lossy"
    )
    users = read_csv(files[2], "|", names=("user", "age", "gender", "occupation", "zip"))
    flagged = (pl.when(pl.col(genre) == "1").then(pl.lit(genre)) for genre in _GENRES[1:])
    genres = pl.concat_str(*flagged, separator=" ", ignore_nulls=True).replace("", None)
    return ratings, items.select("item", pl.col("date").str.slice(-4).alias("year"), genres.alias("genres")), users
