"""`moco prune`: finds retrained networks in a run's folder, prints a table, writes json, csv, a picture and weights."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from moco.chosen.retrained import FOLDER, retrain
from moco.design import Design
from moco.pruning import read_round
from moco.runs.run import Run
from moco.runs.settings import RunSettings, SearchSettings
from moco.settings import FinalSettings
from tests.moco.command_line import call

OPTIONS = {"n_rows": 800, "n_fields": 4, "n_dense": 2, "max_cardinality": 12}


def prune(*arguments: object) -> str:
    """What `moco prune` prints."""
    return call("prune", *arguments).stdout


@pytest.fixture(scope="module")
def run(design: Design, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two designs trained with two seeds each."""
    folder = tmp_path_factory.mktemp("run")
    this = Run(folder, RunSettings(dataset="synthetic", options=OPTIONS))
    (folder / "search.json").write_text(json.dumps(asdict(SearchSettings(calibration="puma32"))))
    fitting = replace(design, cardinalities=tuple(this.data.cardinalities))
    chosen = [("most accurate", fitting), ("knee", replace(fitting, key="f" * 16))]
    settings = FinalSettings(epochs=1, n_threads=1)
    retrain(this.whole_data, chosen, folder / FOLDER, settings=settings, seeds=(0, 1), for_chip=False, n_jobs=1)
    return folder


def test_prints_and_writes(run: Path) -> None:
    arguments = (run, "--design", "knee", "--rounds", 2, "--seeds", 1, "--plain")
    printed = prune(*arguments)
    assert [line.split()[0] for line in printed.splitlines()[:4]] == ["round", "0", "1", "2"]
    out = run / "pruned" / "ffffffffffff-magnitude-fine-tune-0.2-plain"
    assert printed.splitlines()[-1] == str(out)
    rounds = json.loads((out / "pruning.json").read_text())["rounds"]
    assert [(one["seed"], one["number"]) for one in rounds] == [(0, 0), (0, 1), (0, 2)]
    with (out / "pruning.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["seeds"] for row in rows] == ["1", "1", "1"]
    assert float(rows[2]["energy_pj"]) < float(rows[0]["energy_pj"])
    assert (out / "pruning.png").read_bytes().startswith(b"\x89PNG")
    weights = {file.name: file.stat().st_mtime_ns for file in out.glob("*.safetensors")}
    assert len(weights) == 2
    assert all(read_round(out / name).network.cut.macs <= 0.8 * rounds[0]["macs"] for name in weights)
    assert prune(*arguments) == printed
    assert {file.name: file.stat().st_mtime_ns for file in out.glob("*.safetensors")} == weights


def test_the_design_of_the_lowest_loss_when_none_is_named(run: Path) -> None:
    printed = prune(run, "--rounds", 1, "--seeds", 1, "--plain", "--way", "rewind", "--criterion", "learned-mask")
    assert "learned-mask-rewind-0.2-plain" in printed.splitlines()[-1]


def test_bad_input(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--seeds must be at least 1, got 0"):
        prune(run, "--seeds", 0)
    with pytest.raises(ValueError, match=r"0 retrained designs are meant by 'zz'; there are .*\(knee\)"):
        prune(run, "--design", "zz")
    with pytest.raises(ValueError, match="unknown criterion 'size'"):
        prune(run, "--criterion", "size")
    with pytest.raises(ValueError, match="holds no run"):
        prune(tmp_path)
    Run(tmp_path, RunSettings(dataset="synthetic", options=OPTIONS))
    with pytest.raises(ValueError, match="holds no retrained designs: make them with 'moco retrain"):
        prune(tmp_path)
