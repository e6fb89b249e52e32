"""What do few bits cost a converged network? Trained in plain numbers and rounded after, or with them in the loop.

Networks spread over log MACs, neither the cheapest nor the largest of the space, trained from scratch to their valid
minimum with 16-bit weights, and with 8- and 4-bit weights, activations and tables on a chip whose ADC loses nothing;
test rows, exact products.

python -m tests.benchmarks.bits movielens-100k [--networks 3] [--seeds 2] [--jobs 2]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import torch
from joblib import Parallel, delayed

from moco.data import CtrDataset
from moco.oracle.spread import log_macs, spread_networks
from moco.recipes import recipe_for
from moco.search.codesign import codesign_space
from moco.supernet.loop import threads
from moco.supernet.metrics import Score
from moco.supernet.network import Network
from moco.supernet.on_chip import NetworkOnChip
from moco.supernet.rows import rows_on
from moco.training.from_scratch import EXACT_ROWS, train_from_scratch
from pimmodel import PimConfig
from pimmodel.numerics import required_adc_bits
from spaces.architecture import Architecture
from tests.benchmarks.truth.__main__ import dataset

BITS = (8, 4)
WEIGHTS = ("dense_bits", "sparse_bits", "dense_to_sparse_bits", "fm_bits")


def with_bits(network: Architecture, bits: int) -> Architecture:
    """The network with so many weight bits everywhere but in its head."""
    blocks = tuple(replace(block, **dict.fromkeys(WEIGHTS, bits)) for block in network.blocks)
    return replace(network, blocks=blocks)


def chip_of(bits: int) -> PimConfig:
    """A chip of so many bits for activations and tables; its ADC loses nothing."""
    chip = PimConfig(activation_bits=bits, table_bits=bits)
    return replace(chip, adc_bits=int(required_adc_bits(chip)))


def scores(data: CtrDataset, network: Architecture, seed: int) -> list[tuple[str, int, Score]]:
    """Test score of each way and number of bits."""
    settings, here = recipe_for(data).final, torch.device("cpu")
    plain = train_from_scratch(data, with_bits(network, 16), settings=settings, seed=seed)
    found = [("float", 32, plain.test)]
    for bits in BITS:
        rounded = Network(with_bits(network, bits), data.cardinalities, len(data.dense), seed)
        rounded.load_state_dict(plain.network.state_dict())
        with threads(1):
            on_chip = NetworkOnChip(rounded.eval(), chip_of(bits), rows_on(data.train, here))
            found.append(("after", bits, on_chip.exact_of_all(rows_on(data.test, here), EXACT_ROWS)))
        trained = train_from_scratch(data, rounded.architecture, settings=settings, seed=seed, hardware=chip_of(bits))
        found.append(("in the loop", bits, trained.test))
    return found


def differences(found: Sequence[list[tuple[str, int, Score]]]) -> None:
    """Prints the loss of each way beside plain numbers, mean and standard error over networks and seeds."""
    for place, (way, bits, _) in enumerate(found[0]):
        if place:
            auc = np.array([one[0][2].auc - one[place][2].auc for one in found])
            logloss = np.array([one[place][2].logloss - one[0][2].logloss for one in found])
            told = [f"{x.mean():+.4f} +- {x.std(ddof=1) / np.sqrt(len(x)):.4f}" for x in (auc, logloss)]
            print(f"  {bits} bits, {way:<12} AUC lost {told[0]}, log loss {told[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("frappe", "movielens-100k", "synthetic"))
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    data = dataset(given.data)
    space = codesign_space(data).network
    genomes = spread_networks(space, given.networks + 2)[1:-1]
    networks = list(space.networks(genomes))
    runs = list(product(range(len(networks)), range(given.seeds)))
    found = Parallel(n_jobs=given.jobs)(delayed(scores)(data, networks[place], seed) for place, seed in runs)
    for place in range(len(networks)):
        ones = [one for (at, _), one in zip(runs, found, strict=True) if at == place]
        macs = np.expm1(log_macs(space, genomes[place : place + 1]))[0]
        plain = [f"{one[0][2].auc:.4f}, {one[0][2].logloss:.4f}" for one in ones]
        print(f"network of {macs:,.0f} MACs; plain test AUC and log loss {'; '.join(plain)}")
        differences(ones)
    print("all")
    differences(found)


if __name__ == "__main__":
    main()
