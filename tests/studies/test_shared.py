"""One study searched by several workers: on a real PostgreSQL with real kills, and in memory where one worker will do.

Run as a script, this file is a worker.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from spaces.space import ChoiceBlock, Space
from studies import Constraint, Evaluation, Objective, Study, TooManyFailuresError, open_study
from studies.engines.optuna import quiet_optuna
from studies.exchange.optuna_export import frozen_trials
from studies.exchange.optuna_import import import_optuna
from studies.exchange.optuna_question import REASON
from studies.exchange.optuna_source import optuna_storage, optuna_studies
from studies.files.stored import stored_study
from studies.shared.places import HISTORY, KEY, MAX_RETRIES, VOID, Places
from studies.shared.study import SharedStudy
from studies.shared.tally import SharedProgress

ROOT = Path(__file__).resolve().parents[2]
SPACE = Space(
    "s",
    (
        ChoiceBlock("kind", ("dot", "fm", "cross")),
        ChoiceBlock("width", (8, 16, 32, 64), is_ordered=True),
        ChoiceBlock("depth", (1, 2, 3, 4, 5, 6), is_ordered=True),
        ChoiceBlock("is_low_rank", (False, True)),
        ChoiceBlock("rank", (2, 4, 8), is_ordered=True, only_if=("is_low_rank", True)),
    ),
)  # 3 * 4 * 6 * (1 + 3) = 288 designs
OBJECTIVES = (Objective(name="loss", reference=10.0), Objective(name="speed", direction="max", reference=0.0))
CONSTRAINTS = (Constraint(name="area", limit=200.0),)


def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
    """Where width and depth are at their least it raises; where depth is at its most it is not finite."""
    kind, width, depth, is_low_rank, rank = genomes.T
    if (width + depth == 0).any():
        raise ArithmeticError("too small")
    loss = np.where(depth == 5, np.nan, 5.0 - 0.5 * width - 0.3 * depth + 0.1 * kind + is_low_rank)
    speed = 10.0 - width - 0.5 * depth + 2 * is_low_rank - 0.3 * rank
    area = 2.0 ** (3 + width) * (depth + 1)
    return Evaluation(
        np.stack([loss, speed], axis=1), area[:, None], {"area": area, "split": np.stack([speed, loss], 1)}
    )


def shared(storage: str | BaseStorage, space: Space = SPACE, **settings: Any) -> SharedStudy:
    objectives, constraints = settings.pop("objectives", OBJECTIVES), settings.pop("constraints", CONSTRAINTS)
    settings = {"population_size": 8, "heartbeat_s": 1, "grace_s": 2, **settings}
    return SharedStudy(storage, settings.pop("name", "test"), space, objectives, constraints, **settings)


@contextmanager
def optuna_study(storage: str | BaseStorage) -> Iterator[optuna.Study]:
    """The shared study as Optuna sees it."""
    with quiet_optuna():
        if isinstance(storage, str):
            with optuna_storage(storage) as opened:
                yield optuna.load_study(study_name="test", storage=opened)
        else:
            yield optuna.load_study(study_name="test", storage=storage)


def trials_of(storage: str | BaseStorage) -> list[FrozenTrial]:
    with optuna_study(storage) as study:
        return study.get_trials()


def answered(trials: list[FrozenTrial]) -> dict[str, FrozenTrial]:
    """By the key of the design."""
    return {
        trial.user_attrs[KEY]: trial
        for trial in trials
        if trial.state == TrialState.COMPLETE or REASON in trial.user_attrs
    }


def assert_accounted_for(trials: list[FrozenTrial]) -> None:
    """Every trial is complete, failed for a stated reason, is void for a stated reason, or was tried again."""
    retried = {number for trial in trials for number in trial.system_attrs.get(HISTORY, ())}
    for trial in trials:
        assert trial.state in (TrialState.COMPLETE, TrialState.FAIL), trial
        is_accounted_for = trial.state == TrialState.COMPLETE or {REASON, VOID} & set(trial.user_attrs)
        assert is_accounted_for or trial.number in retried, trial


def started(url: str, n_trials: int, hangs_at: int | None = None) -> subprocess.Popen[str]:
    """A worker in a process of its own; one that hangs prints the key of the design that it hangs at."""
    return subprocess.Popen(
        [sys.executable, __file__, url, str(n_trials), str(hangs_at or 0)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def work(url: str, n_trials: int, hangs_at: int) -> None:
    n_begun = 0

    def slow(genomes: NDArray[np.int64]) -> Evaluation:
        nonlocal n_begun
        n_begun += 1
        if n_begun == hangs_at:
            print(SPACE.keys(genomes)[0], flush=True)
            time.sleep(1000)
        time.sleep(0.02)
        return evaluate(genomes)

    with shared(url, grace_s=5) as study:  # of a busy machine's workers none may seem dead
        study.optimize(slow, n_trials)


def test_four_workers_and_one_is_killed(database: str, tmp_path: Path) -> None:
    n_trials = 40
    victim = started(database, n_trials, hangs_at=3)  # the database is empty: all of them make tables and study at once
    others = [started(database, n_trials) for _ in range(3)]
    assert victim.stdout is not None
    key = victim.stdout.readline().strip()
    victim.kill()
    victim.communicate()
    for other in others:
        _, err = other.communicate()
        assert other.returncode == 0, err
    trials = trials_of(database)
    assert_accounted_for(trials)
    assert len(answered(trials)) == n_trials
    left, *again = [trial for trial in trials if trial.user_attrs.get(KEY) == key and VOID not in trial.user_attrs]
    assert (left.state, left.values, REASON in left.user_attrs) == (TrialState.FAIL, None, False)
    assert [trial.system_attrs[HISTORY] for trial in again] == [[left.number]]
    assert again[0].params == left.params
    assert again[0].state == TrialState.COMPLETE or REASON in again[0].user_attrs
    with shared(database) as study:
        assert len(study) == n_trials
        study.optimize(evaluate, n_trials)  # nothing is left to do
    assert trials_of(database) == trials

    imported = import_optuna(database.replace("postgresql://", "postgres://"), "test", tmp_path / "study.db")
    assert imported.n_trials == n_trials
    with open_study(tmp_path / "study.db", "test") as study_file:
        found, failures = study_file.trials(), study_file.failures()
        assert len(study_file) == len(found) + len(failures) == n_trials
        truth = evaluate(found.genomes)
        np.testing.assert_array_equal(found.values, truth.values)
        np.testing.assert_array_equal(found.constraints, truth.constraints)
        assert truth.constraints is not None
        np.testing.assert_array_equal(found.is_feasible, np.ravel(truth.constraints) <= 200.0)
        np.testing.assert_array_equal(found.attributes["split"], truth.attributes["split"])
        for key, reason in zip(failures.keys, failures.reasons, strict=True):
            assert reason in ("ArithmeticError: too small", "loss is nan")
            assert answered(trials)[key].user_attrs[REASON] == reason
        study_file.optimize(lambda genomes: evaluate(np.minimum(genomes, [2, 3, 4, 1, 2])), n_trials + 8)  # it goes on
        assert len(study_file) == n_trials + 8


def test_a_worker_that_died_before_its_first_sign_of_life(database: str) -> None:
    with shared(database) as study:
        study.optimize(evaluate, 2)
        with optuna_study(database) as others:
            others.ask()  # runs for ever, without a heartbeat
        study.optimize(evaluate, 4)
    trials = trials_of(database)
    assert_accounted_for(trials)
    assert len(answered(trials)) == 4


@pytest.mark.parametrize("engine", ["optuna:nsga2", "optuna:nsga3", "optuna:tpe", "optuna:qmc"])
def test_one_worker_answers_exactly_what_is_asked(engine: str) -> None:
    storage = InMemoryStorage()
    seen: list[SharedProgress] = []
    with shared(storage, engine=engine) as study:
        study.optimize(evaluate, 20, progress=seen.append)
        assert len(study) == 20
    trials = trials_of(storage)
    assert_accounted_for(trials)
    assert len(answered(trials)) == len(trials) == 20
    assert [progress.n_own for progress in seen] == [progress.n_trials for progress in seen] == list(range(21))
    n_failed = sum(trial.state == TrialState.FAIL for trial in trials)
    assert (seen[-1].n_failed, seen[-1].n_requested) == (n_failed, 20)
    assert seen[-1].n_front >= 1
    assert seen[-1].hypervolume is not None
    assert seen[-1].hypervolume > 0


def test_optuna_sees_constraints_and_canonical_parameters(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    with shared(storage) as study:
        study.optimize(evaluate, 30)
    for trial in answered(trials_of(storage)).values():
        assert trial.params["is_low_rank"] or trial.params["rank"] == 2  # the first choice of a block of no effect
        if trial.state == TrialState.COMPLETE:
            area = trial.params["width"] * trial.params["depth"]
            assert trial.user_attrs["constrained"] == [area]
            assert trial.constraints == {"area": pytest.approx((area - 200) / 200)}
    with optuna_study(storage) as optunas:
        assert all(trial.constraints["area"] <= 0 for trial in optunas.best_trials)
        assert optunas.metric_names == ["loss", "speed"]


def test_trials_are_in_the_form_of_an_exported_study(tmp_path: Path) -> None:
    storage = InMemoryStorage()
    with shared(storage) as study, Study("test", SPACE, OBJECTIVES, CONSTRAINTS, tmp_path / "study.db") as ours:
        study.optimize(evaluate, 20)
        ours.optimize(evaluate, 20)
    (exported, *_), (trial, *_) = (
        [one for one in trials if one.state == TrialState.COMPLETE]
        for trials in (list(frozen_trials(stored_study(tmp_path / "study.db", "test"))), trials_of(storage))
    )
    assert trial.distributions == exported.distributions
    assert set(trial.user_attrs) == set(exported.user_attrs) - {"generation"}


def test_a_space_is_searched_to_its_end(caplog: pytest.LogCaptureFixture) -> None:
    small = Space("s", (ChoiceBlock("kind", ("dot", "fm", "cross")), ChoiceBlock("bits", (1, 2), is_ordered=True)))
    storage = InMemoryStorage()
    with shared(storage, small, objectives=[Objective(name="f")], constraints=()) as study:
        study.optimize(lambda genomes: genomes.sum(axis=1, keepdims=True), 50)
        assert len(study) == 6
    assert_accounted_for(trials_of(storage))
    assert "stops at 6 of 50 trials: no design that was not evaluated could be found among the 6" in caplog.text


def test_known_designs_come_first_and_breed() -> None:
    storage, known = InMemoryStorage(), SPACE.sample(np.random.default_rng(0), 8)
    with shared(storage, known=known) as study, shared(storage, known=known[::-1]) as joined:
        study.optimize(evaluate, 5)
        joined.optimize(evaluate, 12)
    trials = trials_of(storage)
    keys = list(dict.fromkeys(SPACE.keys(SPACE.canonical(known))))
    assert [trial.user_attrs[KEY] for trial in trials][: len(keys)] == keys
    assert all("NSGAIISampler:generation" in trial.system_attrs for trial in trials)
    assert_accounted_for(trials)


def test_proposals_are_improved_before_they_are_evaluated() -> None:
    def improve(genomes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        better = genomes.copy()
        better[:, 1] = 2
        return better

    storage = InMemoryStorage()
    with shared(storage, improve=improve) as study:
        study.optimize(evaluate, 6)  # of 72: a sampler that repeats itself would be helped out by random draws
    assert {trial.params["width"] for trial in trials_of(storage)} == {32}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"space": Space("s", SPACE.blocks[:3])}, f"made with space {SPACE.digest}, this is "),
        ({"objectives": OBJECTIVES[::-1]}, "made with objectives name=loss, direction=min"),
        ({"constraints": [Constraint(name="area", limit=100.0)]}, "made with constraints name=area, limit=200.0"),
        ({"digests": {"data": "b"}}, "made with data a, this is b: give the study a new name"),
        ({"engine": "optuna:tpe"}, "made with engine optuna:nsga2, this is optuna:tpe"),
        ({"seed": 1}, "made with seed 0, this is 1"),
        ({"population_size": 9}, "made with population_size 8, this is 9"),
    ],
)
def test_a_worker_that_asks_something_else_is_refused(changed: dict[str, Any], message: str) -> None:
    storage = InMemoryStorage()
    with shared(storage, digests={"data": "a"}):
        pass
    with pytest.raises(ValueError, match=message):
        shared(storage, **{"digests": {"data": "a"}, **changed})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engine": "surrogate"}, "one of Optuna's samplers, 'optuna:nsga2'.*got 'surrogate'"),
        ({"population_size": 1}, "population.size"),
        ({"max_failed_share": 1.5}, "max_failed_share must be between 0 and 1"),
        ({"seed": -1}, "seed must be between"),
        ({"heartbeat_s": 2, "grace_s": 2}, "heartbeat_s must be at least 1 and grace_s more than that, got 2 and 2"),
        ({"objectives": ()}, "needs at least one objective"),
        ({"name": ""}, "needs a name"),
    ],
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shared(InMemoryStorage(), **settings)


def test_a_study_of_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.shared.joining.JOIN_S", 0.0)
    storage = InMemoryStorage()
    with quiet_optuna():
        optuna.create_study(study_name="test", storage=storage)
    with pytest.raises(ValueError, match="does not say what it asks: it is not of ours, or the worker"):
        shared(storage)


def test_an_interrupted_worker_leaves_its_design_to_others() -> None:
    storage, left = InMemoryStorage(), []

    def interrupted(genomes: NDArray[np.int64]) -> Evaluation:
        if len(left) == 3:
            left.append(SPACE.keys(genomes)[0])
            raise KeyboardInterrupt
        left.append("")
        return evaluate(genomes)

    with shared(storage) as study, shared(storage) as other:
        with pytest.raises(KeyboardInterrupt):
            study.optimize(interrupted, 10)
        assert [trial.state for trial in trials_of(storage)][-1] == TrialState.WAITING
        other.optimize(evaluate, 10)
    trials = trials_of(storage)
    assert_accounted_for(trials)
    assert len(answered(trials)) == 10
    assert trials[4].user_attrs[KEY] == trials[3].user_attrs[KEY] == left[-1]
    assert trials[4].system_attrs[HISTORY] == [3]


def test_an_interrupt_does_not_throw_away_what_was_evaluated() -> None:
    class Interrupting(InMemoryStorage):
        def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
            if key == "area":
                signal.raise_signal(signal.SIGINT)
            super().set_trial_user_attr(trial_id, key, value)

    storage = Interrupting()
    with shared(storage, engine="optuna:nsga2", known=[[0, 1, 1, 0, 0]]) as study, pytest.raises(KeyboardInterrupt):
        study.optimize(evaluate, 3)
    (trial,) = trials_of(storage)
    assert trial.state == TrialState.COMPLETE
    assert trial.user_attrs["area"] == 32.0


def test_a_design_that_stops_three_workers_has_failed() -> None:
    storage, keys = InMemoryStorage(), []

    def deadly(genomes: NDArray[np.int64]) -> Evaluation:
        keys.append(SPACE.keys(genomes)[0])
        raise KeyboardInterrupt

    for _ in range(MAX_RETRIES + 1):
        with shared(storage) as study, pytest.raises(KeyboardInterrupt):
            study.optimize(deadly, 1)
    assert len(set(keys)) == 1
    with shared(storage) as study:
        study.optimize(deadly, 1)
    *_, last = trials_of(storage)
    assert last.user_attrs == {KEY: keys[0], REASON: "3 workers stopped while they evaluated it"}
    assert_accounted_for(trials_of(storage))


def test_a_worker_that_was_thought_dead_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    storage, n_begun = InMemoryStorage(), 0

    def taken_over(genomes: NDArray[np.int64]) -> Evaluation:
        nonlocal n_begun
        n_begun += 1
        if n_begun == 2:
            with optuna_study(storage) as others:
                others.tell(others.trials[-1].number, state=TrialState.FAIL)
                others.add_trial(
                    create_trial(
                        state=TrialState.WAITING,
                        params=others.trials[-1].params,
                        distributions=others.trials[-1].distributions,
                        system_attrs={HISTORY: [others.trials[-1].number]},
                    )
                )
        return evaluate(genomes)

    with shared(storage) as study:
        study.optimize(taken_over, 5)
    assert "trial 1 gave no sign of life for 2 s and was given to another worker" in caplog.text
    assert_accounted_for(trials_of(storage))
    assert len(answered(trials_of(storage))) == 5


def test_wrong_shapes_end_the_worker_and_lose_no_design() -> None:
    storage = InMemoryStorage()
    with shared(storage) as study:
        with pytest.raises(ValueError, match=r"objective values must have shape \(1, 2\)"):
            study.optimize(lambda genomes: Evaluation(np.zeros((1, 3)), np.zeros((1, 1))), 3)
        study.optimize(evaluate, 3)
    trials = trials_of(storage)
    assert_accounted_for(trials)
    assert trials[1].params == trials[0].params


def test_a_broken_worker_stops() -> None:
    def broken(genomes: NDArray[np.int64]) -> Evaluation:
        raise OSError("no data here")

    storage = InMemoryStorage()
    with shared(storage) as study:
        with pytest.raises(TooManyFailuresError, match=r"11 of its latest 20 designs failed.*no data here"):
            study.optimize(broken, 50)
        assert len(study) == 10


def test_a_worker_stops_when_its_time_is_over() -> None:
    with shared(InMemoryStorage()) as study:
        study.optimize(evaluate, 50, is_over=lambda: len(study) >= 3)
        assert len(study) == 3


def test_workers_draw_from_seeds_of_their_own() -> None:
    first = []
    for _ in range(4):
        storage = InMemoryStorage()
        with shared(storage) as study:
            study.optimize(evaluate, 3)
        first.append(tuple(trial.user_attrs[KEY] for trial in trials_of(storage)))
    assert len(set(first)) > 1


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        (
            "sqlite:///study.db",
            ValueError,
            "is a SQLite file, which one process writes at a time: search it",
        ),
        ("study.db", ValueError, "study.db is no URL of a database: give one such as postgresql://user@host/database"),
        ("postgresql+nosuch://me:s3cret@host/x", ValueError, r"postgresql\+nosuch://me:\*\*\*@host/x is not installed"),
        ("postgresql://me:s3cret@host:port/x", ValueError, r"postgresql://\.\.\. is no URL"),
        (
            "postgresql://me:s3cret@/x?host=/nowhere",
            ConnectionError,
            r"postgresql://me:\*\*\*@/x.*cannot be used",
        ),
        ("postgres:///x?host=/nowhere&password=s3cret", ConnectionError, r"password=%2A%2A%2A|\*\*\*"),
    ],
)
def test_urls_that_cannot_be_used(url: str, error: type[Exception], message: str) -> None:
    if error is ConnectionError:
        pytest.importorskip("psycopg")
    with pytest.raises(error, match=message) as raised:
        shared(url)
    assert "s3cret" not in str(raised.value)


def test_a_server_says_what_is_not_there(database: str, postgresql: str) -> None:
    with pytest.raises(ConnectionError, match=r'database "nothing" does not exist\. Check host, port'):
        shared(f"postgresql://moco@/nothing?host={postgresql}")
    with pytest.raises(ConnectionError, match='role "nobody_here" does not exist') as raised:
        shared(f"postgresql://nobody_here:s3cret@/postgres?host={postgresql}")
    assert "s3cret" not in str(raised.value)
    with pytest.raises(ValueError, match=r"moco:\*\*\*@.*holds no Optuna study: its tables are none") as refused:
        optuna_studies(database.replace("moco@", "moco:s3cret@"))  # a database without Optuna's tables
    assert "s3cret" not in str(refused.value)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["ok", "reason", "void", "run", "wait", "lost"]))))
@settings(max_examples=60)
def test_places_are_those_of_designs(entries: list[tuple[str, str]]) -> None:
    states = {"ok": TrialState.COMPLETE, "run": TrialState.RUNNING, "wait": TrialState.WAITING}
    trials = []
    for number, (key, kind) in enumerate(entries):
        trial = create_trial(
            state=states.get(kind, TrialState.FAIL),
            values=[0.0] if kind == "ok" else None,
            user_attrs={KEY: key, **({REASON: "r"} if kind == "reason" else {VOID: "v"} if kind == "void" else {})},
        )
        trial.number = number
        trials.append(trial)
    places = Places(trials)
    holding = [(key, kind) for key, kind in entries if kind != "void"]
    keys = list(dict.fromkeys(key for key, _ in holding))
    done = {key for key, kind in holding if kind in ("ok", "reason")}
    assert len(places) == len(keys)
    assert places.n_answered == len(done)
    assert [trial.number for trial in places.lost] == [n for n, (_, kind) in enumerate(entries) if kind == "lost"]
    assert [trial.number for trial in places.running] == [n for n, (_, kind) in enumerate(entries) if kind == "run"]
    for n in range(5):
        assert places.is_done(n) == (len(keys) >= n and set(keys[:n]) <= done)
        assert not (places.is_done(n) and places.has_work(n))
    for number, (key, kind) in enumerate(entries):
        first = next((n for n, (other, what) in enumerate(entries) if other == key and what != "void"), None)
        assert places.is_taken(key, number) == (first is not None and (first < number or key in done))
        if kind != "void":
            assert places.holds(key)


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
