"""`moco baselines`: trains, prints a table, writes json and csv, goes on where it stopped."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.moco.command_line import call

DATA = ("synthetic", "--set", "n_rows=1500", "--set", "n_fields=3", "--set", "max_cardinality=12")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def baselines(*arguments: object) -> str:
    """What `moco baselines` prints."""
    return call("baselines", *DATA, *arguments).stdout


def test_trains_prints_and_writes(tmp_path: Path) -> None:
    arguments = ("--out", tmp_path, "--only", "LR", "--only", "FM", "--seeds", 2, "--epochs", 1, "--jobs", 1)
    printed = baselines(*arguments)
    assert [line.split()[0] for line in printed.splitlines()] == ["baseline", "LR", "FM"]
    assert "+-" in printed
    with (tmp_path / "baselines.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == ["LR", "FM"]
    assert float(lines[1]["energy_pj"]) > 0
    written = (tmp_path / "baselines.json").stat().st_mtime_ns
    assert baselines(*arguments) == printed
    assert (tmp_path / "baselines.json").stat().st_mtime_ns == written


def test_tunes_first(tmp_path: Path) -> None:
    arguments = ("--out", tmp_path, "--only", "LR", "--seeds", 1, "--epochs", 1, "--jobs", 1, "--tune", 2)
    printed = baselines(*arguments)
    assert (tmp_path / "tuning-LR.db").is_file()
    assert baselines(*arguments) == printed


def test_taught_ones_stand_beside_the_others(tmp_path: Path) -> None:
    arguments = ("--out", tmp_path, "--only", "LR", "--seeds", 1, "--epochs", 1, "--jobs", 1, "--tune", 1)
    baselines(*arguments)
    printed = baselines(*arguments, "--teacher", 1)
    assert [line[:12].strip() for line in printed.splitlines()] == ["baseline", "LR", "LR, taught"]
    assert (tmp_path / "teacher" / "DCNv2-0.safetensors").is_file()
    assert (tmp_path / "taught" / "tuning-LR.db").is_file()
    assert baselines(*arguments, "--teacher", 1) == printed


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="unknown baseline 'DeepLR'"):
        baselines("--only", "DeepLR")
    with pytest.raises(ValueError, match="unknown calibration"):
        baselines("--calibration", "nonesuch")
