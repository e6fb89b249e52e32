"""The examples that need no data of others run as they are, on a small budget."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize(
    ("name", "arguments", "printed"),
    [
        ("own_problem.py", (), "front"),
        ("own_csv.py", ("--rows", "2000", "--trials", "20", "--out", "run"), "supernet logloss"),
    ],
)
def test_example(name: str, arguments: tuple[str, ...], printed: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert printed in done.stdout


@pytest.mark.parametrize("name", ["movielens.py", "frappe.py", "own_csv.py"])
def test_help(name: str) -> None:
    command = [sys.executable, str(EXAMPLES / name), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"python examples/{name}" in done.stdout
