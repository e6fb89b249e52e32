"""Scores on chips beside the exact bit-sliced scores of the same weights, what few bits cost, and how long it takes.

A supernet is trained on MovieLens-100k for a few epochs. 3 networks on 40 random chips each, from lossless to useless:
rank correlation of the score by the moment model with the score of the exact products, on the same valid rows and with
the same heads. Then weights, activations and tables of 8, 6 and 4 bits beside plain numbers, over random networks.

Run: python -m tests.benchmarks crossbars
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
from scipy.stats import kendalltau, spearmanr

from moco.codesign import codesign_space
from moco.data import load_dataset
from moco.lowering import pim_config
from moco.oracle import Oracle
from moco.recipes import recipe_for
from moco.supernet import train_supernet
from pimmodel import PimConfig
from spaces import ArchitectureBatch

N_EPOCHS = 4
N_NETWORKS, N_CHIPS, N_ROWS = 3, 40, 2000
N_RANDOM = 24
USELESS = 0.69
"""Log loss of a coin: chips at or above it differ by nothing that matters."""


def main() -> None:
    """Prints one line a figure."""
    data = load_dataset("movielens-100k")
    space = codesign_space(data)
    supernet = train_supernet(data, space, settings=replace(recipe_for(data).supernet, epochs=N_EPOCHS))
    oracle = Oracle(supernet, data, n_score_rows=N_ROWS, n_jobs=1)
    rng = np.random.default_rng(0)
    genomes = space.canonical(space.sample(rng, N_NETWORKS))
    for row in range(N_NETWORKS):
        networks = space.networks(np.repeat(genomes[row : row + 1], N_CHIPS, axis=0))
        chips = pim_config(space.hardware.columns(space.hardware.sample(rng, N_CHIPS)))
        plain = oracle.score(networks.take(np.array([0]))).logloss[0]
        started = time.perf_counter()
        score = oracle.score(networks, None, chips).logloss
        scored_s = time.perf_counter() - started
        started = time.perf_counter()
        exact = oracle.exact(networks, None, chips, n_rows=N_ROWS).logloss
        exact_s = time.perf_counter() - started
        of_use = exact < USELESS
        print(
            f"network {row}: plain {plain:.4f}, exact {exact.min():.4f} to {exact.max():.4f}, {of_use.sum()} of use; "
            f"Spearman {spearmanr(score, exact).statistic:.3f}, tau {kendalltau(score, exact).statistic:.3f}, "
            f"of use alone {spearmanr(score[of_use], exact[of_use]).statistic:.3f}, largest difference of these "
            f"{np.abs(score - exact)[of_use].max():.4f}; {scored_s / N_CHIPS:.2f} s a score, "
            f"{exact_s / N_CHIPS:.2f} s an exact one"
        )

    oracle = Oracle(supernet, data, n_jobs=1)
    networks = space.networks(space.canonical(space.sample(rng, N_RANDOM)))
    started = time.perf_counter()
    plain_scores = with_weight_bits(oracle, networks, None)
    print(f"plain numbers: AUC {plain_scores.mean():.4f}, {(time.perf_counter() - started) / N_RANDOM:.2f} s a score")
    for what in ("weights", "activations", "tables"):
        losses = []
        for bits in (8, 6, 4):
            chips = PimConfig(adc_bits=12, activation_bits=np.full(N_RANDOM, bits if what == "activations" else 8))
            tables = np.full(N_RANDOM, bits if what == "tables" else 32)
            weights = bits if what == "weights" else None
            if weights == 6:
                continue
            auc = with_weight_bits(oracle, networks, weights, tables, chips)
            losses.append(f"{bits} bits {(plain_scores - auc).mean():+.5f}")
        print(f"loss of AUC by {what}: {', '.join(losses)}")
    started = time.perf_counter()
    oracle.score(networks, None, PimConfig(adc_bits=np.full(N_RANDOM, 6)))
    print(f"a lossy chip: {(time.perf_counter() - started) / N_RANDOM:.2f} s a score")


def with_weight_bits(
    oracle: Oracle,
    networks: ArchitectureBatch,
    bits: int | None,
    tables: np.ndarray | None = None,
    chips: PimConfig | None = None,
) -> np.ndarray:
    """AUC of the networks with all weights in so many bits, or in their own."""
    if bits is not None:
        names = ("dense_bits", "sparse_bits", "dense_to_sparse_bits", "fm_bits")
        networks = replace(networks, **{name: np.full_like(getattr(networks, name), bits) for name in names})
    return oracle.score(networks, tables, chips).auc


if __name__ == "__main__":
    main()
