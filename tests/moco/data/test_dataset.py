import json
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from moco.data import CtrDataset, DataError, Rows, load_dataset
from moco.data.folders import whole_folder


@pytest.fixture(scope="module")
def data() -> CtrDataset:
    return load_dataset("synthetic", n_rows=400, max_cardinality=50)


def same(a: Rows, b: Rows) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("ids", "dense", "labels"))


def test_saved_and_loaded_is_the_same(data: CtrDataset, tmp_path: Path) -> None:
    data.save(tmp_path / "saved")
    loaded = CtrDataset.load(tmp_path / "saved")
    assert loaded.digest == data.digest
    for part in ("train", "valid", "test"):
        assert same(getattr(loaded, part), getattr(data, part))
        assert getattr(loaded, part).ids.flags.writeable
    assert [v.to_list() for v in loaded.vocabularies] == [v.to_list() for v in data.vocabularies]
    for name in ("name", "categorical", "dense", "cardinalities", "transform", "n_missing", "best_logloss"):
        assert getattr(loaded, name) == getattr(data, name)
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_the_digest_covers_everything(data: CtrDataset) -> None:
    labels = data.test.labels.copy()
    labels[0] = 1.0 - labels[0]
    vocabularies = (data.vocabularies[0].reverse(), *data.vocabularies[1:])
    changed = [
        replace(data, name="other"),
        replace(data, best_logloss=0.5),
        replace(data, test=Rows(data.test.ids, data.test.dense, labels)),
        replace(data, train=data.valid, valid=data.train),
        replace(data, vocabularies=vocabularies),
    ]
    digests = {data.digest, *(other.digest for other in changed)}
    assert len(digests) == 1 + len(changed)
    assert replace(data).digest == data.digest


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_never_loads_as_other_content(data: CtrDataset, tmp_path: Path, draw: st.DataObject) -> None:
    folder = tmp_path / "saved"
    data.save(folder)
    file = draw.draw(st.sampled_from(sorted(folder.iterdir())))
    content = bytearray(file.read_bytes())
    at = draw.draw(st.integers(0, len(content) - 1))
    if draw.draw(st.booleans()):
        content = content[:at]
    else:
        content[at] ^= 1 << draw.draw(st.integers(0, 7))
    file.write_bytes(content)
    try:
        loaded = CtrDataset.load(folder)
    except DataError:
        return
    assert loaded.digest == data.digest  # the byte carried nothing


def test_a_missing_array_is_damage(data: CtrDataset, tmp_path: Path) -> None:
    data.save(tmp_path / "saved")
    (tmp_path / "saved" / "train_ids.npy").unlink()
    with pytest.raises(DataError, match=r"saved is damaged \(.*train_ids.npy.*\); make it anew"):
        CtrDataset.load(tmp_path / "saved")


def test_a_pickled_array_is_refused(data: CtrDataset, tmp_path: Path) -> None:
    data.save(tmp_path / "saved")
    np.save(tmp_path / "saved" / "test_ids.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"is damaged \(Object arrays cannot be loaded"):
        CtrDataset.load(tmp_path / "saved")


def test_another_format_says_so(data: CtrDataset, tmp_path: Path) -> None:
    data.save(tmp_path / "saved")
    manifest = tmp_path / "saved" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": "moco-data-0"}))
    with pytest.raises(DataError, match="has format 'moco-data-0', this version reads 'moco-data-2'"):
        CtrDataset.load(tmp_path / "saved")


def test_no_saved_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no saved data set in .*nothing: manifest.json is expected there"):
        CtrDataset.load(tmp_path / "nothing")


def test_save_replaces_a_data_set_and_nothing_else(data: CtrDataset, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    replace(data, name="first").save(folder)
    data.save(folder)
    assert CtrDataset.load(folder).name == data.name
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="holds other files than a data set; choose a new folder"):
        data.save(tmp_path)
    with pytest.raises(DataError, match=r"cannot write .*permissions there, or choose another folder"):
        data.save(tmp_path / "notes.txt" / "inside")
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.fixture
def small_quota() -> Iterator[None]:
    """Writes fail after 2 kB in one file, as they do on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_quota")
def test_a_full_disk_leaves_no_half_data_set(data: CtrDataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot write .*saved .*free disk space"):
        data.save(tmp_path / "saved")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_the_earlier_folder(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with whole_folder(folder) as partial:
        (partial / "a").write_text("first")

    def interrupted() -> None:
        with whole_folder(folder) as partial:
            (partial / "a").write_text("sec")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (folder / "a").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_new_rows_are_encoded_as_the_log_was(data: CtrDataset) -> None:
    decoded = {
        field: [None if i == 0 else values[int(i) - 1] for i in data.test.ids[:, f]]
        for f, (field, values) in enumerate(zip(data.categorical, data.vocabularies, strict=True))
    }
    raw_dense = np.rint(np.expm1(data.test.dense.astype(np.float64)))  # the transform is log1p of counts
    numbers = {field: raw_dense[:, d] for d, field in enumerate(data.dense)}
    ids, dense = data.encode(pl.DataFrame({**numbers, **decoded}))
    np.testing.assert_array_equal(ids, data.test.ids)
    np.testing.assert_array_equal(dense, data.test.dense)
    with pytest.raises(DataError, match="new rows: unknown column 'n1'"):
        data.encode(pl.DataFrame({**numbers, **decoded}).drop("n1"))


def test_describe_tells_rows_fields_and_shares(data: CtrDataset) -> None:
    text = data.describe()
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert lines["train"] == ["train", "320", f"{data.train.labels.mean():.4f}"]
    assert lines["c0"][1] == f"{data.cardinalities[0]:,}"
    assert lines["n0"][1:] == ["number", "0.00%"]
    assert f"{sum(data.cardinalities):,} table rows in all" in text
    assert f"best attainable log loss on test: {data.best_logloss:.6f}" in text


def test_rows_and_data_sets_are_checked(data: CtrDataset) -> None:
    ids, dense, labels = data.test.ids, data.test.dense, data.test.labels
    with pytest.raises(DataError, match=r"ids must be int32 with 2 axes and a row for each of 40 labels, got int64"):
        Rows(ids.astype(np.int64), dense, labels)
    with pytest.raises(DataError, match=r"dense must be float32 .* got float32 of shape \(39, 4\)"):
        Rows(ids, dense[1:], labels)
    with pytest.raises(DataError, match="test must have 10 ids and 4 dense inputs per row, got 9 and 4"):
        replace(data, test=Rows(ids[:, 1:], dense, labels))
    with pytest.raises(DataError, match="valid holds an id outside the cardinality of its field"):
        replace(data, valid=Rows(ids + np.int32(10_000), dense, labels))
    with pytest.raises(DataError, match="cardinalities must be one more than the vocabulary"):
        replace(data, cardinalities=(7,) * 10)
    with pytest.raises(DataError, match="must have an entry for each field"):
        replace(data, n_missing=())
