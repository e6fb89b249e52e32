"""Fronts: by hand, and against the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from studies.front import hypervolume, is_non_dominated, knee

points = st.integers(1, 4).flatmap(
    lambda m: arrays(np.float64, st.tuples(st.integers(0, 25), st.just(m)), elements=st.integers(0, 5).map(float))
)


@given(points)
def test_non_domination_is_its_definition(points: np.ndarray) -> None:
    expected = [not any((other <= point).all() and (other < point).any() for other in points) for point in points]
    assert is_non_dominated(points).tolist() == expected


def test_equal_points_are_all_kept() -> None:
    assert is_non_dominated(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]])).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("points", "reference", "expected"),
    [
        pytest.param([[1, 1]], [3, 4], 2 * 3, id="one rectangle"),
        # (1, 2) covers 3 x 2 of (4, 4), (2, 1) covers 2 x 3, both cover 2 x 2.
        pytest.param([[1, 2], [2, 1]], [4, 4], 6 + 6 - 4, id="two rectangles"),
        # Boxes of 1 x 2 x 2, 2 x 1 x 2 and 2 x 2 x 1; each pair shares 1 x 1 x 2, all three share 1.
        pytest.param([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [2, 2, 2], 3 * 4 - 3 * 2 + 1, id="three boxes"),
        pytest.param([[1, 1], [5, 0], [0, 4]], [4, 4], 9, id="points outside add nothing"),
        pytest.param([[4, 4]], [4, 4], 0, id="on the reference"),
        pytest.param(np.zeros((0, 2)), [1, 1], 0, id="no point"),
        pytest.param([[0.25], [0.5]], [1], 0.75, id="one objective"),
    ],
)
def test_hypervolume_by_hand(points: list[list[float]], reference: list[float], expected: float) -> None:
    assert hypervolume(np.array(points, dtype=float), np.array(reference, dtype=float)) == pytest.approx(expected)


@given(points)
def test_another_point_never_costs_hypervolume(points: np.ndarray) -> None:
    reference = np.full(points.shape[1], 4.0)
    volumes = [hypervolume(points[:n], reference) for n in range(len(points) + 1)]
    assert np.all(np.diff(volumes) >= -1e-9)
    assert hypervolume(points[is_non_dominated(points)], reference) == pytest.approx(volumes[-1])


def test_knee_is_farthest_below_the_line_through_the_extremes() -> None:
    assert knee(np.array([[0.0, 10.0], [1.0, 2.0], [5.0, 1.0], [10.0, 0.0]])) == 1
    assert knee(np.array([[0.0, 10.0], [4.0, 5.9], [10.0, 0.0]])) == 1
    assert knee(np.array([[3.0, 3.0]])) == 0


@given(points.filter(len), st.floats(0.1, 10), st.floats(-5, 5))
def test_knee_does_not_depend_on_units(points: np.ndarray, factor: float, offset: float) -> None:
    scaled = points.copy()
    scaled[:, 0] = scaled[:, 0] * factor + offset
    span = np.where(np.ptp(points, axis=0) == 0, 1, np.ptp(points, axis=0))
    total = ((points - points.min(axis=0)) / span).sum(axis=1)
    assert total[knee(scaled)] == pytest.approx(total[knee(points)])


def test_no_points_have_no_knee() -> None:
    with pytest.raises(ValueError, match="empty front has no knee"):
        knee(np.zeros((0, 2)))
