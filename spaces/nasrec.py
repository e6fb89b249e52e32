"""The NASRec spaces of recommender networks, for any number of blocks, any widths and any weight bits.

Source: NASRec (arXiv 2207.07187) and its public code. NASRec-Full chooses among four dense and two sparse
operators, NASRec-Small among two and one. Every connection set is a choice among the non-empty sets of at most four
earlier nodes, so every genome is a legal network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spaces.architecture import (
    BLOCK_FIELDS,
    DENSE_OPERATORS,
    MAX_INPUTS,
    SPARSE_OPERATORS,
    Architecture,
    ArchitectureBatch,
    Block,
    mask_of_nodes,
)
from spaces.canonical import canonical_networks
from spaces.shapes import input_width
from spaces.space import Choice, ChoiceBlock, Genomes, Space

NASREC_DENSE_DIMS = (16, 32, 64, 128, 256, 512, 768, 1024)
NASREC_SPARSE_DIMS = (16, 32, 48, 64)
WEIGHT_BITS = (4, 8)
"""Weight bits that the authors' fork trains with: 4 for most layers, 8 for gating and dot product."""

NETWORK_SPACES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "nasrec-full": (DENSE_OPERATORS, SPARSE_OPERATORS),
    "nasrec-small": (("fc", "dot-product"), ("efc",)),
    "nasrec-flat": (DENSE_OPERATORS, SPARSE_OPERATORS),
}
"""Dense and sparse operators of each space."""

FLAT_SPACES = ("nasrec-flat",)
"""Spaces whose networks read all embeddings side by side as node 0's dense output, after the dense fields.

In NASRec it is the dense fields alone. A log without any has no deep part on its fields then, as DNN or DeepFM have:
what is dense begins with a factorisation machine or a dot product.
"""

_ORDERED_FIELDS = frozenset({"dense_dim", "sparse_dim", "dense_bits", "sparse_bits", "dense_to_sparse_bits", "fm_bits"})


@dataclass(frozen=True)
class NasrecSpace(Space):
    """A space of networks: 14 choice blocks for each block of the network, named such as "b1.dense_dim".

    Made by `nasrec_space`.

    Attributes:
        n_blocks: Blocks of every network, live or dead.
        dense_operators: Operators to choose from; the first choice is what dead parts are set to.
        sparse_operators: The same for rows.
        dense_dims: Widths to choose from, ascending.
        sparse_dims: Numbers of rows to choose from, ascending.
        weight_bits: Weight bits to choose from, ascending.
        embedding_dim: Width of every embedding row.
        n_dense: Dense fields of the data.
        n_sparse: Categorical fields of the data.
        has_flat_input: Of every network; see `Architecture`.
    """

    n_blocks: int
    dense_operators: tuple[str, ...]
    sparse_operators: tuple[str, ...]
    dense_dims: tuple[int, ...]
    sparse_dims: tuple[int, ...]
    weight_bits: tuple[int, ...]
    embedding_dim: int
    n_dense: int
    n_sparse: int
    has_flat_input: bool = False

    @cached_property
    def _codes(self) -> tuple[NDArray[np.int64], ...]:
        """For each column, the array value of each choice: operator index, connection mask, number or flag."""
        return tuple(
            np.array([_code(block.name.partition(".")[2], choice) for choice in block.choices], dtype=np.int64)
            for block in self.blocks
        )

    def architecture(self, blocks: Sequence[Block]) -> Architecture:
        """A network of these blocks, with what all networks of the space have alike."""
        return Architecture(blocks=tuple(blocks), embedding_dim=self.embedding_dim, has_flat_input=self.has_flat_input)

    @property
    def input_width(self) -> int:
        """Width of node 0's dense output."""
        return input_width(self.architecture([self.neutral_block]), self.n_dense, self.n_sparse)

    def networks(self, genomes: ArrayLike) -> ArchitectureBatch:
        """The networks of (B, P) genomes; columns of their arrays are contiguous in memory."""
        checked = self.check(genomes)
        values = np.empty(checked.shape[::-1], dtype=np.int64)
        for column, codes in enumerate(self._codes):
            values[column] = codes[checked[:, column]]
        by_block = values.reshape(self.n_blocks, len(BLOCK_FIELDS), len(checked))
        arrays: dict[str, Any] = {
            name: np.array(by_block[:, index], dtype=bool if name.startswith("has_") else np.int64).T
            for index, name in enumerate(BLOCK_FIELDS)
        }
        return ArchitectureBatch(**arrays, embedding_dim=self.embedding_dim, has_flat_input=self.has_flat_input)

    def genomes(self, networks: ArchitectureBatch) -> Genomes:
        """(B, P) genomes of networks; ValueError names the first choice that the space does not have."""
        if networks.n_blocks != self.n_blocks or networks.embedding_dim != self.embedding_dim:
            raise ValueError(
                f"space {self.name!r} has networks of {self.n_blocks} blocks and embedding_dim {self.embedding_dim}, "
                f"got {networks.n_blocks} blocks and embedding_dim {networks.embedding_dim}"
            )
        if networks.has_flat_input != self.has_flat_input:
            raise ValueError(
                f"space {self.name!r} has networks with has_flat_input {self.has_flat_input}, got "
                f"{networks.has_flat_input}"
            )
        by_block = np.stack([getattr(networks, name).astype(np.int64) for name in BLOCK_FIELDS], axis=2)
        values = by_block.reshape(len(networks), len(self.blocks))
        genomes = np.empty_like(values)
        for column, codes in enumerate(self._codes):
            order = np.argsort(codes)
            place = np.minimum(np.searchsorted(codes, values[:, column], sorter=order), len(codes) - 1)
            genomes[:, column] = order[place]
            is_wrong = codes[genomes[:, column]] != values[:, column]
            if is_wrong.any():
                row, block = int(np.argmax(is_wrong)), self.blocks[column]
                number, _, name = block.name.partition(".")
                choice = getattr(networks[row].blocks[int(number[1:]) - 1], name)
                block.index(choice)  # names the choice and the choices there are
        return genomes

    def genomes_of(self, architectures: Sequence[Architecture]) -> Genomes:
        """(B, P) genomes of networks with at most n_blocks blocks; ValueError names what the space cannot express.

        A shorter network keeps its last block last; the blocks between are dead.
        """
        padded = []
        for architecture in architectures:
            *first, last = architecture.blocks
            if len(architecture.blocks) > self.n_blocks:
                raise ValueError(
                    f"space {self.name!r} has networks of {self.n_blocks} blocks, got one of {len(architecture.blocks)}"
                )
            dead = [self.neutral_block] * (self.n_blocks - len(architecture.blocks))
            padded.append(replace(architecture, blocks=(*first, *dead, last)))
        return self.genomes(ArchitectureBatch.of(padded)) if padded else np.empty((0, len(self.blocks)), dtype=np.int64)

    @property
    def neutral_block(self) -> Block:
        """The block of first choices: what a dead block is written as."""
        bits = self.weight_bits[0]
        return Block(
            dense_operator=self.dense_operators[0],
            sparse_operator=self.sparse_operators[0],
            dense_inputs=(0,),
            sparse_inputs=(0,),
            left=0,
            right=0,
            dense_dim=self.dense_dims[0],
            sparse_dim=self.sparse_dims[0],
            dense_bits=bits,
            sparse_bits=bits,
            dense_to_sparse_bits=bits,
            fm_bits=bits,
        )

    def canonical(self, genomes: ArrayLike) -> Genomes:
        """(B, P) genomes of the canonical networks (spaces.canonical)."""
        networks = self.networks(genomes)
        return self.genomes(canonical_networks(networks, self.n_dense, self.n_sparse, self.neutral_block))

    def to_dict(self) -> dict[str, Any]:
        """The arguments of `nasrec_space`, as plain data for JSON; `NasrecSpace.from_dict` reads them back."""
        sequences = ("dense_dims", "sparse_dims", "weight_bits")
        numbers = ("n_dense", "n_sparse", "n_blocks", "embedding_dim")
        return {
            "kind": self.name,
            **{name: getattr(self, name) for name in numbers},
            **{name: list(getattr(self, name)) for name in sequences},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NasrecSpace:
        """The space that `to_dict` wrote; ValueError names what is wrong."""
        try:
            return nasrec_space(**data)
        except TypeError as error:
            raise ValueError(f"this is not a NASRec space: {error}") from error


def nasrec_space(
    kind: str = "nasrec-full",
    *,
    n_dense: int,
    n_sparse: int,
    n_blocks: int = 7,
    dense_dims: Sequence[int] = NASREC_DENSE_DIMS,
    sparse_dims: Sequence[int] = NASREC_SPARSE_DIMS,
    weight_bits: Sequence[int] = (8,),
    embedding_dim: int = 16,
) -> NasrecSpace:
    """A NASRec space for data with n_dense dense and n_sparse categorical fields.

    Args:
        kind: "nasrec-full", "nasrec-small" or "nasrec-flat".
        n_dense: Dense fields, 0 or more.
        n_sparse: Categorical fields, 1 or more.
        n_blocks: Blocks of every network, 1 to 30.
        dense_dims: Widths of dense outputs, ascending.
        sparse_dims: Rows of sparse outputs, ascending.
        weight_bits: Weight bits of each operator, ascending; one value searches no precision.
        embedding_dim: Width of every embedding row.

    Raises:
        ValueError: An argument is out of its range; the message names it.
    """
    if kind not in NETWORK_SPACES:
        raise ValueError(f"unknown network space {kind!r}; spaces are {', '.join(map(repr, NETWORK_SPACES))}")
    for name, value, low, high in (
        ("n_dense", n_dense, 0, 10**6),
        ("n_sparse", n_sparse, 1, 10**6),
        ("n_blocks", n_blocks, 1, 30),
        ("embedding_dim", embedding_dim, 1, 4096),
    ):
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"{name} must be a whole number between {low} and {high}, got {value!r}")
    for name, values, limit in (
        ("dense_dims", dense_dims, 2**20),
        ("sparse_dims", sparse_dims, 2**20),
        ("weight_bits", weight_bits, 16),
    ):
        is_whole = len(values) > 0 and all(type(value) is int and 1 <= value <= limit for value in values)
        if not is_whole or list(values) != sorted(set(values)):
            raise ValueError(f"{name} must be ascending whole numbers from 1 to {limit}, got {tuple(values)}")
    dense_operators, sparse_operators = NETWORK_SPACES[kind]
    choices: dict[str, tuple[Choice, ...]] = {
        "dense_operator": dense_operators,
        "sparse_operator": sparse_operators,
        "dense_dim": tuple(dense_dims),
        "sparse_dim": tuple(sparse_dims),
        "has_dense_to_sparse": (False, True),
        "has_fm": (False, True),
    }
    blocks = []
    for number in range(1, n_blocks + 1):
        sets: tuple[Choice, ...] = tuple(connection_sets(number))
        for name in BLOCK_FIELDS:
            if name.endswith("_inputs"):
                values_of_field = sets
            elif name in ("left", "right"):
                values_of_field = tuple(range(number))
            else:
                values_of_field = choices.get(name, tuple(weight_bits))
            blocks.append(ChoiceBlock(f"b{number}.{name}", values_of_field, is_ordered=name in _ORDERED_FIELDS))
    return NasrecSpace(
        name=kind,
        blocks=tuple(blocks),
        n_blocks=n_blocks,
        dense_operators=dense_operators,
        sparse_operators=sparse_operators,
        dense_dims=tuple(dense_dims),
        sparse_dims=tuple(sparse_dims),
        weight_bits=tuple(weight_bits),
        embedding_dim=embedding_dim,
        n_dense=n_dense,
        n_sparse=n_sparse,
        has_flat_input=kind in FLAT_SPACES,
    )


def connection_sets(n_nodes: int) -> list[tuple[int, ...]]:
    """Every non-empty set of at most four of the nodes 0 to n_nodes - 1; smaller sets first."""
    sizes = range(1, min(MAX_INPUTS, n_nodes) + 1)
    return [nodes for size in sizes for nodes in combinations(range(n_nodes), size)]


def _code(field: str, choice: Choice) -> int:
    if field == "dense_operator":
        return DENSE_OPERATORS.index(str(choice))
    if field == "sparse_operator":
        return SPARSE_OPERATORS.index(str(choice))
    if isinstance(choice, tuple):
        return mask_of_nodes(choice)
    return int(choice)
