"""Whole studies to Optuna and back: what Optuna reads, what comes back, and what is left out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import NullPool, create_engine, event

from spaces import ChoiceBlock, Space
from studies import Evaluation, Objective, Study, StudyFileError, copy_study, open_study
from studies.dashboard import thin_storage
from studies.engines.optuna import quiet_optuna
from studies.exchange.optuna_export import distribution_of, export_optuna, frozen_trials
from studies.exchange.optuna_import import import_optuna
from studies.exchange.optuna_question import Question, question_of
from studies.exchange.optuna_rows import add_trials, create_tables, knows_tables
from studies.exchange.optuna_source import optuna_studies
from studies.files.stored import stored_study


@contextmanager
def optuna_file(path: Path) -> Iterator[RDBStorage]:
    with quiet_optuna():
        storage = RDBStorage(f"sqlite:///{path}")
        yield storage
        storage.remove_session()
        storage.engine.dispose()


def seen(trial: FrozenTrial) -> dict[str, Any]:
    """All that Optuna knows of a trial but its number in the tables."""
    return {name: value for name, value in vars(trial).items() if name != "_trial_id"}


@pytest.fixture
def file(truss: Any, tmp_path: Path) -> Path:
    """A study of 24 designs, three of which failed."""

    def evaluate(genomes: Any) -> Evaluation:
        whole = truss.evaluate(genomes)
        return Evaluation(whole.values, whole.constraints, whole.attributes, {2: "no licence"})

    with truss.study(tmp_path / "study.db") as study:
        for _ in range(3):
            genomes = study.ask(8)
            study.tell(genomes, evaluate(genomes))
    return tmp_path / "study.db"


def test_optuna_reads_the_whole_study(truss: Any, file: Path, tmp_path: Path) -> None:
    assert export_optuna(file, "test", tmp_path / "optuna.db") == 24
    stored = stored_study(file, "test")
    with optuna_file(tmp_path / "optuna.db") as storage:
        study = optuna.load_study(study_name="test", storage=storage)
        trials = study.trials
        assert study.metric_names == ["mass_g", "stiffness"]
        assert [direction.name for direction in study.directions] == ["MINIMIZE", "MAXIMIZE"]
        best = {trial.number for trial in study.best_trials}
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    assert [trial.number for trial in trials] == list(range(24))
    assert [trial.number for trial in complete] == stored.trials.number.tolist()
    np.testing.assert_array_equal([trial.values for trial in complete], stored.trials.values)
    assert [trial.params for trial in complete] == truss.space.decode(stored.trials.genomes)
    assert [trial.user_attrs["key"] for trial in complete] == stored.trials.keys
    assert [trial.user_attrs["bars"] for trial in complete] == stored.trials.attributes["bars"].tolist()
    assert [trial.user_attrs["split"] for trial in complete] == stored.trials.attributes["split"].tolist()
    excess = stored.trials.constraints / [5000.0, 60.0] - 1
    np.testing.assert_allclose([list(trial.constraints.values()) for trial in complete], excess, rtol=1e-9, atol=1e-12)
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    assert [trial.user_attrs["reason"] for trial in failed] == ["no licence"] * 3
    assert [trial.params for trial in failed] == truss.space.decode(stored.failures.genomes)
    with open_study(file, "test") as ours:
        assert best == set(ours.front().number.tolist())


def test_rows_written_at_once_are_those_that_optuna_writes(file: Path, tmp_path: Path) -> None:
    stored = stored_study(file, "test")
    pruned = create_trial(
        state=TrialState.PRUNED,
        params={"x": 0.5},
        distributions={"x": optuna.distributions.FloatDistribution(0.1, 1.0, log=True)},
        intermediate_values={0: 1.5, 3: float("inf"), 5: float("nan")},
    )
    infinite = create_trial(values=[float("inf"), -float("inf")], constraints={"c": 0.5})
    trials = [*frozen_trials(stored), pruned, infinite]
    read = []
    for name in ("own", "optunas"):
        with optuna_file(tmp_path / f"{name}.db") as storage:
            study = optuna.create_study(study_name="s", storage=storage, directions=["minimize", "maximize"])
            if name == "own":
                assert knows_tables(storage)
                add_trials(study, storage, trials[:10])
                add_trials(study, storage, trials[10:])
            else:
                study.add_trials(trials)
            read.append([seen(trial) for trial in optuna.load_study(study_name="s", storage=storage).trials])
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            tables = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            read[-1].append({n: connection.execute(f"SELECT count(*) FROM {n}").fetchone() for n in sorted(tables)})
    own, optunas = (str(entries) for entries in read)  # nan is not nan
    assert own == optunas


def tables(file: Path) -> tuple[set[str], list[Any]]:
    """The definitions in a file and its versions."""
    with closing(sqlite3.connect(file)) as connection:
        defined = {
            "".join(sql.split()) for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql > ''")
        }
        versions = connection.execute("SELECT * FROM alembic_version").fetchall()
        return defined, [versions, connection.execute("SELECT * FROM version_info").fetchall()]


@pytest.mark.parametrize("interrupted_after", ["nothing", "tables", "revision"])
def test_a_new_file_gets_the_tables_that_optuna_makes(tmp_path: Path, interrupted_after: str) -> None:
    """Whenever making them was killed before."""
    with optuna_file(tmp_path / "optunas.db"), closing(sqlite3.connect(tmp_path / "own.db")):
        pass
    engine = create_engine(f"sqlite:///{tmp_path}/own.db", poolclass=NullPool)
    if interrupted_after != "nothing":
        create_tables(engine)
    if interrupted_after == "tables":
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE alembic_version")
    with thin_storage(tmp_path / "own.db") as storage:
        assert knows_tables(storage)
    assert tables(tmp_path / "own.db") == tables(tmp_path / "optunas.db")


def test_tables_that_are_there_are_not_written(tmp_path: Path) -> None:
    """So a study is copied from a file that may only be read."""
    with thin_storage(tmp_path / "study.db"):
        pass
    engine = create_engine(f"sqlite:///{tmp_path}/study.db", poolclass=NullPool)
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON"))
    create_tables(engine)


def test_unknown_tables_are_left_to_optuna(file: Path, tmp_path: Path) -> None:
    stored = stored_study(file, "test")
    with optuna_file(tmp_path / "old.db") as storage:
        study = optuna.create_study(study_name="s", storage=storage, directions=["minimize", "maximize"])
        with storage.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'v3.0.0.d'")
        assert not knows_tables(storage)
        add_trials(study, storage, list(frozen_trials(stored))[:3])
        assert len(study.trials) == 3


def test_optunas_sampler_goes_on(truss: Any, file: Path, tmp_path: Path) -> None:
    export_optuna(file, "test", tmp_path / "optuna.db")
    with optuna_file(tmp_path / "optuna.db") as storage:
        sampler = optuna.samplers.NSGAIISampler(population_size=8, seed=0)
        study = optuna.load_study(study_name="test", storage=storage, sampler=sampler)
        trial = study.ask(study.trials[0].distributions)
        assert storage.get_trial(trial._trial_id).system_attrs["NSGAIISampler:generation"] == 2
        study.tell(trial, [1.0, 2.0])
        assert set(trial.params) == {block.name for block in truss.space.blocks}
        assert trial.number == 24


def test_there_and_back(truss: Any, file: Path, tmp_path: Path, same: Callable[..., None]) -> None:
    export_optuna(file, "test", tmp_path / "optuna.db")
    assert optuna_studies(tmp_path / "optuna.db") == ["test"]
    imported = import_optuna(tmp_path / "optuna.db", "test", tmp_path / "back.db")
    assert imported.summary() == "24 trials read, 0 left out"
    before, after = stored_study(file, "test"), stored_study(tmp_path / "back.db", "test")
    same(after.trials, before.trials)
    assert after.record == before.record
    assert after.failures.reasons == before.failures.reasons
    assert after.failures.keys == before.failures.keys
    np.testing.assert_array_equal(after.failures.number, before.failures.number)
    assert after.stored_at == before.stored_at
    np.testing.assert_allclose(after.evaluation_s, before.evaluation_s, atol=1e-6)
    with truss.study(tmp_path / "back.db") as back, truss.study(file) as study:
        np.testing.assert_array_equal(back.ask(10), study.ask(10))  # the engine knows the same


@settings(max_examples=3)
@given(
    name=st.text(min_size=1, max_size=6).filter(str.isprintable),
    n_choices=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_any_study_comes_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, n_choices: list[int], seed: int
) -> None:
    folder = tmp_path_factory.mktemp("back")
    kinds: list[Any] = [lambda i: i, lambda i: f"{name}{i}", lambda i: (i, i + 1), lambda i: i / 3]
    rng = np.random.default_rng(seed)
    space = Space(
        "s",
        tuple(
            ChoiceBlock(f"{name}{place}", tuple(kinds[place](i) for i in range(n)), is_ordered=bool(rng.integers(2)))
            for place, n in enumerate(n_choices)
        ),
    )
    with Study(name, space, [Objective(name="f")], storage=folder / "a.db", engine="random") as study:
        for _ in range(2):
            genomes = study.ask(5)
            if len(genomes):
                study.tell(
                    genomes, Evaluation(rng.random((len(genomes), 1)), attributes={"x": rng.random(len(genomes))})
                )
    export_optuna(folder / "a.db", name, folder / "optuna.db")
    import_optuna(folder / "optuna.db", name, folder / "b.db", new_name="back")
    before, after = stored_study(folder / "a.db", name).trials, stored_study(folder / "b.db", "back").trials
    np.testing.assert_array_equal(after.genomes, before.genomes)
    np.testing.assert_array_equal(after.values, before.values)
    np.testing.assert_array_equal(after.generation, before.generation)
    np.testing.assert_array_equal(after.attributes["x"], before.attributes["x"])


SPACE = Space(
    "net",
    (
        ChoiceBlock("kind", ("dot", "fm")),
        ChoiceBlock("rank", (8, 16, 32), is_ordered=True, only_if=("kind", "fm")),
        ChoiceBlock("inputs", ((0,), (0, 1))),
    ),
)
"""What a program that knows only Optuna may have searched."""


def foreign_study(path: Path) -> None:
    kinds = CategoricalDistribution(["dot", "fm", "cross"])
    ranks = IntDistribution(8, 40, step=8)
    inputs = CategoricalDistribution(["(0,)", "[0, 1]"])

    def trial(state: TrialState = TrialState.COMPLETE, values: Any = (1.0, 2.0), **params: Any) -> FrozenTrial:
        known = {"kind": kinds, "rank": ranks, "inputs": inputs, "lr": IntDistribution(1, 2)}
        return create_trial(
            state=state,
            values=list(values) if state == TrialState.COMPLETE else None,
            params=params,
            distributions={name: known[name] for name in params},
            user_attrs={"seconds": 3, "note": "x", "parts": [1, 2.5], "is_odd": True, "Generation": "7"},
            constraints={"area": -0.5, "power": 0.25},
        )

    with optuna_file(path) as storage:
        study = optuna.create_study(study_name="foreign", storage=storage, directions=["minimize", "maximize"])
        study.add_trials(
            [
                trial(kind="fm", rank=16, inputs="(0,)"),
                trial(TrialState.PRUNED, kind="fm", rank=8, inputs="(0,)"),
                trial(TrialState.FAIL, kind="fm", rank=8, inputs="(0,)"),
                trial(kind="dot", inputs="[0, 1]", values=(3.0, 4.0)),
                trial(kind="dot", rank=32, inputs="[0, 1]"),  # the same design
                trial(kind="cross", inputs="(0,)"),
                trial(kind="fm", rank=24, inputs="(0,)"),
                trial(kind="fm", inputs="(0,)"),
                trial(kind="dot", inputs="(0,)", lr=1),
                trial(kind="dot", inputs="(0,)", values=(float("inf"), 1.0)),
            ]
        )
        study.ask()


def test_a_foreign_study_is_read_as_far_as_it_fits(tmp_path: Path) -> None:
    foreign_study(tmp_path / "optuna.db")
    objectives = [Objective(name="energy_pj", unit="pJ"), Objective(name="auc", direction="max")]
    imported = import_optuna(
        f"sqlite:///{tmp_path / 'optuna.db'}",
        "foreign",
        tmp_path / "study.db",
        SPACE,
        new_name='mi"ne',
        objectives=objectives,
        population_size=1,
        digests={"data": "x"},
    )
    assert imported.n_trials == 2
    assert imported.left_out == {
        "its state is PRUNED": 1,
        "its state is FAIL": 1,
        "its state is RUNNING": 1,
        "its 'kind' is no choice of that block": 1,
        "its 'rank' is no choice of that block": 1,
        "it has no parameter 'rank'": 1,
        "the space has no block 'lr'": 1,
        "a value is not finite": 1,
        "another trial is of the same design": 1,
    }
    assert imported.summary().startswith("2 trials read, 9 left out: 1 because its state is PRUNED; ")
    stored = stored_study(tmp_path / "study.db", 'mi"ne')
    assert stored.trials.genomes.tolist() == [[1, 1, 0], [0, 0, 1]]
    assert stored.trials.values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert stored.trials.generation.tolist() == [0, 1]
    assert [(c.name, c.limit) for c in stored.record.constraints] == [("area", 0.0), ("power", 0.0)]
    assert stored.trials.constraints.tolist() == [[-0.5, 0.25]] * 2
    assert not stored.trials.is_feasible.any()
    assert stored.record.objectives == tuple(objectives)
    attributes = {name: values.tolist() for name, values in stored.trials.attributes.items()}
    assert attributes == {"seconds": [3.0, 3.0], "parts": [[1.0, 2.5]] * 2}
    with open_study(tmp_path / "study.db", 'mi"ne') as study:
        study.optimize(
            lambda genomes: Evaluation(
                np.ones((len(genomes), 2)),
                np.zeros((len(genomes), 2)),
                {"seconds": np.zeros(len(genomes)), "parts": np.zeros((len(genomes), 2))},
            ),
            4,
        )
        assert len(study) == 4


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    source, file = tmp_path / "optuna.db", tmp_path / "study.db"
    foreign_study(source)
    with pytest.raises(ValueError, match=r"has no Optuna study 'x'; it holds 'foreign'"):
        import_optuna(source, "x", file, SPACE)
    with pytest.raises(ValueError, match="'foreign' does not say what its space is: give the space"):
        import_optuna(source, "foreign", file)
    with pytest.raises(ValueError, match=r"has 2 objectives of directions min, max, got f \(min\)"):
        import_optuna(source, "foreign", file, SPACE, objectives=[Objective(name="f")])
    other = Space("other", (ChoiceBlock("depth", (1, 2)),))
    with pytest.raises(ValueError, match=r"no trial .* can be taken into space 'other': 0 trials read, 11 left out"):
        import_optuna(source, "foreign", file, other)
    assert not file.exists()
    import_optuna(source, "foreign", file, SPACE)
    with pytest.raises(ValueError, match="has a study 'foreign' already"):
        import_optuna(source, "foreign", file, SPACE)
    with pytest.raises(StudyFileError, match=r"there is no file .*absent\.db"):
        import_optuna(tmp_path / "absent.db", "foreign", file, SPACE)
    (tmp_path / "text.db").write_text("no database, and longer than the header of one" * 10)
    with pytest.raises(StudyFileError, match=r"text\.db is not a SQLite file of Optuna"):
        optuna_studies(tmp_path / "text.db")
    Study("ours", SPACE, [Objective(name="f")], storage=tmp_path / "ours.db").close()
    before = (tmp_path / "ours.db").read_bytes()
    with pytest.raises(StudyFileError, match=r"ours\.db holds no Optuna study: its tables are "):
        optuna_studies(tmp_path / "ours.db")
    assert (tmp_path / "ours.db").read_bytes() == before
    with pytest.raises(ValueError, match="cannot be opened as an Optuna storage"):
        optuna_studies("nosuchthing://here")


@pytest.mark.parametrize("text", ["not JSON", "[]", "{}", '{"space": 3}', '{"space": "{}", "objectives": []}'])
def test_a_question_that_cannot_be_understood(text: str) -> None:
    with quiet_optuna():
        study = optuna.create_study(study_name="foreign")
    study.set_user_attr("moco", text)
    with pytest.raises(ValueError, match="attribute 'moco' of Optuna study 'foreign' does not say what a study asked"):
        question_of(study)


def test_a_study_says_nothing_of_itself() -> None:
    with quiet_optuna():
        assert question_of(optuna.create_study()).objectives == ("value",)
        study = optuna.create_study(directions=["minimize", "maximize"])
        assert question_of(study) == Question(objectives=("value_0", "value_1"))
        study.set_metric_names(["a", "b"])
    assert question_of(study).objectives == ("a", "b")


def test_an_export_replaces_nothing(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"study\.db is there already: give another path"):
        export_optuna(file, "test", file)
    with pytest.raises(ValueError, match=r"folder .*absent of out\.db does not exist"):
        export_optuna(file, "test", tmp_path / "absent" / "out.db")
    with pytest.raises(ValueError, match="has no study 'x'"):
        export_optuna(file, "x", tmp_path / "out.db")
    copy_study(file, "test", tmp_path / "other.db", "a'; DROP TABLE studies; --")
    export_optuna(tmp_path / "other.db", "a'; DROP TABLE studies; --", tmp_path / "out.db")
    assert optuna_studies(tmp_path / "out.db") == ["a'; DROP TABLE studies; --"]
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


def test_ranges_for_even_numbers_and_words_for_the_rest() -> None:
    def of(*choices: Any, is_ordered: bool = True) -> Any:
        return distribution_of(ChoiceBlock("b", choices, is_ordered=is_ordered), choices)

    assert of(1, 2, 3) == IntDistribution(1, 3)
    assert of(8, 16, 24) == IntDistribution(8, 24, step=8)
    assert of(8, 16, 32) == CategoricalDistribution((8, 16, 32))
    assert of(3, 2, 1) == CategoricalDistribution((3, 2, 1))
    assert of(1, 2, 3, is_ordered=False) == CategoricalDistribution((1, 2, 3))
    assert of(False, True) == CategoricalDistribution((False, True))
    assert of(7) == CategoricalDistribution((7,))
