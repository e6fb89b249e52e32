"""Scores on chips: their order beside exact products, what few bits cost a score, and the time of each way to compute.

Run: python tests/benchmarks/bench_crossbars.py [SUPERNET] [MOVIELENS]

SUPERNET is a file of `moco train movielens-100k`, trained anew when left out; MOVIELENS a folder of the raw data.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from moco.costs.lowering import pim_config
from moco.data import ClickLog, load_dataset
from moco.oracle.oracle import N_EXACT_ROWS, Oracle, Scores
from moco.recipes import recipe_for
from moco.search.codesign import codesign_space
from moco.supernet import Supernet, TrainedSupernet, TrainProgress, load_supernet, train_supernet
from moco.supernet.crossbars import numerics_keys
from pimmodel import PimConfig
from pimmodel.numerics import required_adc_bits
from spaces import ArchitectureBatch, CodesignSpace
from spaces.architecture import Architecture

N_NETWORKS, N_CHIPS = 3, 40
ADC_BITS = 12
"""Of chips that lose nothing."""


def main() -> None:
    """Prints every figure."""
    given = [*sys.argv[1:], "", ""]
    data = load_dataset("movielens-100k", given[1] or None)
    space = codesign_space(data)
    supernet = load_supernet(given[0], data, space) if given[0] else train_supernet(data, space)
    order_and_time(data, space, supernet)
    few_bits_in_the_supernet(data, supernet)
    speed_of_training(data, space)


def order_and_time(data: ClickLog, space: CodesignSpace, supernet: TrainedSupernet) -> None:
    """Spearman between score and exact score over random chips of three networks, and seconds of each."""
    oracle = Oracle(supernet, data, n_score_rows=N_EXACT_ROWS, n_jobs=1)  # both on the same rows
    usual = Oracle(supernet, data, n_jobs=1)
    rng = np.random.default_rng(7)
    genomes = space.network.canonical(space.network.sample(rng, N_NETWORKS))
    chips = random_chips(space, N_CHIPS, rng)
    is_lossless = required_adc_bits(chips) <= chips.adc_bits
    parts = {"lossless": np.flatnonzero(is_lossless), "lossy": np.flatnonzero(~is_lossless)}
    for number, genome in enumerate(genomes):
        networks = space.network.networks(np.repeat(genome[None], N_CHIPS, axis=0))
        plain = oracle.score(networks.take([0]))
        usual.score(networks.take([1]), [16])  # the rows are read
        _, seconds = timed(lambda: usual.score(networks.take([0])))  # noqa: B023
        times = [f"float {seconds:.2f}"]
        modelled, exact = np.empty(N_CHIPS), np.empty(N_CHIPS)
        for name, rows in parts.items():
            _, seconds = timed(lambda: usual.score(networks.take(rows), None, chips.take(rows)))  # noqa: B023
            n_kinds = len(set(numerics_keys(chips.take(rows))))
            times.append(f"{name} {seconds / n_kinds:.2f}")
            modelled[rows] = oracle.score(networks.take(rows), None, chips.take(rows)).logloss
            scores, seconds = timed(lambda: oracle.exact(networks.take(rows), None, chips.take(rows)))  # noqa: B023
            times.append(f"exact {seconds / len(rows):.2f}")
            exact[rows] = scores.logloss
        print(
            f"network {number}: float log loss {plain.logloss[0]:.4f}, on chips exact {exact.min():.4f} to "
            f"{exact.max():.4f}; Spearman {spearmanr(modelled, exact).statistic:.3f}, below 0.7 "
            f"{spearmanr(modelled[exact < 0.7], exact[exact < 0.7]).statistic:.3f} ({(exact < 0.7).sum()} chips), "
            f"largest difference below 0.7 {np.abs(modelled - exact)[exact < 0.7].max():.4f}; s a score: "
            + ", ".join(times)
            + f" ({N_EXACT_ROWS} rows)",
            flush=True,
        )


def few_bits_in_the_supernet(data: ClickLog, supernet: TrainedSupernet) -> None:
    """AUC that random networks lose where all weights, activations and tables have few bits."""
    space = codesign_space(data, weight_bits=(4, 8, 16)).network
    shared = Supernet(space, data.cardinalities, seed=0)
    shared.load_state_dict(supernet.supernet.state_dict())
    oracle = Oracle(replace(supernet, supernet=shared), data, n_jobs=1)
    networks = space.networks(space.canonical(space.sample(np.random.default_rng(3), 12)))
    plain = oracle.score(with_bits(networks, 16))
    for bits in (8, 4):
        of = with_bits(networks, bits)
        show(f"supernet, {bits}-bit weights", plain, oracle.score(of))
        show(f"supernet, {bits}-bit weights and activations", plain, oracle.score(of, None, lossless(12, bits)))
        tables = np.full(12, bits)
        show(f"supernet, {bits} bits, tables too", plain, oracle.score(of, tables, lossless(12, bits)))


def speed_of_training(data: ClickLog, space: CodesignSpace) -> None:
    """Rows a second of processor time with several shares of steps on chips."""
    for share in (0.0, 0.25, 0.5, 1.0):
        settings = replace(recipe_for(data).supernet, epochs=2, embedding_epochs=0, hardware_share=share)
        marks: list[tuple[int, float]] = []

        def mark(state: TrainProgress) -> None:
            marks.append((state.n_rows, time.process_time()))  # noqa: B023

        train_supernet(data, space, settings=settings, progress=mark)
        (first, start_s), (last, end_s) = marks[0], marks[-1]
        print(
            f"supernet training, hardware_share {share}: {(last - first) / (end_s - start_s):,.0f} rows/s", flush=True
        )


def random_chips(space: CodesignSpace, n: int, rng: np.random.Generator) -> PimConfig:
    """Uniform draws from the space's hardware."""
    genomes = space.hardware.sample(rng, n)
    return pim_config(space.hardware.columns(genomes))


def lossless(n: int, activation_bits: int) -> PimConfig:
    """Chips whose converters lose nothing; tables have the activations' bits."""
    return PimConfig(
        adc_bits=np.full(n, ADC_BITS),
        activation_bits=np.full(n, activation_bits),
        table_bits=np.full(n, activation_bits),
    )


def with_bits(networks: ArchitectureBatch, bits: int) -> ArchitectureBatch:
    """The networks with all weights in so many bits."""
    names = ("dense_bits", "sparse_bits", "dense_to_sparse_bits", "fm_bits")
    return ArchitectureBatch.of([_with_bits(networks[row], dict.fromkeys(names, bits)) for row in range(len(networks))])


def _with_bits(network: Architecture, bits: dict[str, int]) -> Architecture:
    return replace(network, blocks=tuple(replace(block, **bits) for block in network.blocks))


def timed(compute: Callable[[], Scores]) -> tuple[Scores, float]:
    """What a computation gives, and its seconds of processor time."""
    start_s = time.process_time()
    found = compute()
    return found, time.process_time() - start_s


def show(name: str, plain: Scores, found: Scores) -> None:
    """One line: what is lost beside plain numbers and 16-bit weights."""
    print(
        f"{name}: AUC {np.mean(found.auc - plain.auc):+.5f} (worst {np.min(found.auc - plain.auc):+.5f}), "
        f"log loss {np.mean(found.logloss - plain.logloss):+.5f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
