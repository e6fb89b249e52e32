"""What is left of a network when neurons are removed: of every layer the outputs kept, and the inputs not always zero.

A removed neuron is zero for all that comes after it. What else is zero then is not worked out operator by operator: a
one for everything present and a zero for everything absent go through the network's own forward pass, and what
comes to a layer as zero is removed from its inputs. So concatenations, paddings, element-wise sums, gates, pairs of a
dot product and factorisation machines are read as the network reads them.

Neurons that can be removed:
    fc, dot_pairs, gate_resize, sum_resize, fm: an output. With a factorisation machine, a place of the node's dense
        output is zero only when the operator's and the machine's output are both removed.
    gate: an output, together with what it would let through; where the gated value is always zero, it goes by itself.
    dot_sparse: a row of the dot product, with all its pairs.
    efc: a row.
    attention_rows: a row, as if it had never been there: not in the means over rows, and attended to by none.
    attention_ffn1: a hidden neuron of the feed-forward layer.
    dense_to_sparse: one of the eight merger rows, all its numbers.

Left whole: all else. Queries, keys, values, attention's output and its last layer keep the embedding's width, which the
residuals and norms need, and so does the dense row of a dot product, which meets rows of that width. Embeddings stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moco.supernet.forward import Forward, Inputs, Path
from moco.supernet.numerics import Linear
from moco.supernet.operators import mixed_rows
from spaces.architecture import ATTENTION_HEADS, Architecture

Kept = Mapping[str, tuple[int, ...]]
"""Units kept of each prunable layer, by their place in the whole layer; a layer that is not named is whole."""

PRUNABLE = (
    "fc",
    "dot_sparse",
    "dot_pairs",
    "gate",
    "gate_resize",
    "sum_resize",
    "efc",
    "attention_rows",
    "attention_ffn1",
    "dense_to_sparse",
    "fm",
)
"""Layers whose outputs can be removed, without the block's number."""

_Places = NDArray[np.int64]


def is_prunable(name: str) -> bool:
    """Whether outputs of a layer, such as "b1_fc", can be removed."""
    return name.partition("_")[2] in PRUNABLE


def unit_width(name: str, embedding_dim: int) -> int:
    """Outputs of a layer that are removed together: a whole merger row, else one."""
    return embedding_dim if name.endswith("_dense_to_sparse") else 1


@dataclass(frozen=True, slots=True, eq=False)
class LayerCut:
    """What is left of one layer.

    Attributes:
        n_in: Inputs of the whole layer.
        n_out: Outputs of the whole layer.
        inputs: (i,) places of the inputs that are not always zero.
        outputs: (o,) places of the outputs kept.
        n_vectors: Input vectors per inference.
    """

    n_in: int
    n_out: int
    inputs: _Places
    outputs: _Places
    n_vectors: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return len(self.inputs) * len(self.outputs) * self.n_vectors


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """What is left of a network.

    Attributes:
        layers: Every live layer by name, such as "b1_fc" and "head".
        products: Vectors, inputs and outputs of every product of two activations, such as "b2_dot_gram".
        gram_rows: Rows of each dot product that are not always zero; the dense row is 0.
        dense_operator: Places of each node's dense operator's output that are not always zero.
        embedding_dim: Width of the rows.
    """

    layers: dict[str, LayerCut] = field(default_factory=dict)
    products: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    gram_rows: dict[str, _Places] = field(default_factory=dict)
    dense_operator: dict[int, _Places] = field(default_factory=dict)
    embedding_dim: int = 16

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference: matrix products only, as `spaces.shapes` counts them."""
        of_activations = sum(vectors * n_in * n_out for vectors, n_in, n_out in self.products.values())
        return sum(layer.macs for layer in self.layers.values()) + of_activations

    @property
    def n_parameters(self) -> int:
        """Trainable numbers without the embedding tables: weights, biases, layer norms."""
        linear = sum((len(layer.inputs) + 1) * len(layer.outputs) for layer in self.layers.values())
        return linear + sum(4 * self.embedding_dim for name in self.layers if name.endswith("_attention_qkv"))

    @property
    def units(self) -> dict[str, tuple[int, ...]]:
        """Units left of every prunable layer."""
        found = {}
        for name, layer in self.layers.items():
            if is_prunable(name):
                places = np.unique(layer.outputs // unit_width(name, self.embedding_dim))
                found[name] = tuple(places.tolist())
        return found


def cut(architecture: Architecture, n_dense: int, n_sparse: int, kept: Kept | None = None) -> Cut:
    """What is left of a network when only these units are kept; all of them when left out.

    Even then, what is always zero is cut: the padding that gating adds to the narrower of its inputs.
    """
    found = Cut(embedding_dim=architecture.embedding_dim)
    presence = _Presence(found, kept or {})
    rows = torch.ones(n_sparse, architecture.embedding_dim, 1)
    with torch.no_grad():
        _PresenceForward(Path.of(architecture), presence, torch.ones(n_dense, 1), rows).logits()
    return found


class _Presence:
    """Weights and arithmetic of ones and zeros, which note the shape of every product."""

    def __init__(self, found: Cut, kept: Kept) -> None:
        self.found = found
        self._kept = kept
        self.is_gated: dict[str, Tensor] = {}

    def linear(self, name: str, inputs: Inputs, n_out: int, bits: int) -> Linear:
        """No weight, and in place of the bias a one for each output kept."""
        present = torch.ones(n_out)
        if name in self._kept:
            width = unit_width(name, self.found.embedding_dim)
            places = torch.tensor(self._kept[name], dtype=torch.int64)
            present = torch.zeros(n_out // width, width).index_fill_(0, places, 1.0).flatten()
        if name in self.is_gated:
            present = present * self.is_gated[name]
        return torch.empty(0), present

    def norm(self, name: str) -> Linear:
        """Never asked for: attention's inner layers are noted without being computed."""
        raise AssertionError(f"the presence of neurons was asked for the layer norm {name!r}")

    def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        """Ones for the outputs kept; of a gate what a sigmoid makes zero for those removed."""
        present = layer[1]
        self.found.layers[name] = LayerCut(
            n_in=len(x), n_out=len(present), inputs=places(x), outputs=places(present), n_vectors=x.shape[1]
        )
        y = present[:, None].repeat(1, x.shape[1])
        return y.log_() if name.endswith("_gate") else y

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        """The product itself: only a row of zeros makes zeros."""
        n_vectors, n_in, n_out = left.shape[0] * left.shape[1], left.shape[2], right.shape[2]
        if name.endswith("_dot_gram"):
            self.found.gram_rows[name] = places(left[0])
            n_vectors = n_out = len(self.found.gram_rows[name])
        self.found.products[name] = n_vectors, n_in, n_out
        return torch.bmm(left, right)


class _PresenceForward(Forward):
    def __init__(self, path: Path, presence: _Presence, dense: Tensor, rows: Tensor) -> None:
        super().__init__(path, presence, dense, rows, presence)
        self._presence = presence

    def _dense_operator_output(self, node: int) -> Tensor:
        output = super()._dense_operator_output(node)
        self._presence.found.dense_operator[node] = places(output)
        return output

    def _gating(self, number: int) -> Tensor:
        _, right = self._pair(number)
        self._presence.is_gated[f"b{number}_gate"] = (right[:, 0] > 0).float()
        return super()._gating(number)

    def _attention(self, number: int) -> Tensor:
        block, name = self._block(number), f"b{number}_attention"
        inputs, rows = self._sparse_inputs(number)
        width, bits = rows.shape[1], block.sparse_bits
        mixed = mixed_rows(rows, self._layer(f"{name}_rows", inputs, block.sparse_dim, bits))
        n_rows, head_width = len(places(mixed)), width // ATTENTION_HEADS
        x = torch.ones(width, n_rows)
        self._layer(f"{name}_qkv", width, 3 * width, bits)(x)
        queries, keys = torch.ones(ATTENTION_HEADS, n_rows, head_width), torch.ones(ATTENTION_HEADS, head_width, n_rows)
        scores = self._product(f"{name}_scores")(queries, keys)
        self._product(f"{name}_context")(scores, queries)
        self._layer(f"{name}_out", width, width, bits)(x)
        self._layer(f"{name}_ffn2", width, width, bits)(self._layer(f"{name}_ffn1", width, width, bits)(x))
        return mixed


def places(x: Tensor) -> _Places:
    """Where x, or any of a row of x, is above 0."""
    is_present: _Places = np.flatnonzero((x > 0).flatten(1).any(dim=1).numpy() if x.dim() > 1 else (x > 0).numpy())
    return is_present
