"""The one forward pass, for shared and for own weights: from the head backwards, only what the head depends on.

`Forward` asks for the values it needs, so dead parts of a network are never computed. `Weights` gives it the layers:
slices of the supernet's weights, or a network's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from moco.supernet.numerics import FLOAT, Arithmetic, Linear
from moco.supernet.operators import (
    Layer,
    Product,
    factorisation_machine,
    gated,
    mixed_rows,
    normalised_over_rows,
    padded,
    pairwise_products,
    transformer_layer,
)
from spaces.architecture import HEAD_BITS, MERGER_ROWS, Architecture, Block

Inputs = tuple[tuple[str, int], ...]
"""What a layer reads, in order: (slot, number of inputs). A slot is a part of the shared weight, such as "from2"."""


class Weights(Protocol):
    """Where a forward pass gets its layers."""

    def linear(self, name: str, inputs: Inputs, n_out: int, bits: int) -> Linear:
        """The layer of n_out outputs over these inputs, its weight rounded to `bits` bits."""
        ...

    def norm(self, name: str) -> Linear:
        """Gain and bias of a layer norm."""
        ...


@dataclass(frozen=True, slots=True)
class Path:
    """What one training step computes: a network, in which a block may run several operators and add their outputs.

    Attributes:
        architecture: Connections, widths, mergers and bits.
        dense_operators: For each block, the dense operators it runs.
        sparse_operators: For each block, the sparse operators it runs.
    """

    architecture: Architecture
    dense_operators: tuple[tuple[str, ...], ...]
    sparse_operators: tuple[tuple[str, ...], ...]

    @staticmethod
    def of(architecture: Architecture) -> Path:
        """The path of the network itself: one operator of each kind in every block."""
        blocks = architecture.blocks
        return Path(
            architecture,
            tuple((block.dense_operator,) for block in blocks),
            tuple((block.sparse_operator,) for block in blocks),
        )


class Forward:
    """One forward pass of N samples through a path.

    Args:
        path: What to compute.
        weights: Where the layers come from.
        dense: (D, N) dense fields; D may be 0.
        rows: (F, E, N) embedded categorical fields.
        arithmetic: How products are computed.
    """

    def __init__(
        self, path: Path, weights: Weights, dense: Tensor, rows: Tensor, arithmetic: Arithmetic = FLOAT
    ) -> None:
        self._path = path
        self._weights = weights
        self._arithmetic = arithmetic
        flat = [rows.flatten(0, 1)] if path.architecture.has_flat_input else []
        self._dense = {0: _concatenated([dense, *flat] if len(dense) > 0 else flat or [dense])}
        self._rows = {0: rows}
        self._dense_operator: dict[int, Tensor] = {}
        self._sparse: dict[int, list[tuple[str, Tensor]]] = {}
        self._joined: dict[tuple[int, ...], tuple[Inputs, Tensor]] = {}

    def head_inputs(self) -> Tensor:
        """(n, N) the last block's dense output, its rows and its merger rows."""
        return torch.cat([part for _, part in self._head_parts()])

    def head(self) -> Linear:
        """The head's layer, over its inputs in the order of `head_inputs`."""
        inputs = tuple((slot, len(part)) for slot, part in self._head_parts())
        return self._weights.linear("head", inputs, 1, HEAD_BITS)

    def logits(self) -> Tensor:
        """(N,) logits of the head."""
        return self._arithmetic.product("head", self.head_inputs(), self.head(), HEAD_BITS)[0]

    def _head_parts(self) -> Iterator[tuple[str, Tensor]]:
        last = len(self._path.architecture.blocks)
        yield "dense", self._dense_output(last)
        for slot, rows in self._sparse_output(last):
            yield "merged" if slot.endswith("merged") else "rows", rows.flatten(0, 1)

    def _block(self, number: int) -> Block:
        return self._path.architecture.blocks[number - 1]

    def _layer(self, name: str, inputs: Inputs | int, n_out: int, bits: int) -> Layer:
        read = (("", inputs),) if isinstance(inputs, int) else inputs
        return lambda x: self._arithmetic.product(name, x, self._weights.linear(name, read, n_out, bits), bits)

    def _product(self, name: str) -> Product:
        return lambda left, right: self._arithmetic.activation_product(name, left, right)

    # Node outputs

    def _dense_output(self, node: int) -> Tensor:
        """(d, N): the dense operator's output, with the factorisation machine's added."""
        if node not in self._dense:
            output = self._dense_operator_output(node)
            block = self._block(node)
            if block.has_fm:
                pooled = factorisation_machine(self._rows_output(node))
                if len(pooled) != block.dense_dim:
                    pooled = self._layer(f"b{node}_fm", len(pooled), block.dense_dim, block.fm_bits)(pooled)
                output = output + pooled
            self._dense[node] = output
        return self._dense[node]

    def _sparse_output(self, node: int) -> list[tuple[str, Tensor]]:
        """Slots and rows of a node: the sparse operator's (s, E, N), then the 8 merger rows where they are on."""
        if node not in self._sparse:
            rows = self._rows_output(node)
            self._sparse[node] = [(f"from{node}", rows)]
            if node > 0 and (block := self._block(node)).has_dense_to_sparse:
                merged = self._dense_operator_output(node)
                n_out = MERGER_ROWS * rows.shape[1]
                if len(merged) != n_out:
                    bits = block.dense_to_sparse_bits
                    merged = self._layer(f"b{node}_dense_to_sparse", len(merged), n_out, bits)(merged)
                self._sparse[node].append((f"from{node}_merged", merged.reshape(MERGER_ROWS, *rows.shape[1:])))
        return self._sparse[node]

    def _dense_operator_output(self, node: int) -> Tensor:
        if node not in self._dense_operator:
            operators = self._path.dense_operators[node - 1]
            compute: dict[str, Callable[[int], Tensor]] = {
                "fc": self._fc,
                "dot-product": self._dot_product,
                "gating": self._gating,
                "sum": self._sum,
            }
            self._dense_operator[node] = _joint([compute[operator](node) for operator in operators])
        return self._dense_operator[node]

    def _rows_output(self, node: int) -> Tensor:
        if node not in self._rows:
            operators = self._path.sparse_operators[node - 1]
            compute: dict[str, Callable[[int], Tensor]] = {"efc": self._efc, "attention": self._attention}
            self._rows[node] = _joint([compute[operator](node) for operator in operators])
        return self._rows[node]

    # Inputs

    def _dense_inputs(self, number: int) -> tuple[Inputs, Tensor]:
        parts = [(f"from{node}", self._dense_output(node)) for node in self._block(number).dense_inputs]
        return tuple((slot, len(part)) for slot, part in parts), _concatenated([part for _, part in parts])

    def _sparse_inputs(self, number: int) -> tuple[Inputs, Tensor]:
        nodes = self._block(number).sparse_inputs
        if nodes not in self._joined:
            parts = [part for node in nodes for part in self._sparse_output(node)]
            inputs = tuple((slot, len(rows)) for slot, rows in parts)
            self._joined[nodes] = inputs, _concatenated([rows for _, rows in parts])
        return self._joined[nodes]

    def _pair(self, number: int) -> tuple[Tensor, Tensor]:
        block = self._block(number)
        return padded(self._dense_output(block.left), self._dense_output(block.right))

    # Dense operators

    def _fc(self, number: int) -> Tensor:
        block = self._block(number)
        inputs, x = self._dense_inputs(number)
        return torch.relu(self._layer(f"b{number}_fc", inputs, block.dense_dim, block.dense_bits)(x))

    def _dot_product(self, number: int) -> Tensor:
        block = self._block(number)
        dense_inputs, dense = self._dense_inputs(number)
        sparse_inputs, rows = self._sparse_inputs(number)
        width, n_rows = rows.shape[1], round(math.sqrt(2 * block.dense_dim))
        if len(dense) != width:
            dense = self._layer(f"b{number}_dot_dense", dense_inputs, width, block.dense_bits)(dense)
        if len(rows) != n_rows:
            rows = mixed_rows(rows, self._layer(f"b{number}_dot_sparse", sparse_inputs, n_rows, block.dense_bits))
        pairs = pairwise_products(torch.cat([dense[None], rows]), self._product(f"b{number}_dot_gram"))
        return self._layer(f"b{number}_dot_pairs", len(pairs), block.dense_dim, block.dense_bits)(pairs)

    def _gating(self, number: int) -> Tensor:
        left, right = self._pair(number)
        gate = self._layer(f"b{number}_gate", len(left), len(left), self._block(number).dense_bits)
        return self._resized(number, "gate_resize", gated(left, right, gate))

    def _sum(self, number: int) -> Tensor:
        left, right = self._pair(number)
        return self._resized(number, "sum_resize", left + right)

    def _resized(self, number: int, name: str, x: Tensor) -> Tensor:
        block = self._block(number)
        if len(x) == block.dense_dim:
            return x
        return self._layer(f"b{number}_{name}", len(x), block.dense_dim, block.dense_bits)(x)

    # Sparse operators

    def _efc(self, number: int) -> Tensor:
        block = self._block(number)
        inputs, rows = self._sparse_inputs(number)
        return torch.relu(mixed_rows(rows, self._layer(f"b{number}_efc", inputs, block.sparse_dim, block.sparse_bits)))

    def _attention(self, number: int) -> Tensor:
        block, name = self._block(number), f"b{number}_attention"
        inputs, rows = self._sparse_inputs(number)
        width, bits = rows.shape[1], block.sparse_bits
        mixed = mixed_rows(rows, self._layer(f"{name}_rows", inputs, block.sparse_dim, bits))
        return transformer_layer(
            normalised_over_rows(mixed),
            qkv=self._layer(f"{name}_qkv", width, 3 * width, bits),
            scores=self._product(f"{name}_scores"),
            context=self._product(f"{name}_context"),
            out=self._layer(f"{name}_out", width, width, bits),
            norm1=self._weights.norm(f"{name}_norm1"),
            ffn1=self._layer(f"{name}_ffn1", width, width, bits),
            ffn2=self._layer(f"{name}_ffn2", width, width, bits),
            norm2=self._weights.norm(f"{name}_norm2"),
        )


def _concatenated(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _joint(outputs: Sequence[Tensor]) -> Tensor:
    """The sum of n outputs divided by sqrt(n), which keeps the size of independent outputs."""
    return outputs[0] if len(outputs) == 1 else torch.stack(list(outputs)).sum(dim=0) * len(outputs) ** -0.5
