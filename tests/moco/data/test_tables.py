import datetime
import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from moco.data import CtrDataset, DataError, TableSchema, load_dataset

SCHEMA = TableSchema(label="click", categorical=("site", "user"), numeric=("price",), time="at")
HEADER = "click,site,user,price,at"


def frame_of(n_rows: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "click": rng.integers(0, 2, n_rows),
            "site": [f"site, {i}" if i else None for i in rng.integers(0, 4, n_rows)],
            "user": rng.integers(0, 9, n_rows),
            "price": [float(p) if p else None for p in rng.integers(0, 5, n_rows)],
            "at": np.arange(n_rows)[::-1],
        }
    )


@pytest.fixture
def load(tmp_path: Path):
    def load(path: Path, schema: TableSchema | None = SCHEMA, **options: object) -> CtrDataset:
        return load_dataset("table", path, schema=schema, cache_dir=tmp_path / "cache", **options)

    return load


def csv_of(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]))
    return path


def test_plain_gzip_zstd_and_parquet_hold_the_same_data_set(tmp_path: Path, load) -> None:
    frame = frame_of()
    text = frame.write_csv()
    (tmp_path / "log.csv").write_text(text)
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(text.encode()))
    frame.write_csv(tmp_path / "log.csv.zst", compression="zstd")
    frame.write_parquet(tmp_path / "log.parquet")
    (tmp_path / "log.tsv").write_text(frame.write_csv(separator="\t"))
    data = load(tmp_path / "log.csv")
    assert (data.name, data.categorical, data.dense) == ("log", ("site", "user"), ("price",))
    assert data.cardinalities == (4, 10)
    for other in ("log.csv.gz", "log.csv.zst", "log.parquet"):
        assert load(tmp_path / other).digest == data.digest
    assert load(tmp_path / "log.tsv", separator="\t").digest == data.digest


def test_stratified_by_default_and_by_seed(tmp_path: Path, load) -> None:
    frame_of().write_parquet(tmp_path / "log.parquet")
    data = load(tmp_path / "log.parquet", valid_fraction=0.2)
    assert (len(data.train), len(data.valid), len(data.test)) == (140, 40, 20)
    assert load(tmp_path / "log.parquet", valid_fraction=0.2, seed=1).digest != data.digest


def test_split_by_time(tmp_path: Path, load) -> None:
    frame = frame_of()
    frame.write_csv(tmp_path / "log.csv")
    data = load(tmp_path / "log.csv", split="time")
    np.testing.assert_array_equal(data.test.labels, frame["click"].head(20))  # `at` falls: the first rows are latest
    np.testing.assert_array_equal(data.train.labels, frame["click"].tail(160))
    dates = frame.with_columns(pl.col("at") * datetime.timedelta(days=1) + datetime.datetime(2024, 1, 1))
    dates.write_parquet(tmp_path / "log.parquet")
    assert load(tmp_path / "log.parquet", split="time").digest == data.digest


def test_given_split_by_column_equals_given_split_by_files(tmp_path: Path, load) -> None:
    frame = frame_of().with_columns(part=pl.Series(["train", "valid", "test", "train"] * 50))
    (tmp_path / "log").mkdir()
    frame.write_parquet(tmp_path / "log.parquet")
    for (part,), rows in frame.group_by("part", maintain_order=True):
        rows.write_csv(tmp_path / "log" / f"{part}.csv")
    by_column = load(tmp_path / "log.parquet", split_column="part")
    assert (len(by_column.train), len(by_column.valid), len(by_column.test)) == (100, 50, 50)
    assert load(tmp_path / "log").digest == by_column.digest


def test_missing_values_and_blank_lines(tmp_path: Path, load) -> None:
    rows = ["1,a,,1,1", "0,,u,,2", '1,a,"",nan,3', "0,b,u, 2 ,4"]
    data = load(csv_of(tmp_path / "log.csv", *rows, "", *rows, *rows, ""), valid_fraction=0.3, test_fraction=0.3)
    assert len(data.train) + len(data.valid) + len(data.test) == 12
    missing = dict(zip((*data.categorical, *data.dense), map(sum, data.n_missing), strict=True))
    assert missing == {"site": 3, "user": 6, "price": 6}


def test_lines_in_quotes_are_not_short_rows(tmp_path: Path, load) -> None:
    rows = ['1,"a\nb","u, ""v""",1,1', "0,c,u,2,"]
    data = load(csv_of(tmp_path / "log.csv", *rows * 10))
    assert data.vocabularies[0].sort().to_list() == ["a\nb", "c"]
    assert data.vocabularies[1].sort().to_list() == ["u", 'u, "v"']


GOOD_ROWS = ["1,a,u,1,1", "0,b,v,2,2"] * 10


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param("1,a,u,cheap,1", r"log.csv: numeric column 'price' holds 'cheap' in row 21, not a fin", id="text"),
        pytest.param(
            "1,a,u,inf,1", r"numeric column 'price' holds 'inf' in row 21, not a finite number", id="infinite"
        ),
        pytest.param("2,a,u,1,1", r"log.csv: label 'click' must be 0 or 1, got '2' in row 21", id="label"),
        pytest.param("yes,a,u,1,1", r"label 'click' must be 0 or 1, got 'yes' in row 21", id="label-text"),
        pytest.param(",a,u,1,1", r"label 'click' must be 0 or 1, got nothing in row 21", id="label-missing"),
        pytest.param("1,a,u,1", r"log.csv: line 22 has 4 fields, the first line has 5; complete it", id="short"),
        pytest.param("1,a,u,1,1,1", r"log.csv: line 22 has 6 fields, the first line has 5", id="long"),
    ],
)
def test_malformed_row(tmp_path: Path, load, row: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(csv_of(tmp_path / "log.csv", *GOOD_ROWS, row, GOOD_ROWS[0]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("log.csv", b"", r"log.csv is empty; rows of a log are expected", id="empty"),
        pytest.param("log.csv", HEADER.encode(), r"log.csv has no rows", id="header-only"),
        pytest.param("log.csv.gz", b"click,site\n1,a\n", r"log.csv.gz ends in .gz but is not packed so", id="not-gzip"),
        pytest.param("log.csv.zst", b"", r"log.csv.zst ends in .zst but is not packed so", id="not-zstd"),
        pytest.param("log.csv", "click,site\n1,\xe9\n".encode("latin-1"), r"as csv: invalid utf-8", id="not-utf-8"),
        pytest.param("log.parquet", b"click,site\n1,a\n", r"cannot read .*log.parquet as parquet", id="not-parquet"),
        pytest.param(
            "log.csv.gz",
            gzip.compress("\n".join([HEADER, *GOOD_ROWS * 5000]).encode())[:-500],
            r"cannot read .*log.csv.gz as csv: unexpected end of file",
            id="gzip-cut-short",
        ),
    ],
)
def test_unreadable_file(tmp_path: Path, load, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(tmp_path / name)


def test_unknown_columns_are_answered_with_those_there_are(tmp_path: Path, load) -> None:
    path = csv_of(tmp_path / "log.csv", *GOOD_ROWS)
    for schema, name in (
        (TableSchema(label="clicked", categorical=("site",)), "clicked"),
        (TableSchema(label="click", categorical=("sites",)), "sites"),
        (TableSchema(label="click", categorical=("site",), numeric=("cost",)), "cost"),
    ):
        with pytest.raises(
            DataError, match=rf"log.csv: unknown column '{name}'; columns are 'click', 'site', 'user', 'price', 'at'"
        ):
            load(path, schema)
    with pytest.raises(DataError, match="unknown column 'day'"):
        load(path, TableSchema(label="click", categorical=("site",), time="day"), split="time")
    with pytest.raises(DataError, match="unknown column 'part'"):
        load(path, split_column="part")


def test_columns_of_lists_are_refused(tmp_path: Path, load) -> None:
    path = tmp_path / "log.parquet"
    pl.DataFrame({"click": [0, 1], "genres": [["a"], ["b"]]}).write_parquet(path)
    with pytest.raises(DataError, match=r"column 'genres' of type List\(String\) cannot be read as String; give one"):
        load(path, TableSchema(label="click", categorical=("genres",)))


def test_split_errors(tmp_path: Path, load) -> None:
    path = csv_of(tmp_path / "log.csv", *GOOD_ROWS)
    with pytest.raises(DataError, match="unknown split 'random'; splits are 'stratified', 'time', 'given'"):
        load(path, split="random")
    with pytest.raises(DataError, match="split 'given' of one file needs split_column"):
        load(path, split="given")
    with pytest.raises(DataError, match=r"split column 'site' must say 'train', 'valid' or 'test', got 'a' in row 1"):
        load(path, split_column="site")
    with pytest.raises(DataError, match=r"split 'time' needs schema.time"):
        load(path, TableSchema(label="click", categorical=("site",)), split="time")
    with pytest.raises(DataError, match="must sum to less than 1"):
        load(path, valid_fraction=0.6, test_fraction=0.6)
    with pytest.raises(DataError, match="needs a schema: TableSchema"):
        load(path, None)
    folder = tmp_path / "log"
    folder.mkdir()
    for part in ("train", "valid"):
        csv_of(folder / f"{part}.csv", *GOOD_ROWS)
    with pytest.raises(DataError, match=r"must hold one file for part 'test' \(test.csv, .*found 0"):
        load(folder)
    csv_of(folder / "test.csv", *["0,a,u,1,1"] * 5)
    with pytest.raises(DataError, match=r"part 'test' of data set 'log' has only label 0; each part needs rows of"):
        load(folder)
    with pytest.raises(DataError, match="three files are a given split of their own, got split='time'"):
        load(folder, split="time")


def test_schema_names_each_column_once() -> None:
    assert TableSchema(label="y", categorical=["a"]) == TableSchema(label="y", categorical=("a",))
    with pytest.raises(DataError, match="must name each column once, got 'a' more than once"):
        TableSchema(label="y", categorical=("a", "b"), numeric=("a",))
    with pytest.raises(DataError, match="categorical must name at least one column, got none"):
        TableSchema(label="y", categorical=())
    with pytest.raises(TypeError, match="categorical must be a tuple of column names, got 'site'"):
        TableSchema(label="y", categorical="site")
