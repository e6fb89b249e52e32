from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from pimmodel import FUNCTIONS, Kind, Operator, Workload

FC = Operator(name="fc", kind=Kind.MVM, in_features=16, out_features=4)
RELU = Operator(name="relu", kind=Kind.ELEMENTWISE, in_features=0, out_features=4, function="relu", inputs=("fc",))


def batch(**changes: Any) -> Workload:
    """Two networks of one fc and one relu."""
    single = Workload.from_operators([FC, RELU])
    values = {field.name: getattr(single, field.name) for field in fields(single)}
    for name in ("in_features", "out_features", "n_vectors", "weight_bits", "is_active_edge"):
        values[name] = np.repeat(values[name], 2, axis=0)
    return Workload(**(values | changes))


def test_from_operators() -> None:
    workload = Workload.from_operators([FC, RELU])
    assert len(workload) == 1
    assert workload.names == ("fc", "relu")
    assert workload.kinds == (Kind.MVM, Kind.ELEMENTWISE)
    assert workload.in_features.tolist() == [[16, 0]]
    assert workload.edges.tolist() == [[0, 1]]
    assert workload.is_active_edge.all()


def test_empty_network() -> None:
    workload = Workload.from_operators([])
    assert len(workload) == 1
    assert workload.edges.shape == (0, 2)


def test_take() -> None:
    workload = batch(out_features=np.array([[4, 4], [8, 8]]))
    assert workload.take(1).out_features.tolist() == [[8, 8]]
    assert workload.take([1, 0, 1]).out_features[:, 0].tolist() == [8, 4, 8]
    assert len(workload.take(slice(0, 1))) == 1


def test_published_networks_find_their_functions() -> None:
    assert {"add", "multiply", "relu", "sigmoid", "softmax", "layernorm"} <= FUNCTIONS.keys()


@pytest.mark.parametrize(
    ("operators", "message"),
    [
        ([RELU], "input 'fc' of operator 'relu' is not an earlier operator; list operators in topological order"),
        ([FC, FC], "operator names must be unique, got 'fc' twice"),
        ([replace(FC, in_features=0)], "in_features of operator 'fc' in network 0 must be at least 1, got 0"),
        ([replace(FC, out_features=-1)], "out_features of operator 'fc' in network 0 must be at least 1, got -1"),
        ([replace(FC, weight_bits=0)], "weight_bits of operator 'fc' in network 0 must be at least 1, got 0"),
        ([replace(FC, n_vectors=-1)], "n_vectors of operator 'fc' in network 0 must be 0 .absent. or more, got -1"),
        ([FC, replace(RELU, function="gelu")], "unknown function 'gelu' of operator 'relu'; functions are 'add', "),
        ([replace(FC, function="relu")], "function of operator 'fc' must be '' for kind 'mvm', got 'relu'"),
    ],
)
def test_wrong_operators_are_named(operators: list[Operator], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Workload.from_operators(operators)


def test_wrong_types_are_named() -> None:
    with pytest.raises(TypeError, match=r"in_features must be int in every operator, got \[16.5\]"):
        Workload.from_operators([replace(FC, in_features=16.5)])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="kind of operator 'fc' must be a Kind, got 'mvm'"):
        Workload.from_operators([replace(FC, kind="mvm")])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"kinds": (Kind.MVM,)}, ValueError, "kinds must have one entry per name, got 1 for 2 names"),
        ({"n_vectors": np.ones((2, 3), dtype=np.int64)}, ValueError, r"n_vectors must have shape \(B, L\) with L = 2"),
        ({"in_features": np.ones((3, 2), dtype=np.int64)}, ValueError, r"in_features must have the shape of n_vectors"),
        ({"in_features": np.ones((2, 2))}, TypeError, "in_features must be an int64 array, got float64"),
        ({"edges": np.array([0, 1])}, ValueError, r"edges must have shape \(K, 2\), producer and consumer"),
        ({"edges": np.array([[1, 0]])}, ValueError, r"from an earlier to a later of the 2 operators, got \(1, 0\)"),
        ({"edges": np.array([[0, 2]])}, ValueError, r"from an earlier to a later of the 2 operators, got \(0, 2\)"),
        ({"is_active_edge": np.ones((2, 1))}, TypeError, "is_active_edge must be a bool array"),
        (
            {"is_active_edge": np.ones((1, 1), dtype=np.bool_)},
            ValueError,
            r"is_active_edge must have shape \(B, K\) = \(2, 1\), got \(1, 1\)",
        ),
        (
            {"out_features": np.array([[4, 4], [0, 4]])},
            ValueError,
            "out_features of operator 'fc' in network 1 must be at least 1, got 0; set n_vectors to 0",
        ),
    ],
)
def test_wrong_arrays_are_named(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        batch(**changes)


def test_absent_operators_need_no_numbers() -> None:
    zeros = np.zeros((2, 2), dtype=np.int64)
    workload = batch(n_vectors=zeros, in_features=zeros, out_features=zeros, weight_bits=zeros)
    assert len(workload) == 2
