"""What a network asks of the hardware: operators in plain numbers and who waits for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Kind(StrEnum):
    """What an operator does, and so what its shape numbers mean.

    MVM: n_vectors input vectors times static weights, in_features x out_features of weight_bits.
    PRODUCT: (n_vectors x in_features) times (in_features x out_features), both activations.
    ELEMENTWISE: `function` on n_vectors * out_features elements; in_features is ignored.
    LOOKUP: n_vectors rows of out_features elements each, from tables of in_features rows in total.
    """

    MVM = "mvm"
    PRODUCT = "product"
    ELEMENTWISE = "elementwise"
    LOOKUP = "lookup"


class Function(NamedTuple):
    """Work of one result element of an element-wise function.

    Attributes:
        n_adds: Additions, subtractions and comparisons.
        n_multiplies: Multiplications.
        n_tables: Reads of a function table (sigmoid, exponential).
        n_operands: Elements read from the buffer; 0 means nothing moves at all.
    """

    n_adds: int
    n_multiplies: int
    n_tables: int
    n_operands: int


FUNCTIONS = MappingProxyType(
    {
        "add": Function(1, 0, 0, 2),
        "multiply": Function(0, 1, 0, 2),
        "relu": Function(1, 0, 0, 1),
        "sigmoid": Function(0, 0, 1, 1),
        "tanh": Function(0, 0, 1, 1),
        # compare for the maximum, subtract it, exponential, sum, times the reciprocal of the sum
        "softmax": Function(3, 1, 1, 1),
        # mean, subtract, square, variance, times the reciprocal deviation, scale, shift
        "layernorm": Function(4, 3, 0, 1),
        # consumers read the parts where they lie
        "concat": Function(0, 0, 0, 0),
    }
)
"""Functions of an ELEMENTWISE operator; per-vector work (one reciprocal) is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator of one network; `Kind` says what the shape numbers mean.

    Attributes:
        name: Unique in its network.
        inputs: Names of earlier operators it waits for.
    """

    name: str
    kind: Kind
    in_features: int
    out_features: int
    n_vectors: int = 1
    weight_bits: int = 8
    function: str = ""
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workload:
    """A batch of B networks over one list of L possible operators in topological order.

    A network leaves an operator out by n_vectors = 0; such an operator costs nothing, and time
    passes through it along its active edges. Arrays are not copied: leave them unchanged.

    Attributes:
        names: (L,) operator names.
        kinds: (L,) what each does.
        functions: (L,) key of FUNCTIONS for ELEMENTWISE operators, "" for others.
        in_features, out_features, n_vectors, weight_bits: (B, L) shape numbers, see `Kind`.
        edges: (K, 2) producer and consumer positions, producer before consumer.
        is_active_edge: (B, K) edges each network uses.

    Raises:
        TypeError: an array has the wrong dtype.
        ValueError: a shape, an edge, a name, a function or a present operator's number is wrong.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    functions: tuple[str, ...]
    in_features: NDArray[np.int64]
    out_features: NDArray[np.int64]
    n_vectors: NDArray[np.int64]
    weight_bits: NDArray[np.int64]
    edges: NDArray[np.int64]
    is_active_edge: NDArray[np.bool_]

    def __post_init__(self) -> None:
        self._check_operators()
        self._check_shapes()
        self._check_edges()
        self._check_numbers()

    def __len__(self) -> int:
        """B, the number of networks."""
        return len(self.n_vectors)

    @classmethod
    def from_operators(cls, operators: Sequence[Operator]) -> Workload:
        """The workload of one network (B = 1).

        Raises:
            ValueError: an input is not the name of an earlier operator, or a number is wrong.
        """
        position: dict[str, int] = {}
        edges: list[tuple[int, int]] = []
        for consumer, operator in enumerate(operators):
            for name in operator.inputs:
                if name not in position:
                    raise ValueError(
                        f"input {name!r} of operator {operator.name!r} is not an earlier operator; "
                        "list operators in topological order"
                    )
                edges.append((position[name], consumer))
            position[operator.name] = consumer

        def row(attribute: str) -> NDArray[np.int64]:
            numbers = [getattr(operator, attribute) for operator in operators]
            array = np.array([numbers]).reshape(1, len(operators))
            if array.dtype.kind != "i" and numbers:
                raise TypeError(f"{attribute} must be int in every operator, got {numbers}")
            return array.astype(np.int64)

        return cls(
            names=tuple(operator.name for operator in operators),
            kinds=tuple(operator.kind for operator in operators),
            functions=tuple(operator.function for operator in operators),
            in_features=row("in_features"),
            out_features=row("out_features"),
            n_vectors=row("n_vectors"),
            weight_bits=row("weight_bits"),
            edges=np.array(edges, dtype=np.int64).reshape(-1, 2),
            is_active_edge=np.ones((1, len(edges)), dtype=np.bool_),
        )

    def take(self, indices: int | slice | ArrayLike) -> Workload:
        """The networks at `indices`; an int gives a workload of one."""
        if isinstance(indices, slice):
            rows: slice | NDArray[np.int64] = indices
        else:
            rows = np.atleast_1d(np.asarray(indices, dtype=np.int64))
        return Workload(
            names=self.names,
            kinds=self.kinds,
            functions=self.functions,
            in_features=self.in_features[rows],
            out_features=self.out_features[rows],
            n_vectors=self.n_vectors[rows],
            weight_bits=self.weight_bits[rows],
            edges=self.edges,
            is_active_edge=self.is_active_edge[rows],
        )

    def _check_operators(self) -> None:
        n_operators = len(self.names)
        for name in ("kinds", "functions"):
            if len(getattr(self, name)) != n_operators:
                raise ValueError(
                    f"{name} must have one entry per name, got {len(getattr(self, name))} for {n_operators} names"
                )
        if len(set(self.names)) != n_operators:
            repeated = next(name for name in self.names if self.names.count(name) > 1)
            raise ValueError(f"operator names must be unique, got {repeated!r} twice; rename one")
        for name, kind, function in zip(self.names, self.kinds, self.functions, strict=True):
            if not isinstance(kind, Kind):
                raise TypeError(f"kind of operator {name!r} must be a Kind, got {kind!r}")
            if kind is Kind.ELEMENTWISE and function not in FUNCTIONS:
                raise ValueError(
                    f"unknown function {function!r} of operator {name!r}; "
                    f"functions are {', '.join(map(repr, FUNCTIONS))}"
                )
            if kind is not Kind.ELEMENTWISE and function:
                raise ValueError(
                    f"function of operator {name!r} must be '' for kind {kind.value!r}, got {function!r}; "
                    "add an elementwise operator after it"
                )

    def _check_shapes(self) -> None:
        n_operators = len(self.names)
        for name in ("in_features", "out_features", "n_vectors", "weight_bits", "edges"):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != np.int64:
                raise TypeError(f"{name} must be an int64 array, got {getattr(array, 'dtype', type(array))}")
        if self.n_vectors.ndim != 2 or self.n_vectors.shape[1] != n_operators:
            raise ValueError(
                f"n_vectors must have shape (B, L) with L = {n_operators} operators, got {self.n_vectors.shape}"
            )
        for name in ("in_features", "out_features", "weight_bits"):
            if getattr(self, name).shape != self.n_vectors.shape:
                raise ValueError(
                    f"{name} must have the shape of n_vectors, {self.n_vectors.shape}, got {getattr(self, name).shape}"
                )

    def _check_edges(self) -> None:
        if self.edges.ndim != 2 or self.edges.shape[1] != 2:
            raise ValueError(f"edges must have shape (K, 2), producer and consumer, got {self.edges.shape}")
        if not isinstance(self.is_active_edge, np.ndarray) or self.is_active_edge.dtype != np.bool_:
            raise TypeError("is_active_edge must be a bool array of shape (B, K)")
        expected = (len(self.n_vectors), len(self.edges))
        if self.is_active_edge.shape != expected:
            raise ValueError(f"is_active_edge must have shape (B, K) = {expected}, got {self.is_active_edge.shape}")
        producer, consumer = self.edges.T
        is_wrong = (producer < 0) | (producer >= consumer) | (consumer >= len(self.names))
        if is_wrong.any():
            raise ValueError(
                f"an edge must lead from an earlier to a later of the {len(self.names)} operators, "
                f"got {tuple(self.edges[is_wrong][0].tolist())}; list operators in topological order"
            )

    def _check_numbers(self) -> None:
        if self.n_vectors.size and self.n_vectors.min() < 0:
            network, operator = np.argwhere(self.n_vectors < 0)[0]
            raise ValueError(
                f"n_vectors of operator {self.names[operator]!r} in network {network} must be 0 (absent) or "
                f"more, got {self.n_vectors[network, operator]}"
            )
        self._check_at_least_one("out_features", tuple(Kind))
        self._check_at_least_one("in_features", (Kind.MVM, Kind.PRODUCT, Kind.LOOKUP))
        self._check_at_least_one("weight_bits", (Kind.MVM,))

    def _check_at_least_one(self, field: str, kinds: tuple[Kind, ...]) -> None:
        array: NDArray[np.int64] = getattr(self, field)
        if array.size and array.min() >= 1:
            return
        is_checked = np.array([kind in kinds for kind in self.kinds], dtype=np.bool_)
        is_wrong = (array < 1) & (self.n_vectors > 0) & is_checked
        if is_wrong.any():
            network, operator = np.argwhere(is_wrong)[0]
            raise ValueError(
                f"{field} of operator {self.names[operator]!r} in network {network} must be at least 1, "
                f"got {array[network, operator]}; set n_vectors to 0 to leave the operator out"
            )
