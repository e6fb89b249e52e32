"""Canonical form and counts, against a slow symbolic reading of each network from the head backwards.

The symbolic reading knows nothing of the arrays, masks or liveness of the package: it follows the choices of one
decoded genome and writes down every operator that the head needs, with the sizes and bits of its weights and what it
reads. Two networks are the same network when these readings are equal, live blocks numbered in their order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spaces import (
    ArchitectureBatch,
    NasrecSpace,
    liveness,
    macs,
    n_parameters,
    nasrec_space,
    products,
)

MERGER_ROWS = 8

# Widths that make every projection disappear somewhere: embedding width 2, merger width 8 * 2 = 16, dot rows
# round(sqrt(2 * 2)) = 2 beside 2 categorical fields, sums of equal widths.
EDGES: dict[str, Any] = {"dense_dims": (2, 3, 16), "sparse_dims": (2, 5), "embedding_dim": 2, "n_sparse": 2}

SPACES = {
    "full": nasrec_space(n_dense=13, n_sparse=26, weight_bits=(4, 8)),
    "full, no dense fields": nasrec_space(n_dense=0, n_sparse=10, weight_bits=(4, 8)),
    "small, one weight bit": nasrec_space("nasrec-small", n_dense=3, n_sparse=10),
    "small, no dense fields": nasrec_space("nasrec-small", n_dense=0, n_sparse=3, n_blocks=4, weight_bits=(2, 4, 8)),
    "edges": nasrec_space(n_dense=2, n_blocks=7, weight_bits=(4, 8), **EDGES),
    "edges, no dense fields": nasrec_space(n_dense=0, n_blocks=3, weight_bits=(4, 8), **EDGES),
    "one block": nasrec_space(n_dense=2, n_blocks=1, weight_bits=(4, 8), **EDGES),
    "one block, no dense fields": nasrec_space(n_dense=0, n_blocks=1, weight_bits=(4, 8), **EDGES),
    "two blocks": nasrec_space(n_dense=3, n_blocks=2, weight_bits=(4, 8), **EDGES),
    "two blocks, no dense fields": nasrec_space(n_dense=0, n_blocks=2, weight_bits=(4, 8), **EDGES),
    "flat": nasrec_space("nasrec-flat", n_dense=13, n_sparse=26, weight_bits=(4, 8)),
    "flat, no dense fields": nasrec_space("nasrec-flat", n_dense=0, n_sparse=10, weight_bits=(4, 8)),
    "flat edges, no dense fields": nasrec_space("nasrec-flat", n_dense=0, n_blocks=3, weight_bits=(4, 8), **EDGES),
    "flat, one block": nasrec_space("nasrec-flat", n_dense=2, n_blocks=1, weight_bits=(4, 8), **EDGES),
    "eleven blocks": nasrec_space(n_dense=1, n_blocks=11, **EDGES),
}


class Reading:
    """One network, read from the head backwards.

    Attributes:
        terms: What each live part is, by (part, block); equal for two networks exactly when they are the same.
        products: (vectors, inputs, outputs, bits, name) of every product, bits 0 between activations.
        live_blocks: Blocks with any live part.
    """

    def __init__(self, design: Mapping[str, Any], space: NasrecSpace) -> None:
        self.design, self.space, self.width = design, space, space.embedding_dim
        self.parts: dict[tuple[str, int], Any] = {}
        self.products: list[tuple[int, int, int, int, str]] = []
        last = space.n_blocks
        n_in = self.dense(last) + self.sparse(last) * self.width
        self.weights(n_in, 1, 1, 8, "head")
        self.live_blocks = sorted(
            {block for part, block in self.parts if part in ("dense operator", "sparse operator")}
        )
        rank = {block: number for number, block in enumerate(self.live_blocks, start=1)} | {0: 0}
        self.terms = {(part, rank[block]): _renamed(term, rank) for (part, block), term in self.parts.items()}

    def choice(self, block: int, field: str) -> Any:
        return self.design[f"b{block}.{field}"]

    def weights(self, n_in: int, n_out: int, vectors: int, bits: int, name: str) -> tuple[Any, ...]:
        """A weight matrix; one without rows has no bits."""
        self.products.append((vectors, n_in, n_out, bits, name))
        return (name, n_in, n_out, bits if n_in else None)

    def activations(self, vectors: int, n_in: int, n_out: int, name: str) -> tuple[Any, ...]:
        self.products.append((vectors, n_in, n_out, 0, name))
        return (name, vectors, n_in, n_out)

    def dense(self, node: int) -> int:
        """Width of a node's dense output; reads what it needs."""
        if node == 0:
            n_flat = self.space.n_sparse * self.width if self.space.name == "nasrec-flat" else 0
            return self.space.n_dense + n_flat
        dim = self.choice(node, "dense_dim")
        if ("dense", node) not in self.parts:
            self.parts["dense", node] = None
            self.dense_operator(node)
            fm: tuple[Any, ...] = ()
            if self.choice(node, "has_fm"):
                self.sparse_operator(node)
                fm = ("fm of", ("node", node))
                if dim != self.width:
                    fm += self.weights(self.width, dim, 1, self.choice(node, "fm_bits"), "fm")
            self.parts["dense", node] = fm
        return int(dim)

    def sparse(self, node: int) -> int:
        """Rows of a node's sparse output; reads what it needs."""
        if node == 0:
            return self.space.n_sparse
        has_merger = self.choice(node, "has_dense_to_sparse")
        if ("sparse", node) not in self.parts:
            self.parts["sparse", node] = None
            self.sparse_operator(node)
            merger: tuple[Any, ...] = ()
            if has_merger:
                self.dense_operator(node)
                merger = ("rows of", ("node", node))
                dim, merged = self.choice(node, "dense_dim"), MERGER_ROWS * self.width
                if dim != merged:
                    bits = self.choice(node, "dense_to_sparse_bits")
                    merger += self.weights(dim, merged, 1, bits, "dense_to_sparse")
            self.parts["sparse", node] = merger
        return int(self.choice(node, "sparse_dim")) + (MERGER_ROWS if has_merger else 0)

    def dense_set(self, block: int) -> tuple[int, tuple[Any, ...]]:
        """Width and parts of the concatenation; parts of no width leave no trace."""
        width = {node: self.dense(node) for node in self.choice(block, "dense_inputs")}
        return sum(width.values()), tuple(("node", node) for node in width if width[node] > 0)

    def sparse_set(self, block: int) -> tuple[int, tuple[Any, ...]]:
        rows = {node: self.sparse(node) for node in self.choice(block, "sparse_inputs")}
        return sum(rows.values()), tuple(("node", node) for node in rows)

    def dense_operator(self, block: int) -> None:
        if ("dense operator", block) in self.parts:
            return
        self.parts["dense operator", block] = None
        operator, dim, bits = (self.choice(block, name) for name in ("dense_operator", "dense_dim", "dense_bits"))
        term: tuple[Any, ...] = (operator, dim)
        if operator in ("fc", "dot-product"):
            n_in, inputs = self.dense_set(block)
            if operator == "fc":
                term += (inputs, self.weights(n_in, dim, 1, bits, "fc"))
            else:
                rows, sparse_inputs = self.sparse_set(block)
                k = round((2 * dim) ** 0.5)
                term += (inputs, sparse_inputs)
                if n_in != self.width:
                    term += self.weights(n_in, self.width, 1, bits, "dot_dense")
                if rows != k:
                    term += self.weights(rows, k, self.width, bits, "dot_sparse")
                term += self.activations(k + 1, self.width, k + 1, "dot_gram")
                term += self.weights(k * (k + 1) // 2, dim, 1, bits, "dot_pairs")
        else:
            pair = [self.choice(block, "left"), self.choice(block, "right")]
            wide = max(self.dense(node) for node in pair)
            term += tuple(("node", node) for node in (pair if operator == "gating" else sorted(pair)))
            if operator == "gating":
                term += self.weights(wide, wide, 1, bits, "gate")
            if wide != dim:
                term += self.weights(wide, dim, 1, bits, "resize")
        self.parts["dense operator", block] = term

    def sparse_operator(self, block: int) -> None:
        if ("sparse operator", block) in self.parts:
            return
        self.parts["sparse operator", block] = None
        operator, dim, bits = (self.choice(block, name) for name in ("sparse_operator", "sparse_dim", "sparse_bits"))
        rows, inputs = self.sparse_set(block)
        term: tuple[Any, ...] = (operator, dim, inputs)
        width = self.width
        if operator == "efc":
            term += self.weights(rows, dim, width, bits, "efc")
        else:
            term += self.weights(rows, dim, width, bits, "attention_rows")
            term += self.weights(width, 3 * width, dim, bits, "attention_qkv")
            term += self.activations(dim, width, dim, "attention_scores")
            term += self.activations(dim, dim, width, "attention_context")
            for name in ("attention_out", "attention_ffn1", "attention_ffn2"):
                term += self.weights(width, width, dim, bits, name)
        self.parts["sparse operator", block] = term

    @property
    def n_parameters(self) -> int:
        norms = sum(name == "attention_out" for *_, name in self.products) * 4 * self.width
        return norms + sum((n_in + 1) * n_out for _, n_in, n_out, bits, _ in self.products if bits)


def _renamed(term: Any, rank: Mapping[int, int]) -> Any:
    if not isinstance(term, tuple):
        return term
    if len(term) == 2 and term[0] == "node":
        return ("node", rank[term[1]])
    return tuple(_renamed(part, rank) for part in term)


def readings(space: NasrecSpace, genomes: NDArray[np.int64]) -> list[Reading]:
    return [Reading(design, space) for design in space.decode(genomes)]


def neighbours(space: NasrecSpace, genome: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The genome, then one neighbour for each gene that has another choice; nothing else differs."""
    rows = [genome]
    for column, n_choices in enumerate(space.n_choices):
        if n_choices > 1:
            other = genome.copy()
            other[column] = (genome[column] + rng.integers(1, n_choices)) % n_choices
            rows.append(other)
    return np.stack(rows)


def assert_one_key_per_network(space: NasrecSpace, genomes: NDArray[np.int64]) -> None:
    """Keys split the genomes exactly as the symbolic readings do."""
    by_terms: dict[Any, set[bytes]] = defaultdict(set)
    by_key: dict[bytes, set[Any]] = defaultdict(set)
    for canonical, reading in zip(space.canonical(genomes), readings(space, genomes), strict=True):
        terms = frozenset(reading.terms.items())
        by_terms[terms].add(canonical.tobytes())
        by_key[canonical.tobytes()].add(terms)
    assert all(len(keys) == 1 for keys in by_terms.values()), "one network under two keys"
    assert all(len(networks) == 1 for networks in by_key.values()), "two networks under one key"


@st.composite
def space_and_genome(draw: st.DrawFn) -> tuple[NasrecSpace, NDArray[np.int64], np.random.Generator]:
    space = SPACES[draw(st.sampled_from(sorted(SPACES)))]
    genome = np.array([draw(st.integers(0, int(n) - 1)) for n in space.n_choices], dtype=np.int64)
    return space, genome, np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


@settings(max_examples=60)
@given(space_and_genome())
def test_a_gene_changes_the_key_exactly_when_it_changes_the_network(
    case: tuple[NasrecSpace, NDArray[np.int64], np.random.Generator],
) -> None:
    space, genome, rng = case
    assert_one_key_per_network(space, neighbours(space, genome, rng))


@pytest.mark.parametrize("name", SPACES)
def test_walks_of_mutations_keep_one_key_per_network(name: str) -> None:
    space, rng = SPACES[name], np.random.default_rng(7)
    rows = [space.sample(rng, 1)[0]]
    for _ in range(400):
        mutant = rows[-1].copy()
        for column in rng.integers(0, len(space.blocks), size=rng.integers(1, 4)):
            mutant[column] = rng.integers(0, space.n_choices[column])
        rows.append(mutant)
    assert_one_key_per_network(space, np.stack(rows))


@pytest.mark.parametrize("n_dense", [0, 2])
def test_every_network_of_a_whole_space_has_one_key(n_dense: int) -> None:
    space = nasrec_space(n_dense=n_dense, n_sparse=2, n_blocks=2, dense_dims=(2,), sparse_dims=(3,), embedding_dim=2)
    genomes = np.array(list(product(*(range(n) for n in space.n_choices))), dtype=np.int64)
    assert len(genomes) == space.cardinality == 32 * 1152
    assert_one_key_per_network(space, genomes)
    assert len(np.unique(space.canonical(genomes), axis=0)) < len(genomes) // 3


@settings(max_examples=60)
@given(space_and_genome())
def test_canonical_genomes_are_legal_equal_in_cost_and_canonical(
    case: tuple[NasrecSpace, NDArray[np.int64], np.random.Generator],
) -> None:
    space, genome, rng = case
    genomes = neighbours(space, genome, rng)
    canonical = space.canonical(genomes)
    np.testing.assert_array_equal(space.check(canonical), canonical)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    before, after = space.networks(genomes), space.networks(canonical)
    fields = (space.n_dense, space.n_sparse)
    np.testing.assert_array_equal(macs(before, *fields), macs(after, *fields))
    np.testing.assert_array_equal(n_parameters(before, *fields), n_parameters(after, *fields))
    np.testing.assert_array_equal(liveness(before).block.sum(axis=1), liveness(after).block.sum(axis=1))
    for row in range(0, len(genomes), 10):
        assert product_counts(before, row, *fields) == product_counts(after, row, *fields)


@settings(max_examples=60)
@given(space_and_genome())
def test_counts_and_products_are_those_of_the_symbolic_reading(
    case: tuple[NasrecSpace, NDArray[np.int64], np.random.Generator],
) -> None:
    space, genome, _ = case
    networks = space.networks(genome[None])
    (reading,) = readings(space, genome[None])
    fields = (space.n_dense, space.n_sparse)
    assert macs(networks, *fields)[0] == sum(v * n_in * n_out for v, n_in, n_out, *_ in reading.products)
    assert n_parameters(networks, *fields)[0] == reading.n_parameters
    assert product_counts(networks, 0, *fields) == Counter(p for p in reading.products if p[1] > 0)
    assert (np.flatnonzero(liveness(networks).block[0]) + 1).tolist() == reading.live_blocks


def product_counts(networks: ArchitectureBatch, row: int, n_dense: int, n_sparse: int) -> Counter[tuple[Any, ...]]:
    """How often each product with any input occurs, as a reading names it."""
    made = products(networks.take([row]), n_dense, n_sparse)
    columns = (made.n_vectors[0], made.in_features[0], made.out_features[0], made.weight_bits[0])
    names = [name.rpartition(".")[2] for name in made.names]
    every = zip(*(column.tolist() for column in columns), names, strict=True)
    return Counter(entry for entry in every if entry[0] > 0 and entry[1] > 0)
