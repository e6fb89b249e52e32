"""Full disks, locked files, damaged files and hostile names: a clear error or the right data, and nothing lost."""

from __future__ import annotations

import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import (
    Constraint,
    Evaluation,
    Objective,
    Study,
    StudyBusyError,
    StudyFileError,
    StudyWriteError,
    list_studies,
)

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = ("a'b", 'a"b', "a; DROP TABLE moco_trials; --", "%s {0} ?1", "[a]`b`", "select", "naïve 模型", " ", "\\")


@contextmanager
def limited_file_size(n_bytes: int) -> Iterator[None]:
    """Writes beyond that many bytes of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def failing(evaluate: Callable[[NDArray[np.int64]], Any]) -> Callable[[NDArray[np.int64]], Evaluation]:
    """The last design of each generation fails."""

    def partly(genomes: NDArray[np.int64]) -> Evaluation:
        found = evaluate(genomes)
        return Evaluation(found.values, found.constraints, found.attributes, {len(genomes) - 1: "it is the last one"})

    return partly


def test_writes_that_the_system_refuses_lose_nothing(
    dtlz2: Any, tmp_path: Path, run: Callable[..., None], same: Callable[..., None]
) -> None:
    with dtlz2.study(tmp_path / "study.db", population_size=50) as study:
        run(study, dtlz2.evaluate, 50, 2)
        size = (tmp_path / "study.db-wal").stat().st_size
        for n_more in (100, 4096, 9000):  # within a page, at a page, within a later one
            with (
                limited_file_size(size + n_more),
                pytest.raises(StudyWriteError, match=r"study\.db.*every finished generation is safe in it"),
            ):
                run(study, dtlz2.evaluate, 50)
            assert len(study) == 100
        run(study, dtlz2.evaluate, 50, 2)
        unbroken = dtlz2.study(population_size=50)
        run(unbroken, dtlz2.evaluate, 50, 4)
        same(study.trials(), unbroken.trials())


FULL_DISK = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.studies.test_crashes import opened, step
from studies import StudyWriteError
disk = Path({disk!r})
with opened(disk / "study.db") as study:
    step(study, 2)
    (disk / "ballast").write_bytes(bytes(100_000))
    try:
        step(study, 1000)
    except StudyWriteError as error:
        print(error)
    n_stored = len(study)
with opened(disk / "study.db") as study:  # reading needs no space
    assert len(study) == n_stored
    (disk / "ballast").unlink()
    step(study, 2)
    trials = study.trials()
unbroken = opened(None)
step(unbroken, n_stored // 20 + 2)
assert unbroken.trials().keys == trials.keys
assert (unbroken.trials().values == trials.values).all()
print(n_stored)
"""


def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    script = FULL_DISK.format(root=str(ROOT), disk=str(tmp_path))
    mount = f"mount -t tmpfs -o size=1m tmpfs {tmp_path}"
    own_mounts = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*own_mounts, mount], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount a small disk of his own")
    done = subprocess.run(
        [*own_mounts, f'{mount} && exec "$0" -c "$1"', sys.executable, script], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    message, n_stored = done.stdout.splitlines()
    assert message.startswith(f"no space left for {tmp_path / 'study.db'}: free some and run again; every finished")
    assert int(n_stored) >= 40


@pytest.mark.parametrize("statement", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"])
def test_a_file_that_another_program_locks(
    statement: str,
    dtlz2: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., None],
    same: Callable[..., None],
) -> None:
    monkeypatch.setattr("studies.storage.sqlite.BUSY_TIMEOUT_S", 0.05)
    file = tmp_path / "study.db"
    with dtlz2.study(file, population_size=20) as study, closing(sqlite3.connect(file)) as other:
        run(study, dtlz2.evaluate, 20)
        other.execute(statement)
        with pytest.raises(StudyBusyError, match=r"study\.db stayed locked for 0\.05 s by another program"):
            run(study, dtlz2.evaluate, 20)
        with dtlz2.study(file, population_size=20) as reader:  # to open and to read it needs no lock
            assert len(reader) == len(reader.trials()) == len(study) == 20
        other.execute("ROLLBACK")
        run(study, dtlz2.evaluate, 20, 2)
        unbroken = dtlz2.study(population_size=20)
        run(unbroken, dtlz2.evaluate, 20, 3)
        same(study.trials(), unbroken.trials())


def test_a_file_that_another_program_keeps_to_itself(
    dtlz2: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studies.storage.sqlite.BUSY_TIMEOUT_S", 0.05)
    file = tmp_path / "study.db"
    dtlz2.study(file).close()
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StudyBusyError, match=r"study\.db stayed locked for"):
            dtlz2.study(file)


@pytest.fixture
def sound(truss: Any, tmp_path: Path, run: Callable[..., None]) -> Path:
    """A file with some generations and some failed designs."""
    with truss.study(tmp_path / "sound.db", population_size=20) as study:
        run(study, failing(truss.evaluate), 20, 6)
    assert not (tmp_path / "sound.db-wal").exists()
    return tmp_path / "sound.db"


def refusal(use: Callable[[], None]) -> str | None:
    """Why a file is refused, if it is: a damaged one, or one whose question is another now."""
    try:
        use()
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("way", ["cut", "flip", "zero"])
def test_damage_is_named_or_does_no_harm(way: str, truss: Any, sound: Path, same: Callable[..., None]) -> None:
    with truss.study(sound, population_size=20) as study:
        trials, failures, front, proposed = study.trials(), study.failures(), study.front(), study.ask(20)
    content, rng = sound.read_bytes(), random.Random(0)
    file = sound.with_name("damaged.db")

    def use() -> None:
        with truss.study(file, population_size=20) as study:
            same(study.trials(), trials)
            found = study.failures()
            assert (found.keys, found.reasons) == (failures.keys, failures.reasons)
            np.testing.assert_array_equal(found.genomes, failures.genomes)
            same(study.front(), front)
            np.testing.assert_array_equal(study.ask(20), proposed)
            study.tell(proposed, failing(truss.evaluate)(proposed))
            assert len(study.trials()) == len(trials) + 19
        list_studies(file)

    refusals: list[str] = []
    for _ in range(50):
        damaged = bytearray(content)
        place = rng.randrange(1, len(content))
        if way == "cut":
            del damaged[place:]
        elif way == "flip":
            damaged[place] ^= 1 << rng.randrange(8)
        else:
            damaged[place : place + 512] = bytes(len(damaged[place : place + 512]))
        for path in sound.parent.glob("damaged.db*"):
            path.unlink()
        file.write_bytes(damaged)
        if (why := refusal(use)) is not None:
            refusals.append(why)
    assert all("damaged.db" in why or "was made with" in why for why in refusals)
    assert len(refusals) >= {"cut": 50, "flip": 10, "zero": 20}[way]


def test_a_changed_key_is_found_in_the_table_and_in_the_index(truss: Any, sound: Path) -> None:
    with truss.study(sound, population_size=20) as study:
        key = study.trials().keys[50].encode()
    content = sound.read_bytes()
    assert content.count(key) == 2
    for place in (content.index(key), content.rindex(key)):
        damaged = bytearray(content)
        damaged[place] = ord("0") if damaged[place] != ord("0") else ord("1")
        sound.write_bytes(damaged)
        with pytest.raises(StudyFileError, match=r"sound\.db is damaged"):
            truss.study(sound, population_size=20)


@pytest.mark.parametrize("garbled", [b"CREATE TABL\xc5 moco_values", b"CREATE TABLE moco_v\xacl\xebes"])
def test_a_garbled_schema_is_named(garbled: bytes, truss: Any, sound: Path) -> None:
    sound.write_bytes(sound.read_bytes().replace(b"CREATE TABLE moco_values", garbled))
    with pytest.raises(StudyFileError, match=r"sound\.db is damaged"):
        truss.study(sound, population_size=20)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_data(name: str, tmp_path: Path, run: Callable[..., None]) -> None:
    space = Space("s", (ChoiceBlock(name, (name, "other")), ChoiceBlock("x", tuple(range(40)), is_ordered=True)))
    objectives = [Objective(name=name, unit=name, reference=50.0), Objective(name="f", direction="max")]
    limits = [Constraint(name=f"{name}_limit", limit=20.0, unit=name)]
    wanted: dict[str, Any] = {"storage": tmp_path / "study.db", "population_size": 10, "digests": {name: name}}

    def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
        x = genomes[:, 1].astype(float)
        return Evaluation(np.stack([x, x], axis=1), x[:, None], {f"{name}2": x, f"{name}3": x[:, None]}, {0: name})

    with Study(name, space, objectives, limits, **wanted) as study:
        run(study, evaluate, 10, 2)
        if name in HOSTILE[:3]:
            study.publish_dashboard()
    with Study(name, space, objectives, limits, **wanted) as study:
        run(study, evaluate, 10)
        assert list(study.trials().attributes) == [f"{name}2", f"{name}3"]
        assert set(study.failures().reasons) == {name}
        assert len(study.trials()) == 27
    assert [info.name for info in list_studies(tmp_path / "study.db")] == [name]
    quoted = name.replace('"', '""')
    with closing(sqlite3.connect(tmp_path / "study.db")) as connection:
        rows = connection.execute(f'SELECT * FROM "trials_{quoted}"')
        expected = ["number", "generation", "key", "is_feasible", name, "f", f"{name}_limit", f"{name}2"]
        assert [column[0] for column in rows.description] == expected
        assert len(rows.fetchall()) == 27


def test_a_strangers_file_runs_nothing(truss: Any, sound: Path, run: Callable[..., None]) -> None:
    """Whoever sends a file may put anything in it: dtypes, states and numbers of his own are refused as damage."""
    attacks = (
        "UPDATE moco_engine_states SET checksum = NULL, state = '[1, 2]'",
        """UPDATE moco_engine_states SET checksum = NULL, state = '{"population": ["__import__"], "attributes": {}}'""",
        """UPDATE moco_engine_states SET checksum = NULL, state = '{"population": [10000], "attributes": {}}'""",
        """UPDATE moco_engine_states SET checksum = NULL, state = '{"population": [0], "attributes": {"X": [1, 2]}}'""",
        """UPDATE moco_engine_states SET checksum = NULL, state = '{"population": {}}'""",
        "UPDATE moco_engine_states SET state = state || ' '",
        "PRAGMA ignore_check_constraints = ON; UPDATE moco_studies SET genome_dtype = 'O'",
        "UPDATE moco_studies SET digests = '[['",
        "UPDATE moco_quantities SET n_columns = 3 WHERE role = 'breakdown'",
        "UPDATE moco_quantities SET name = 'barz' WHERE name = 'bars'",
        "UPDATE moco_trials SET genome = x'00' WHERE number = 100",
        "UPDATE moco_values SET value = value + 1 WHERE number = 100 AND position = 0",
        "UPDATE moco_failures SET reason = 'another' WHERE number = 19",
        "DELETE FROM moco_trials WHERE number = 100",
        "DELETE FROM moco_values WHERE number = 100",
        "DROP TABLE moco_failures",
        "DELETE FROM moco_studies; DROP TABLE moco_values",
    )
    content, file = sound.read_bytes(), sound.with_name("strange.db")

    def use() -> None:
        with truss.study(file, population_size=20) as study:
            study.trials()
            study.failures()
            run(study, truss.evaluate, 20)

    for attack in attacks:
        file.write_bytes(content)
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(attack)
        with pytest.raises(StudyFileError, match=r"strange\.db"):
            use()
