"""The study file: readable, refused when it is not ours, safe when the disk is full."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spaces.space import ChoiceBlock, Space
from studies import Constraint, Objective, Study, StudyFileError, StudyWriteError, list_studies


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """A folder that this process may read but not write, also when the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    is_root = os.geteuid() == 0
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def give_up_rights(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_history_comes_back_unchanged(
    truss: Any, tmp_path: Path, run: Callable[..., None], same: Callable[..., None]
) -> None:
    in_memory = truss.study(population_size=20)
    run(in_memory, truss.evaluate, 20, 3)
    with truss.study(tmp_path / "study.db", population_size=20) as study:
        run(study, truss.evaluate, 20, 3)
        same(study.trials(), in_memory.trials())
    trials = in_memory.trials()
    evaluation = truss.evaluate(trials.genomes)
    np.testing.assert_array_equal(trials.values, evaluation.values)
    np.testing.assert_array_equal(trials.constraints, evaluation.constraints)
    np.testing.assert_array_equal(trials.attributes["split"], evaluation.attributes["split"])
    assert trials.keys == truss.space.keys(trials.genomes)


def test_view_shows_a_row_a_trial(truss: Any, tmp_path: Path, run: Callable[..., None]) -> None:
    with truss.study(tmp_path / "study.db", name='tr"uss 1') as study:
        run(study, truss.evaluate, 10, 2)
        trials = study.trials()
    connection = sqlite3.connect(tmp_path / "study.db")
    rows = connection.execute('SELECT * FROM "trials_tr""uss 1" ORDER BY number')
    names = ["number", "generation", "key", "is_feasible", "mass_g", "stiffness", "cost", "width_mm", "bars"]
    assert [column[0] for column in rows.description] == names
    table = rows.fetchall()
    connection.close()
    assert [row[2] for row in table] == trials.keys
    np.testing.assert_array_equal([row[4:6] for row in table], trials.values)
    np.testing.assert_array_equal([row[8] for row in table], trials.attributes["bars"])


def test_views_of_all_studies(truss: Any, tmp_path: Path) -> None:
    def evaluate(genomes: Any) -> Any:
        found = truss.evaluate(genomes)
        found.values[0, 0] = np.nan
        return found

    with truss.study(tmp_path / "study.db", name="truss") as study:
        study.optimize(evaluate, 30)
        trials, failures = study.trials(), study.failures()
    with closing(sqlite3.connect(tmp_path / "study.db")) as connection:
        counts = connection.execute("SELECT study, n_evaluated, n_feasible, n_failed FROM moco_overview").fetchall()
        masses = connection.execute(
            "SELECT number, key, value FROM moco_named_values WHERE quantity = 'mass_g' ORDER BY number"
        ).fetchall()
        failed = connection.execute("SELECT study, number, reason FROM moco_failed_designs").fetchall()
    assert counts == [("truss", len(trials), trials.is_feasible.sum(), len(failures))]
    assert masses == list(zip(trials.number.tolist(), trials.keys, trials.values[:, 0].tolist(), strict=True))
    assert failed == [("truss", 0, "mass_g is nan")]


@pytest.mark.parametrize(("n_choices", "dtype"), [(256, "<u1"), (257, "<u2"), (70_000, "<u4")])
def test_genomes_take_the_narrowest_integer(
    n_choices: int, dtype: str, tmp_path: Path, run: Callable[..., None]
) -> None:
    space = Space("wide", (ChoiceBlock("a", tuple(range(n_choices))), ChoiceBlock("b", (0, 1))))
    known = [[n_choices - 1, 1], [n_choices // 2, 0]]
    with Study("wide", space, [Objective(name="f")], storage=tmp_path / "study.db", known=known) as study:
        run(study, lambda genomes: genomes[:, :1], 2)
        assert study.trials().genomes.tolist() == known
    connection = sqlite3.connect(tmp_path / "study.db")
    assert connection.execute("SELECT genome_dtype FROM moco_studies").fetchall() == [(dtype,)]
    (blob,) = connection.execute("SELECT genome FROM moco_trials WHERE number = 0").fetchone()
    connection.close()
    assert np.frombuffer(blob, dtype).tolist() == known[0]


def test_studies_share_a_file(truss: Any, dtlz2: Any, tmp_path: Path, run: Callable[..., None]) -> None:
    with truss.study(tmp_path / "study.db", name="a") as a, dtlz2.study(tmp_path / "study.db", name="b", seed=5) as b:
        run(a, truss.evaluate, 10)
        run(b, dtlz2.evaluate, 12, 2)
        run(a, truss.evaluate, 10)
        infos = list_studies(tmp_path / "study.db")
        assert [(i.name, i.seed, i.n_generations, i.n_trials) for i in infos] == [("a", 0, 2, 20), ("b", 5, 2, 24)]
        assert infos[0].n_feasible == a.trials().is_feasible.sum()
        assert infos[1].n_feasible == 24


def test_no_file_no_list(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match=r"there is no study file .*x\.db"):
        list_studies(tmp_path / "x.db")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": Space("t", (ChoiceBlock("a", (1, 2, 4)),))}, "study 's' was made with space .{16}, this is .{16}: "),
        ({"objectives": [Objective(name="f", direction="max")]}, "with objectives name=f, direction=min, .*this is"),
        ({"objectives": [Objective(name="f", reference=1.0)]}, "with objectives .*reference=None, this is .*=1.0"),
        ({"constraints": [Constraint(name="c", limit=2.0)]}, "with constraints name=c, limit=1.0, unit=, this is"),
        ({"engine": "random"}, "with engine nsga2, this is random"),
        ({"seed": 1}, "with seed 0, this is 1"),
        ({"population_size": 7}, "with population_size 100, this is 7"),
        ({"digests": {"data": "2b"}}, "with data 1a, this is 2b: give the study a new name"),
        ({"digests": {"data": "1a", "supernet": "3c"}}, "with supernet none, this is 3c"),
        ({"digests": {}}, "with data 1a, this is none"),
    ],
)
def test_another_question_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "space": Space("t", (ChoiceBlock("a", (1, 2, 3)),)),
        "objectives": [Objective(name="f")],
        "constraints": [Constraint(name="c", limit=1.0)],
        "digests": {"data": "1a"},
        "storage": tmp_path / "study.db",
    }
    Study("s", **asked).close()
    with pytest.raises(ValueError, match=message):
        Study("s", **asked | change)
    Study("s", **asked).close()
    Study("another", **asked | change).close()


def test_numbers_may_be_of_any_kind(tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "space": Space("t", (ChoiceBlock("a", (1, 2, 3)),)),
        "objectives": [Objective(name="f", reference=np.float32(7))],
        "constraints": [Constraint(name="c", limit=100)],
        "seed": np.int64(3),
        "population_size": np.int32(2),
        "storage": tmp_path / "study.db",
    }
    Study("s", **asked).close()
    Study("s", **asked).close()


def write_pickle(path: Path) -> None:
    # The bytes of a pickle that would run a command; nothing may load them.
    path.write_bytes(b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.")


def write_foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()


def write_newer(path: Path) -> None:
    Study("s", Space("t", (ChoiceBlock("a", (1, 2)),)), [Objective(name="f")], storage=path).close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO moco_migrations (version) VALUES (99)")
    connection.commit()
    connection.close()


def write_truncated(path: Path) -> None:
    with Study("s", Space("t", (ChoiceBlock("a", range_of(500)),)), [Objective(name="f")], storage=path) as study:
        for _ in range(4):
            genomes = study.ask(100)
            study.tell(genomes, genomes)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def range_of(n: int) -> tuple[int, ...]:
    return tuple(range(n))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (write_pickle, r"study\.db is not a SQLite file: give another path, or move it away"),
        (write_foreign, r"study\.db is a SQLite file of something else \(it holds songs\): give another path"),
        (write_newer, r"was written by a newer version \(schema 99, this one knows 2\): update moco"),
        (write_truncated, r"study\.db is damaged or cut short \(.*\): restore it from a copy"),
        (lambda path: path.mkdir(), r"study\.db is a folder: give the path of a file in it"),
    ],
)
def test_files_that_are_no_study_are_refused(write: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    write(path)
    content = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StudyFileError, match=message):
        Study("s", Space("t", (ChoiceBlock("a", (1, 2)),)), [Objective(name="f")], storage=path)
    if path.is_file():
        assert path.read_bytes() == content


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match=r"folder .*runs of study file a\.db does not exist: make it first"):
        Study("s", Space("t", ()), [Objective(name="f")], storage=tmp_path / "runs" / "a.db")


def test_an_unwritable_folder_is_named(unprivileged_folder: Path) -> None:
    give_up_rights(unprivileged_folder)
    with pytest.raises(StudyFileError, match=r"a\.db cannot be opened: SQLite must be able to write in its folder"):
        Study("s", Space("t", ()), [Objective(name="f")], storage=unprivileged_folder / "a.db")


def test_a_read_only_file_is_named(unprivileged_folder: Path) -> None:
    space = Space("t", (ChoiceBlock("a", (1, 2)),))
    Study("s", space, [Objective(name="f")], storage=unprivileged_folder / "a.db").close()
    give_up_rights(unprivileged_folder)
    with pytest.raises(StudyFileError, match=r"a\.db (is read-only|cannot be opened)"):
        Study("s", space, [Objective(name="f")], storage=unprivileged_folder / "a.db")


def test_a_full_disk_loses_nothing(
    dtlz2: Any, tmp_path: Path, run: Callable[..., None], same: Callable[..., None]
) -> None:
    with dtlz2.study(tmp_path / "study.db", population_size=50) as study:
        run(study, dtlz2.evaluate, 50, 2)
        # SQLite's own limit on the size of a file: it fails as on a full disk, in the middle of a transaction.
        connection = study._store.file.connection
        (n_pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {n_pages + 1}")
        with pytest.raises(StudyWriteError, match=r"no space left for .*study\.db: free some and run again; every fin"):
            run(study, dtlz2.evaluate, 50, 5)
        n_stored = len(study)
        assert n_stored in (100, 150)
        connection.execute("PRAGMA max_page_count = 1000000")
        run(study, dtlz2.evaluate, 50, 6 - n_stored // 50)
        unbroken = dtlz2.study(population_size=50)
        run(unbroken, dtlz2.evaluate, 50, 6)
        same(study.trials(), unbroken.trials())


def test_a_dropped_study_closes_its_file(tmp_path: Path) -> None:
    script = (
        "import gc, warnings; warnings.simplefilter('error')\n"
        "from spaces.space import ChoiceBlock, Space\n"
        "from studies import Objective, Study\n"
        f"Study('s', Space('t', (ChoiceBlock('a', (1, 2)),)), [Objective(name='f')], storage={str(tmp_path / 'a')!r})\n"
        "gc.collect()\n"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", script],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ResourceWarning" not in done.stderr
    assert not (tmp_path / "a-wal").exists()  # SQLite removes it when the last connection closes
