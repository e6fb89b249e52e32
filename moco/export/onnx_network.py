"""A network, whole or pruned, as an ONNX graph that computes what its forward pass does, and its sigmoid.

Samples come first here: dense values are (N, d), sparse rows (N, s, E), for N samples. Weights stand in the graph
rounded to the architecture's bits, and each node bears the name of its layer, such as "b1_fc".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from moco.export.graph import Graph
from moco.export.layers import Layers, Value, array_of
from moco.export.pruned_layers import PrunedLayers
from moco.pruning.network import PrunedNetwork
from moco.supernet.network import Network
from moco.supernet.operators import NORM_EPS
from spaces.architecture import ATTENTION_HEADS, HEAD_BITS, MERGER_ROWS, Block


def write_onnx(network: Network | PrunedNetwork, path: Path, text: str) -> None:
    """Writes a network as ONNX.

    Inputs are `ids` int64 (N, F), local to their fields, and where there are dense fields `dense` float32 (N, D); the
    output is `probability` float32 (N,). N is free.

    Args:
        network: With weights of its own.
        path: Of the file.
        text: What the network is, for people.
    """
    graph = Graph()
    with torch.no_grad():
        probability = _Writer(network, graph).probability()
    graph.write(path, probability, "moco_network", text)


class _Writer:
    """Writes the live part of a network into a graph, from the head backwards, as `moco.supernet.forward` computes."""

    def __init__(self, network: Network | PrunedNetwork, graph: Graph) -> None:
        self._blocks = network.architecture.blocks
        self._width = network.architecture.embedding_dim
        self._graph = graph
        embedding = network.embedding
        n_fields, n_dense = len(embedding.cardinalities), network.n_dense
        ids = graph.input("ids", np.int64, n_fields)
        dense = graph.input("dense", np.float32, n_dense) if n_dense else ""
        offsets = graph.constant("embedding_offsets", array_of(embedding.get_buffer("offsets")))
        table = graph.table("embedding_table", array_of(embedding.table))
        rows = graph.node("Gather", table, graph.node("Add", ids, offsets, name="embedding_row"), name="embedding")
        self._layers = (
            PrunedLayers(graph, network, ids)
            if isinstance(network, PrunedNetwork)
            else Layers(graph, network.weights, self._width, ids)
        )
        self._rows = {0: Value(rows, n_fields)}
        self._fields = Value(dense, n_dense)
        self._has_flat_input = network.architecture.has_flat_input
        self._dense: dict[int, Value] = {}
        self._dense_operator: dict[int, Value] = {}
        self._sparse: dict[int, list[Value]] = {}
        self._joined_dense: dict[tuple[int, ...], Value] = {}
        self._joined_rows: dict[tuple[int, ...], Value] = {}

    def probability(self) -> str:
        """The name of the result, after all nodes that it needs are written."""
        last = len(self._blocks)
        parts = [self._dense_output(last)]
        parts += [
            self._layers.reshaped(rows, (rows.size * self._width,), f"head_{rows.name}")
            for rows in self._sparse_output(last)
        ]
        head = self._layers.layer("head", self._layers.concatenated(parts, "head_in"), 1, HEAD_BITS)
        axis = self._graph.constant("head_axis", np.array([1]))
        logit = self._graph.node("Squeeze", head.name, axis, name="logit")
        return self._graph.node("Sigmoid", logit, name="probability")

    def _block(self, number: int) -> Block:
        return self._blocks[number - 1]

    # Node outputs

    def _dense_output(self, node: int) -> Value:
        if node not in self._dense and node == 0:
            self._dense[0] = self._dense_input()
        if node not in self._dense:
            block = self._block(node)
            output = self._dense_operator_output(node)
            if block.has_fm:
                pooled = self._factorisation_machine(f"b{node}_fm", self._rows_output(node))
                if pooled.size != block.dense_dim:
                    pooled = self._layers.layer(f"b{node}_fm", pooled, block.dense_dim, block.fm_bits)
                output = Value(self._graph.node("Add", output.name, pooled.name, name=f"b{node}_dense"), output.size)
            self._dense[node] = output
        return self._dense[node]

    def _sparse_output(self, node: int) -> list[Value]:
        if node not in self._sparse:
            self._sparse[node] = [self._rows_output(node)]
            if node > 0 and (block := self._block(node)).has_dense_to_sparse:
                name, n_out = f"b{node}_dense_to_sparse", MERGER_ROWS * self._width
                merged = self._dense_operator_output(node)
                if merged.size != n_out:
                    merged = self._layers.layer(name, merged, n_out, block.dense_to_sparse_bits)
                self._sparse[node].append(self._layers.reshaped(merged, (MERGER_ROWS, self._width), f"{name}_rows"))
        return self._sparse[node]

    def _dense_operator_output(self, node: int) -> Value:
        if node not in self._dense_operator:
            write: dict[str, Callable[[int], Value]] = {
                "fc": self._fc,
                "dot-product": self._dot_product,
                "gating": self._gating,
                "sum": self._sum,
            }
            self._dense_operator[node] = write[self._block(node).dense_operator](node)
        return self._dense_operator[node]

    def _rows_output(self, node: int) -> Value:
        if node not in self._rows:
            write: dict[str, Callable[[int], Value]] = {"efc": self._efc, "attention": self._attention}
            self._rows[node] = write[self._block(node).sparse_operator](node)
        return self._rows[node]

    # Inputs

    def _dense_input(self) -> Value:
        """Node 0's: the dense fields, with a flat input all embeddings behind them."""
        if not self._has_flat_input:
            return self._fields
        rows = self._rows[0]
        flat = self._layers.reshaped(rows, (rows.size * self._width,), "flat_input")
        return self._layers.concatenated([self._fields, flat], "dense_input")

    def _dense_inputs(self, number: int) -> Value:
        nodes = self._block(number).dense_inputs
        if nodes not in self._joined_dense:
            name = f"dense_of_{'_'.join(map(str, nodes))}"
            self._joined_dense[nodes] = self._layers.concatenated([self._dense_output(node) for node in nodes], name)
        return self._joined_dense[nodes]

    def _sparse_inputs(self, number: int) -> Value:
        nodes = self._block(number).sparse_inputs
        if nodes not in self._joined_rows:
            parts = [part for node in nodes for part in self._sparse_output(node)]
            self._joined_rows[nodes] = self._layers.concatenated(parts, f"rows_of_{'_'.join(map(str, nodes))}")
        return self._joined_rows[nodes]

    def _pair(self, number: int) -> tuple[Value, Value]:
        """Both dense values at the width of the wider."""
        block = self._block(number)
        left, right = self._dense_output(block.left), self._dense_output(block.right)
        size = max(left.size, right.size)
        return self._layers.padded(left, size, f"b{number}_left"), self._layers.padded(right, size, f"b{number}_right")

    # Dense operators

    def _fc(self, number: int) -> Value:
        block, name = self._block(number), f"b{number}_fc"
        x = self._layers.layer(name, self._dense_inputs(number), block.dense_dim, block.dense_bits)
        return Value(self._graph.node("Relu", x.name, name=f"{name}_relu"), x.size)

    def _dot_product(self, number: int) -> Value:
        block, name = self._block(number), f"b{number}_dot"
        dense, rows = self._dense_inputs(number), self._sparse_inputs(number)
        n_rows = round(math.sqrt(2 * block.dense_dim))
        if dense.size != self._width:
            dense = self._layers.layer(f"{name}_dense", dense, self._width, block.dense_bits)
        if rows.size != n_rows:
            rows = self._layers.layer_of_rows(f"{name}_sparse", rows, n_rows, block.dense_bits)
        first = self._layers.reshaped(dense, (1, self._width), f"{name}_first")
        vectors = self._layers.concatenated([Value(first.name, 1), rows], f"{name}_rows")
        pairs = self._layers.pairwise_products(name, vectors)
        return self._layers.layer(f"{name}_pairs", pairs, block.dense_dim, block.dense_bits)

    def _gating(self, number: int) -> Value:
        left, right = self._pair(number)
        name = f"b{number}_gate"
        gate = self._layers.gated(name, left, right, self._block(number).dense_bits)
        return self._resized(number, f"{name}_resize", gate)

    def _sum(self, number: int) -> Value:
        left, right = self._pair(number)
        if left.size:
            left = Value(self._graph.node("Add", left.name, right.name, name=f"b{number}_sum"), left.size)
        return self._resized(number, f"b{number}_sum_resize", left)

    def _resized(self, number: int, name: str, x: Value) -> Value:
        block = self._block(number)
        return x if x.size == block.dense_dim else self._layers.layer(name, x, block.dense_dim, block.dense_bits)

    def _factorisation_machine(self, name: str, rows: Value) -> Value:
        """(N, E): the square of the rows' sum less the sum of their squares."""
        node, axis = self._graph.node, self._graph.constant(f"{name}_axis", np.array([1]))
        total = node("ReduceSum", rows.name, axis, keepdims=0, name=f"{name}_sum")
        square = node("Mul", total, total, name=f"{name}_square_of_sum")
        squares = node("Mul", rows.name, rows.name, name=f"{name}_squares")
        sum_of_squares = node("ReduceSum", squares, axis, keepdims=0, name=f"{name}_sum_of_squares")
        return Value(node("Sub", square, sum_of_squares, name=f"{name}_pooled"), self._width)

    # Sparse operators

    def _efc(self, number: int) -> Value:
        block, name = self._block(number), f"b{number}_efc"
        rows = self._layers.layer_of_rows(name, self._sparse_inputs(number), block.sparse_dim, block.sparse_bits)
        return Value(self._graph.node("Relu", rows.name, name=f"{name}_relu"), rows.size)

    def _attention(self, number: int) -> Value:
        block, name = self._block(number), f"b{number}_attention"
        bits, width, node = block.sparse_bits, self._width, self._graph.node
        mixed = self._layers.layer_of_rows(f"{name}_rows", self._sparse_inputs(number), block.sparse_dim, bits)
        n_rows = mixed.size
        x = self._normalised_over_rows(mixed.name, name)

        projected = self._layers.layer_of_columns(f"{name}_qkv", x, width, 3 * width, bits)
        parts = tuple(f"{name}_{part}" for part in ("query", "key", "value"))
        sizes = self._graph.constant(f"{name}_qkv_sizes", np.array([width] * 3))
        self._graph.nodes("Split", projected, sizes, axis=2, names=parts, node_name=f"{name}_qkv_split")
        heads = (ATTENTION_HEADS, width // ATTENTION_HEADS)
        query, key, value = (
            node(
                "Transpose",
                self._layers.reshaped(Value(part, 0), (n_rows, *heads), f"{part}_split").name,
                perm=[0, 2, 3, 1] if part.endswith("key") else [0, 2, 1, 3],
                name=f"{part}_heads",
            )
            for part in parts
        )
        scale = self._graph.constant(f"{name}_scale", np.array(heads[1] ** -0.5, dtype=np.float32))
        scaled = node("Mul", query, scale, name=f"{name}_scaled_queries")
        scores = node("MatMul", scaled, key, name=f"{name}_scores")
        weights = node("Softmax", scores, axis=-1, name=f"{name}_softmax")
        context = node("MatMul", weights, value, name=f"{name}_context")
        joined = node("Transpose", context, perm=[0, 2, 1, 3], name=f"{name}_heads")
        joined = self._layers.reshaped(Value(joined, 0), (n_rows, width), f"{name}_joined").name

        attended = self._layers.layer_of_columns(f"{name}_out", joined, width, width, bits)
        x = self._layers.layer_norm(f"{name}_norm1", node("Add", x, attended, name=f"{name}_add"))
        hidden = node("Relu", self._layers.layer_of_columns(f"{name}_ffn1", x, width, width, bits), name=f"{name}_relu")
        fed = self._layers.layer_of_columns(f"{name}_ffn2", hidden, width, width, bits)
        x = self._layers.layer_norm(f"{name}_norm2", node("Add", x, fed, name=f"{name}_ffn_add"))
        return self._layers.whole(f"{name}_rows", Value(x, n_rows))

    def _normalised_over_rows(self, rows: str, name: str) -> str:
        node, axis = self._graph.node, self._graph.constant(f"{name}_axis", np.array([1]))
        centred = node("Sub", rows, node("ReduceMean", rows, axis, name=f"{name}_mean"), name=f"{name}_centred")
        squares = node("Mul", centred, centred, name=f"{name}_squares")
        variance = node("ReduceMean", squares, axis, name=f"{name}_variance")
        eps = self._graph.constant(f"{name}_eps", np.array(NORM_EPS, dtype=np.float32))
        deviation = node("Sqrt", node("Add", variance, eps, name=f"{name}_variance_eps"), name=f"{name}_deviation")
        return node("Div", centred, deviation, name=f"{name}_rows_norm")
