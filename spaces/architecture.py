"""Networks of the NASRec space as data: one network for people, a batch of networks as arrays.

A network is a chain of blocks. Node 0 is the input: the dense fields (one vector; with `has_flat_input` all embeddings
side by side behind them) and the embedded categorical fields (one row of `embedding_dim` numbers each). Block
b = 1, 2, ... reads any earlier nodes and gives one dense vector and one set of sparse rows. The head reads the last
block.

Source: NASRec (Zhang et al., WWW 2023, arXiv 2207.07187).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

DENSE_OPERATORS = ("fc", "dot-product", "gating", "sum")
SPARSE_OPERATORS = ("efc", "attention")
FC, DOT_PRODUCT, GATING, SUM = range(4)
EFC, ATTENTION = range(2)

MAX_INPUTS = 4
"""A connection set names one to four earlier nodes."""

MERGER_ROWS = 8
"""Rows that the dense-to-sparse merger appends to the sparse output."""

ATTENTION_HEADS = 2
"""Heads of the attention operator. The published code has 8; the products are the same, fewer heads are quicker."""

HEAD_BITS = 8
"""Weight bits of the head, in every network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of a network.

    Attributes:
        dense_operator: "fc", "dot-product", "gating" or "sum".
        sparse_operator: "efc" or "attention".
        dense_inputs: Nodes whose dense outputs are concatenated, for fc and dot-product; ascending.
        sparse_inputs: Nodes whose sparse rows are concatenated, for efc, attention and dot-product; ascending.
        left: Node that gates (gating) or is added (sum).
        right: Node that is gated (gating) or added (sum).
        dense_dim: Width of the dense output.
        sparse_dim: Rows of the sparse operator's output.
        has_dense_to_sparse: Whether the dense output is projected to 8 further sparse rows.
        has_fm: Whether a factorisation machine over the sparse rows is added to the dense output.
        dense_bits: Weight bits of the dense operator.
        sparse_bits: Weight bits of the sparse operator.
        dense_to_sparse_bits: Weight bits of the dense-to-sparse projection.
        fm_bits: Weight bits of the factorisation machine's projection.
    """

    dense_operator: str
    sparse_operator: str
    dense_inputs: tuple[int, ...]
    sparse_inputs: tuple[int, ...]
    left: int
    right: int
    dense_dim: int
    sparse_dim: int
    has_dense_to_sparse: bool = False
    has_fm: bool = False
    dense_bits: int = 8
    sparse_bits: int = 8
    dense_to_sparse_bits: int = 8
    fm_bits: int = 8

    def __post_init__(self) -> None:
        _check_operator("dense_operator", self.dense_operator, DENSE_OPERATORS)
        _check_operator("sparse_operator", self.sparse_operator, SPARSE_OPERATORS)
        for name in ("dense_inputs", "sparse_inputs"):
            nodes = getattr(self, name)
            _check_whole(name, *nodes, at_least=0)
            if not 1 <= len(nodes) <= MAX_INPUTS or list(nodes) != sorted(set(nodes)):
                raise ValueError(f"{name} must be 1 to {MAX_INPUTS} different nodes in ascending order, got {nodes}")
        for name in ("left", "right"):
            _check_whole(name, getattr(self, name), at_least=0)
        for name in ("dense_dim", "sparse_dim", "dense_bits", "sparse_bits", "dense_to_sparse_bits", "fm_bits"):
            _check_whole(name, getattr(self, name), at_least=1)
        for name in ("has_dense_to_sparse", "has_fm"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One network.

    Attributes:
        blocks: Block b (1-based) may read nodes 0 to b - 1.
        embedding_dim: Width of every embedding row.
        has_flat_input: Whether node 0's dense output is all embedding rows side by side, after the dense fields.
    """

    blocks: tuple[Block, ...]
    embedding_dim: int = 16
    has_flat_input: bool = False

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ValueError("an architecture needs at least one block, got none")
        _check_whole("embedding_dim", self.embedding_dim, at_least=1)
        if not isinstance(self.has_flat_input, bool):
            raise ValueError(f"has_flat_input must be true or false, got {self.has_flat_input!r}")
        for number, block in enumerate(self.blocks, start=1):
            nodes = (*block.dense_inputs, *block.sparse_inputs, block.left, block.right)
            if max(nodes) >= number:
                raise ValueError(
                    f"block {number} may read nodes 0 to {number - 1}, got dense inputs {block.dense_inputs}, "
                    f"sparse inputs {block.sparse_inputs}, left {block.left}, right {block.right}"
                )

    def to_json(self) -> str:
        """The network as one JSON text."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Architecture:
        """The network that `dataclasses.asdict` made; ValueError names what is missing or unknown."""
        known = {field.name for field in fields(Block)}
        try:
            blocks = []
            for number, entry in enumerate(data["blocks"], start=1):
                if unknown := sorted(set(entry) - known):
                    raise ValueError(f"block {number} of the architecture has unknown entries {unknown}")
                inputs = {name: tuple(entry[name]) for name in ("dense_inputs", "sparse_inputs")}
                blocks.append(Block(**{**entry, **inputs}))
            return Architecture(
                blocks=tuple(blocks),
                embedding_dim=data["embedding_dim"],
                has_flat_input=data.get("has_flat_input", False),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is not an architecture: entry missing or of the wrong type ({error})") from error

    @staticmethod
    def from_json(text: str) -> Architecture:
        """The network that `to_json` wrote; ValueError when the text is none."""
        try:
            return Architecture.from_dict(json.loads(text))
        except json.JSONDecodeError as error:
            raise ValueError(f"this is not an architecture: not JSON ({error})") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchitectureBatch:
    """B networks of L blocks each as arrays; column b - 1 holds block b.

    Connection sets are bit masks: bit n is set when node n is read.

    Attributes:
        dense_operator: (B, L) index into DENSE_OPERATORS.
        sparse_operator: (B, L) index into SPARSE_OPERATORS.
        dense_inputs: (B, L) bit mask of nodes.
        sparse_inputs: (B, L) bit mask of nodes.
        left: (B, L) node.
        right: (B, L) node.
        dense_dim: (B, L) width.
        sparse_dim: (B, L) rows.
        has_dense_to_sparse: (B, L).
        has_fm: (B, L).
        dense_bits: (B, L) weight bits, and likewise the other three.
        embedding_dim: Width of every embedding row, the same for all.
        has_flat_input: As in `Architecture`, the same for all.
    """

    dense_operator: NDArray[np.int64]
    sparse_operator: NDArray[np.int64]
    dense_inputs: NDArray[np.int64]
    sparse_inputs: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    dense_dim: NDArray[np.int64]
    sparse_dim: NDArray[np.int64]
    has_dense_to_sparse: NDArray[np.bool_]
    has_fm: NDArray[np.bool_]
    dense_bits: NDArray[np.int64]
    sparse_bits: NDArray[np.int64]
    dense_to_sparse_bits: NDArray[np.int64]
    fm_bits: NDArray[np.int64]
    embedding_dim: int = 16
    has_flat_input: bool = False

    def __post_init__(self) -> None:
        for name in BLOCK_FIELDS:
            if getattr(self, name).shape != self.dense_operator.shape or self.dense_operator.ndim != 2:
                raise ValueError(
                    f"{name} must have shape (B, L) = {self.dense_operator.shape}, got {getattr(self, name).shape}"
                )

    def __len__(self) -> int:
        return len(self.dense_operator)

    @property
    def n_blocks(self) -> int:
        """L, the number of blocks of every network."""
        return int(self.dense_operator.shape[1])

    def take(self, rows: ArrayLike) -> ArchitectureBatch:
        """The networks of the given rows, as a batch."""
        index = np.asarray(rows)
        return replace(self, **{name: getattr(self, name)[index] for name in BLOCK_FIELDS})

    def __getitem__(self, row: int) -> Architecture:
        blocks = []
        for column in range(self.n_blocks):
            values: dict[str, Any] = {name: getattr(self, name)[row, column].item() for name in BLOCK_FIELDS}
            values["dense_operator"] = DENSE_OPERATORS[values["dense_operator"]]
            values["sparse_operator"] = SPARSE_OPERATORS[values["sparse_operator"]]
            values["dense_inputs"] = nodes_of_mask(values["dense_inputs"])
            values["sparse_inputs"] = nodes_of_mask(values["sparse_inputs"])
            blocks.append(Block(**values))
        return Architecture(blocks=tuple(blocks), embedding_dim=self.embedding_dim, has_flat_input=self.has_flat_input)

    def __iter__(self) -> Iterator[Architecture]:
        return (self[row] for row in range(len(self)))

    @staticmethod
    def of(architectures: Sequence[Architecture]) -> ArchitectureBatch:
        """A batch of networks; ValueError when their numbers of blocks, embedding widths or inputs differ."""
        shapes = {(len(one.blocks), one.embedding_dim, one.has_flat_input) for one in architectures}
        if len(shapes) != 1:
            raise ValueError(
                "a batch needs networks of one number of blocks, one embedding_dim and one has_flat_input, got "
                f"{sorted(shapes)}"
            )
        ((_, embedding_dim, has_flat_input),) = shapes
        columns: dict[str, Any] = {}
        for name in BLOCK_FIELDS:
            values = [[getattr(block, name) for block in architecture.blocks] for architecture in architectures]
            if name == "dense_operator":
                values = [[DENSE_OPERATORS.index(value) for value in row] for row in values]
            elif name == "sparse_operator":
                values = [[SPARSE_OPERATORS.index(value) for value in row] for row in values]
            elif name in ("dense_inputs", "sparse_inputs"):
                values = [[mask_of_nodes(value) for value in row] for row in values]
            columns[name] = np.array(values, dtype=bool if name.startswith("has_") else np.int64)
        return ArchitectureBatch(**columns, embedding_dim=embedding_dim, has_flat_input=has_flat_input)


BLOCK_FIELDS = tuple(field.name for field in fields(Block))
"""The (B, L) arrays of a batch, in order."""


def mask_of_nodes(nodes: Sequence[int]) -> int:
    """Bit mask with bit n set for every node n."""
    return sum(1 << node for node in set(nodes))


def nodes_of_mask(mask: int) -> tuple[int, ...]:
    """Nodes of a bit mask, ascending."""
    return tuple(node for node in range(mask.bit_length()) if mask >> node & 1)


def _check_operator(field: str, operator: str, operators: tuple[str, ...]) -> None:
    if operator not in operators:
        raise ValueError(f"unknown {field} {operator!r}; operators are {', '.join(map(repr, operators))}")


def _check_whole(field: str, *values: int, at_least: int) -> None:
    for value in values:
        if type(value) is not int or value < at_least:
            raise ValueError(f"{field} must be a whole number of at least {at_least}, got {value!r}")
