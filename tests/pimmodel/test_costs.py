from __future__ import annotations

import numpy as np

from pimmodel import Operators


def operators(design: list[int], n_designs: int = 4) -> Operators:
    numbers = np.arange(1.0, len(design) + 1.0).astype(np.float64)
    return Operators(
        n_designs=n_designs,
        design=np.array(design, dtype=np.intp),
        in_features=numbers,
        out_features=10 * numbers,
        n_vectors=100 * numbers,
        weight_bits=1000 * numbers,
    )


FIVE = operators([3, 0, 0, 2, 0])  # in no order; design 1 has none


def test_each_operator_gets_the_value_of_its_design() -> None:
    assert FIVE.each(np.array([10, 11, 12, 13])).tolist() == [13, 10, 10, 12, 10]
    assert FIVE.each(np.array([7.0])).tolist() == [7.0]  # one value for all designs
    assert FIVE.each(np.array(["a", "b", "c", "d"])).tolist() == ["d", "a", "a", "c", "a"]


def test_totals_and_maxima_by_design() -> None:
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert FIVE.total(values).tolist() == [22, 0, 8, 1]
    assert FIVE.largest(values).tolist() == [16, 0, 8, 1]
    # one value for all operators
    assert FIVE.total(np.array([2.0])).tolist() == [6, 0, 2, 2]
    assert FIVE.largest(np.array([2.0])).tolist() == [2, 0, 2, 2]


def test_no_operators() -> None:
    nobody = operators([])
    assert len(nobody) == 0
    assert nobody.total(np.zeros(0)).tolist() == nobody.total(np.ones(1)).tolist() == [0, 0, 0, 0]
    assert nobody.largest(np.zeros(0)).tolist() == nobody.largest(np.ones(1)).tolist() == [0, 0, 0, 0]
    assert nobody.each(np.arange(4)).tolist() == []


def test_take() -> None:
    taken = FIVE.take(np.array([False, True, True, False, False]))
    assert (len(taken), taken.n_designs) == (2, 4)
    assert taken.design.tolist() == [0, 0]
    numbers = (taken.in_features, taken.out_features, taken.n_vectors, taken.weight_bits)
    assert [array.tolist() for array in numbers] == [[2, 3], [20, 30], [200, 300], [2000, 3000]]
