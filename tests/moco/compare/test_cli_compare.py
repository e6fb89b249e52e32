"""`moco compare` from beginning to end: tables, files, and what it says where something is missing."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from moco.chosen.retrained import FOLDER
from moco.compare.outputs import CSV_COLUMNS
from moco.report.comparison import comparison_section
from moco.report.tables import Table, markdown_of, read_tables
from moco.runs.run import Run
from pimmodel import CALIBRATIONS
from tests.moco.command_line import call


def compared(*arguments: object) -> str:
    """What `moco compare` prints."""
    return call("compare", *arguments, "--jobs", 1).stdout


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Path:
    """The run's folder, to change."""
    return Path(shutil.copytree(run.folder, tmp_path / "run", ignore=shutil.ignore_patterns("compare")))


def test_the_whole_comparison(run: Run) -> None:
    text = compared(run.folder, "--seeds", 2, "--retrain", 2)
    folder = run.folder / "compare"
    written = json.loads((folder / "compare.json").read_text())
    titles = [table.title for table in read_tables(folder / "compare.json")]
    assert titles == [
        "What is compared",
        "Accuracy",
        "Against the best baseline",
        "Co-design against baselines on ISAAC",
        "Co-design against naive mapping",
        "Co-design against architecture first, chip second",
        "Hypervolume",
        "Front against front",
        "Beside published figures",
    ]
    about = " ".join(written["about"].values())
    for digest in (run.whole_data.digest, run.space.digest, run.supernet.digest):
        assert digest in about
    assert written["calibrations"] == list(CALIBRATIONS)
    for volumes in written["volumes"]:
        assert set(volumes["n_evaluations"].values()) == {30}
    assert {match["judged_by"] for match in written["matches"] if match["against"] == "naive mapping"} == {
        "score",
        "test",
    }
    page, markdown = comparison_section(run.folder), (folder / "compare.md").read_text()
    for title in titles:
        assert title in text
        assert f"<h3>{title}</h3>" in page
        assert f"## {title}" in markdown
    with (folder / "compare.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == CSV_COLUMNS
    assert {line["part"] for line in lines} >= {"accuracy", "cost", "difference", "hypervolume", "front gain"}
    assert {line["seed"] for line in lines if line["part"] == "hypervolume"} == {"0", "1"}
    assert {line["name"]: line["value"] for line in lines if line["part"] == "about"} == written["about"]
    assert compared(run.folder, "--seeds", 2, "--retrain", 2) == text


def test_one_part_alone(copy: Path) -> None:
    alone = compared(copy, "--only", "accuracy")
    assert "Against the best baseline" in alone
    assert "Hypervolume" not in alone
    assert not (copy / "compare" / "searches.db").exists()
    shutil.rmtree(copy / FOLDER)
    searches = compared(copy, "--only", "codesign", "--evaluations", 12)
    assert "Hypervolume" in searches
    assert "left out" in searches
    assert "Against the best baseline" not in searches


def test_baselines_beside_the_run_are_found(copy: Path) -> None:
    (copy / "baselines" / "baselines.json").rename(copy / "baselines.json")
    assert str(copy / "baselines.json") in compared(copy, "--only", "accuracy")


def test_what_is_missing_is_named(copy: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no baselines: train baselines with 'moco baselines synthetic --out "):
        compared(copy, "--baselines", copy / "none.json")
    shutil.rmtree(copy / FOLDER)
    with pytest.raises(ValueError, match=r"holds no retrained designs: retrain designs with 'moco retrain .*run'"):
        compared(copy)
    with pytest.raises(ValueError, match="--retrain compares references with retrained designs: retrain some"):
        compared(copy, "--only", "codesign", "--retrain", 1)


def test_baselines_of_other_data_are_refused(copy: Path) -> None:
    file = copy / "baselines" / "baselines.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "data": "0" * 64}))
    with pytest.raises(ValueError, match=r"holds results on data 0000.*give another file, or the data they are from"):
        compared(copy)


def test_bad_options(run: Run, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--only must be 'accuracy' or 'codesign', got 'all'"):
        compared(run.folder, "--only", "all")
    with pytest.raises(ValueError, match="--seeds must be at least 1 and --retrain 0 or more, got 0 and 0"):
        compared(run.folder, "--seeds", 0)
    with pytest.raises(
        ValueError, match=r"--evaluations must be between 2 and the 30 .*search longer with 'moco search"
    ):
        compared(run.folder, "--evaluations", 31)
    with pytest.raises(ValueError, match="holds no run: make one with 'moco run'"):
        compared(tmp_path)


def test_tables_of_another_file(tmp_path: Path) -> None:
    assert read_tables(tmp_path / "none.json") == []
    assert comparison_section(tmp_path) == ""
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"does not hold a comparison .*remove it and run 'moco compare'"):
        read_tables(tmp_path / "other.json")


def test_a_table_in_markdown() -> None:
    table = Table(title="T", about=["One."], headings=["a|b", "n"], rows=[["x|y", "1,000"], ["z", ""]])
    assert (
        markdown_of("M", [table])
        == "# M\n\n## T\n\nOne.\n\n| a\\|b | n |\n| --- | ---: |\n| x\\|y | 1,000 |\n| z |  |\n"
    )
