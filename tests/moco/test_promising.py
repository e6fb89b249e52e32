"""Which design is trained next, where the right choice can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.promising import expected_improvement
from studies.front import hypervolume


def test_a_certain_value_gains_the_area_that_it_adds() -> None:
    # Known: 0.5 at cost 1. Costs reach from 0 to 2, and an eighth of that beyond: 2.25. Reference 1.
    gains = expected_improvement(
        mean=np.array([0.4, 0.7, 0.7, 0.3]),
        sd=np.zeros(4),
        cost=np.array([2.0, 0.0, 1.5, 0.0]),
        known_cost=np.array([1.0]),
        known_value=np.array([0.5]),
        reference=1.0,
    )
    expected = [
        0.25 * 0.1,  # better than the known one, from cost 2 on
        1.0 * 0.3,  # cheaper than it: below the reference from cost 0 to 1
        0.0,  # dominated
        1.0 * 0.7 + 1.25 * 0.2,
    ]
    assert gains == pytest.approx(expected, abs=1e-9)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 0.9)), min_size=1, max_size=6),
    st.floats(0, 1),
    st.floats(0.1, 0.9),
    st.floats(0.01, 0.3),
)
def test_it_is_the_mean_growth_of_the_hypervolume(
    known: list[tuple[float, float]], cost: float, mean: float, sd: float
) -> None:
    known_cost, known_value = np.array(known).T
    gain = expected_improvement(
        np.array([mean, mean]), np.array([sd, sd]), np.array([cost, 1.0]), known_cost, known_value, 1.0
    )[0]
    end = max(1.0, known_cost.max())
    end += max(np.ptp(np.concatenate([[cost, 1.0], known_cost])), 1e-9) / 8
    corner = np.array([1.0, end])
    points = np.column_stack([known_value, known_cost])
    values = mean + sd * np.sqrt(2) * np.polynomial.hermite.hermgauss(60)[0]
    weights = np.polynomial.hermite.hermgauss(60)[1] / np.sqrt(np.pi)
    before = hypervolume(points, corner)
    grown = [hypervolume(np.vstack([points, [value, cost]]), corner) - before for value in values]
    assert gain == pytest.approx(float(weights @ grown), abs=0.01)


def test_uncertainty_is_worth_something() -> None:
    gains = expected_improvement(
        np.array([0.6, 0.6]), np.array([0.01, 0.2]), np.array([1.0, 1.0]), np.array([0.5]), np.array([0.5]), 1.0
    )
    assert gains[1] > gains[0]
