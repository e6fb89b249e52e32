"""`moco studies`: what it prints, what it does to files, and one clear line for bad input."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from spaces import ChoiceBlock, Space
from studies import Evaluation, Objective, Study, list_studies, open_study
from studies.exchange.optuna_source import optuna_studies
from studies.storage.schema import MIGRATIONS
from studies.storage.sqlite import SqliteFile
from tests.moco.command_line import Cli

SPACE = Space("s", (ChoiceBlock("kind", ("dot", "fm", "cross")), ChoiceBlock("rank", (8, 16, 32, 64), is_ordered=True)))


@pytest.fixture
def moco(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(monkeypatch, capsys, "studies")


def make(file: Path, name: str = "first", seed: int = 0) -> Path:
    def evaluate(genomes: Any) -> Evaluation:
        return Evaluation(genomes.sum(axis=1, keepdims=True), attributes={"half": genomes[:, 0] / 2})

    with Study(name, SPACE, [Objective(name="f")], storage=file, seed=seed, population_size=3) as study:
        study.optimize(evaluate, 6)
    return file


@pytest.mark.parametrize("command", ["", "list", "rename", "delete", "copy", "merge", "export", "import"])
def test_help(moco: Cli, command: str) -> None:
    code, out, _ = moco(*command.split(), "--help")
    assert code == 0
    assert "Usage" in out


def test_studies_are_listed(moco: Cli, tmp_path: Path) -> None:
    file = make(make(tmp_path / "study.db"), "a second; one", seed=7)
    code, out, _ = moco("list", file)
    assert code == 0
    header, first, second = out.splitlines()
    assert re.split("  +", header) == [
        *("study", "engine", "seed", "population", "generations", "trials", "failed", "feasible", "created (UTC)")
    ]
    assert re.split("  +", first)[:8] == ["first", "nsga2", "0", "3", "2", "6", "0", "6"]
    assert re.split("  +", second)[:8] == ["a second; one", "nsga2", "7", "3", "2", "6", "0", "6"]
    assert moco("list", tmp_path)[1] == out  # the folder of a run


def test_studies_are_renamed_copied_and_deleted(moco: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, other = make(tmp_path / "study.db"), tmp_path / "other.db"
    assert moco("rename", file, "first", "new") == (0, f"{file}: first is now new\n", "")
    assert moco("copy", file, "new", other, "--name", "copy") == (0, f"{other}: copy\n", "")
    assert [info.name for info in list_studies(other)] == ["copy"]
    for answer in ("n\n", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        code, out, _ = moco("delete", file, "NEW")
        assert code == 1
        assert "Delete study 'NEW' with 6 trials from" in out
        assert [info.name for info in list_studies(file)] == ["new"]
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert moco("delete", file, "new")[0] == 0
    assert list_studies(file) == []
    assert moco("delete", other, "copy", "--yes") == (0, f"{other}: copy is deleted\n", "")
    assert list_studies(other) == []


def test_islands_are_merged(moco: Cli, tmp_path: Path) -> None:
    sources = [make(tmp_path / f"{seed}.db", seed=seed) for seed in range(2)]
    make(sources[1], "another")
    merged = tmp_path / "merged.db"
    code, out, err = moco("merge", merged, "all", sources[0], f"{sources[1]}::first")
    assert (code, err) == (0, "")
    (info,) = list_studies(merged)
    assert out == f"{merged}: all with {info.n_trials} trials, {12 - info.n_trials} repeats left out\n"
    code, _, err = moco("merge", merged, "more", *sources)
    assert code == 1
    assert err == f"error: {sources[1]} holds the studies 'first', 'another': say which as {sources[1]}::NAME"


def test_studies_go_out_and_come_back(moco: Cli, tmp_path: Path) -> None:
    file, out, optuna_file = make(tmp_path / "study.db"), tmp_path / "out.csv", tmp_path / "optuna.db"
    assert moco("export", file, "first", out) == (0, f"{out}: 6 trials\n", "")
    columns = ["number", "generation", "key", "is_feasible", "f", "half", "kind", "rank"]
    assert polars.read_csv(out).columns == columns
    assert moco("export", file, "first", tmp_path / "out.parquet")[0] == 0
    assert polars.read_parquet(tmp_path / "out.parquet").columns == columns
    assert moco("export", file, "first", optuna_file) == (0, f"{optuna_file}: 6 trials\n", "")
    assert optuna_studies(optuna_file) == ["first"]
    back = tmp_path / "back.db"
    assert moco("import", optuna_file, back) == (0, f"{back}: first: 6 trials read, 0 left out\n", "")
    (tmp_path / "space.json").write_text(SPACE.to_json())
    spaces: dict[str, tuple[object, ...]] = {
        "b": ("--space", tmp_path / "space.json"),
        "c": ("--like", file),
        "d": ("--like", f"{file}::first"),
    }
    for name, space in spaces.items():
        assert moco("import", optuna_file, back, "--study", "first", "--name", name, *space)[0] == 0
    assert [info.name for info in list_studies(back)] == ["first", "b", "c", "d"]
    with open_study(back, "d") as study:
        np.testing.assert_array_equal(study.trials().values, polars.read_csv(out).select("f"))


def test_bad_input_ends_in_one_line(moco: Cli, tmp_path: Path) -> None:
    file = make(tmp_path / "study.db")
    cases: list[tuple[tuple[object, ...], str, int]] = [
        (("list", tmp_path / "absent.db"), "error: there is no study file .*absent.db", 1),
        (("rename", file, "x", "y"), "error: .* has no study 'x'; it holds 'first'", 1),
        (("rename", file, "first", "first[1]\n"), r"error: study names must be printable, got 'first\[1\]\\n'", 1),
        (("delete", file, "x"), "error: .* has no study 'x'; it holds 'first'", 1),
        (("copy", file, "first", file), "error: .* has a study 'first' already", 1),
        (
            ("export", file, "first", tmp_path / "a.xls"),
            r"must end in one of \.csv, \.parquet, \.db, .*got 'a\.xls'",
            1,
        ),
        (("export", file, "first", file), "is there already: give another path", 1),
        (("import", file, tmp_path / "b.db", "--study", "x"), "has no Optuna study 'x'; it holds 'first'", 1),
        (("import", file, tmp_path / "b.db"), "'first' does not say what its space is: give the space", 1),
        (("import", file, file, "--like", file, "--space", file), "--like and --space both say", 1),
        (("import", file, file, "--space", tmp_path / "none.json"), "No such file or directory: .*none.json", 1),
        (("merge", file, "m"), "Missing argument", 2),
        (("merge", file, "first", file), "error: .* has a study 'first' already", 1),
    ]
    before = list_studies(file)
    for arguments, message, expected in cases:
        code, _, err = moco(*arguments)
        assert code == expected, (arguments, err)
        assert re.search(message, err), (arguments, err)
    assert list_studies(file) == before


def test_another_writer_is_named_in_one_line(moco: Cli, tmp_path: Path) -> None:
    file = make(tmp_path / "study.db")
    writing = SqliteFile(file, MIGRATIONS)
    with writing.writer():
        code, _, err = moco("delete", file, "first", "--yes")
    writing.close()
    assert code == 1
    assert re.match("error: .* is being written by process [0-9]+, and one process writes a study file at a time", err)
