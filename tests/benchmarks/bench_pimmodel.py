"""Designs per second of `pimmodel.estimate` and `breakdown`, and the memory of a million designs; one process.

Run: python tests/benchmarks/bench_pimmodel.py
"""

from __future__ import annotations

import resource
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from pimmodel import Kind, Operator, PimConfig, Workload, breakdown, estimate
from pimmodel.calibrations import CALIBRATIONS

LIMIT = 300_000  # MLP designs per second, costs of every operator included


def random_config(n_designs: int, rng: np.random.Generator) -> PimConfig:
    """Chips over the choices of the hardware space."""
    crossbar_size = rng.choice([32, 64, 128, 256], n_designs)
    return PimConfig(
        crossbar_size=crossbar_size,
        cell_bits=rng.choice([1, 2, 4], n_designs),
        dac_bits=rng.choice([1, 2, 4], n_designs),
        adc_bits=rng.integers(4, 11, n_designs),
        columns_per_adc=rng.choice([4, 8, 16, 32], n_designs),
        n_active_wordlines=np.minimum(crossbar_size, rng.choice([16, 32, 64, 128], n_designs)),
        activation_bits=rng.choice([4, 6, 8], n_designs),
        weight_encoding=rng.choice(["isaac", "differential"], n_designs),
        product_unit=rng.choice(["digital", "crossbar"], n_designs),
        n_copies=rng.choice([1, 2, 4], n_designs),
        execution=rng.choice(["pipelined", "layer-by-layer"], n_designs),
        table_memory=rng.choice(["reram", "lpddr4", "hbm2"], n_designs),
        table_bits=rng.choice([4, 8], n_designs),
    )


def nasrec_like_workload(n_designs: int, rng: np.random.Generator) -> Workload:
    """7 blocks of 16 possible operators, half of them absent, widths from NASRec's lists: L = 113, K = 250."""
    block = [Kind.MVM] * 8 + [Kind.PRODUCT] * 3 + [Kind.ELEMENTWISE] * 5
    kinds = (Kind.LOOKUP, *(block * 7))
    n_operators = len(kinds)
    shape = (n_designs, n_operators)
    elementwise = ("add", "relu", "multiply", "sigmoid", "layernorm") * 7
    functions = iter(elementwise)
    n_vectors = rng.choice([1, 1, 16, 32], shape) * (rng.random(shape) < 0.5)
    n_vectors[:, 0] = 26
    in_features = rng.choice([16, 32, 64, 128, 256, 512, 768, 1024], shape)
    in_features[:, 0] = 10**6
    producers = rng.integers(0, n_operators - 1, 250)
    return Workload(
        names=tuple(f"operator_{i}" for i in range(n_operators)),
        kinds=kinds,
        functions=tuple(next(functions) if kind is Kind.ELEMENTWISE else "" for kind in kinds),
        in_features=in_features,
        out_features=rng.choice([16, 32, 64, 128, 256, 512, 768, 1024], shape),
        n_vectors=n_vectors,
        weight_bits=rng.choice([4, 8], shape),
        edges=np.stack([producers, rng.integers(producers + 1, n_operators)], axis=1),
        is_active_edge=rng.random((n_designs, 250)) < 0.5,
    )


def mlp_workload() -> Workload:
    """416-1024-512-256-1."""
    widths = (416, 1024, 512, 256, 1)
    return Workload.from_operators(
        [
            Operator(
                name=f"fc{i}",
                kind=Kind.MVM,
                in_features=widths[i],
                out_features=widths[i + 1],
                inputs=(f"fc{i - 1}",) if i else (),
            )
            for i in range(4)
        ]
    )


def designs_per_s(run: Callable[[], object], n_designs: int, n_repeats: int = 5) -> float:
    """Best of some repeats, after one for warm-up."""
    run()
    seconds = []
    for _ in range(n_repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return n_designs / min(seconds)


def peak_mb(run: Callable[[], object]) -> float:
    """The most memory that a run takes beside its arguments, its result included."""
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main() -> None:
    rng = np.random.default_rng(0)
    mlp, million = mlp_workload(), random_config(1_000_000, rng)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    peak = peak_mb(lambda: estimate(mlp, million, by_operator=False))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(
        f"4-layer MLP on 1,000,000 chips, totals: {peak:,.0f} MB; process {before:,.0f} MB before, {after:,.0f} after"
    )

    n_chips = 200_000
    chips = million.take(slice(0, n_chips))
    rate = designs_per_s(lambda: estimate(mlp, chips), n_chips)
    print(f"by operator and by component, {n_chips:,} chips: {rate:,.0f} designs/s, {rate / LIMIT:.1f} times the limit")
    rate = designs_per_s(lambda: estimate(mlp, chips, by_operator=False), n_chips)
    print(f"totals by component: {rate:,.0f} designs/s")
    n_chips = 50_000
    few = chips.take(slice(0, n_chips))
    rate = designs_per_s(lambda: breakdown(mlp, few), n_chips)
    print(f"every operator by every component: {rate:,.0f} designs/s, {rate / LIMIT:.1f} times the limit")
    for name in CALIBRATIONS:
        rate = designs_per_s(lambda name=name: estimate(mlp, few, name), n_chips)  # type: ignore[misc]
        print(f"by operator and by component, {name}: {rate:,.0f} designs/s")

    n_networks = 4096
    networks, their_chips = nasrec_like_workload(n_networks, rng), random_config(n_networks, rng)
    rate = designs_per_s(lambda: estimate(networks, their_chips), n_networks)
    print(f"NASRec-like, {len(networks.names)} operators, {len(networks.edges)} edges: {rate:,.0f} designs/s")


if __name__ == "__main__":
    main()
