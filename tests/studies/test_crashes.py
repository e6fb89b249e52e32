"""Kills at any moment, inside commits too: no stored generation is lost, and the rest comes out as if nothing had been.

Run as a script, this file is the nursery: a process with everything imported and no threads, which forks a search for
each order that it reads, has it killed, and says by which signal it died.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Evaluation, Objective, Study

ROOT = Path(__file__).resolve().parents[2]
SPACE = Space("s", tuple(ChoiceBlock(f"x{i}", tuple(range(16)), is_ordered=i % 2 == 0) for i in range(30)))
SIZE = 20
WAYS = ("moment", "statement", "instruction", "write")


def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
    """Some designs fail."""
    x = genomes / 15.0
    values = np.stack([x[:, 0] + x[:, 1:].sum(axis=1), np.diff(x, axis=1).var(axis=1) + 1 - x[:, 0]], axis=1)
    values[genomes.sum(axis=1) % 9 == 0, 1] = np.nan
    return Evaluation(values, attributes={"first": x[:, 0], "x": x})


def opened(storage: Path | None) -> Study:
    objectives = [Objective(name="a", reference=30.0), Objective(name="b", reference=3.0)]
    return Study("s", SPACE, objectives, storage=storage, population_size=SIZE)


def search(storage: Path, order: dict[str, Any]) -> None:
    """Searches until something kills it; notes the number of trials after each commit that has returned."""
    report = os.open(order["report"], os.O_WRONLY | os.O_CREAT)
    connect, countdown = sqlite3.connect, order["after"]

    def tick(*_: object) -> int:
        nonlocal countdown
        countdown -= 1
        if countdown == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    def watched(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        connection = connect(*arguments, **settings)
        if order["way"] == "statement":
            connection.set_trace_callback(tick)
        if order["way"] == "instruction":
            connection.set_progress_handler(tick, 20)
        return connection

    sqlite3.connect = watched
    if order["way"] == "write":  # the system kills within the write that would make any file larger than this
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (countdown, countdown))
    opened(storage).optimize(evaluate, 10**9, progress=lambda state: os.pwrite(report, b"%9d" % state.n_trials, 0))


def nursery() -> None:
    opened(None).optimize(evaluate, 3 * SIZE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            search(Path(order["storage"]), order)
            os._exit(1)
        if order["way"] == "moment":
            time.sleep(order["after"] / 1e6)
            os.kill(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


@contextmanager
def running_nursery() -> Iterator[Callable[[dict[str, Any]], int]]:
    """A function that has a search made and killed, and gives the signal."""
    process = subprocess.Popen(
        [sys.executable, __file__],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def killed(order: dict[str, Any]) -> int:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return -int(process.stdout.readline())

    try:
        yield killed
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def survived(folder: Path, n_kills: int, same: Callable[..., None], seed: int = 0) -> dict[str, int]:
    """Kills by way, after each of which the file held what had been committed, as an unbroken search found it.

    A new file is begun after every twenty kills, so that some hit its making.
    """
    rng, n_by_way = random.Random(seed), dict.fromkeys(WAYS, 0)
    unbroken = opened(None)
    with running_nursery() as killed:
        for kill in range(n_kills):
            if kill % 20 == 0:
                storage, n_reported = folder / f"{kill}.db", 0
            way = WAYS[kill % 4]
            sizes = [file.stat().st_size for file in folder.glob(f"{kill // 20 * 20}.db*")]
            after = {
                "moment": rng.randrange(60_000),  # microseconds
                "statement": rng.randrange(1, 400),
                "instruction": rng.randrange(1, 2000),
                "write": max([*sizes, 4096]) + rng.randrange(100_000),  # bytes
            }[way]
            report = folder / "report"
            report.write_bytes(b"0")
            died_of = killed({"storage": str(storage), "way": way, "after": after, "report": str(report)})
            assert died_of == (signal.SIGXFSZ if way == "write" else signal.SIGKILL)
            n_by_way[way] += 1
            n_reported = max(n_reported, int(report.read_bytes()))
            with opened(storage) as study:
                assert len(study) >= n_reported
                assert len(study) % SIZE == 0
                n_reported = len(study)
                if kill % 20 == 19:
                    step(study, 3)  # the engine goes on as if nothing had been
                if len(study) > len(unbroken):
                    step(unbroken, (len(study) - len(unbroken)) // SIZE)
                stored, expected = study.trials(), unbroken.trials()
                if len(study):
                    same(stored, expected.select(expected.number < len(study)))
                failed, n_failed = unbroken.failures(), len(study.failures())
                assert study.failures().keys == failed.keys[:n_failed]
                assert n_failed == (failed.number < len(study)).sum()
    return n_by_way


def step(study: Study, n_generations: int) -> None:
    for _ in range(n_generations):
        genomes = study.ask(SIZE)
        study.tell(genomes, evaluate(genomes))


def test_no_kill_loses_a_generation(tmp_path: Path, same: Callable[..., None]) -> None:
    survived(tmp_path, int(os.environ.get("MOCO_KILLS", "30")), same)


def test_a_study_may_be_killed_at_any_statement_of_its_making(tmp_path: Path) -> None:
    """They are 48; the rest falls into the first generation."""
    report = tmp_path / "report"
    with running_nursery() as killed:
        for after in range(1, 52, 3):
            storage = tmp_path / f"{after}.db"
            killed({"storage": str(storage), "way": "statement", "after": after, "report": str(report)})
            with opened(storage) as study:
                assert len(study) == 0
                assert len(study.ask(SIZE)) == SIZE


if __name__ == "__main__":
    nursery()
