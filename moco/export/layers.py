"""The layers of a network as nodes of an ONNX graph, their weights rounded to the architecture's bits.

Samples come first here: dense values are (N, d), sparse rows (N, s, E), for N samples. Each node bears the name of its
layer, such as "b1_fc".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from moco.export.graph import Graph
from moco.supernet.numerics import fake_quantise
from moco.supernet.operators import NORM_EPS


class Value(NamedTuple):
    """A value of the graph: (N, size) dense values, or (N, size, E) rows. One of size 0 has no name."""

    name: str
    size: int


class Layers:
    """Writes layers into a graph.

    Args:
        graph: Where they go.
        weights: Of the network, by the names of `Network.weights`.
        width: E.
        ids: A value of N rows.
    """

    def __init__(self, graph: Graph, weights: nn.ParameterDict, width: int, ids: str) -> None:
        self.graph = graph
        self.width = width
        self._weights = weights
        self._ids = ids
        self._n_rows = ""

    def _linear(self, name: str, n_in: int, n_out: int, bits: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n_out, n_in) rounded weight and (n_out,) bias."""
        weight = array_of(fake_quantise(self._weights[f"{name}_weight"], bits))
        assert weight.shape == (n_out, n_in), f"{name} must be {(n_out, n_in)}, got {weight.shape}"
        return weight, array_of(self._weights[f"{name}_bias"])

    def layer(self, name: str, x: Value, n_out: int, bits: int) -> Value:
        """(N, n_in) to (N, n_out); a layer on nothing is its bias alone."""
        weight, bias = self._linear(name, x.size, n_out, bits)
        if n_out == 0:
            return Value("", 0)
        if x.size == 0:
            return self.repeated(name, bias)
        given = self.graph.constant(f"{name}_weight", weight), self.graph.constant(f"{name}_bias", bias)
        return Value(self.graph.node("Gemm", x.name, *given, transB=1, name=name), n_out)

    def layer_of_rows(self, name: str, rows: Value, n_out: int, bits: int) -> Value:
        """(N, n, E) rows to (N, n_out, E): one layer over the rows, shared by all E columns."""
        weight, bias = self._linear(name, rows.size, n_out, bits)
        product = self.graph.node(
            "MatMul", self.graph.constant(f"{name}_weight", weight), rows.name, name=f"{name}_product"
        )
        return Value(
            self.graph.node("Add", product, self.graph.constant(f"{name}_bias", bias[:, None]), name=name), n_out
        )

    def layer_of_columns(self, name: str, rows: str, n_in: int, n_out: int, bits: int) -> str:
        """(N, s, n_in) rows to (N, s, n_out): one layer over the columns, shared by all rows."""
        weight, bias = self._linear(name, n_in, n_out, bits)
        given = self.graph.constant(f"{name}_weight", weight.T), self.graph.constant(f"{name}_bias", bias)
        product = self.graph.node("MatMul", rows, given[0], name=f"{name}_product")
        return self.graph.node("Add", product, given[1], name=name)

    def layer_norm(self, name: str, x: str) -> str:
        """A layer norm over the last axis."""
        gain = self.graph.constant(f"{name}_gain", array_of(self._weights[f"{name}_gain"]))
        bias = self.graph.constant(f"{name}_bias", array_of(self._weights[f"{name}_bias"]))
        return self.graph.node("LayerNormalization", x, gain, bias, axis=-1, epsilon=NORM_EPS, name=name)

    # What differs where only parts of a network are left

    def gated(self, name: str, left: Value, right: Value, bits: int) -> Value:
        """Right, weighted by the sigmoid of a square layer of left."""
        gate = self.layer(name, left, left.size, bits)
        if gate.size == 0:
            return gate
        open_ = self.graph.node("Sigmoid", gate.name, name=f"{name}_sigmoid")
        return Value(self.graph.node("Mul", open_, right.name, name=f"{name}_multiply"), gate.size)

    def pairwise_products(self, name: str, rows: Value) -> Value:
        """(N, k + 1, E) rows to the (N, k (k + 1) / 2) inner products of each two; see `moco.supernet.operators`."""
        return self._products(name, rows, *np.tril_indices(rows.size, k=-1))

    def _products(self, name: str, rows: Value, first: NDArray[np.int64], second: NDArray[np.int64]) -> Value:
        """(N, n) inner products of n pairs of rows, given by their (n,) places."""
        turned = self.graph.node("Transpose", rows.name, perm=[0, 2, 1], name=f"{name}_turned")
        gram = self.graph.node("MatMul", rows.name, turned, name=f"{name}_gram")
        flat = self.reshaped(Value(gram, rows.size), (rows.size**2,), f"{name}_flat")
        index = self.graph.constant(f"{name}_below_diagonal", first * rows.size + second)
        return Value(self.graph.node("Gather", flat.name, index, axis=1, name=f"{name}_products"), len(first))

    def whole(self, name: str, x: Value) -> Value:
        """The outputs of a layer where the network has them before anything is removed."""
        return x

    # Shapes

    def concatenated(self, parts: Sequence[Value], name: str) -> Value:
        """Values joined along axis 1."""
        names, size = [part.name for part in parts if part.size], sum(part.size for part in parts)
        if len(names) < 2:
            return Value(names[0] if names else "", size)
        return Value(self.graph.node("Concat", *names, axis=1, name=name), size)

    def reshaped(self, x: Value, shape: tuple[int, ...], name: str) -> Value:
        """N samples of another shape."""
        target = self.graph.constant(f"{name}_shape", np.array([0, *shape]))  # 0 keeps N
        return Value(self.graph.node("Reshape", x.name, target, name=name), shape[0])

    def padded(self, x: Value, size: int, name: str) -> Value:
        """(N, size) values, zeros behind those of x."""
        if x.size == size:
            return x
        if x.size == 0:
            return self.repeated(name, np.zeros(size, dtype=np.float32))
        pads = self.graph.constant(f"{name}_pads", np.array([0, 0, 0, size - x.size]))
        return Value(self.graph.node("Pad", x.name, pads, name=name), size)

    def repeated(self, name: str, row: NDArray[np.float32]) -> Value:
        """(N, n) the same (n,) row for every sample."""
        if not self._n_rows:
            self._n_rows = self.graph.node("Shape", self._ids, start=0, end=1, name="n_rows")
        size = self.graph.constant(f"{name}_size", np.array([len(row)]))
        shape = self.graph.node("Concat", self._n_rows, size, axis=0, name=f"{name}_shape")
        return Value(
            self.graph.node("Expand", self.graph.constant(f"{name}_row", row[None]), shape, name=name), len(row)
        )


def array_of(tensor: Tensor) -> NDArray[np.float32]:
    """The numbers of a tensor on the CPU."""
    array: NDArray[np.float32] = tensor.detach().cpu().numpy()
    return array
