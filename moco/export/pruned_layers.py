"""The layers of a pruned network as nodes of an ONNX graph: really smaller, between values as wide as in the whole one.

As `moco.pruning.network.Compacted` does in torch: inputs that are always zero are taken out before a layer, its outputs
put where the whole network has them after it, zeros between. Attention, gates and pairs stay as narrow as what is left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from moco.export.graph import Graph
from moco.export.layers import Layers, Value
from moco.pruning.network import NARROW, PrunedNetwork


class PrunedLayers(Layers):
    """Writes what is left of layers into a graph.

    Args:
        graph: Where they go.
        network: Whose layers.
        ids: A value of N rows.
    """

    def __init__(self, graph: Graph, network: PrunedNetwork, ids: str) -> None:
        super().__init__(graph, network.weights, network.architecture.embedding_dim, ids)
        self._cut = network.cut

    def layer(self, name: str, x: Value, n_out: int, bits: int) -> Value:
        """See `Layers`; x may also be what is left of the inputs, as pairs are."""
        left = self._cut.layers[name]
        assert n_out == left.n_out, f"{name} must have {left.n_out} outputs before pruning, got {n_out}"
        if x.size != len(left.inputs):
            x = self._taken(x, left.inputs, f"{name}_read")
        y = super().layer(name, x, len(left.outputs), bits)
        return y if name.endswith("_gate") else self.whole(name, y)

    def layer_of_rows(self, name: str, rows: Value, n_out: int, bits: int) -> Value:
        """See `Layers`; of attention's rows only those that are left come out."""
        left = self._cut.layers[name]
        assert n_out == left.n_out, f"{name} must have {left.n_out} outputs before pruning, got {n_out}"
        y = super().layer_of_rows(name, self._taken(rows, left.inputs, f"{name}_read"), len(left.outputs), bits)
        return y if name.endswith(NARROW) else self.whole(name, y)

    def layer_of_columns(self, name: str, rows: str, n_in: int, n_out: int, bits: int) -> str:
        """See `Layers`; between attention's last two layers only the neurons that are left."""
        left = self._cut.layers[name]
        return super().layer_of_columns(name, rows, len(left.inputs), len(left.outputs), bits)

    def gated(self, name: str, left: Value, right: Value, bits: int) -> Value:
        """See `Layers`; only what lets something through is computed."""
        right = self._taken(right, self._cut.layers[name].outputs, f"{name}_right")
        return self.whole(name, super().gated(name, left, right, bits))

    def pairwise_products(self, name: str, rows: Value) -> Value:
        """The inner products that are not always zero, of the rows that are not."""
        places, pairs = self._cut.gram_rows[f"{name}_gram"], self._cut.layers[f"{name}_pairs"].inputs
        if len(pairs) == 0:
            return Value("", 0)
        first, second = (np.searchsorted(places, of[pairs]) for of in np.tril_indices(rows.size, k=-1))
        return self._products(name, self._taken(rows, places, f"{name}_rows_left"), first, second)

    def whole(self, name: str, x: Value) -> Value:
        """Zeros where a layer has lost outputs: one is put behind x, and each place gathers its number or that zero."""
        left = self._cut.layers[name]
        if x.size == left.n_out:
            return x
        if x.size == 0:
            return self.repeated(f"{name}_absent", np.zeros(left.n_out, dtype=np.float32))
        ends, axes = (
            self.graph.constant(f"{name}_{of}", np.array(numbers)) for of, numbers in (("ends", [0, 1]), ("axes", [1]))
        )
        with_zero = self.graph.node("Pad", x.name, ends, "", axes, name=f"{name}_with_zero")
        index = np.full(left.n_out, x.size)
        index[left.outputs] = np.arange(x.size)
        return self._gathered(Value(with_zero, x.size + 1), index, f"{name}_whole")

    def _taken(self, x: Value, places: NDArray[np.int64], name: str) -> Value:
        """These places of x, which stand in order."""
        if x.size == len(places):
            return x
        return self._gathered(x, places, name) if len(places) else Value("", 0)

    def _gathered(self, x: Value, places: NDArray[np.int64], name: str) -> Value:
        index = self.graph.constant(f"{name}_places", places)
        return Value(self.graph.node("Gather", x.name, index, axis=1, name=name), len(places))
