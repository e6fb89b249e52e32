"""The thin Optuna study: what it holds, and that Optuna and the dashboard read it."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import RDBStorage

from spaces.space import ChoiceBlock, Space
from studies import Constraint, Objective, Progress, Study, Trials
from studies.dashboard import N_SHOWN, N_SHOWN_OF_FRONT, shown_trials, thin_storage


def trials_of(n: int) -> Trials:
    return Trials(
        number=np.arange(n),
        generation=np.arange(n) // 10,
        keys=[str(i) for i in range(n)],
        genomes=np.zeros((n, 1), dtype=np.int64),
        values=np.arange(n, dtype=float)[:, None],
        constraints=np.zeros((n, 0)),
        is_feasible=np.ones(n, dtype=bool),
        attributes={},
    )


@pytest.mark.parametrize(("n", "n_front"), [(0, 0), (10, 3), (150, 150), (151, 1), (5000, 40), (5000, 700), (101, 101)])
def test_shown_trials_are_the_front_and_an_even_sample(n: int, n_front: int) -> None:
    trials = trials_of(n)
    front = trials.select(np.random.default_rng(0).permutation(n)[:n_front])
    shown = shown_trials(trials, front)
    assert len(shown) == min(n, N_SHOWN)
    assert (np.diff(shown.number) > 0).all()
    if n_front <= N_SHOWN_OF_FRONT:
        assert set(front.number) <= set(shown.number)
    if n == 5000:
        assert len(set(shown.generation)) > 60
        assert np.diff(shown.number).max() < 200


def test_optuna_reads_what_was_found(truss: Any, tmp_path: Path) -> None:
    with truss.study(tmp_path / "study.db", population_size=20) as study:
        study.optimize(truss.evaluate, 40)
        trials, front = study.trials(), study.front()
    storage = RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
    thin = optuna.load_study(study_name="test", storage=storage)
    assert thin.metric_names == ["mass_g", "stiffness"]
    assert [direction.name for direction in thin.directions] == ["MINIMIZE", "MAXIMIZE"]
    shown = thin.trials
    assert [trial.user_attrs["key"] for trial in shown] == trials.keys
    np.testing.assert_array_equal([trial.values for trial in shown], trials.values)
    design = truss.space.decode(trials.genomes[7:8])[0]
    assert json.loads(shown[7].user_attrs["design"]) == design
    assert shown[7].params == design
    assert shown[7].user_attrs["generation"] == 0
    assert shown[7].user_attrs["bars"] == design["bars"]
    shares = (trials.constraints - [5000.0, 60.0]) / [5000.0, 60.0]  # as distances from the limits, in limits
    np.testing.assert_array_equal([trial.system_attrs["constraints"] for trial in shown], shares)
    # Optuna sees feasibility: its best trials are our front.
    assert {trial.user_attrs["key"] for trial in thin.best_trials} == set(front.keys)
    storage.engine.dispose()


def test_a_study_without_a_feasible_design_is_shown(truss: Any, tmp_path: Path) -> None:
    limits = [Constraint(name="cost", limit=-1.0), Constraint(name="width_mm", limit=60.0)]
    with Study("s", truss.space, truss.objectives, limits, storage=tmp_path / "study.db") as study:
        study.optimize(truss.evaluate, 20)
        assert "none of them feasible. Hardest is constraint 'cost' (no design keeps it)" in study.summary()
    storage = RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
    thin = optuna.load_study(study_name="s", storage=storage)
    assert len(thin.trials) == 20
    assert thin.best_trials == []
    assert all(trial.system_attrs["constraints"][0] > 0 for trial in thin.trials)
    storage.engine.dispose()


def test_publishing_again_replaces(truss: Any, tmp_path: Path, run: Callable[..., None]) -> None:
    with truss.study(tmp_path / "study.db", population_size=10) as study:
        study.optimize(truss.evaluate, 10)
        run(study, truss.evaluate, 10)
        study.publish_dashboard()
        storage = RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
        assert optuna.get_all_study_names(storage) == ["test"]
        assert len(optuna.load_study(study_name="test", storage=storage).trials) == 20
        storage.engine.dispose()
        run(study, truss.evaluate, 10)  # our tables are none the worse
        assert len(study) == 30


def test_a_page_that_shows_the_study_sees_it_grow(truss: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is searched, the study keeps its number and notes, and no note of a trial becomes another trial's."""
    monkeypatch.setattr("studies.study.LEAST_WAIT_S", 0.0)
    monkeypatch.setattr("studies.study.PUBLISH_FACTOR", 0.0)
    seen: list[tuple[int, int]] = []
    with (
        truss.study(tmp_path / "study.db", population_size=10) as study,
        thin_storage(tmp_path / "study.db") as storage,
    ):

        def look(progress: Progress) -> None:
            if progress.n_trials > 10:  # published after the first call
                study_id = storage.get_study_id_from_name("test")
                trials = storage.get_all_trials(study_id)
                seen.append((study_id, len(trials)))
                assert [trial.number for trial in trials] == list(range(len(trials)))
                ids.append({trial._trial_id for trial in trials})
                storage.set_study_system_attr(study_id, "dashboard:note_ver", len(seen))

        ids: list[set[int]] = []
        study.optimize(truss.evaluate, 40, progress=look)
        study_id = storage.get_study_id_from_name("test")
        assert seen == [(study_id, 10), (study_id, 20), (study_id, 30)]
        assert not ids[0] & ids[1]
        assert not ids[1] & ids[2]
        assert storage.get_study_system_attrs(study_id)["dashboard:note_ver"] == 3
        assert len(storage.get_all_trials(study_id)) == 40


def test_an_optuna_study_of_other_directions_gives_way(truss: Any, tmp_path: Path) -> None:
    with truss.study(tmp_path / "study.db", population_size=10) as study:
        with thin_storage(tmp_path / "study.db") as storage:
            optuna.create_study(study_name="test", storage=storage, directions=["maximize"])
        study.optimize(truss.evaluate, 10)
        with thin_storage(tmp_path / "study.db") as storage:
            thin = optuna.load_study(study_name="test", storage=storage)
            assert len(thin.directions) == len(study.objectives)
            assert len(thin.trials) == 10


def test_a_search_killed_before_it_published_publishes_when_it_is_run_again(
    truss: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "study.db"

    def killed(study: Study) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, truss.study(file, population_size=10) as study:
        patch.setattr("studies.dashboard.publish", killed)
        with pytest.raises(KeyboardInterrupt):
            study.optimize(truss.evaluate, 20)
    assert "studies" not in tables(file)
    with truss.study(file, population_size=10) as study:
        study.optimize(truss.evaluate, 20)  # nothing is left to evaluate
        assert len(study) == 20
    assert "studies" in tables(file)


def tables(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def test_caller_chooses_parameters_and_description(tmp_path: Path) -> None:
    space = Space("s", tuple(ChoiceBlock(f"b{i}", ((0,), (0, 1), (2,))) for i in range(25)))
    settings: dict[str, Any] = {
        "space": space,
        "objectives": [Objective(name="f", reference=60.0)],
        "storage": tmp_path / "study.db",
        "population_size": 10,
    }

    def summarise(genomes: Any) -> list[dict[str, Any]]:
        return [
            {"sum": int(g.sum()), "mean": float(g.mean()), "first": "abc"[g[0]], "is_even": bool(g.sum() % 2 == 0)}
            for g in genomes
        ]

    def describe(genomes: Any) -> list[str]:
        return [json.dumps(genome.tolist()) for genome in genomes]

    def evaluate(genomes: Any) -> Any:
        return genomes.sum(axis=1, keepdims=True)

    with Study("chosen", summarise=summarise, describe=describe, **settings) as study:
        study.optimize(evaluate, 10)
        trials = study.trials()
    with Study("default", **settings) as study:
        study.optimize(evaluate, 10)
    storage = RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
    chosen = optuna.load_study(study_name="chosen", storage=storage).trials
    assert [trial.params for trial in chosen] == summarise(trials.genomes)
    assert [trial.user_attrs["design"] for trial in chosen] == describe(trials.genomes)
    default = optuna.load_study(study_name="default", storage=storage).trials[0].params
    assert list(default) == [f"b{i}" for i in range(20)]
    assert set(default.values()) <= {"(0,)", "(0, 1)", "(2,)"}
    storage.engine.dispose()


def test_too_many_parameters_are_refused(truss: Any, tmp_path: Path, run: Callable[..., None]) -> None:
    with truss.study(
        tmp_path / "study.db", summarise=lambda genomes: [{f"p{i}": 1 for i in range(21)} for _ in genomes]
    ) as study:
        run(study, truss.evaluate, 5)
        with pytest.raises(ValueError, match=r"summarise must return at most 20 parameters.*got 21"):
            study.publish_dashboard()
        assert len(study.trials()) == 5


def test_memory_has_no_dashboard(truss: Any) -> None:
    with pytest.raises(ValueError, match="study 'test' is kept in memory: the dashboard needs storage=<path>"):
        truss.study().publish_dashboard()


def test_the_real_dashboard_opens_the_file(truss: Any, tmp_path: Path) -> None:
    with truss.study(tmp_path / "study.db", population_size=15) as study:
        study.optimize(truss.evaluate, 30)
        trials = study.trials()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [Path(sys.executable).with_name("optuna-dashboard"), f"sqlite:///{tmp_path / 'study.db'}", "--port", str(port)],
        env=os.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        (summary,) = fetched(port, "")["study_summaries"]
        started = time.perf_counter()
        page = fetched(port, f"/{summary['study_id']}?after=0")
        assert time.perf_counter() - started < 5.0
    finally:
        server.terminate()
        server.wait()
    assert page["name"] == "test"
    assert len(page["trials"]) == 30
    assert page["objective_names"] == ["mass_g", "stiffness"]
    assert {graph["id"] for graph in page["plotly_graph_objects"]} == {"hypervolume", "front"}
    feasible = [all(excess <= 0 for excess in trial["constraints"]) for trial in page["trials"]]
    assert feasible == trials.is_feasible.tolist()


def fetched(port: int, path: str) -> Any:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies{path}", timeout=10) as response:
                return json.load(response)
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError("the dashboard did not answer within 30 s")
