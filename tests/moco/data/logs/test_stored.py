import json
import mmap
import pickle
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moco.data.logs.formats import CRITEO
from moco.data.logs.generate import generate_log
from moco.data.logs.options import LogOptions
from moco.data.logs.prepare import prepare_log
from moco.data.logs.stored import StoredLog
from moco.data.rows import DataError

N_ROWS = 3000


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("raw") / "train.txt"
    generate_log("criteo", path, N_ROWS)
    return path


@pytest.fixture(scope="module")
def log(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredLog:
    return prepare_log("criteo", raw, tmp_path_factory.mktemp("stored") / "log")


def cells(raw: Path) -> list[list[str]]:
    return [line.split("\t") for line in raw.read_text().splitlines()]


def test_rows_come_in_the_order_asked_for(log: StoredLog) -> None:
    part = log.part("valid")
    indices = np.array([5, 0, 5, len(part) - 1, -1])
    rows = part.rows(indices)
    everything = part.rows(np.arange(len(part)))
    for name in ("ids", "dense", "labels"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(everything, name)[indices])
    assert (rows.ids.dtype, rows.dense.dtype, rows.labels.dtype) == (np.int32, np.float32, np.float32)
    with pytest.raises(IndexError):
        part.rows(np.array([len(part)]))
    with pytest.raises(DataError, match="unknown part 'dev'; parts are 'train', 'valid', 'test'"):
        log.part("dev")


def test_the_vocabulary_is_that_of_train(raw: Path, log: StoredLog) -> None:
    lines = cells(raw)
    train = [lines[i] for i in log.part("train").row_numbers]
    ids = log.gather(np.arange(N_ROWS)).ids
    for f, (table, column) in enumerate(zip(log.tables, range(14, 40), strict=True)):
        values = [line[column] for line in train if line[column]]
        counts = {value: values.count(value) for value in set(values)} if len(set(values)) < 200 else None
        if counts is None:
            continue
        ordered = sorted((v for v, n in counts.items() if n >= 2), key=lambda v: (-counts[v], v))
        known = {value: i for i, value in enumerate(ordered, start=1)}
        assert ids[:, f].tolist() == [known.get(line[column], 0) for line in lines]
        assert log.cardinalities[f] == table.table_rows == len(known) + 1
        assert log.values(f, np.arange(1, table.table_rows)).to_list() == ordered


def test_the_manifest_counts(raw: Path, log: StoredLog) -> None:
    lines = cells(raw)
    numbers = log.part("test").row_numbers
    counts = log.manifest["parts"]["test"]
    assert counts["rows"] == len(numbers)
    assert counts["positives"] == sum(lines[i][0] == "1" for i in numbers)
    columns = [*range(14, 40), *range(1, 14)]
    assert counts["missing"] == [sum(lines[i][column] == "" for i in numbers) for column in columns]
    ids = log.gather(numbers.astype(np.int64)).ids
    assert counts["unknown"] == ((ids == 0).sum(axis=0) - np.array(counts["missing"][:26])).tolist()
    np.testing.assert_array_equal(log.n_missing(numbers.astype(np.int64)), counts["missing"])


def test_each_field_takes_the_smallest_type(log: StoredLog) -> None:
    for array, fields in log.manifest["fields_of"].items():
        held = np.load(log.folder / f"{array}.npy", mmap_mode="r", allow_pickle=False)
        assert held.shape == (N_ROWS, len(fields))
        for field in fields:
            assert held.dtype == np.min_scalar_type(log.cardinalities[field] - 1)
    assert sorted(f for fields in log.manifest["fields_of"].values() for f in fields) == list(range(26))


def test_opening_reads_nothing_but_the_manifest(log: StoredLog) -> None:
    started = time.perf_counter()
    opened = StoredLog.open(log.folder)
    assert time.perf_counter() - started < 1.0
    arrays = [opened._arrays[name] for name in ("dense", *log.manifest["fields_of"])]
    for array in arrays:
        assert not array.flags.writeable
        base: object = array
        while isinstance(base, np.ndarray):
            base = base.base
        assert isinstance(base, mmap.mmap)


def test_another_process_opens_the_log_for_itself(log: StoredLog) -> None:
    sent = pickle.dumps(log.capped(20))
    assert len(sent) < 1000
    assert pickle.loads(sent).digest == log.capped(20).digest


def test_raw_rows_are_encoded_as_the_log_was(raw: Path, log: StoredLog) -> None:
    frame = pl.DataFrame(cells(raw), schema=list(CRITEO.header), orient="row")
    expected = log.gather(np.arange(N_ROWS))
    for opened in (log, log.capped(50)):
        ids, dense = opened.encode(frame)
        np.testing.assert_array_equal(ids, opened.gather(np.arange(N_ROWS)).ids)
        np.testing.assert_array_equal(dense, expected.dense)
    ids, _ = log.encode(frame.with_columns(C1=pl.lit(None, dtype=pl.String), C2=pl.lit("ffffffff")).head(3))
    assert ids[:, :2].tolist() == [[0, 0]] * 3
    assert log.encode(frame.head(0))[0].shape == (0, 26)
    with pytest.raises(DataError, match="new rows: column 'C2' must hold up to 8 hexadecimal digits, got 'xyz' in r"):
        log.encode(frame.with_columns(C2=pl.lit("xyz")))
    with pytest.raises(DataError, match="new rows: unknown column 'C26'"):
        log.encode(frame.drop("C26"))


def test_a_limit_on_table_rows(log: StoredLog) -> None:
    at = np.arange(N_ROWS)
    full = log.gather(at).ids
    capped = log.capped(20)
    ids = capped.gather(at).ids
    assert capped.cardinalities == tuple(min(rows, 20) for rows in log.cardinalities)
    assert (ids.max(axis=0) < capped.cardinalities).all()
    np.testing.assert_array_equal(ids[full < 20], full[full < 20])
    above = ids[full >= 20]
    assert above.min() >= 1
    assert np.unique(above).size == 19
    assert np.array_equal(capped.capped(None).gather(at).ids, full)
    assert capped.digest != log.digest
    # Equal ids share a row.
    c3 = {}
    assert all(c3.setdefault(a, b) == b for a, b in zip(full[:, 2].tolist(), ids[:, 2].tolist(), strict=True))
    for bad in (1, 1.5):
        with pytest.raises(DataError, match="max_table_rows must be a whole number of at least 2, got 1"):
            log.capped(bad)  # type: ignore[arg-type]


def test_hashed_fields(raw: Path, log: StoredLog, tmp_path: Path) -> None:
    hashed = prepare_log("criteo", raw, tmp_path / "log", LogOptions(hash_above=100, hash_rows=64))
    for table, other in zip(hashed.tables, log.tables, strict=True):
        is_large = other.table_rows - 1 > 100
        assert (table.rule, table.table_rows) == (("hashed", 64) if is_large else ("vocabulary", other.table_rows))
    assert hashed.values(2, np.array([7])).to_list() == ["row 7"]
    frame = pl.DataFrame(cells(raw), schema=list(CRITEO.header), orient="row")
    np.testing.assert_array_equal(hashed.encode(frame)[0], hashed.gather(np.arange(N_ROWS)).ids)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_damage_is_found(log: StoredLog, tmp_path: Path, draw: st.DataObject) -> None:
    file = draw.draw(st.sampled_from(sorted(log.folder.iterdir())))
    content = bytearray(file.read_bytes())
    if not content:
        return
    at = draw.draw(st.integers(0, len(content) - 1))
    is_cut = draw.draw(st.booleans())
    damaged = content[:at] if is_cut else content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    copy = tmp_path / "copy"
    copy.mkdir(exist_ok=True)
    for path in log.folder.iterdir():
        (copy / path.name).write_bytes(damaged if path == file else path.read_bytes())
    try:
        opened = StoredLog.open(copy)
        opened.verify()
    except DataError:
        return
    assert file.name == "manifest.json"  # whose text has a checksum of its own nowhere; sizes and digests are in it
    assert opened.tables


def test_a_folder_without_a_log(log: StoredLog, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no stored log in .*: manifest.json is expected there"):
        StoredLog.open(tmp_path)
    manifest = {**json.loads((log.folder / "manifest.json").read_text()), "format": "moco-log-0"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="has format 'moco-log-0', this version reads 'moco-log-1'; make the log anew"):
        StoredLog.open(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "format": "moco-log-1"}))
    with pytest.raises(DataError, match=r"is damaged \(.*\); make it anew"):
        StoredLog.open(tmp_path)


def test_describe(log: StoredLog) -> None:
    lines = {line.split()[0]: line.split() for line in log.describe().splitlines() if line}
    assert lines["train"][:2] == ["train", "2,400"]
    assert lines["C9"][1] == f"{log.cardinalities[8]:,}"
    assert lines["I1"][1:] == ["number", "0.00%"]
    assert f"{sum(log.cardinalities):,} table rows in all; 0 bad lines left out" in log.describe()
