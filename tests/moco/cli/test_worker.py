"""`moco worker`: a run searched by several processes on a real PostgreSQL, and the study brought home."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from moco.runs.run import Run
from studies import list_studies
from tests.moco.command_line import Cli

ROOT = Path(__file__).resolve().parents[3]
TRAIN = (
    *("train", "synthetic", "--set", "n_rows=3000", "--set", "n_fields=3", "--set", "max_cardinality=12"),
    *("--check", "0", "--epochs", "4", "--space", "nasrec-small"),
)
N_TRIALS = 12
OPTIONS = ("--population", "4", "--trials", str(N_TRIALS), "--max-area-mm2", "1000", "--name", "together")


@pytest.fixture
def moco(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Cli(monkeypatch, capsys)


@pytest.fixture
def folder(moco: Cli, tmp_path: Path) -> Path:
    """A run whose supernet is trained."""
    code, _, err = moco(*TRAIN, "--out", tmp_path / "run")
    assert code == 0, err
    return tmp_path / "run"


def test_two_workers_share_a_search_that_comes_home(moco: Cli, folder: Path, tmp_path: Path, database: str) -> None:
    there = shutil.copytree(folder, tmp_path / "there")
    other = subprocess.Popen(
        [sys.executable, "-m", "moco", "worker", there, "--storage", database, *OPTIONS],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    code, out, err = moco("worker", folder, "--storage", database, *OPTIONS)
    assert code == 0, err
    out_there, err_there = other.communicate()
    assert other.returncode == 0, err_there
    assert "designs scored" in err
    n_own = [int(re.findall(r"(\d+) of them here", text)[0]) for text in (err, " ".join(err_there.split()))]
    assert N_TRIALS <= sum(n_own) <= N_TRIALS + 1  # more were known, and the other worker may have had one at hand
    words = shlex.split(out)
    assert words == [
        *("moco", "studies", "import", database, str(folder / "study.db")),
        *("--study", "together", "--name", "synthetic"),
    ]
    assert shlex.split(out_there)[4] == str(there / "study.db")

    refused = moco("worker", folder, "--storage", database, *OPTIONS, "--max-area-mm2", 900)
    assert refused[0] == 1
    assert "holds another search, by engine 'optuna:nsga2'" in refused[2]

    assert moco(*words[1:])[0] == 0
    (info,) = list_studies(folder / "study.db")
    assert (info.name, info.engine, info.population_size, info.n_trials) == ("synthetic", "optuna:nsga2", 4, sum(n_own))
    code, out, err = moco("front", folder)
    assert code == 0, err
    assert "logloss" in out
    code, _, err = moco("report", folder)
    assert code == 0, err
    study = Run.reopen(folder).stored_study()
    trials = study.study.trials()
    again = study.evaluate(trials.genomes)  # a worker scored these one by one, as a search scores them together
    np.testing.assert_allclose(trials.values, again.values, rtol=1e-6)
    np.testing.assert_allclose(trials.attributes["auc"], again.attributes["auc"], rtol=1e-6)
    np.testing.assert_array_equal(trials.attributes["macs"], again.attributes["macs"])


def test_what_a_worker_cannot_do_is_said_at_once(moco: Cli, folder: Path, tmp_path: Path) -> None:
    url = "postgresql://me:s3cret@/x?host=/nowhere"
    for arguments, message in [
        ((tmp_path, "--storage", url), "holds no run"),
        ((folder, "--storage", "sqlite:///x.db"), "is a SQLite file, which one process writes at a time"),
        ((folder, "--storage", url, "--engine", "surrogate"), "one of Optuna's samplers"),
        ((folder, "--storage", url, "--engine", "annealing"), "unknown engine 'annealing'"),
        ((folder, "--storage", url, "--trials", "0"), "n_trials must be at least 1, got 0"),
    ]:
        code, _, err = moco("worker", *arguments)
        assert code == 1
        assert message in err
        assert "s3cret" not in err
    assert not (folder / "search.json").exists()
    (folder / "supernet.safetensors").unlink()
    code, _, err = moco("worker", folder, "--storage", url)
    assert code == 1
    assert "holds no trained supernet: end 'moco train' first" in err


def test_an_import_shows_no_password(moco: Cli, tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql://me:s3cret@/x?host=/nowhere"
    code, _, err = moco("studies", "import", url, tmp_path / "study.db")
    assert code == 1
    assert "postgresql+psycopg://me:***@/x?host=%2Fnowhere cannot be opened as an Optuna storage" in err
    assert "s3cret" not in err
