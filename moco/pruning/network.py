"""A network without its removed neurons: every layer is really smaller."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from moco.pruning.cut import Cut, Kept, cut
from moco.supernet.embedding import Embedding
from moco.supernet.forward import Forward, Inputs, Path
from moco.supernet.network import Network, features_first
from moco.supernet.numerics import Arithmetic, Linear, fake_quantise
from moco.supernet.predictor import Predictor
from spaces.architecture import Architecture

NARROW = ("_attention_rows", "_attention_ffn1")
"""Layers after which all is computed at the width that is left; outputs of others are put where the whole network has
them, zeros between."""


class PrunedNetwork(Predictor):
    """A network of which only some neurons are left; see `moco.pruning.cut` for what can be removed.

    A layer's weight has the outputs kept and the inputs that are not always zero, and its product goes through the
    arithmetic at that size: what a chip gets to compute is the small network. Made by `pruned`.

    Args:
        architecture: The whole network.
        cardinalities: Embedding rows of each categorical field.
        n_dense: Dense fields of the data.
        kept: Units kept of each prunable layer.

    Attributes:
        architecture, n_dense: See above.
        cut: What is left of every layer.
        weights: "b1_fc_weight" (outputs kept, inputs left), "b1_fc_bias" (outputs kept,), ...; zeros at first.
    """

    def __init__(self, architecture: Architecture, cardinalities: Sequence[int], n_dense: int, kept: Kept) -> None:
        super().__init__()
        self.architecture, self.n_dense = architecture, n_dense
        self.cut: Cut = cut(architecture, n_dense, len(cardinalities), kept)
        self.embedding = Embedding(cardinalities, architecture.embedding_dim, torch.Generator().manual_seed(0))
        self.weights = nn.ParameterDict()
        for name, layer in self.cut.layers.items():
            n_out, n_in = len(layer.outputs), len(layer.inputs)
            self.weights[f"{name}_weight"] = nn.Parameter(torch.zeros(n_out, n_in))
            self.weights[f"{name}_bias"] = nn.Parameter(torch.zeros(n_out))
            if n_in < layer.n_in and not name.endswith("_attention_ffn2"):
                self._remember(f"{name}_inputs", layer.inputs)
            if n_out < layer.n_out:
                self._remember(f"{name}_outputs", layer.outputs)
            if name.endswith("_attention_qkv"):
                for norm in ("norm1_gain", "norm1_bias", "norm2_gain", "norm2_bias"):
                    width = torch.zeros(architecture.embedding_dim)
                    self.weights[f"{name.removesuffix('qkv')}{norm}"] = nn.Parameter(width)
        for name, rows in self.cut.gram_rows.items():
            self._remember(f"{name}_rows", rows)

    def _remember(self, name: str, places: NDArray[np.int64]) -> None:
        self.register_buffer(name, torch.from_numpy(places), persistent=False)

    @property
    def kept(self) -> dict[str, tuple[int, ...]]:
        """Units left of every prunable layer."""
        return self.cut.units

    def places(self, name: str) -> Tensor | None:
        """Places of "<layer>_inputs", "<layer>_outputs" or "<dot product>_rows" in the whole; None where all are."""
        return self._buffers.get(name)

    def linear(self, name: str, inputs: Inputs, n_out: int, bits: int) -> Linear:
        """See `Weights`: what is left of the layer."""
        return fake_quantise(self.weights[f"{name}_weight"], bits), self.weights[f"{name}_bias"]

    def norm(self, name: str) -> Linear:
        """See `Weights`."""
        return self.weights[f"{name}_gain"], self.weights[f"{name}_bias"]

    def logits(self, dense: Tensor, rows: Tensor, arithmetic: Arithmetic) -> Tensor:
        """See `Predictor`."""
        path, small = Path.of(self.architecture), Compacted(self, arithmetic)
        return PrunedForward(path, self, dense.T.contiguous(), features_first(rows), small).logits()


class Compacted:
    """Products at the size that is left: inputs that are always zero are taken out before, outputs put back after.

    Args:
        network: Whose layers.
        arithmetic: Computes the small products.
    """

    def __init__(self, network: PrunedNetwork, arithmetic: Arithmetic) -> None:
        self.network = network
        self._arithmetic = arithmetic

    def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        """See `Arithmetic`; x and the result are as wide as in the whole network."""
        inputs, outputs = self.network.places(f"{name}_inputs"), self.network.places(f"{name}_outputs")
        if inputs is not None:
            x = x.index_select(0, inputs)
        y = self.small_product(name, x, layer, bits)
        if outputs is None or name.endswith(NARROW):
            return y
        absent = -torch.inf if name.endswith("_gate") else 0.0  # a sigmoid of it is zero
        whole = y.new_full((self.network.cut.layers[name].n_out, y.shape[1]), absent)
        return whole.index_copy(0, outputs, y)

    def small_product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        """The product of what is left."""
        if len(layer[1]) == 0:
            return x.new_zeros(0, x.shape[1])
        return self._arithmetic.product(name, x, layer, bits)

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        """See `Arithmetic`; of a dot product only rows that are not always zero."""
        rows = self.network.places(f"{name}_rows")
        if rows is None or len(rows) == left.shape[1]:
            return self._arithmetic.activation_product(name, left, right)
        gram = self._arithmetic.activation_product(name, left.index_select(1, rows), right.index_select(2, rows))
        wide = gram.new_zeros(len(gram), len(rows), right.shape[2]).index_copy(2, rows, gram)
        return gram.new_zeros(len(gram), left.shape[1], right.shape[2]).index_copy(1, rows, wide)


class PrunedForward(Forward):
    """The forward pass of a pruned network; attention sees the rows that are left and no others."""

    def __init__(self, path: Path, network: PrunedNetwork, dense: Tensor, rows: Tensor, arithmetic: Arithmetic) -> None:
        super().__init__(path, network, dense, rows, arithmetic)
        self.network = network

    def _attention(self, number: int) -> Tensor:
        rows, left = self.attended(number), self.network.places(f"b{number}_attention_rows_outputs")
        if left is None:
            return rows
        whole = rows.new_zeros(self._block(number).sparse_dim, *rows.shape[1:])
        return whole.index_copy(0, left, rows)

    def attended(self, number: int) -> Tensor:
        """(rows left, E, N) the output of a block's attention."""
        return super()._attention(number)


@torch.no_grad()
def pruned(source: Network | PrunedNetwork, kept: Kept) -> PrunedNetwork:
    """A network of these units of another one, with copies of its weights; layers that are not named stay as they are.

    Raises:
        ValueError: The other network has lost units that are to be kept, or there are no such units.
    """
    cardinalities = source.embedding.cardinalities
    network = PrunedNetwork(source.architecture, cardinalities, source.n_dense, _checked(source, kept))
    network.embedding.table.copy_(source.embedding.table)
    for name, parameter in network.weights.items():
        weight, layer = source.weights[name], network.cut.layers.get(name.rpartition("_")[0])
        if layer is not None:
            outputs, inputs = layer.outputs, layer.inputs
            if isinstance(source, PrunedNetwork):
                whole = source.cut.layers[name.rpartition("_")[0]]
                outputs, inputs = np.searchsorted(whole.outputs, outputs), np.searchsorted(whole.inputs, inputs)
            weight = weight[torch.from_numpy(outputs)]
            if weight.dim() == 2:
                weight = weight[:, torch.from_numpy(inputs)]
        parameter.copy_(weight)
    return network


def _checked(source: Network | PrunedNetwork, kept: Kept) -> dict[str, tuple[int, ...]]:
    """The units of every prunable layer."""
    if isinstance(source, PrunedNetwork):
        there = source.kept
    else:
        there = cut(source.architecture, source.n_dense, len(source.embedding.cardinalities)).units
    for name, units in kept.items():
        if name not in there:
            raise ValueError(f"{name!r} is not a layer of this network whose outputs can be removed: {sorted(there)}")
        if lost := sorted(set(units) - set(there[name])):
            raise ValueError(f"layer {name!r} has no units {lost[:5]} to keep, it has {len(there[name])} units")
    return {**there, **kept}
