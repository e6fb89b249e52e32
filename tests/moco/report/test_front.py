"""The front as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json

import pytest

from moco.design import FIGURES, read_design
from moco.report import ReportInputs, front_csv, front_json, front_table, trained_table
from moco.report.front import figure_text


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("logloss", 0.4412345, "0.44123"),
        ("test_logloss", 0.4412345, "0.44123"),
        ("auc", 0.78126, "0.7813"),
        ("energy_pj", 1234567.8, "1,234,568"),
        ("latency_ns", 704.84, "704.8"),
        ("latency_ns", 400.0, "400"),
        ("area_mm2", 0.0889812, "0.08898"),
        ("macs", 12, "12"),
    ],
)
def test_figures_have_sensible_digits(name: str, value: float, expected: str) -> None:
    assert figure_text(name, value) == expected


def test_table_has_a_line_for_each_design_of_equal_width(inputs: ReportInputs) -> None:
    front = inputs.study.front()
    score, headings, *rows = front_table(front).splitlines()
    assert score.strip() == "supernet score"
    assert headings.split() == list(FIGURES)
    assert len(rows) == len(front)
    assert {len(row) for row in rows} == {len(headings)}
    assert len(score) == headings.index("auc") + len("auc")
    assert rows[0].split()[0] == figure_text("logloss", front[0].logloss)


def test_a_shorter_table_keeps_both_ends(inputs: ReportInputs) -> None:
    front = inputs.study.front()
    assert len(front) > 2
    *_, first, last, note = front_table(front, n_rows=2).splitlines()
    lines = front_table(front).splitlines()
    assert first.split() == lines[2].split()
    assert last.split() == lines[-1].split()
    assert note == f"2 of {len(front)} designs, evenly spread"


def test_a_table_of_nothing_is_its_headings() -> None:
    assert len(front_table([]).splitlines()) == 2


def test_what_was_trained_has_its_own_table(inputs: ReportInputs) -> None:
    designs = [design for _, design in inputs.chosen[:2]]
    title, headings, *rows = trained_table(designs, inputs.from_scratch).splitlines()
    assert title == "trained from scratch"
    assert len({len(row) for row in (headings, *rows)}) == 1
    (first, second) = (dict(zip(headings.split(), row.split(), strict=True)) for row in rows)
    assert first["key"] == designs[0].key[:8]
    assert [first["seeds"], second["seeds"]] == ["2", "1"]
    assert [first["valid_logloss"], second["valid_logloss"]] == ["0.55000", "0.50000"]
    assert first["test_auc"] == "0.6500"
    assert second["energy_pj"] == figure_text("energy_pj", designs[1].energy_pj)
    assert "logloss" not in headings.split()


def test_no_rows_are_refused(inputs: ReportInputs) -> None:
    with pytest.raises(ValueError, match="n_rows must be at least 1, or None for all designs, got 0"):
        front_table(inputs.study.front(), n_rows=0)


def test_csv_reads_back_exactly(inputs: ReportInputs) -> None:
    front = inputs.study.front()
    roles = {design.key: role for role, design in inputs.chosen}
    rows = list(csv.DictReader(io.StringIO(front_csv(front, roles, inputs.from_scratch))))
    assert [row["key"] for row in rows] == [design.key for design in front]
    for row, design in zip(rows, front, strict=True):
        assert row["role"] == roles.get(design.key, "")
        assert float(row["supernet_logloss"]) == design.logloss
        assert float(row["supernet_auc"]) == design.auc
        for name in FIGURES[2:]:
            assert float(row[name]) == getattr(design, name)
    by_key = {row["key"]: row for row in rows}
    twice, once, never = (by_key[design.key] for _, design in inputs.chosen[:3])
    assert float(twice["from_scratch_valid_logloss"]) == pytest.approx(0.55)  # seeds 0 and 1: 0.5 and 0.6
    assert float(once["from_scratch_test_auc"]) == 0.65
    assert never["from_scratch_valid_logloss"] == ""


def test_no_score_in_the_csv_lacks_its_origin(inputs: ReportInputs) -> None:
    header = front_csv([], {}, []).strip().split(",")
    scores = [name for name in header if name.endswith(("logloss", "auc"))]
    assert scores
    assert all(name.startswith(("supernet_", "from_scratch_")) for name in scores)


def test_json_reads_back_as_designs(inputs: ReportInputs) -> None:
    front = inputs.study.front()
    stored = json.loads(front_json(front, {front[0].key: "best"}, inputs.from_scratch))
    assert "supernet scores" in stored["note"]
    assert len(stored["designs"]) == len(front)
    assert stored["designs"][0]["role"] == "best"
    for entry, design in zip(stored["designs"], front, strict=True):
        stored_design = read_design(json.dumps(entry))
        assert (stored_design.architecture, stored_design.hardware) == (design.architecture, design.hardware)
        assert entry["supernet_score_and_costs"] == {name: getattr(design, name) for name in FIGURES}
    runs = {entry["key"]: entry["from_scratch"] for entry in stored["designs"]}
    assert [run["seed"] for run in runs[inputs.chosen[0][1].key]] == [0, 1]
