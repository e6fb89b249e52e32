"""Which path each training step takes: the strategies of NASRec (arXiv 2207.07187, section 4) and the warm-up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from moco.supernet.forward import Path
from spaces.architecture import MAX_INPUTS, Architecture, Block
from spaces.nasrec import NasrecSpace


def sample_paths(
    space: NasrecSpace, strategy: str, full_probability: NDArray[np.float64], rng: np.random.Generator
) -> list[Path]:
    """One random path for each step.

    Networks are uniform in the space and in canonical form, as the search scores them. Then, by strategy:
    "single-operator any-connection" takes them as they are; "single-path" keeps one connection of each set;
    "any-path" runs a random set of operators in every block; "full-path" makes every block full. A full block runs
    all operators, reads as many nodes as it can, at random, and has both mergers on; its widths stay random.

    Args:
        space: The networks.
        strategy: See above.
        full_probability: (n,) probability that a block is full in each step, drawn for each block.
        rng: Source of randomness.
    """
    networks = space.networks(space.canonical(space.sample(rng, len(full_probability))))
    shape = (len(networks), space.n_blocks)
    is_full = rng.random(shape) < (1.0 if strategy == "full-path" else full_probability[:, None])
    return [_path(space, strategy, networks[row], is_full[row], rng) for row in range(len(networks))]


def _path(
    space: NasrecSpace, strategy: str, architecture: Architecture, is_full: NDArray[np.bool_], rng: np.random.Generator
) -> Path:
    blocks: list[Block] = []
    dense_operators: list[tuple[str, ...]] = []
    sparse_operators: list[tuple[str, ...]] = []
    for node, block in enumerate(architecture.blocks):
        if is_full[node]:
            n_inputs = min(MAX_INPUTS, node + 1)
            dense_inputs, sparse_inputs = _nodes(node + 1, n_inputs, rng), _nodes(node + 1, n_inputs, rng)
            blocks.append(
                replace(
                    block,
                    dense_inputs=dense_inputs,
                    sparse_inputs=sparse_inputs,
                    has_dense_to_sparse=True,
                    has_fm=True,
                )
            )
            dense_operators.append(space.dense_operators)
            sparse_operators.append(space.sparse_operators)
            continue
        if strategy == "single-path":
            dense_input, sparse_input = rng.choice(block.dense_inputs), rng.choice(block.sparse_inputs)
            block = replace(block, dense_inputs=(int(dense_input),), sparse_inputs=(int(sparse_input),))
        blocks.append(block)
        if strategy == "any-path":
            dense_operators.append(_some(space.dense_operators, rng))
            sparse_operators.append(_some(space.sparse_operators, rng))
        else:
            dense_operators.append((block.dense_operator,))
            sparse_operators.append((block.sparse_operator,))
    return Path(replace(architecture, blocks=tuple(blocks)), tuple(dense_operators), tuple(sparse_operators))


def _nodes(n_nodes: int, n_chosen: int, rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(sorted(rng.choice(n_nodes, n_chosen, replace=False).tolist()))


def _some(operators: tuple[str, ...], rng: np.random.Generator) -> tuple[str, ...]:
    """A uniform non-empty subset."""
    chosen = int(rng.integers(1, 2 ** len(operators)))
    return tuple(operator for index, operator in enumerate(operators) if chosen >> index & 1)
