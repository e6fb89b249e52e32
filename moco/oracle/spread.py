"""Networks spread evenly over their cost, for judging scores: from the cheapest of a space to the largest.

Uniform samples of a space nearly all cost much the same. A score that orders those says nothing about the order along
a front, which reaches from the cheapest network to the best.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spaces.nasrec import NasrecSpace
from spaces.shapes import products
from spaces.space import Genomes

N_STEPS = 2000
"""Mutations that each network is given to reach its cost; most are there after a few hundred."""

N_WALKS = 16
"""Towards either end; the one that gets furthest counts."""

N_TYPICAL = 1000
"""Uniform samples whose median says what a network of a space costs."""


def spread_networks(space: NasrecSpace, n_networks: int, seed: int = 0, most_macs: float = np.inf) -> Genomes:
    """(n, P) canonical genomes of distinct networks whose log MACs are spread evenly, cheapest first.

    Each network walks from a uniform sample towards its share of the way between the least and the most MACs: one gene
    a step is drawn anew, and kept where it does not lead away. So everything that costs nothing stays random.

    Args:
        space: The networks.
        n_networks: How many.
        seed: Of the samples and walks.
        most_macs: Where the spread ends, if not at the largest network of the space.
    """
    rng = np.random.default_rng((seed, 5))
    ends = _walk(space, space.sample(rng, 2 * N_WALKS), np.repeat([0.0, 1e9], N_WALKS), rng)[1]
    targets = np.linspace(ends.min(), min(ends.max(), np.log1p(most_macs)), n_networks)
    genomes, _ = _walk(space, space.sample(rng, n_networks), targets, rng)
    genomes = space.canonical(genomes)
    _, first = np.unique(genomes, axis=0, return_index=True)
    genomes = genomes[np.sort(first)]
    return genomes[np.argsort(log_macs(space, genomes), kind="stable")]


def typical_macs(space: NasrecSpace) -> float:
    """Median multiply-accumulates of uniform samples: fronts hardly reach beyond, and trainings are long there."""
    genomes = space.canonical(space.sample(np.random.default_rng(0), N_TYPICAL))
    return float(np.expm1(np.median(log_macs(space, genomes))))


def log_macs(space: NasrecSpace, genomes: Genomes) -> NDArray[np.float64]:
    """(n,) natural logarithm of the multiply-accumulates of one inference, and one."""
    macs = products(space.networks(genomes), space.n_dense, space.n_sparse).macs
    result: NDArray[np.float64] = np.log1p(macs.astype(np.float64))
    return result


def _walk(
    space: NasrecSpace, genomes: Genomes, targets: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Genomes, NDArray[np.float64]]:
    """Genomes after their walk, and their log MACs."""
    genomes = genomes.copy()
    reached = log_macs(space, genomes)
    for _ in range(N_STEPS):
        mutated = genomes.copy()
        rows, columns = np.arange(len(genomes)), rng.integers(genomes.shape[1], size=len(genomes))
        mutated[rows, columns] = space.sample(rng, len(genomes))[rows, columns]
        cost = log_macs(space, mutated)
        is_kept = np.abs(cost - targets) <= np.abs(reached - targets)
        genomes[is_kept], reached = mutated[is_kept], np.where(is_kept, cost, reached)
    return genomes, reached
