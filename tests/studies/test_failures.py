"""Designs whose evaluation fails: stored with the reason, never asked again, and no hindrance to the search."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from optuna.storages import RDBStorage

from spaces.space import ChoiceBlock, Space
from studies import Evaluation, Failures, Objective, Progress, Study, TooManyFailuresError, list_studies
from studies.failures import FailureLimit
from studies.storage.schema import MIGRATIONS
from studies.storage.sqlite import SqliteFile

LINE = Space("line", (ChoiceBlock("x", tuple(range(200)), is_ordered=True), ChoiceBlock("y", tuple(range(10)))))


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def fragile(evaluate: Callable[[NDArray[np.int64]], Any]) -> Callable[[NDArray[np.int64]], Evaluation]:
    """Fails, one way or another, for about a third of the designs, and always for the same ones."""

    def broken(genomes: NDArray[np.int64]) -> Evaluation:
        kind = genomes.sum(axis=1) % 15
        if (kind == 0).any():
            raise ValueError("no such crossbar")
        found = evaluate(genomes)
        found = found if isinstance(found, Evaluation) else Evaluation(found)
        values = np.array(found.values, dtype=np.float64)
        values[kind == 1, 0] = np.nan
        failures = {int(row): "the cell melted" for row in np.flatnonzero(kind == 2)}
        return Evaluation(values, found.constraints, found.attributes, failures)

    return broken


def same_failures(a: Failures, b: Failures) -> None:
    for name in ("number", "generation", "genomes"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert (a.keys, a.reasons) == (b.keys, b.reasons)


def test_failed_designs_are_stored_with_their_reasons(truss: Any, caplog: pytest.LogCaptureFixture) -> None:
    study = truss.study(population_size=20)
    seen: list[Progress] = []
    with caplog.at_level(logging.WARNING):
        study.optimize(fragile(truss.evaluate), 200, progress=seen.append)
    trials, failures = study.trials(), study.failures()
    assert len(study) == len(trials) + len(failures) == 200
    assert sorted([*trials.number, *failures.number]) == list(range(200))
    np.testing.assert_array_equal(failures.number // 20, failures.generation)
    assert failures.keys == truss.space.keys(failures.genomes)
    assert not set(failures.keys) & set(trials.keys)
    kind = failures.genomes.sum(axis=1) % 15
    expected = {0: "ValueError: no such crossbar", 1: "mass_g is nan", 2: "the cell melted"}
    assert failures.reasons == [expected[k] for k in kind]
    assert set(kind) == {0, 1, 2}
    # Those that did not fail have the values of a whole evaluation, though they were tried one by one.
    np.testing.assert_array_equal(trials.values, truss.evaluate(trials.genomes).values)
    np.testing.assert_array_equal(trials.attributes["split"], truss.evaluate(trials.genomes).attributes["split"])
    assert seen[-1].n_trials == 200
    assert seen[-1].n_failed == len(failures)
    assert seen[-1].n_feasible == trials.is_feasible.sum()
    assert f"study 'test': 200 designs in 10 generations, {len(failures)} of them failed, " in study.summary()
    assert "the evaluation of 20 designs failed, each is tried by itself: ValueError: no such crossbar" in caplog.text
    assert len(study.hypervolume_by_generation()) == 10


@pytest.mark.parametrize("engine", ["nsga2", "nsga3", "spea2", "sms-emoa", "random", "optuna:nsga2", "optuna:tpe"])
def test_resume_is_bit_identical_with_failures(
    engine: str, truss: Any, tmp_path: Path, same: Callable[..., None]
) -> None:
    """Told as values that are not finite and as reasons, by studies opened anew, or raised in one search: the same."""
    n_generations = 3 if engine == "optuna:tpe" else 6
    wanted = {"engine": engine, "population_size": 10}
    unbroken = truss.study(**wanted)
    unbroken.optimize(fragile(truss.evaluate), 10 * n_generations)
    asked: list[str] = []
    for generation in range(n_generations):
        with truss.study(tmp_path / "study.db", **wanted) as study:
            assert len(study) == 10 * generation
            study.ask(4)  # cut off before its values are told
            genomes = study.ask(10)
            asked.extend(truss.space.keys(genomes))
            found, is_raising = truss.evaluate(genomes), genomes.sum(axis=1) % 15 == 0
            failures = dict.fromkeys(np.flatnonzero(is_raising).tolist(), "ValueError: no such crossbar")
            told = fragile(truss.evaluate)(genomes[~is_raising])
            rows, values = np.flatnonzero(~is_raising), np.array(found.values)
            values[rows] = told.values
            failures |= {int(rows[row]): reason for row, reason in told.failures.items()}
            study.tell(genomes, Evaluation(values, found.constraints, found.attributes, failures))
    with truss.study(tmp_path / "study.db", **wanted) as study:
        same(study.trials(), unbroken.trials())
        same_failures(study.failures(), unbroken.failures())
        same(study.front(), unbroken.front())
        assert study.summary() == unbroken.summary()
        assert len(study.failures()) > 0
    assert len(asked) == len(set(asked)) == 10 * n_generations
    (info,) = list_studies(tmp_path / "study.db")
    assert (info.n_trials, info.n_failed) == (10 * n_generations, len(unbroken.failures()))


@settings(max_examples=15)
@given(failing=st.sets(st.integers(0, 59)), population_size=st.integers(1, 25), way=st.sampled_from(["nan", "raise"]))
def test_any_designs_may_fail(failing: set[int], population_size: int, way: str) -> None:
    """The law of the file: each design asked for is a trial or a failure, whatever the pattern."""
    space = Space("short", (ChoiceBlock("x", tuple(range(60)), is_ordered=True),))

    def evaluate(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        is_failing = np.isin(genomes[:, 0], list(failing))
        if way == "raise" and is_failing.any():
            raise ArithmeticError
        return np.where(is_failing[:, None], np.nan, np.column_stack([genomes[:, 0], 60 - genomes[:, 0]]))

    objectives = [Objective(name="a", reference=61.0), Objective(name="b", reference=61.0)]
    study = Study("s", space, objectives, population_size=population_size, max_failed_share=1.0)
    study.optimize(evaluate, 60)
    assert len(study) == 60  # the whole space, each design once
    assert set(study.failures().genomes[:, 0]) == failing
    assert set(study.trials().genomes[:, 0]) == set(range(60)) - failing
    assert len(study.front()) == 60 - len(failing)


def test_an_evaluation_that_always_fails_stops_the_search(tmp_path: Path) -> None:
    n_calls = 0

    def broken(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        nonlocal n_calls
        n_calls += 1
        raise FileNotFoundError("data.bin")

    with Study("s", LINE, [Objective(name="f")], storage=tmp_path / "study.db", population_size=30) as study:
        message = (
            r"study 's' stops: 16 of its latest 30 designs failed, and max_failed_share is 0\.5\. Trial 15 failed by "
            r"FileNotFoundError: data\.bin\. Nothing of this generation is stored: mend the evaluation and run again, "
        )
        with pytest.raises(TooManyFailuresError, match=message) as caught:
            study.optimize(broken, 90)
        assert isinstance(caught.value.__cause__, FileNotFoundError)
        assert n_calls == 1 + 16  # it ends as soon as it is certain
        assert len(study) == len(study.failures()) == 0
        study.optimize(lambda genomes: genomes[:, :1], 90)
        assert len(study.trials()) == 90


def test_failures_are_counted_over_the_latest_designs() -> None:
    failing = np.zeros(0, dtype=int)

    def evaluate(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        values = genomes[:, :1].astype(float)
        values[failing[failing < len(values)]] = np.nan
        return values

    study = Study("s", LINE, [Objective(name="f")], population_size=10)
    study.optimize(evaluate, 20)
    failing = np.arange(1)
    study.optimize(evaluate, 21)  # one design that fails alone, 1 of the latest 20
    failing = np.arange(9)
    study.optimize(evaluate, 31)  # 10 of the latest 20: half is not more than half
    failing = np.arange(2)
    with pytest.raises(TooManyFailuresError, match=r"11 of its latest 20 designs failed.*Trial 32 failed by f is nan"):
        study.optimize(evaluate, 41)  # the ten before are 9 failures, too
    assert len(study) == 31
    failing = np.arange(0)
    study.optimize(evaluate, 41)
    assert len(study) == 41
    assert len(study.failures()) == 10


@pytest.mark.parametrize(
    ("n_before", "n_failed", "max_share", "is_too_many"),
    [
        (0, 29, 0.29, False),  # 0.29 x 100 is below 29 in binary; 29 of 100 are not more than 0.29
        (0, 30, 0.29, True),
        (29, 0, 0.1, False),  # failures of the past alone stop nothing, such as under a limit that was lowered
        (0, 1, 0.0, True),
        (0, 100, 1.0, False),
    ],
)
def test_the_limit_by_hand(n_before: int, n_failed: int, max_share: float, is_too_many: bool) -> None:
    limit = FailureLimit(study="s", first_number=0, n_window=100, n_failed_before=n_before, max_share=max_share)
    with pytest.raises(TooManyFailuresError) if is_too_many else nullcontext():
        limit.require(dict.fromkeys(range(n_failed), "burnt"))


def test_told_failures_count_too(dtlz2: Any) -> None:
    study = dtlz2.study(population_size=20)
    genomes = study.ask(20)
    values = dtlz2.evaluate(genomes)
    with pytest.raises(TooManyFailuresError, match=r"11 of its latest 20 designs failed.*Trial 10 failed by burnt"):
        study.tell(genomes, Evaluation(values, failures=dict.fromkeys(range(11), "burnt")))
    study.tell(genomes, Evaluation(values, failures={19: "burnt", 3: ""}))
    assert study.failures().number.tolist() == [3, 19]
    assert study.failures().reasons == ["no reason given", "burnt"]
    assert study.trials().number.tolist() == [n for n in range(20) if n not in (3, 19)]


def test_nothing_but_failures_can_be_resumed(
    tmp_path: Path, run: Callable[..., None], same: Callable[..., None]
) -> None:
    def early(genomes: NDArray[np.int64]) -> Evaluation:
        nonlocal n_calls
        n_calls += 1
        failures = dict.fromkeys(range(len(genomes)), "cold") if n_calls <= 2 else {}
        return Evaluation(genomes[:, :1], attributes={} if failures else {"y": genomes[:, 1]}, failures=failures)

    wanted: dict[str, Any] = {"population_size": 5, "max_failed_share": 1.0}
    for engine in ("nsga2", "sms-emoa", "optuna:nsga2"):
        file, n_calls = tmp_path / f"{engine.replace(':', '-')}.db", 0
        unbroken = Study("s", LINE, [Objective(name="f", reference=200.0)], engine=engine, **wanted)
        unbroken.optimize(early, 25)
        n_calls = 0
        for generation in range(5):
            with Study("s", LINE, unbroken.objectives, engine=engine, storage=file, **wanted) as study:
                run(study, early, 5)
                if generation == 1:
                    assert study.summary() == "study 's': 10 designs in 2 generations, 10 of them failed."
                    assert len(study.front()) == len(study.trials()) == 0
                    assert study.hypervolume_by_generation().tolist() == [0.0, 0.0]
        with Study("s", LINE, unbroken.objectives, engine=engine, storage=file, **wanted) as study:
            same(study.trials(), unbroken.trials())
            assert study.trials().attributes["y"].tolist() == study.trials().genomes[:, 1].tolist()
            if engine == "nsga2":
                study.publish_dashboard()


def test_any_exception_has_words() -> None:
    errors: list[Exception] = [UnprintableError(), ValueError("a\ud800b"), KeyError("x" * 10_000), OSError()]

    def evaluate(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        if len(genomes) > 1:
            raise RuntimeError
        if errors:
            raise errors.pop(0)
        return genomes[:, :1].astype(float)

    study = Study("s", LINE, [Objective(name="f")], population_size=10)
    study.optimize(evaluate, 10)
    genomes = study.ask(1)
    study.tell(genomes, Evaluation([[1.0]], failures={0: "a\ud800b"}))
    *_, told = study.failures().reasons
    assert told == "a?b"
    unprintable, surrogate, long, empty = study.failures().reasons[:4]
    assert "UnprintableError: <exception str() failed>" in unprintable
    assert surrogate == "ValueError: a?b"
    assert len(long) == 2000
    assert empty == "OSError"


def test_attributes_agree_where_designs_are_tried_by_themselves() -> None:
    def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
        if len(genomes) > 1:
            raise RuntimeError
        attributes = {"odd" if genomes[0, 0] % 2 else "even": genomes[:, 0]}
        return Evaluation(genomes[:, :1], attributes=attributes)

    study = Study("s", LINE, [Objective(name="f")], population_size=20)
    with pytest.raises(ValueError, match=r"attributes must be the same for every design: \{'(odd|even)': \(\)\} and"):
        study.optimize(evaluate, 20)
    assert len(study) == 0


def test_ctrl_c_waits_until_the_generation_is_stored(truss: Any, tmp_path: Path, same: Callable[..., None]) -> None:
    with truss.study(tmp_path / "study.db", population_size=10) as study:

        def interrupt(statement: str) -> None:
            if "INSERT INTO moco_values" in statement and len(interrupts) < 2:
                interrupts.append(statement)
                os.kill(os.getpid(), signal.SIGINT)

        interrupts: list[str] = []
        study._store.file.connection.set_trace_callback(interrupt)
        genomes = study.ask(10)
        with pytest.raises(KeyboardInterrupt):
            study.tell(genomes, truss.evaluate(genomes))
        assert len(interrupts) == 2
        assert len(study) == 10
        study.optimize(truss.evaluate, 30)
        unbroken = truss.study(population_size=10)
        unbroken.optimize(truss.evaluate, 30)
        same(study.trials(), unbroken.trials())


def test_the_dashboard_shows_some_failures(truss: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.dashboard.N_SHOWN_FAILURES", 3)
    with truss.study(tmp_path / "study.db", population_size=20) as study:
        study.optimize(fragile(truss.evaluate), 60)
        trials, failures = study.trials(), study.failures()
    assert len(failures) > 3
    storage = RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
    shown = optuna.load_study(study_name="test", storage=storage).trials
    storage.engine.dispose()
    failed = [trial for trial in shown if trial.state == optuna.trial.TrialState.FAIL]
    assert len(failed) == 3
    reasons = dict(zip(failures.keys, failures.reasons, strict=True))
    assert all(trial.user_attrs["reason"] == reasons[trial.user_attrs["key"]] for trial in failed)
    complete = [trial for trial in shown if trial.state == optuna.trial.TrialState.COMPLETE]
    values = dict(zip(trials.keys, trials.values.tolist(), strict=True))
    assert all(trial.values == values[trial.user_attrs["key"]] for trial in complete)
    assert len(complete) == len(trials)


def test_a_file_of_the_first_version_is_taken_further(
    truss: Any, tmp_path: Path, run: Callable[..., None], same: Callable[..., None]
) -> None:
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    with truss.study(new, population_size=20) as study:
        run(study, truss.evaluate, 20, 2)
    file = SqliteFile(old, MIGRATIONS[:1])
    file.connection.execute("ATTACH ? AS new", (str(new),))
    for (table,) in file.connection.execute("SELECT name FROM main.sqlite_master WHERE name LIKE 'moco#_%' ESCAPE '#'"):
        columns = ", ".join(row[1] for row in file.connection.execute(f"PRAGMA main.table_info({table})"))
        if table != "moco_migrations":
            file.connection.execute(f"INSERT INTO main.{table} SELECT {columns} FROM new.{table}")
    file.close()
    with truss.study(old, population_size=20) as study, truss.study(population_size=20) as unbroken:
        assert len(study.failures()) == 0
        run(unbroken, truss.evaluate, 20, 4)
        run(study, truss.evaluate, 20, 2)
        same(study.trials(), unbroken.trials())
        genomes = study.ask(3)
        study.tell(genomes, Evaluation(*truss_parts(truss, genomes), failures={1: "late"}))
        assert study.failures().reasons == ["late"]
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("SELECT max(version) FROM moco_migrations").fetchone() == (2,)
        (n_unchecked,) = connection.execute("SELECT count(*) FROM moco_trials WHERE checksum IS NULL").fetchone()
        assert n_unchecked == 40


def truss_parts(truss: Any, genomes: NDArray[np.int64]) -> tuple[Any, Any, Any]:
    evaluation = truss.evaluate(genomes)
    return evaluation.values, evaluation.constraints, evaluation.attributes
