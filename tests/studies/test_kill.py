"""Real kills: a study killed at any moment goes on to the same trials. Run as a script, this file is the victim."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Objective, Study, StudyBusyError, TooManyFailuresError

ROOT = Path(__file__).resolve().parents[2]
SPACE = Space("s", tuple(ChoiceBlock(f"x{i}", tuple(range(16)), is_ordered=True) for i in range(30)))


def evaluate(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
    x = genomes / 15.0
    return np.stack([x[:, 0] + x[:, 1:].sum(axis=1), np.diff(x, axis=1).var(axis=1) + 1 - x[:, 0]], axis=1)


def opened(storage: Path | None) -> Study:
    return Study("s", SPACE, [Objective(name="a"), Objective(name="b")], storage=storage, population_size=20)


def search(storage: Path, pause_s: float) -> None:
    """Searches for ever, a line of output for each stored generation."""

    def slow(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        time.sleep(pause_s)
        return evaluate(genomes)

    opened(storage).optimize(slow, 10**9, progress=lambda progress: print(progress.n_trials, flush=True))


def started(storage: Path, pause_s: float) -> subprocess.Popen[str]:
    """A process that searches; returned once it has stored a generation."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(storage), str(pause_s)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip().isdigit()
    return process


def killed(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_killed_searches_resume_to_the_trials_of_an_unbroken_one(
    tmp_path: Path, run: Callable[..., None], same: Callable[..., None]
) -> None:
    storage = tmp_path / "study.db"
    for after_s in (0.0, 0.013, 0.031, 0.05):  # mid-write or mid-breeding: a generation takes some milliseconds
        process = started(storage, pause_s=0.0)
        time.sleep(after_s)
        killed(process)
    with opened(storage) as study, opened(None) as unbroken:
        run(study, evaluate, 20)  # the lock of the killed processes is gone
        n_generations = len(study) // 20
        assert n_generations >= 5
        assert len(study) == 20 * n_generations
        run(unbroken, evaluate, 20, n_generations)
        same(study.trials(), unbroken.trials())


def test_one_process_writes_and_others_read(tmp_path: Path) -> None:
    storage = tmp_path / "study.db"
    process = started(storage, pause_s=0.2)
    try:
        with opened(storage) as study:
            n_before = len(study.trials())
            assert n_before >= 20
            message = f"study.db is being written by process {process.pid}, and one process writes a study file at"
            with pytest.raises(StudyBusyError, match=message):
                study.optimize(evaluate, 10**9)
            genomes = study.ask(20)
            with pytest.raises(StudyBusyError, match="store this study in another file"):
                study.tell(genomes, evaluate(genomes))
    finally:
        killed(process)
    with opened(storage) as study:
        assert len(study) >= n_before


def test_readers_see_whole_generations(tmp_path: Path) -> None:
    process = started(tmp_path / "study.db", pause_s=0.0)
    try:
        seen = []
        for _ in range(20):
            with opened(tmp_path / "study.db") as study:
                seen.append(len(study))
                seen.append(len(study.trials()))
        assert seen == sorted(seen)
        assert all(n % 20 == 0 for n in seen)
        assert seen[-1] > seen[0]
    finally:
        killed(process)


def test_two_studies_of_one_process_do_not_write_at_once(tmp_path: Path) -> None:
    with opened(tmp_path / "study.db") as outer, opened(tmp_path / "study.db") as inner:

        def nested(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
            inner.optimize(evaluate, 20)
            return evaluate(genomes)

        with pytest.raises(TooManyFailuresError, match=f"is being written by process {os.getpid()}"):
            outer.optimize(nested, 20)


def test_what_another_process_has_told_is_not_told_again(tmp_path: Path, run: Callable[..., None]) -> None:
    with opened(tmp_path / "study.db") as first, opened(tmp_path / "study.db") as second:
        genomes = first.ask(20)
        run(second, evaluate, 20, 2)
        with pytest.raises(ValueError, match="another process may have told this generation meanwhile"):
            first.tell(genomes, evaluate(genomes))
        run(first, evaluate, 20)
        assert len(first) == len(second) == 60


if __name__ == "__main__":
    search(Path(sys.argv[1]), float(sys.argv[2]))
