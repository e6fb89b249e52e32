"""A folder is checked before it is used, and predicts what torch does, also by its own script on another machine."""

from __future__ import annotations

import ast
import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import moco
from moco.data import CtrDataset
from moco.data.logs import LogOptions, generate_log, prepare_log
from moco.data.tables import read_csv
from moco.export import predict
from moco.export.manifest import MANIFEST, REQUIRED, ExportError, file_digest
from moco.export.predict import read_export
from moco.supernet.metrics import Score


@pytest.fixture(scope="module")
def exported(make: Any, synthetic: CtrDataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder and its network."""
    folder = tmp_path_factory.mktemp("module") / "export"
    return folder, make.export(folder, synthetic)


@pytest.fixture
def copied(exported: tuple[Path, Any], tmp_path: Path) -> Path:
    """A copy of the folder to spoil."""
    return shutil.copytree(exported[0], tmp_path / "elsewhere" / "copy")


def raw_frame(data: CtrDataset, n_rows: int) -> pl.DataFrame:
    """Raw test rows: ids as their values; in place of id 0 nothing or a value that train does not have."""
    ids, dense = data.test.ids[:n_rows], data.test.dense[:n_rows]
    columns: dict[str, list[str]] = {}
    for name, values, column in zip(data.categorical, data.vocabularies, ids.T, strict=True):
        known = values.to_list()
        columns[name] = [known[i - 1] if i else ("", "never seen")[row % 2] for row, i in enumerate(column.tolist())]
    for name, column in zip(data.dense, dense.T, strict=True):
        columns[name] = [f"{np.expm1(np.float64(value)):.9g}" if value else "" for value in column]
    return pl.DataFrame({"ignored": ['é,"x"'] * len(ids), **columns, data_label(data): labels_text(data, n_rows)})


def data_label(data: CtrDataset) -> str:
    return "is_liked" if "MovieLens" in data.name else "label"


def labels_text(data: CtrDataset, n_rows: int) -> list[str]:
    return [f"{label:g}" for label in data.test.labels[:n_rows]]


def by_script(folder: Path, log: Path, *arguments: object) -> np.ndarray:
    """What the folder's own predict.py says."""
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "predict.py"), str(log), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent,
    )
    assert done.returncode == 0, done.stderr
    return np.array([float(line) for line in done.stdout.split()], dtype=np.float32)


def script_fails(folder: Path, log: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-I", str(folder / "predict.py"), str(log)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def check_all_ways(make: Any, folder: Path, network: Any, data: CtrDataset, tmp_path: Path, n_rows: int) -> None:
    """Frame, files and script give what torch gives for the data set's own encoding of the same rows."""
    frame = raw_frame(data, n_rows)
    rows = data.encode(frame)
    np.testing.assert_array_equal(rows[0], data.test.ids[:n_rows])
    np.testing.assert_allclose(rows[1], data.test.dense[:n_rows], atol=1e-5)
    due = make.probability(network, rows)
    assert len(np.unique(due)) > 10
    log = tmp_path / "rows.tsv.gz"
    log.write_bytes(gzip.compress(frame.write_csv(separator="\t").encode()))
    read = read_export(folder)
    for found in (read.predict(frame), read.predict(log), by_script(folder, log)):
        assert found.shape == (n_rows,)
        np.testing.assert_allclose(found, due, rtol=0, atol=1e-5)


def test_the_script_needs_no_moco(exported: tuple[Path, Any]) -> None:
    tree = ast.parse((exported[0] / "predict.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    packages = {name.partition(".")[0] for name in names}
    assert packages - set(sys.stdlib_module_names) == {"numpy", "onnxruntime"}


def test_all_ways_agree(
    make: Any, exported: tuple[Path, Any], copied: Path, synthetic: CtrDataset, tmp_path: Path
) -> None:
    check_all_ways(make, copied, exported[1], synthetic, tmp_path, 200)


def test_without_dense_fields(make: Any, tmp_path: Path) -> None:
    data = moco.load_dataset("synthetic", n_rows=1000, n_fields=3, n_dense=0, max_cardinality=40)
    assert isinstance(data, CtrDataset)
    network = make.export(tmp_path / "export", data, seed=3)
    check_all_ways(make, tmp_path / "export", network, data, tmp_path, 100)


def test_movielens(make: Any, shared: Path, tmp_path: Path) -> None:
    data = moco.load_dataset("movielens-100k", shared / "ml_100k", cache_dir=tmp_path / "cache")
    assert isinstance(data, CtrDataset)
    network = make.export(tmp_path / "export", data, label="is_liked", seed=4)
    check_all_ways(make, tmp_path / "export", network, data, tmp_path, 1000)


def test_frappe(make: Any, shared: Path, tmp_path: Path) -> None:
    data = moco.load_dataset("frappe", shared / "frappe", cache_dir=tmp_path / "cache")
    assert isinstance(data, CtrDataset)
    network = make.export(tmp_path / "export", data, seed=5)
    read, raw = read_export(tmp_path / "export"), shared / "frappe" / "test.csv.gz"
    due = make.probability(network, (data.test.ids, data.test.dense))
    np.testing.assert_allclose(read.predict(raw), due, rtol=0, atol=1e-5)
    np.testing.assert_allclose(by_script(tmp_path / "export", raw), due, rtol=0, atol=1e-5)
    labels = read.preprocessing.labels(read_csv(raw), "test")
    assert labels is not None
    score, own = read.score(labels, due), Score.of(data.test.labels, np.log(due) - np.log1p(-due))
    assert (score.logloss, score.auc) == pytest.approx((own.logloss, own.auc), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("criteo", LogOptions(hash_above=60, hash_rows=50), id="criteo-without-header"),
        pytest.param("criteo", LogOptions(encoding="authors", max_table_rows=300), id="criteo-authors"),
        pytest.param("avazu", LogOptions(encoding="authors", max_table_rows=300), id="avazu-constant-dense"),
    ],
)
def test_a_raw_public_log(make: Any, tmp_path: Path, name: str, options: LogOptions) -> None:
    raw = tmp_path / ("train.txt" if name == "criteo" else "train.csv")
    generate_log(name, raw, 1500)
    log = prepare_log(name, raw, tmp_path / "log", options).capped(45 if options.hash_above else None)
    network = make.export(tmp_path / "export", log, label=None, seed=6)
    rows = log.gather(np.arange(1500))
    due = make.probability(network, (rows.ids, rows.dense))
    read = read_export(tmp_path / "export")
    np.testing.assert_allclose(read.predict(raw), due, rtol=0, atol=1e-5)
    np.testing.assert_allclose(by_script(tmp_path / "export", raw), due, rtol=0, atol=1e-5)


def test_torch_takes_over_where_onnxruntime_is_not_installed(
    exported: tuple[Path, Any], synthetic: CtrDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = raw_frame(synthetic, 50)
    due = read_export(exported[0]).predict(frame)
    monkeypatch.setattr(predict, "is_installed", lambda name: False)
    np.testing.assert_allclose(read_export(exported[0]).predict(frame), due, rtol=0, atol=1e-5)


def test_no_rows(exported: tuple[Path, Any], synthetic: CtrDataset) -> None:
    assert read_export(exported[0]).predict(raw_frame(synthetic, 5).head(0)).shape == (0,)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_damaged_or_missing_file_is_named(copied: Path, name: str) -> None:
    path = copied / name
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ExportError, match=f"{name} is damaged: its SHA-256"):
        read_export(copied)
    path.unlink()
    with pytest.raises(ExportError, match=f"{name} is missing"):
        read_export(copied)


def test_foreign_folders_are_refused(copied: Path, synthetic: CtrDataset, tmp_path: Path) -> None:
    (copied / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"notes.txt is not part of the export"):
        read_export(copied)
    (copied / "notes.txt").unlink()
    manifest = json.loads((copied / MANIFEST).read_text())
    (copied / MANIFEST).write_text(json.dumps({**manifest, "format": "moco export 9"}))
    with pytest.raises(ExportError, match="format 'moco export 9', this version reads 'moco export 1'"):
        read_export(copied)
    assert "format 'moco export 9'" in script_fails(copied, tmp_path / "none.csv")
    for digests, message in (
        ({**manifest["sha256"], "../x": ""}, "lists a file that no export has, '../x'"),
        ({}, "does not list 'design.json'"),
        (None, "'sha256' must name"),
    ):
        (copied / MANIFEST).write_text(json.dumps({**manifest, "sha256": digests}))
        with pytest.raises(ExportError, match=message):
            read_export(copied)
    synthetic.save(tmp_path / "data")
    for other in (tmp_path / "data", tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ExportError, match=r"another format|has format|holds no export"):
            read_export(other)


def test_files_that_do_not_fit_together_are_refused(copied: Path) -> None:
    """Digests only find damage; a folder from a stranger may be whole and wrong."""
    entries = json.loads((copied / "preprocessing.json").read_text())
    entries["fields"][0]["values"].append("one more")
    (copied / "preprocessing.json").write_text(json.dumps(entries))
    manifest = json.loads((copied / MANIFEST).read_text())
    manifest["sha256"]["preprocessing.json"] = file_digest(copied / "preprocessing.json")
    (copied / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ExportError, match=r"preprocessing.json has other fields than"):
        read_export(copied)
    (copied / "model.onnx").write_bytes(b"no graph")
    manifest["sha256"]["model.onnx"] = file_digest(copied / "model.onnx")
    entries["fields"][0]["values"].pop()
    (copied / "preprocessing.json").write_text(json.dumps(entries))
    manifest["sha256"]["preprocessing.json"] = file_digest(copied / "preprocessing.json")
    (copied / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ExportError, match=r"onnxruntime cannot run .*model.onnx"):
        _ = read_export(copied).probability


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("c0,c1\n1,2\n", "unknown column .*c2", id="absent-columns"),
        pytest.param("c0,c1,c2,c3,n0,n1\n1,2,3,4,5,many\n", "numeric column 'n1' holds 'many'", id="text-for-number"),
        pytest.param("c0,c1,c2,c3,n0,n1\n1,2,3,4,1_0,1\n", "numeric column 'n0' holds '1_0'", id="python-number"),
        pytest.param("c0,c1,c2,c3,n0,n1\n1,2,3,4,5\n", "line 2 has 5 fields", id="short-row"),
        pytest.param("", "is empty", id="empty"),
    ],
)
def test_bad_logs_are_named_by_both(exported: tuple[Path, Any], tmp_path: Path, content: str, message: str) -> None:
    log = tmp_path / "log.csv"
    log.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_export(exported[0]).predict(log)
    assert re.search(message, script_fails(exported[0], log))


def test_a_log_that_is_no_text_is_named(exported: tuple[Path, Any], tmp_path: Path) -> None:
    log = tmp_path / "log.csv.gz"
    log.write_bytes(gzip.compress(b"c0,c1,c2,c3,n0,n1\n" + bytes(5000))[:-9])
    assert re.search(r"log.csv.gz is damaged, or not csv in UTF-8", script_fails(exported[0], log))
    with pytest.raises(ValueError, match=r"log.csv.gz"):
        read_export(exported[0]).predict(log)


def test_blank_lines_marks_and_missing_cells_read_alike(exported: tuple[Path, Any], tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_bytes(b'\xef\xbb\xbfc0,c1,n1,c2,c3,n0\r\n1,,nan,3,"4",-5\r\n\r\n,,,,,\r\n"1",2, 7 ,x,,1e3\r\n')
    given = read_export(exported[0]).predict(log)
    assert given.shape == (2,)
    np.testing.assert_allclose(by_script(exported[0], log), given, rtol=0, atol=1e-6)


def test_read_log_says_what_it_reads(exported: tuple[Path, Any], synthetic: CtrDataset, tmp_path: Path) -> None:
    read, frame = read_export(exported[0]), raw_frame(synthetic, 20)
    frame.write_parquet(tmp_path / "log.parquet")
    frame.write_csv(tmp_path / "log.data", separator=";")
    due = read.predict(frame)
    np.testing.assert_array_equal(read.predict(tmp_path / "log.parquet"), due)
    np.testing.assert_array_equal(read.predict(read.read_log(tmp_path / "log.data", ";")), due)
    with pytest.raises(ValueError, match=r"cannot tell from its name what .*log.data is"):
        read.predict(tmp_path / "log.data")
    (tmp_path / "log.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"cannot read .* as parquet"):
        read.predict(tmp_path / "log.parquet")


def test_scores_need_both_labels(exported: tuple[Path, Any]) -> None:
    read = read_export(exported[0])
    with pytest.raises(ValueError, match="rows of label 0 and of label 1"):
        read.score(np.ones(3, dtype=np.float32), np.full(3, 0.5, dtype=np.float32))
    # By hand: -(ln 0.8 + ln 0.7) / 2, and both pairs are in order. A probability of 1 costs little, not everything.
    score = read.score(np.array([1, 0], dtype=np.float32), np.array([0.8, 0.3], dtype=np.float32))
    assert (score.logloss, score.auc) == pytest.approx((0.28990925, 1.0), abs=1e-6)
    wrong = read.score(np.array([0, 1], dtype=np.float32), np.array([1.0, 0.0], dtype=np.float32))
    assert 30 < wrong.logloss < 60
