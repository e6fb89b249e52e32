"""`moco export` finds trained weights in a run's folder; `moco predict` scores a raw log with what it wrote."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from moco.chosen.retrained import FOLDER, retrain
from moco.cli import export as cli_export
from moco.data import CtrDataset
from moco.export.predict import read_export
from moco.runs.run import Run
from moco.runs.settings import RunSettings, SearchSettings
from moco.settings import FinalSettings
from moco.supernet.metrics import score_of
from moco.supernet.rows import TensorRows
from tests.moco.command_line import call

OPTIONS = {"n_rows": 800, "n_fields": 3, "n_dense": 1, "max_cardinality": 12}


def fails(message: str, *arguments: object) -> None:
    with pytest.raises(ValueError, match=message):
        call(*arguments)


@pytest.fixture(scope="module")
def run(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two designs trained with two seeds each."""
    folder = tmp_path_factory.mktemp("run")
    this = Run(folder, RunSettings(dataset="synthetic", options=OPTIONS))
    (folder / "search.json").write_text(json.dumps(asdict(SearchSettings(calibration="puma32"))))
    chosen = [("most accurate", make.design(this.data, 1)), ("knee", make.design(this.data, 0x12))]
    settings = FinalSettings(epochs=1, n_threads=1)
    retrain(this.whole_data, chosen, folder / FOLDER, settings=settings, seeds=(0, 1), for_chip=False, n_jobs=1)
    return folder


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    call("export", run, "--design", "knee")
    return run / "exports" / "knee"


@pytest.fixture
def log(run: Path, tmp_path: Path) -> tuple[Path, CtrDataset]:
    """The test rows of the run as a raw csv."""
    data = Run.reopen(run).data
    assert isinstance(data, CtrDataset)
    columns: dict[str, Any] = {
        name: [values[i - 1] if i else "new" for i in ids.tolist()]
        for name, values, ids in zip(data.categorical, data.vocabularies, data.test.ids.T, strict=True)
    }
    columns |= {
        name: np.expm1(column.astype(np.float64)) for name, column in zip(data.dense, data.test.dense.T, strict=True)
    }
    path = tmp_path / "log.csv"
    pl.DataFrame({**columns, "label": data.test.labels.astype(np.int64)}).write_csv(path)
    return path, data


def test_the_best_seed_of_a_role_is_exported(run: Path, exported: Path) -> None:
    read = read_export(exported)
    metrics = json.loads((exported / "metrics.json").read_text())
    losses = {one["seed"]: one["plain"]["valid"]["logloss"] for one in metrics["seeds"]}
    assert set(losses) == {0, 1}
    assert losses[metrics["exported_seed"]] == min(losses.values())
    assert all(one["on_chip"]["test"]["auc"] for one in metrics["seeds"])
    assert (read.manifest["role"], read.preprocessing.label) == ("knee", "label")
    assert json.loads((exported / "hardware.json").read_text())["calibration"]["name"] == "puma32"


def test_a_design_by_key_or_the_best_by_itself(run: Path, tmp_path: Path) -> None:
    for design in ((), ("--design", "10")):
        done = call("export", run, *design, "--out", tmp_path / "out")
        assert done.exit_code == 0, done.output
        assert done.stdout.startswith(f"{tmp_path / 'out'}: ")
    assert read_export(tmp_path / "out").design.key == "1".ljust(64, "0")


def test_predict_prints_probabilities_and_scores(exported: Path, log: tuple[Path, CtrDataset], tmp_path: Path) -> None:
    path, data = log
    network = read_export(exported).network
    score = score_of(network, TensorRows.of(data.test, network.embedding.table.device))
    printed = call("predict", exported, path)
    assert printed.exit_code == 0, printed.output
    scores = f"log loss {score.logloss:.5f}, AUC {score.auc:.5f} of {len(data.test)} rows"
    assert scores in printed.stderr
    probabilities = [float(line) for line in printed.stdout.split()]
    assert len(probabilities) == len(data.test)
    written = call("predict", exported, path, "--out", tmp_path / "predictions.csv")
    assert scores in written.stdout
    table = pl.read_csv(tmp_path / "predictions.csv")
    assert table.columns == ["probability"]
    np.testing.assert_allclose(table["probability"].to_numpy(), probabilities, rtol=1e-8)
    no_label = tmp_path / "bare.csv"
    pl.read_csv(path).drop("label").write_csv(no_label)
    assert "log loss" not in call("predict", exported, no_label).output
    pl.read_csv(path).rename({"label": "click"}).write_csv(no_label)
    assert scores in call("predict", exported, no_label, "--label", "click").stderr
    pl.read_csv(path).filter(pl.col("label") == 1).write_csv(no_label)
    assert "no scores: all labels are equal" in call("predict", exported, no_label).stderr


def test_what_cannot_be_done_is_said(run: Path, exported: Path, log: tuple[Path, CtrDataset], tmp_path: Path) -> None:
    fails("holds no run", "export", tmp_path)
    fails(
        r"0 trained designs have role or key 'magic', give one of: .*\(most accurate\); .*\(knee\)",
        "export",
        run,
        "--design",
        "magic",
    )
    fails("2 trained designs have role or key '1'", "export", run, "--design", "1")
    (tmp_path / "mine").write_text("")
    fails("holds other files than an export", "export", run, "--out", tmp_path)
    fails("must lie outside the export", "predict", exported, log[0], "--out", exported / "predictions.csv")
    fails("has no column 'click'; columns are 'c0'", "predict", exported, log[0], "--label", "click")
    fails("holds no export", "predict", run, log[0])
    Run(tmp_path / "new", RunSettings(dataset="synthetic", options=OPTIONS))
    fails("the run holds no trained networks: train its chosen designs with 'moco retrain'", "export", tmp_path / "new")


@pytest.mark.parametrize(
    ("dataset", "schema", "label"),
    [
        ("frappe", None, "label"),
        ("movielens-100k", None, "is_liked"),
        ("table", {"label": "bought"}, "bought"),
        ("criteo", None, None),
    ],
)
def test_the_label_of_a_data_set(dataset: str, schema: dict[str, object] | None, label: str | None) -> None:
    assert cli_export.label_column(dataset, schema) == label
