"""Costs of whole networks: genomes to lowered workloads to energy, latency, area and power, in one process."""

from __future__ import annotations

import time

import numpy as np

from moco.costs.batch import design_costs
from moco.costs.lowering import lower, pim_config
from moco.data import load_dataset
from moco.search.codesign import codesign_space
from pimmodel import estimate

LIMIT_PER_S = 2e4
"""From genomes to costs, at least: a million designs in a minute, and nothing beside the scores of a search."""


def main(n_designs: int = 5000, n_repeats: int = 3) -> None:
    data = load_dataset("synthetic", n_rows=1000, n_fields=26, n_dense=13)
    space = codesign_space(data, dense_dims=(16, 32, 64, 128, 256, 512, 768, 1024), sparse_dims=(16, 32, 48, 64))
    genomes = space.canonical(space.sample(np.random.default_rng(0), n_designs))
    networks, chips = space.networks(genomes), pim_config(space.hardware_values(genomes))
    workload = lower(networks, len(data.dense), data.cardinalities)
    steps = {
        "canonical form": lambda: space.canonical(genomes),
        "lowering": lambda: lower(networks, len(data.dense), data.cardinalities),
        "hardware model, by operator": lambda: estimate(workload, chips),
        "hardware model, totals": lambda: estimate(workload, chips, by_operator=False),
        "all from genomes": lambda: design_costs(data, space, genomes),
    }
    print(f"NASRec-Full x hardware, {n_designs} designs, {len(workload.names)} operators each")
    for name, step in steps.items():
        times_s = []
        for _ in range(n_repeats):
            start_s = time.perf_counter()
            step()
            times_s.append(time.perf_counter() - start_s)
        rate = n_designs / min(times_s)
        print(f"  {name:<26} {rate:>12,.0f} designs/s   {rate / LIMIT_PER_S:>6.1f} x the limit of {LIMIT_PER_S:,.0f}")


if __name__ == "__main__":
    main()
