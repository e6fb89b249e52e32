"""A pass that computes nothing: it draws the graph of a network's work, and notes the shapes of its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from moco.baselines.passes import Pass
from moco.costs.work_graph import WorkGraph
from pimmodel import Kind, Workload

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A value that operators of the graph have made.

    Attributes:
        shape: (n,) or (k, E).
        made_by: Numbers of those operators; none where the value is an input.
    """

    shape: Shape
    made_by: tuple[int, ...] = ()


class WorkPass(Pass[Node]):
    """The work of one inference, in the conventions of `moco.costs.lowering`.

    Args:
        weight_bits: Of every weight.

    Attributes:
        weights: Shape of every trained weight by name: "<layer>_weight" (n_out, n_in), "_bias" (n_out,), "_gain", ...
        statistics: Shape of what batch normalisation remembers: "<layer>_mean" and "<layer>_variance".
    """

    def __init__(self, weight_bits: int) -> None:
        self._bits = weight_bits
        self._graph = WorkGraph(1)
        self._n_of: dict[str, int] = {}
        self.weights: dict[str, Shape] = {}
        self.statistics: dict[str, Shape] = {}

    @property
    def n_parameters(self) -> int:
        """Trained numbers beside those of the tables."""
        return sum(math.prod(shape) for shape in self.weights.values())

    def lookup(self, n_table_rows: int, n_rows: int, width: int) -> Node:
        """(n_rows, width) rows that are read from tables of so many rows."""
        return Node((n_rows, width), (self._graph.add("embedding", Kind.LOOKUP, n_table_rows, width, n_rows),))

    def workload(self) -> Workload:
        """All work drawn so far."""
        return self._graph.workload()

    def shape(self, x: Node) -> Shape:
        """See `Pass`, likewise below."""
        return x.shape

    # Products

    def layer(self, name: str, x: Node, n_out: int, *, has_bias: bool = True) -> Node:
        self._declare(name, x.shape[0], n_out, *(("bias",) if has_bias else ()))
        return self._product(name, x, x.shape[0], n_out, 1, (n_out,))

    def batch_normalised_layer(self, name: str, x: Node, n_out: int) -> Node:
        self._declare(name, x.shape[0], n_out, "bias", "gain")
        self.statistics |= {f"{name}_mean": (n_out,), f"{name}_variance": (n_out,)}
        return self._product(name, x, x.shape[0], n_out, 1, (n_out,))

    def row_layer(self, name: str, rows: Node, n_out: int) -> Node:
        n_in, width = rows.shape
        self._declare(name, n_in, n_out, "bias")
        return self._product(name, rows, n_in, n_out, width, (n_out, width))

    def width_layer(self, name: str, rows: Node, n_out: int) -> Node:
        n_rows, width = rows.shape
        self._declare(name, width, n_out)
        return self._product(name, rows, width, n_out, n_rows, (n_rows, n_out))

    def activation_product(self, name: str, left: Node, right: Node) -> Node:
        (n_vectors, n_in), n_out = left.shape, right.shape[1]
        made_by = tuple(dict.fromkeys(left.made_by + right.made_by))
        number = self._graph.add(name, Kind.PRODUCT, n_in, n_out, n_vectors, waits_for=made_by, weight_bits=0)
        return Node((n_vectors, n_out), (number,))

    def pairs(self, name: str, rows: Node) -> Node:
        n_rows = rows.shape[0]
        made_by = self.activation_product(name, rows, self.transposed(rows)).made_by
        return Node((n_rows * (n_rows - 1) // 2,), made_by)

    # Element-wise

    def relu(self, x: Node) -> Node:
        return self._elementwise("relu", x.shape, x)

    def sigmoid(self, x: Node) -> Node:
        return self._elementwise("sigmoid", x.shape, x)

    def softmax(self, x: Node) -> Node:
        return self._elementwise("softmax", x.shape, x)

    def layer_norm(self, name: str, x: Node) -> Node:
        self.weights |= {f"{name}_gain": x.shape[-1:], f"{name}_bias": x.shape[-1:]}
        return self._elementwise("layernorm", x.shape, x)

    def add(self, *values: Node) -> Node:
        return self._elementwise("add", values[0].shape, *values, n_each=len(values) - 1)

    def multiply(self, left: Node, right: Node) -> Node:
        return self._elementwise("multiply", left.shape, left, right)

    def scaled(self, x: Node, factor: float) -> Node:
        return x

    def shifted(self, name: str, x: Node) -> Node:
        self.weights[f"{name}_bias"] = x.shape
        return self._elementwise("add", x.shape, x)

    def dense_rows(self, name: str, x: Node, width: int) -> Node:
        self.weights[f"{name}_vectors"] = (x.shape[0], width)
        return self._elementwise("multiply", (x.shape[0], width), x)

    def outer(self, left: Node, right: Node) -> Node:
        return self._elementwise("multiply", (left.shape[0] * right.shape[0], left.shape[1]), left, right)

    def pair_sum(self, rows: Node) -> Node:
        # (sum of rows)^2 - sum of squares: a square and two additions for each element of the rows.
        n_rows, width = rows.shape
        squares = self._elementwise("multiply", (n_rows + 1, width), rows)
        return Node((width,), self._elementwise("add", rows.shape, squares, n_each=2).made_by)

    def total(self, x: Node) -> Node:
        return Node(x.shape[:-1] or (1,), self._elementwise("add", x.shape, x).made_by)

    def dropped(self, x: Node, share: float) -> Node:
        return x

    # Where values lie

    def concatenated(self, values: Sequence[Node]) -> Node:
        first, *rest = values[0].shape
        made_by = tuple(dict.fromkeys(number for value in values for number in value.made_by))
        return Node((first + sum(value.shape[0] for value in values[1:]), *rest), made_by)

    def flat(self, rows: Node) -> Node:
        return Node((math.prod(rows.shape),), rows.made_by)

    def as_row(self, x: Node) -> Node:
        return Node((1, *x.shape), x.made_by)

    def part(self, x: Node, start: int, stop: int) -> Node:
        return Node((stop - start, *x.shape[1:]), x.made_by)

    def split(self, rows: Node, widths: Sequence[int]) -> list[Node]:
        return [Node((rows.shape[0], width), rows.made_by) for width in widths]

    def side_by_side(self, values: Sequence[Node]) -> Node:
        return self.transposed(self.concatenated([self.transposed(value) for value in values]))

    def transposed(self, rows: Node) -> Node:
        return Node(rows.shape[::-1], rows.made_by)

    def _declare(self, name: str, n_in: int, n_out: int, *beside: str) -> None:
        self.weights |= {f"{name}_weight": (n_out, n_in), **{f"{name}_{one}": (n_out,) for one in beside}}

    def _product(self, name: str, x: Node, n_in: int, n_out: int, n_vectors: int, shape: Shape) -> Node:
        number = self._graph.add(name, Kind.MVM, n_in, n_out, n_vectors, waits_for=x.made_by, weight_bits=self._bits)
        return Node(shape, (number,))

    def _elementwise(self, function: str, shape: Shape, *inputs: Node, n_each: int = 1) -> Node:
        """An operator of so many functions for each element of its result, under a name such as "relu_2"."""
        self._n_of[function] = self._n_of.get(function, 0) + 1
        waits_for = tuple(dict.fromkeys(number for x in inputs for number in x.made_by))
        name, n_elements = f"{function}_{self._n_of[function]}", n_each * math.prod(shape)
        number = self._graph.add(name, Kind.ELEMENTWISE, 0, n_elements, 1, waits_for=waits_for, function=function)
        return Node(shape, (number,))
