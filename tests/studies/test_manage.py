"""Studies renamed, deleted and copied: whole, followed by what the dashboard shows, or not at all."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from spaces.space import ChoiceBlock, Space
from studies import (
    Evaluation,
    Objective,
    Study,
    StudyBusyError,
    StudyFileError,
    Trials,
    copy_study,
    delete_study,
    list_studies,
    open_study,
    rename_study,
)
from studies.files.tables import opened, study_tables
from studies.storage.sqlite import SqliteFile
from studies.storage.store import MIGRATIONS

HOSTILE = ('a"b', "it's", "x; DROP TABLE moco_trials; --", "ж星 é", "a.b/c", "%_", "trials", " ", 'trials_"x', "NULL")


def names_in(file: Path) -> list[str]:
    return [info.name for info in list_studies(file)]


def views(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'view' AND name LIKE 'trials%'")
        return {name for (name,) in found}


def thin_studies(file: Path) -> dict[str, list[FrozenTrial]]:
    storage = RDBStorage(f"sqlite:///{file}")
    found = {
        name: optuna.load_study(study_name=name, storage=storage).trials for name in optuna.get_all_study_names(storage)
    }
    storage.engine.dispose()
    return found


def contents(file: Path) -> dict[str, list[Any]]:
    """Every row of every table, and every view's text."""
    with closing(sqlite3.connect(file)) as connection:
        objects = connection.execute("SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        rows = {
            name: connection.execute(f"SELECT * FROM {name}").fetchall() for name, kind, _ in objects if kind == "table"
        }
        return rows | {"": sorted(objects)}


def trials_of(file: Path, name: str) -> Trials:
    with open_study(file, name) as study:
        return study.trials()


def test_hostile_names(truss: Any, tmp_path: Path, run: Callable[..., None], same: Callable[..., None]) -> None:
    file = tmp_path / "study.db"
    with truss.study(file) as study:
        run(study, truss.evaluate, 8)
        before = study.trials()
    for new_name in HOSTILE:
        copy_study(file, "test", file, "copy")
        rename_study(file, "copy", new_name)
        same(trials_of(file, new_name), before)
    assert names_in(file) == ["test", *HOSTILE]
    assert views(file) == {f"trials_{name}" for name in ("test", *HOSTILE)}
    for name in HOSTILE:
        delete_study(file, name)
    assert names_in(file) == ["test"]
    assert views(file) == {"trials_test"}
    same(trials_of(file, "test"), before)


def test_a_renamed_study_goes_on_as_if_it_had_always_had_its_name(
    truss: Any, tmp_path: Path, same: Callable[..., None]
) -> None:
    with truss.study(tmp_path / "whole.db", name="new", population_size=10) as whole:
        whole.optimize(truss.evaluate, 40)
    with truss.study(tmp_path / "study.db", population_size=10) as study:
        study.optimize(truss.evaluate, 20)
    for old_name, new_name in (("TEST", HOSTILE[0]), (HOSTILE[0], HOSTILE[2]), (HOSTILE[2], "new")):  # in any case
        rename_study(tmp_path / "study.db", old_name, new_name)
        assert list(thin_studies(tmp_path / "study.db")) == [new_name]
    with truss.study(tmp_path / "study.db", name="new", population_size=10) as study:
        study.optimize(truss.evaluate, 40)
        same(study.trials(), trials_of(tmp_path / "whole.db", "new"))
    assert contents(tmp_path / "study.db")[""] == contents(tmp_path / "whole.db")[""]
    assert list(thin_studies(tmp_path / "study.db")) == ["new"]


def test_only_the_case_of_a_name_may_change(truss: Any, tmp_path: Path, run: Callable[..., None]) -> None:
    file = tmp_path / "study.db"
    with truss.study(file) as study:
        run(study, truss.evaluate, 5)
    rename_study(file, "test", "Test")
    rename_study(file, "Test", "Test")
    assert names_in(file) == ["Test"]
    assert views(file) == {"trials_Test"}


def test_a_deleted_study_leaves_nothing(truss: Any, tmp_path: Path) -> None:
    file, alone = tmp_path / "study.db", tmp_path / "alone.db"
    for path, names in ((file, ("kept", "test")), (alone, ("kept",))):
        for name in names:
            with truss.study(path, name=name, population_size=10) as study:
                study.optimize(truss.evaluate, 20)
    kept = contents(alone)
    delete_study(file, "test")
    left = contents(file)
    assert left[""] == kept[""]
    assert {name: len(rows) for name, rows in left.items()} == {name: len(rows) for name, rows in kept.items()}
    assert left["moco_values"] == kept["moco_values"]
    with truss.study(file, population_size=10) as study:  # the name is free again
        study.optimize(truss.evaluate, 10)
        assert len(study) == 10


@pytest.mark.parametrize("to_same_file", [True, False])
def test_a_copy_is_whole_and_goes_on(truss: Any, tmp_path: Path, same: Callable[..., None], to_same_file: bool) -> None:
    file = tmp_path / "study.db"
    target = file if to_same_file else tmp_path / "other.db"
    with truss.study(file, population_size=10, seed=3) as study:
        study.optimize(truss.evaluate, 30)
    copy_study(file, "test", target, "copy")
    same(trials_of(target, "copy"), trials_of(file, "test"))
    assert {"trials_copy"} <= views(target)
    thin, copied = thin_studies(file)["test"], thin_studies(target)["copy"]
    for ours, theirs in zip(thin, copied, strict=True):
        assert (ours.params, ours.distributions, ours.values) == (theirs.params, theirs.distributions, theirs.values)
        assert (ours.user_attrs, ours.system_attrs) == (theirs.user_attrs, theirs.system_attrs)
        assert (ours.datetime_start, ours.datetime_complete) == (theirs.datetime_start, theirs.datetime_complete)
    with truss.study(file, population_size=10, seed=3) as study:
        study.optimize(truss.evaluate, 50)
    with truss.study(target, name="copy", population_size=10, seed=3) as study:
        assert study._store.reading.n_published() == 30
        study.optimize(truss.evaluate, 50)
    same(trials_of(target, "copy"), trials_of(file, "test"))


def test_a_study_without_trials_is_copied_and_renamed(truss: Any, tmp_path: Path) -> None:
    truss.study(tmp_path / "study.db", population_size=5).close()
    copy_study(tmp_path / "study.db", "test", tmp_path / "other.db")
    rename_study(tmp_path / "other.db", "test", "new")
    assert names_in(tmp_path / "other.db") == ["new"]
    assert views(tmp_path / "other.db") == set()
    with truss.study(tmp_path / "other.db", name="new", population_size=5) as study:
        study.optimize(truss.evaluate, 5)
    assert views(tmp_path / "other.db") == {"trials_new"}


def test_tables_of_later_versions_travel_along(truss: Any, tmp_path: Path, run: Callable[..., None]) -> None:
    file, other = tmp_path / "study.db", tmp_path / "other.db"
    truss.study(other, name="elsewhere").close()
    with truss.study(file) as study:
        run(study, truss.evaluate, 5)
    for path in (file, other):
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "CREATE TABLE moco_remarks (remark_id INTEGER PRIMARY KEY, study_id INTEGER NOT NULL "
                "REFERENCES moco_studies, number INTEGER, remark TEXT) STRICT"
            )
            connection.execute("INSERT INTO moco_remarks (study_id, number, remark) VALUES (1, 2, 'odd')")
            connection.commit()
    with opened(file) as opened_file:
        assert {table.name for table in study_tables(opened_file.connection)} >= {"moco_studies", "moco_remarks"}
    copy_study(file, "test", other)
    delete_study(file, "test")
    assert contents(file)["moco_remarks"] == []
    assert contents(other)["moco_remarks"] == [(1, 1, 2, "odd"), (2, 2, 2, "odd")]


def test_nothing_changes_when_something_is_in_the_way(truss: Any, tmp_path: Path, run: Callable[..., None]) -> None:
    file = tmp_path / "study.db"
    with truss.study(file, population_size=5) as study:
        study.optimize(truss.evaluate, 5)
    with truss.study(file, name="other") as study:
        run(study, truss.evaluate, 5)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute('CREATE TABLE "trials_mine" (a)')
        connection.execute("INSERT INTO studies (study_name) VALUES ('of Optuna')")
        connection.commit()
    before = contents(file)
    no_study = r"study.db has no study 'tset'; it holds 'test', 'other'"
    cases: list[tuple[Callable[[], None], str]] = [
        (lambda: rename_study(file, "tset", "new"), no_study),
        (lambda: delete_study(file, "tset"), no_study),
        (lambda: copy_study(file, "tset", file, "new"), no_study),
        (lambda: rename_study(file, "test", "Other"), "has a study 'other' already: give another name"),
        (lambda: copy_study(file, "test", file), "has a study 'test' already: give another name"),
        (lambda: rename_study(file, "test", ""), "a study needs a name, got ''"),
        (lambda: rename_study(file, "test", "a\nb"), r"study names must be printable, got 'a\\nb'"),
        (lambda: copy_study(file, "test", file, ""), "a study needs a name, got ''"),
        (lambda: rename_study(file, "test", "mine"), "holds a table or view 'trials_mine' already"),
        (lambda: copy_study(file, "test", file, "mine"), "holds a table or view 'trials_mine' already"),
        (lambda: rename_study(file, "test", "of Optuna"), "has an Optuna study 'of Optuna' already"),
        (lambda: copy_study(file, "test", file, "of Optuna"), "has an Optuna study 'of Optuna' already"),
    ]
    for call, message in cases:
        with pytest.raises(ValueError, match=message):
            call()
        assert contents(file) == before


def test_files_that_are_none(truss: Any, tmp_path: Path) -> None:
    with pytest.raises(StudyFileError, match=r"there is no study file .*absent.db"):
        delete_study(tmp_path / "absent.db", "test")
    assert not (tmp_path / "absent.db").exists()
    (tmp_path / "text.db").write_text("no database, and longer than the header of one" * 10)
    with pytest.raises(StudyFileError, match=r"text.db is not a SQLite file"):
        rename_study(tmp_path / "text.db", "test", "new")
    truss.study(tmp_path / "study.db").close()
    with pytest.raises(StudyFileError, match=r"folder .*absent.* does not exist"):
        copy_study(tmp_path / "study.db", "test", tmp_path / "absent" / "study.db")


def test_another_writer_is_named(truss: Any, tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    truss.study(file).close()
    truss.study(tmp_path / "other.db").close()
    writing = SqliteFile(file, MIGRATIONS)
    with writing.writer():
        for call in (
            lambda: rename_study(file, "test", "new"),
            lambda: delete_study(file, "test"),
            lambda: copy_study(tmp_path / "other.db", "test", file, "new"),
        ):
            with pytest.raises(StudyBusyError, match="is being written by process"):
                call()
        copy_study(file, "test", tmp_path / "third.db")  # reading is free
    writing.close()
    assert names_in(file) == names_in(tmp_path / "third.db") == ["test"]


def test_a_space_of_an_unknown_kind_is_copied_but_not_opened(truss: Any, tmp_path: Path) -> None:
    file = tmp_path / "study.db"
    truss.study(file).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE moco_studies SET space = ?", (json.dumps({"tree": []}),))
        connection.commit()
    copy_study(file, "test", tmp_path / "other.db")
    with pytest.raises(ValueError, match=r"the space of study 'test' .* is of an unknown kind .*: open the study with"):
        open_study(tmp_path / "other.db", "test")
    with closing(sqlite3.connect(file)) as connection:
        space = Space("other", (ChoiceBlock("a", (1, 2)),))
        connection.execute("UPDATE moco_studies SET space = ?", (space.to_json(),))
        connection.commit()
    with pytest.raises(ValueError, match=r"has digest [0-9a-f]{16}, rebuilt from the file it has"):
        open_study(file, "test")


@settings(max_examples=8)
@given(
    name=st.text(min_size=1, max_size=8).filter(str.isprintable),
    n_choices=st.lists(st.integers(1, 300), min_size=1, max_size=4),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    columns=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_a_copy_reads_the_same(name: str, n_choices: list[int], sizes: list[int], columns: int, seed: int) -> None:
    space = Space("s", tuple(ChoiceBlock(f"b{i}", tuple(range(n))) for i, n in enumerate(n_choices)))
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        file, other = Path(folder) / "a.db", Path(folder) / "b.db"
        with Study(
            name, space, [Objective(name="f"), Objective(name="g", direction="max")], storage=file, max_failed_share=1.0
        ) as study:
            for size in sizes:
                genomes = study.ask(size)
                if len(genomes) == 0:
                    break
                attributes = {"spread": rng.random(len(genomes)), "parts": rng.random((len(genomes), columns))}
                failures = {row: f"reason {row}" for row in np.flatnonzero(rng.random(len(genomes)) < 0.3).tolist()}
                study.tell(genomes, Evaluation(rng.random((len(genomes), 2)), None, attributes, failures))
            trials, failed = study.trials(), study.failures()
        copy_study(file, name, other, "x" + name)
        rename_study(other, "x" + name, name)
        again = trials_of(other, name)
        np.testing.assert_array_equal(again.genomes, trials.genomes)
        np.testing.assert_array_equal(again.values, trials.values)
        np.testing.assert_array_equal(again.generation, trials.generation)
        assert again.keys == trials.keys
        assert list(again.attributes) == list(trials.attributes)
        for attribute, values in trials.attributes.items():
            np.testing.assert_array_equal(again.attributes[attribute], values)
        with open_study(other, name) as study:
            assert study.failures().reasons == failed.reasons
        assert contents(file)[""] == contents(other)[""]
        for table in (
            *("moco_failures", "moco_trials", "moco_breakdowns"),
            "moco_quantities",
            "moco_generations",
            "moco_values",
            "moco_engine_states",
            "moco_studies",
        ):
            assert contents(file)[table] == contents(other)[table]
