from pathlib import Path

import numpy as np
import polars as pl
import pytest

from moco.data import CtrDataset, load_dataset
from moco.data.logs.formats import CRITEO
from moco.data.logs.generate import generate_log
from moco.data.logs.options import LogOptions
from moco.data.logs.prepare import prepare_log
from moco.data.logs.sample import draw_sample
from moco.data.logs.stored import StoredLog
from moco.data.rows import DataError

N_ROWS = 3000


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raw") / "train.txt"
    generate_log("criteo", path, N_ROWS)
    return path


@pytest.fixture(scope="module", params=["vocabulary", "authors"])
def log(request: pytest.FixtureRequest, raw: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredLog:
    return prepare_log("criteo", raw, tmp_path_factory.mktemp("log") / "log", LogOptions(encoding=request.param))


def frame_of(raw: Path) -> pl.DataFrame:
    rows = [line.split("\t") for line in raw.read_text().splitlines()]
    return pl.DataFrame(rows, schema=list(CRITEO.header), orient="row")


def test_a_sample_is_a_data_set_of_rows_of_the_log(log: StoredLog) -> None:
    sample = draw_sample(log, 600, seed=3)
    assert isinstance(sample, CtrDataset)
    assert sample.name == f"Criteo Kaggle, {log.encoding} encoding, 600 of 3,000 rows, seed 3"
    assert [len(sample.train), len(sample.valid), len(sample.test)] == [480, 60, 60]
    train = log.part("train").rows(np.arange(len(log.part("train"))))
    # Dense inputs tell the rows apart; ids must be those of the same rows, renumbered.
    at = {row.tobytes(): i for i, row in enumerate(train.dense)}
    rows = [at[row.tobytes()] for row in sample.train.dense]
    assert rows == sorted(set(rows))
    np.testing.assert_array_equal(sample.train.labels, train.labels[rows])
    for f, kept in enumerate(sample.stored_ids):
        with_zero = np.concatenate(([0], kept))
        np.testing.assert_array_equal(with_zero[sample.train.ids[:, f]], train.ids[rows, f])
        assert np.unique(sample.train.ids[:, f][sample.train.ids[:, f] > 0]).size == kept.size
        counts = np.bincount(sample.train.ids[:, f], minlength=kept.size + 1)[1:]
        assert (np.diff(counts) <= 0).all()  # most frequent first


def test_the_whole_log(log: StoredLog) -> None:
    whole = draw_sample(log)
    assert whole.name == log.name
    assert len(whole.train) + len(whole.valid) + len(whole.test) == N_ROWS
    missing = [log.manifest["parts"][part]["missing"] for part in ("train", "valid", "test")]
    assert [list(counts) for counts in whole.n_missing] == [list(counts) for counts in zip(*missing, strict=True)]
    assert draw_sample(log, N_ROWS + 5).digest == whole.digest
    if log.encoding == "vocabulary":
        assert whole.cardinalities == log.cardinalities


def test_same_seed_same_sample(log: StoredLog) -> None:
    digests = [draw_sample(log, 500, seed).digest for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_raw_rows_are_encoded_as_the_sample_is(raw: Path, log: StoredLog) -> None:
    for opened in (log, log.capped(60)):
        sample = draw_sample(opened, 600)
        ids, dense = sample.encode(frame_of(raw))
        numbers = log.part("train").row_numbers
        at = {row.tobytes(): number for number, row in zip(numbers, dense[numbers], strict=True)}
        rows = [at[row.tobytes()] for row in sample.train.dense]
        np.testing.assert_array_equal(ids[rows], sample.train.ids)
        assert max(sample.cardinalities) <= (60 if opened is not log else 10**9)


def test_describe_and_vocabulary(log: StoredLog) -> None:
    sample = draw_sample(log, 600)
    assert f"{sum(sample.cardinalities):,} table rows in all" in sample.describe()
    value = sample.vocabularies[0][0]
    assert len(value) == 8 if log.encoding == "vocabulary" else value.startswith("row ")


def test_errors(log: StoredLog, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="n_rows must be a whole number of at least 30, got 5"):
        draw_sample(log, 5)
    with pytest.raises(DataError, match=r"a sample is drawn again from its stored log; keep .*log in place of"):
        draw_sample(log, 600).save(tmp_path / "saved")
    assert not list(tmp_path.iterdir())


def test_load_dataset(raw: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = load_dataset("criteo", raw, cache_dir=cache, n_rows=500)
    assert len(first.train) == 400
    folders = {path.name for path in cache.iterdir() if path.is_dir()}
    again = load_dataset("criteo", raw.parent, cache_dir=cache, n_rows=800, max_table_rows=50, seed=1)
    assert max(again.cardinalities) <= 50
    assert {path.name for path in cache.iterdir() if path.is_dir()} == folders  # one stored log for both
    authors = load_dataset("criteo", raw, cache_dir=cache, n_rows=500, encoding="authors", max_table_rows=1000)
    assert authors.log.cardinalities == tuple(min(column.authors_rows, 1000) for column in CRITEO.columns[14:])
    with pytest.raises(
        DataError, match="unknown option 'split' of data set 'criteo'; options are encoding, n_rows, max"
    ):
        load_dataset("criteo", raw, cache_dir=cache, split="time")
    with pytest.raises(
        DataError, match=r"data set 'kdd2012' needs a path: the folder with training.txt and userid_prof"
    ):
        load_dataset("kdd2012", cache_dir=cache)
