"""Studies searched apart and put together: every design once, in order, and the search goes on."""

from __future__ import annotations

import importlib.util
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.space import ChoiceBlock, Space
from studies import (
    ENGINES,
    Constraint,
    Evaluation,
    Failures,
    Merged,
    Objective,
    Study,
    StudyBusyError,
    Trials,
    list_studies,
    merge_studies,
    open_study,
)
from studies.files.assemble import engine_state, some_failures
from studies.files.merge import joined
from studies.files.stored import stored_study
from studies.front import is_non_dominated
from studies.objective import minimised
from studies.storage.sqlite import SqliteFile
from studies.storage.store import MIGRATIONS

SLOW = {"optuna:gp", "optuna:tpe"}
WITHOUT_NUMBA = set() if importlib.util.find_spec("numba") else {"age-moea"}
QUICK_ENGINES = [engine for engine in ENGINES if engine not in SLOW | WITHOUT_NUMBA]


@pytest.fixture
def islands(truss: Any, tmp_path: Path, run: Callable[..., None]) -> list[tuple[Path, str]]:
    """Three searches of one question with other seeds, of 30 designs each."""
    sources = []
    for seed in range(3):
        with truss.study(tmp_path / f"{seed}.db", seed=seed, population_size=10) as study:
            run(study, truss.evaluate, 10, 3)
        sources.append((tmp_path / f"{seed}.db", "test"))
    return sources


def test_every_design_is_kept_once_and_in_order(truss: Any, islands: list[tuple[Path, str]], tmp_path: Path) -> None:
    file = tmp_path / "merged.db"
    parts = [stored_study(*source).trials for source in islands]
    expected = list(dict.fromkeys(key for part in parts for key in part.keys))
    merged = merge_studies(file, "merged", islands)
    assert merged == Merged(n_trials=len(expected), n_repeated=90 - len(expected))
    stored = stored_study(file, "merged")
    trials = stored.trials
    assert trials.keys == expected == truss.space.keys(trials.genomes)
    assert trials.number.tolist() == list(range(len(expected)))
    assert (np.diff(trials.generation) >= 0).all()
    assert set(trials.generation) == set(range(9))
    np.testing.assert_array_equal(trials.values, truss.evaluate(trials.genomes).values)
    np.testing.assert_array_equal(trials.attributes["split"], truss.evaluate(trials.genomes).attributes["split"])
    assert stored.evaluation_s == sum((stored_study(*source).evaluation_s for source in islands), ())
    assert stored.stored_at == sum((stored_study(*source).stored_at for source in islands), ())
    (info,) = list_studies(file)
    assert (info.n_trials, info.n_generations, info.seed) == (len(expected), 9, 0)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT sum(n_trials) FROM moco_generations").fetchone() == (len(expected),)
        assert connection.execute("SELECT count(*) FROM trials_merged").fetchone() == (len(expected),)
        assert connection.execute("SELECT study_name FROM studies").fetchall() == [("merged",)]


@pytest.mark.parametrize("engine", ["nsga2", "nsga3", "optuna:nsga2"])
def test_a_merged_study_goes_on(
    truss: Any, tmp_path: Path, run: Callable[..., None], same: Callable[..., None], engine: str
) -> None:
    for seed in range(2):
        with truss.study(tmp_path / f"{seed}.db", seed=seed, population_size=12, engine=engine) as study:
            run(study, truss.evaluate, 12, 3)
    settings = {"population_size": 12, "engine": engine, "name": "merged"}
    merge_studies(tmp_path / "a.db", "merged", [(tmp_path / "0.db", "test"), (tmp_path / "1.db", "test")])
    shutil.copy(tmp_path / "a.db", tmp_path / "b.db")
    with truss.study(tmp_path / "a.db", **settings) as study:
        n = len(study)
        run(study, truss.evaluate, 12, 2)
        assert len(study) == n + 24
        whole = study.trials()
    for _ in range(2):  # opened anew for each generation
        with truss.study(tmp_path / "b.db", **settings) as study:
            run(study, truss.evaluate, 12)
    with open_study(tmp_path / "b.db", "merged") as study:
        same(study.trials(), whole)


@pytest.mark.parametrize("engine", QUICK_ENGINES)
def test_the_engine_knows_what_it_would_have_known(
    truss: Any, dtlz2: Any, tmp_path: Path, run: Callable[..., None], engine: str
) -> None:
    """Told a study's own generations again, an engine has the state that the study stored."""
    problem = dtlz2 if engine == "moead" else truss  # MOEA/D keeps no constraints
    with problem.study(tmp_path / "study.db", population_size=15, engine=engine) as study:
        run(study, problem.evaluate, 15, 4)
        state = study._store.reading.engine_state()
    stored = stored_study(tmp_path / "study.db", "test")
    assert engine_state(stored.record, stored.space, stored.trials) == state


def test_the_best_of_all_islands_are_parents(truss: Any, islands: list[tuple[Path, str]], tmp_path: Path) -> None:
    merge_studies(tmp_path / "merged.db", "merged", islands)
    with open_study(tmp_path / "merged.db", "merged") as study:
        population = study._store.reading.engine_state()["population"]  # type: ignore[index]
        trials, front = study.trials(), study.front()
    assert len(population) == 10
    assert is_non_dominated(minimised(trials.values[population], truss.objectives)).all()
    assert len(set(population) & set(front.number.tolist())) > 5
    assert len({int(trials.generation[number]) // 3 for number in population}) > 1


@settings(max_examples=100)
@given(cuts=st.lists(st.integers(0, 5), max_size=4), n_repeats=st.integers(0, 8), seed=st.integers(0, 99))
def test_the_parts_of_a_study_are_the_study(cuts: list[int], n_repeats: int, seed: int) -> None:
    """Each part repeats some of what came before it, as a generation of its own."""
    rng = np.random.default_rng(seed)
    generation = np.repeat(np.arange(5), rng.integers(1, 5, 5))
    n = len(generation)
    is_failed = rng.random(n) < 0.3
    trials = Trials(
        number=np.arange(n),
        generation=generation,
        keys=[f"{row}" for row in range(n)],
        genomes=rng.integers(0, 9, (n, 2)),
        values=rng.random((n, 2)),
        constraints=rng.random((n, 1)),
        is_feasible=rng.random(n) < 0.5,
        attributes={"a": rng.random(n), "b": rng.random((n, 3))},
    )
    failures = Failures(
        number=trials.number,
        generation=generation,
        keys=trials.keys,
        genomes=trials.genomes,
        reasons=[f"reason {row}" for row in range(n)],
    )
    whole = trials.select(~is_failed), some_failures(failures, is_failed)
    parts = []
    for start, end in pairwise([0, *sorted(cuts), 5]):
        is_in = (generation >= start) & (generation < end)
        is_in |= (np.cumsum(generation < start) <= n_repeats) & (generation < start)
        own_number = np.cumsum(is_in) - 1
        own_generation = np.cumsum(
            np.diff(np.where(is_in, np.where(generation < start, -1, generation), -1), prepend=-1) > 0
        )
        own = {"number": own_number, "generation": own_generation}
        of_trials, of_failures = replace(trials, **own), replace(failures, **own)
        parts.append((of_trials.select(is_in & ~is_failed), some_failures(of_failures, is_in & is_failed)))
    merged = joined(parts)
    for got, expected in zip((merged.trials, merged.failures), whole, strict=True):
        for field in ("number", "generation", "genomes"):
            np.testing.assert_array_equal(getattr(got, field), getattr(expected, field))
        assert got.keys == expected.keys
    for field in ("values", "constraints", "is_feasible"):
        np.testing.assert_array_equal(getattr(merged.trials, field), getattr(whole[0], field))
    for name, values in whole[0].attributes.items():
        np.testing.assert_array_equal(merged.trials.attributes[name], values)
    assert merged.failures.reasons == whole[1].reasons
    assert merged.n_generations == 5


def test_what_failed_in_one_place_and_not_in_another_has_not_failed(tmp_path: Path) -> None:
    space = Space("s", (ChoiceBlock("a", (0, 1, 2, 3)),))
    known = {"a": [0, 1, 2], "b": [1, 2, 3]}
    failing = {"a": {0: "broke", 1: "no memory"}, "b": {1: "broke again", 2: "too"}}
    for name in known:
        settings: dict[str, Any] = {"storage": tmp_path / f"{name}.db", "max_failed_share": 1.0}
        with Study(name, space, [Objective(name="f")], known=np.array(known[name])[:, None], **settings) as study:
            genomes = study.ask(3)
            study.tell(genomes, Evaluation(genomes, failures=failing[name]))
    assert merge_studies(tmp_path / "m.db", "m", [(tmp_path / "a.db", "a"), (tmp_path / "b.db", "b")]) == Merged(
        n_trials=4, n_repeated=2
    )
    stored = stored_study(tmp_path / "m.db", "m")
    assert stored.trials.genomes[:, 0].tolist() == [2, 1]
    assert stored.trials.number.tolist() == [1, 2]
    assert stored.failures.genomes[:, 0].tolist() == [0, 3]
    assert stored.failures.number.tolist() == [0, 3]
    assert stored.failures.reasons == ["broke", "too"]
    with open_study(tmp_path / "m.db", "m") as study:
        assert len(study) == 4
        assert study.ask(3).shape == (0, 1)


def test_into_the_file_of_a_source(truss: Any, islands: list[tuple[Path, str]], same: Callable[..., None]) -> None:
    file = islands[0][0]
    merge_studies(file, 'me"rged; --', [(file, "test"), (file, "test"), islands[1]])
    same(
        stored_study(file, 'me"rged; --').trials.select(np.arange(30)),
        stored_study(file, "test").trials,
    )
    with pytest.raises(ValueError, match="has a study 'test' already"):
        merge_studies(file, "Test", islands)
    writing = SqliteFile(file, MIGRATIONS)
    with writing.writer(), pytest.raises(StudyBusyError, match="is being written by process"):
        merge_studies(file, "new", islands)
    writing.close()
    assert [info.name for info in list_studies(file)] == ["test", 'me"rged; --']


def test_studies_without_trials_merge(truss: Any, tmp_path: Path, run: Callable[..., None]) -> None:
    truss.study(tmp_path / "a.db").close()
    assert merge_studies(tmp_path / "b.db", "m", [(tmp_path / "a.db", "test")]) == Merged(n_trials=0, n_repeated=0)
    with truss.study(tmp_path / "c.db") as study:
        run(study, truss.evaluate, 5)
    sources = [(tmp_path / "a.db", "test"), (tmp_path / "c.db", "test")]
    assert merge_studies(tmp_path / "b.db", "n", sources).n_trials == 5


def test_other_questions_are_refused(tmp_path: Path) -> None:
    space = Space("s", (ChoiceBlock("a", (0, 1, 2)),))
    asked: dict[str, Any] = {
        "space": space,
        "objectives": [Objective(name="f", unit="J")],
        "constraints": [Constraint(name="c", limit=1.0)],
        "digests": {"data": "one"},
    }
    others: list[tuple[dict[str, Any], str]] = [
        ({"space": Space("t", space.blocks)}, "space of 'first' in .* is [0-9a-f]{16}, of 'other' in .* it is"),
        ({"digests": {"data": "two"}}, "data of 'first' in .* is one, of 'other' in .* it is two"),
        ({"digests": {"data": "one", "model": "x"}}, "model of 'first' in .* is none, of 'other' .* is x"),
        ({"objectives": [Objective(name="f", unit="kJ")]}, "objectives of 'first' .*unit=J.*unit=kJ"),
        ({"objectives": [Objective(name="f", unit="J", direction="max")]}, "objectives .*direction=min.*direction=max"),
        ({"constraints": []}, "constraints of 'first' .*name=c, limit=1.0.*of 'other' .* is none"),
        ({"constraints": [Constraint(name="c", limit=2.0)]}, r"constraints of 'first' .*limit=1\.0.*limit=2\.0"),
    ]

    def make(file: str, name: str, attribute: str = "x", **changes: Any) -> None:
        with Study(name, storage=tmp_path / file, **(asked | changes)) as study:
            genomes = study.ask(2)
            has_constraints = bool((asked | changes)["constraints"])
            limited = np.ones((2, 1)) if has_constraints else None
            study.tell(genomes, Evaluation(np.zeros((2, 1)), limited, {attribute: np.zeros(2)}))

    make("first.db", "first")
    for index, (changes, message) in enumerate([*others, ({"attribute": "y"}, "attributes of 'first' .* is x, of")]):
        make(f"{index}.db", "other", **changes)
        with pytest.raises(ValueError, match=f"studies of different questions cannot be merged: {message}"):
            merge_studies(
                tmp_path / "m.db", "m", [(tmp_path / "first.db", "first"), (tmp_path / f"{index}.db", "other")]
            )
    assert not (tmp_path / "m.db").exists()
    with pytest.raises(ValueError, match="has no study 'second'; it holds 'first'"):
        merge_studies(tmp_path / "m.db", "m", [(tmp_path / "first.db", "second")])
    with pytest.raises(ValueError, match="merging needs at least one study, got none"):
        merge_studies(tmp_path / "m.db", "m", [])
