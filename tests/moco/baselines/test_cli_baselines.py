"""`moco baselines`: trains, prints a table, writes json and csv, goes on where it stopped."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from moco.cli_baselines import app

DATA = ("synthetic", "--set", "n_rows=1500", "--set", "n_fields=3", "--set", "max_cardinality=12")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(one) for one in (*DATA, *arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_trains_prints_and_writes(tmp_path: Path) -> None:
    arguments = ("--out", tmp_path, "--only", "LR", "--only", "FM", "--seeds", 2, "--epochs", 1, "--jobs", 1)
    printed = call(*arguments)
    assert [line.split()[0] for line in printed.splitlines()] == ["baseline", "LR", "FM"]
    assert "+-" in printed
    with (tmp_path / "baselines.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == ["LR", "FM"]
    assert float(lines[1]["energy_pj"]) > 0
    written = (tmp_path / "baselines.json").stat().st_mtime_ns
    assert call(*arguments) == printed
    assert (tmp_path / "baselines.json").stat().st_mtime_ns == written


def test_tunes_first(tmp_path: Path) -> None:
    arguments = ("--out", tmp_path, "--only", "LR", "--seeds", 1, "--epochs", 1, "--jobs", 1, "--tune", 2)
    printed = call(*arguments)
    assert (tmp_path / "tuning-LR.db").is_file()
    assert call(*arguments) == printed


def test_taught_ones_stand_beside_the_others(tmp_path: Path) -> None:
    arguments = ("--out", tmp_path, "--only", "LR", "--seeds", 1, "--epochs", 1, "--jobs", 1, "--tune", 1)
    call(*arguments)
    printed = call(*arguments, "--teacher", 1)
    assert [line[:12].strip() for line in printed.splitlines()] == ["baseline", "LR", "LR, taught"]
    assert (tmp_path / "teacher" / "DCNv2-0.safetensors").is_file()
    assert (tmp_path / "taught" / "tuning-LR.db").is_file()
    assert call(*arguments, "--teacher", 1) == printed


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="unknown baseline 'DeepLR'"):
        call("--only", "DeepLR")
    with pytest.raises(ValueError, match="unknown calibration"):
        call("--calibration", "nonesuch")
