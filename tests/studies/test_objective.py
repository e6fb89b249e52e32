"""Objectives, constraints and the check of what evaluate returns."""

from __future__ import annotations

import numpy as np
import pytest

from studies import Constraint, Evaluation, Objective
from studies.objective import checked_evaluation, minimised, violations

COST = Objective(name="cost")
GAIN = Objective(name="gain", direction="max")
AREA = Constraint(name="area_mm2", limit=50.0)
NET = Constraint(name="net", limit=-4.0)
ADC = Constraint(name="adc_shortfall", limit=0.0)


def test_sign_is_turned_for_maximised_objectives_and_back() -> None:
    values = np.array([[1.0, 2.0], [3.0, -4.0]])
    assert minimised(values, [COST, GAIN]).tolist() == [[1.0, -2.0], [3.0, 4.0]]
    assert minimised(minimised(values, [COST, GAIN]), [COST, GAIN]).tolist() == values.tolist()


def test_violations_are_shares_of_the_limit() -> None:
    values = np.array([[75.0, -4.0, 2.0], [50.0, -3.0, 0.0], [25.0, -8.0, -1.0]])
    expected = [[0.5, 0.0, 2.0], [0.0, 0.25, 0.0], [-0.5, -1.0, -1.0]]
    assert violations(values, [AREA, NET, ADC]).tolist() == expected


def test_plain_values_are_an_evaluation() -> None:
    checked = checked_evaluation([[1, 2], [3, 4]], [COST, GAIN], [], n_designs=2)
    assert checked.values.dtype == np.float64
    assert checked.constraints.shape == (2, 0)


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ([[1.0], [2.0]], r"objective values must have shape \(2, 2\).*\(cost, gain\), got \(2, 1\)"),
        ([1.0, 2.0], r"objective values must have shape \(2, 2\).*got \(2,\)"),
        ([[1.0, 2.0], [3.0, 4.0]], r"has constraints \(area_mm2\): evaluate must return Evaluation"),
        (Evaluation([[1.0, 2.0], [3.0, 4.0]], [[1.0]]), r"constraint values must have shape \(2, 1\)"),
        (
            Evaluation([[1.0, 2.0], [3.0, 4.0]], [[1.0], [1.0]], failures={2: "out of memory"}),
            r"failures must be named by row, 0 to 1, got 2 \(out of memory\)",
        ),
        (
            Evaluation([[1.0, 2.0], [3.0, 4.0]], [[1.0], [1.0]], {"auc": [0.5]}),
            r"attribute 'auc' must have shape \(2,\) or \(2, C\), one row a design, got \(1,\)",
        ),
    ],
)
def test_wrong_evaluations_are_named(evaluation: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_evaluation(evaluation, [COST, GAIN], [AREA], n_designs=2)  # type: ignore[arg-type]


def test_what_is_not_finite_has_failed() -> None:
    values = [[1.0, 2.0], [np.nan, 4.0], [1.0, np.inf], [3.0, 4.0], [1.0, 1.0], [np.nan, np.nan]]
    limited = [[1.0], [1.0], [1.0], [-np.inf], [1.0], [1.0]]
    evaluation = Evaluation(values, limited, failures={np.int64(4): "out of memory", 5: "no such cell"})
    assert checked_evaluation(evaluation, [COST, GAIN], [AREA], n_designs=6).failures == {
        1: "cost is nan",
        2: "gain is inf",
        3: "area_mm2 is -inf",
        4: "out of memory",
        5: "no such cell",
    }


def test_constraints_that_were_not_declared_are_refused() -> None:
    with pytest.raises(ValueError, match=r"constraint values must have shape \(1, 0\).*\(none\), got \(1, 1\)"):
        checked_evaluation(Evaluation([[1.0]], [[1.0]]), [COST], [], n_designs=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Objective(name=""), "an objective needs a name"),
        (lambda: Objective(name="a", direction="up"), "direction of objective 'a' must be 'min' or 'max', got 'up'"),
        (lambda: Objective(name="a", reference=np.inf), "reference of objective 'a' must be finite, got inf"),
        (lambda: Constraint(name="", limit=1.0), "a constraint needs a name"),
        (lambda: Constraint(name="a", limit=np.nan), "limit of constraint 'a' must be finite, got nan"),
    ],
)
def test_wrong_declarations_are_named(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
