import os
import resource
from pathlib import Path

import polars as pl
import pytest

from moco.data import DATASETS, DataError, TableSchema, load_dataset

SCHEMA = TableSchema(label="click", categorical=("site",))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    pl.DataFrame({"click": [0, 1] * 500, "site": [f"s{i}" for i in range(1000)]}).write_csv(tmp_path / "log.csv")
    return tmp_path / "log.csv"


def test_names() -> None:
    assert DATASETS == ("frappe", "movielens-100k", "criteo", "avazu", "kdd2012", "table", "synthetic")
    with pytest.raises(DataError, match=r"unknown data set 'ml'; data sets are 'frappe', 'movielens-100k', 'criteo', "):
        load_dataset("ml")


def test_the_second_load_comes_from_the_cache(log: Path, tmp_path: Path) -> None:
    first = load_dataset("table", log, schema=SCHEMA, cache_dir=tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    state = log.stat()
    log.write_bytes(b"x" * state.st_size)  # same size and time: only the cache can answer
    os.utime(log, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert load_dataset("table", log, schema=SCHEMA, cache_dir=tmp_path / "cache").digest == first.digest
    os.utime(log)  # a changed file is read again
    with pytest.raises(DataError, match=r"log.csv has no rows"):
        load_dataset("table", log, schema=SCHEMA, cache_dir=tmp_path / "cache")
    assert [*(tmp_path / "cache").iterdir()] == [entry]


def test_each_option_has_its_own_entry(log: Path, tmp_path: Path) -> None:
    for options in ({}, {"min_count": 2}, {"seed": 1}, {"valid_fraction": 0.2}):
        load_dataset("table", log, schema=SCHEMA, cache_dir=tmp_path / "cache", **options)
    assert len([*(tmp_path / "cache").iterdir()]) == 4


def test_a_damaged_entry_is_made_anew(log: Path, tmp_path: Path) -> None:
    first = load_dataset("table", log, schema=SCHEMA, cache_dir=tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    (entry / "train_ids.npy").write_bytes(b"")
    assert load_dataset("table", log, schema=SCHEMA, cache_dir=tmp_path / "cache").digest == first.digest
    assert (entry / "train_ids.npy").stat().st_size > 0


def test_the_cache_is_in_the_users_cache_folder(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    load_dataset("table", log, schema=SCHEMA)
    assert len([*(tmp_path / "home" / ".cache" / "moco").iterdir()]) == 1


def test_a_full_disk_says_so_and_leaves_nothing(log: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))  # writes fail after 2 kB in one file
    try:
        with pytest.raises(DataError, match=r"cannot write .*free disk space"):
            load_dataset("table", log, schema=SCHEMA, cache_dir=tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "cache").iterdir())


def test_errors(log: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot make the cache folder .*give another cache_dir"):
        load_dataset("table", log, schema=SCHEMA, cache_dir=log / "cache")
    with pytest.raises(DataError, match=r"nothing.csv does not exist; a csv, parquet, npz or libsvm file, or a"):
        load_dataset("table", tmp_path / "nothing.csv", schema=SCHEMA, cache_dir=tmp_path)
    with pytest.raises(DataError, match=r"data set 'frappe' needs a path: a folder with train.csv, valid.csv and"):
        load_dataset("frappe", cache_dir=tmp_path)
    with pytest.raises(
        DataError, match=r"unknown option 'n_row' of data set 'synthetic'; options are n_rows, n_fields"
    ):
        load_dataset("synthetic", n_row=5)
    with pytest.raises(DataError, match=r"unknown option 'schema' of data set 'frappe'; options are min_count"):
        load_dataset("frappe", log, schema=SCHEMA)
    with pytest.raises(DataError, match=r"'synthetic' is drawn, not read; leave the path out, got '.*log.csv'"):
        load_dataset("synthetic", log)
    with pytest.raises(DataError, match=r"seed must be a whole number from 0 to .*, got -1"):
        load_dataset("synthetic", seed=-1)
