"""Tables of trials: readable, complete, and the same numbers again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import Choice, ChoiceBlock, Space, codesign_of, nasrec_space
from studies import Constraint, Evaluation, Objective, Study, StudyFileError, export_table
from studies.exchange.table import choice_index, plain_choices, trials_frame
from studies.files.stored import StoredStudy, stored_study

CHOICES = st.one_of(
    st.text(max_size=6),
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.integers(0, 9), max_size=3).map(tuple),
)


@st.composite
def blocks(draw: st.DrawFn, name: str = "block") -> ChoiceBlock:
    """Any choices: mixed kinds, and texts that look like other choices."""
    chosen: list[Choice] = draw(st.lists(CHOICES, min_size=1, max_size=5))
    chosen += draw(st.lists(st.sampled_from([*map(str, chosen), json.dumps(chosen[0])]), max_size=3))
    distinct = {(isinstance(choice, bool), choice): choice for choice in chosen}
    return ChoiceBlock(name, tuple(distinct.values()), is_ordered=draw(st.booleans()))


@settings(max_examples=200)
@given(block=blocks())
def test_plain_choices_differ_and_are_found_again(block: ChoiceBlock) -> None:
    plain = plain_choices(block)
    assert len(set(plain)) == len(plain) == len(block.choices)
    for index, choice in enumerate(block.choices):
        assert choice_index(block, choice) == index
        written = json.loads(json.dumps(choice))  # a tuple comes back as a list
        assert choice_index(block, written) == index


@settings(max_examples=200)
@given(block=blocks())
def test_what_is_written_in_plain_words_is_read_unless_it_is_another_choice(block: ChoiceBlock) -> None:
    for index, plain in enumerate(plain_choices(block)):
        found = choice_index(block, plain)
        if found != index:
            is_itself_a_choice = any(
                plain == choice and isinstance(plain, bool) == isinstance(choice, bool) for choice in block.choices
            )
            assert found is not None
            assert is_itself_a_choice


@pytest.mark.parametrize(
    ("choices", "plain"),
    [
        (("dot", "fm"), ("dot", "fm")),
        ((16, 32), (16, 32)),
        (((0,), (0, 2)), ("[0]", "[0, 2]")),
        ((False, True), (False, True)),
        ((1, True), ("1", "true")),
        (("1", 1, True), ("0: 1", "1: 1", "2: true")),
    ],
)
def test_plain_choices(choices: tuple[Choice, ...], plain: tuple[Any, ...]) -> None:
    assert plain_choices(ChoiceBlock("b", choices)) == plain


def test_a_value_that_is_no_choice() -> None:
    block = ChoiceBlock("b", ((0,), (0, 1), "x", 3))
    for value in ("y", 4, True, None, [1], {"a": 1}, "0"):
        assert choice_index(block, value) is None
    assert choice_index(block, "(0, 1)") == 1  # as the dashboard's study shows it


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".CSV"])
def test_a_table_has_a_row_a_trial(truss: Any, tmp_path: Path, run: Callable[..., None], suffix: str) -> None:
    with truss.study(tmp_path / "study.db") as study:
        run(study, truss.evaluate, 10, 2)
        trials = study.trials()
    out = tmp_path / f"out{suffix}"
    out.write_text("what was there")
    assert export_table(tmp_path / "study.db", "TEST", out) == 20
    table = polars.read_parquet(out) if suffix == ".parquet" else polars.read_csv(out)
    quantities = ["mass_g", "stiffness", "cost", "width_mm", "bars"]
    choices = ["material", "choice_width_mm", "choice_bars", "is_hollow", "wall_mm"]
    assert table.columns == ["number", "generation", "key", "is_feasible", *quantities, *choices]
    assert table["key"].to_list() == trials.keys
    assert table["generation"].to_list() == trials.generation.tolist()
    assert table["is_feasible"].to_list() == trials.is_feasible.tolist()
    np.testing.assert_array_equal(table.select("mass_g", "stiffness").to_numpy(), trials.values)
    np.testing.assert_array_equal(table.select("cost", "width_mm").to_numpy(), trials.constraints)
    np.testing.assert_array_equal(table["bars"].to_numpy(), trials.attributes["bars"])
    designs = truss.space.decode(trials.genomes)
    for block, column in zip(truss.space.blocks, choices, strict=True):
        assert table[column].to_list() == [design[block.name] for design in designs]
    assert sorted(path.name for path in tmp_path.iterdir() if "partial" in path.name) == []


def test_a_table_of_a_codesign_study_reads_in_words(tmp_path: Path) -> None:
    space = codesign_of(nasrec_space(n_dense=2, n_sparse=3, n_blocks=2))
    with Study("codesign", space, [Objective(name="f")], storage=tmp_path / "study.db") as study:
        genomes = study.ask(30)
        study.tell(genomes, genomes.sum(axis=1, keepdims=True))
        designs = space.decode(study.trials().genomes)
    export_table(tmp_path / "study.db", "codesign", tmp_path / "out.csv")
    table = polars.read_csv(tmp_path / "out.csv")
    connections = [block.name for block in space.blocks if isinstance(block.choices[0], tuple)]
    assert connections
    for row, design in zip(table.iter_rows(named=True), designs, strict=True):
        for block in space.blocks:
            choice = design[block.name]
            assert row[block.name] == (json.dumps(choice) if isinstance(choice, tuple) else choice)


def test_missing_numbers_stay_empty_and_failed_designs_have_no_row(tmp_path: Path) -> None:
    space = Space("s", (ChoiceBlock("f", ("a,b", 'c"d', "e\nf", "=1+1")),))
    with Study("s", space, [Objective(name="f")], storage=tmp_path / "s.db") as study:
        genomes = study.ask(4)
        values = Evaluation(genomes, attributes={"x": [np.nan, np.inf, 1.0, 2.0]}, failures={3: "broke"})
        study.tell(genomes, values)
        trials = study.trials()
    assert export_table(tmp_path / "s.db", "s", tmp_path / "s.parquet") == 3
    table = polars.read_parquet(tmp_path / "s.parquet")
    assert table["x"].to_list() == [None, np.inf, 1.0]
    assert table["choice_f"].to_list() == [design["f"] for design in space.decode(trials.genomes)]
    export_table(tmp_path / "s.db", "s", tmp_path / "s.csv")
    assert polars.read_csv(tmp_path / "s.csv")["choice_f"].to_list() == table["choice_f"].to_list()


def test_a_study_without_trials_is_a_table_without_rows(truss: Any, tmp_path: Path) -> None:
    truss.study(tmp_path / "study.db").close()
    assert export_table(tmp_path / "study.db", "test", tmp_path / "out.csv") == 0
    assert (tmp_path / "out.csv").read_text().startswith("number,generation,key,is_feasible,mass_g,stiffness,cost,")


@settings(max_examples=60)
@given(data=st.data(), names=st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=4, unique=True))
def test_any_table_names_every_column_and_keeps_every_design(
    data: st.DataObject, names: list[str], truss_stored: StoredStudy
) -> None:
    space = Space("s", tuple(data.draw(blocks(name)) for name in names))
    trials = truss_stored.trials
    genomes = space.sample(np.random.default_rng(0), len(trials))
    frame = trials_frame(replace(truss_stored, space=space, trials=replace(trials, genomes=genomes)))
    assert len({name.casefold() for name in frame.columns}) == len(frame.columns) == 9 + len(names)
    for place, block in enumerate(space.blocks):
        column = frame[frame.columns[9 + place]].to_list()
        of_index: dict[int, Any] = {}
        for index, cell in zip(genomes[:, place].tolist(), column, strict=True):
            assert of_index.setdefault(index, cell) == cell
        assert len(set(of_index.values())) == len(of_index), block


@pytest.fixture(scope="module")
def truss_stored(tmp_path_factory: pytest.TempPathFactory) -> StoredStudy:
    file = tmp_path_factory.mktemp("stored") / "study.db"
    space = Space("s", (ChoiceBlock("a", tuple(range(40))),))
    constraints = [Constraint(name="c", limit=1.0)]
    with Study("s", space, [Objective(name="Material"), Objective(name="g")], constraints, file) as study:
        genomes = study.ask(20)
        values = np.column_stack([genomes, genomes])
        study.tell(genomes, Evaluation(values, genomes, {"d": genomes[:, 0], "e": genomes[:, 0]}))
    return stored_study(file, "s")


def test_what_cannot_be_written(truss: Any, tmp_path: Path) -> None:
    truss.study(tmp_path / "study.db").close()
    with pytest.raises(ValueError, match=r"ends in \.csv or \.parquet, got 'out\.xlsx'"):
        export_table(tmp_path / "study.db", "test", tmp_path / "out.xlsx")
    with pytest.raises(ValueError, match="has no study 'tset'; it holds 'test'"):
        export_table(tmp_path / "study.db", "tset", tmp_path / "out.csv")
    with pytest.raises(StudyFileError, match="there is no study file"):
        export_table(tmp_path / "absent.db", "test", tmp_path / "out.csv")
    with pytest.raises(OSError, match="absent"):
        export_table(tmp_path / "study.db", "test", tmp_path / "absent" / "out.csv")
