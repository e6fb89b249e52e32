from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pimmodel.schedule import critical_path_ns


def test_longest_of_two_ways() -> None:
    # 0 -> 1 -> 3 takes 1 + 2 + 8, 0 -> 2 -> 3 takes 1 + 4 + 8; in the second network the slow way is cut
    latency_ns = np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0], [8.0, 8.0]])
    edges = np.array([[0, 1], [0, 2], [1, 3], [2, 3]])
    is_active = np.array([[True, True], [True, True], [True, True], [True, False]])
    assert critical_path_ns(latency_ns, edges, is_active).tolist() == [13.0, 11.0]


def test_time_passes_through_an_absent_operator() -> None:
    edges = np.array([[0, 1], [1, 2]])
    assert critical_path_ns(np.array([[3.0], [0.0], [4.0]]), edges, np.ones((2, 1), dtype=np.bool_)) == [7.0]


def test_an_operator_nobody_waits_for_still_has_to_finish() -> None:
    no_edges = np.zeros((0, 2), dtype=np.int64)
    assert critical_path_ns(np.array([[5.0], [9.0]]), no_edges, np.zeros((0, 1), dtype=np.bool_)) == [9.0]


def test_no_operators() -> None:
    no_edges = np.zeros((0, 2), dtype=np.int64)
    assert critical_path_ns(np.zeros((0, 2)), no_edges, np.zeros((0, 2), dtype=np.bool_)).tolist() == [0, 0]


@given(data=st.data(), n_operators=st.integers(1, 7))
def test_is_the_longest_of_all_ways(data: st.DataObject, n_operators: int) -> None:
    latency_ns = data.draw(hnp.arrays(np.float64, n_operators, elements=st.integers(0, 9)))
    pairs = [(i, j) for j in range(n_operators) for i in range(j)]
    chosen = data.draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    edges = np.array(chosen, dtype=np.int64).reshape(-1, 2)
    is_active = data.draw(hnp.arrays(np.bool_, len(chosen)))
    active = [edge for edge, used in zip(chosen, is_active, strict=True) if used]

    def longest_from(operator: int) -> float:
        ways = [longest_from(consumer) for producer, consumer in active if producer == operator]
        return float(latency_ns[operator]) + max(ways, default=0.0)

    expected = max(longest_from(operator) for operator in range(n_operators))
    assert critical_path_ns(latency_ns[:, None], edges, is_active[:, None]).item() == pytest.approx(expected)
