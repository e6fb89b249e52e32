"""Hand-made designs: legal, different from each other, lossless, in spaces of any shape."""

from __future__ import annotations

import pytest

from moco.costs.batch import design_costs
from moco.data import load_dataset
from moco.search.known import known_designs, known_networks
from spaces import HARDWARE_SPACE, codesign_of, macs, nasrec_space
from spaces.architecture import ArchitectureBatch

DATA = load_dataset("synthetic", n_rows=500, n_fields=4, n_dense=2, max_cardinality=20)


@pytest.mark.parametrize("kind", ["nasrec-full", "nasrec-small", "nasrec-flat"])
@pytest.mark.parametrize("n_blocks", [1, 3, 7])
def test_every_design_is_legal_lossless_and_different(kind: str, n_blocks: int) -> None:
    space = codesign_of(nasrec_space(kind, n_dense=2, n_sparse=4, n_blocks=n_blocks, weight_bits=(4, 8)))
    genomes = known_designs(space)
    assert len(genomes) == 2 * len(known_networks(space.network))
    assert len(set(space.keys(genomes))) == len(genomes)
    assert (design_costs(DATA, space, genomes).adc_shortfall_bits <= 0).all()


def test_small_networks_are_smaller_than_large_ones() -> None:
    networks = known_networks(nasrec_space(n_dense=2, n_sparse=4))
    n_macs = {name: int(macs(ArchitectureBatch.of([network]), 2, 4)[0]) for name, network in networks.items()}
    assert n_macs.keys() == {
        f"{pattern}, {size}"
        for pattern in ("linear on rows", "factorisation machine", "dlrm", "deepfm", "autoint")
        for size in ("small", "large")
    }
    for name, n in n_macs.items():
        if name.endswith("small"):
            assert n < n_macs[name.replace("small", "large")]


def test_a_flat_input_makes_a_deep_network_on_all_embeddings() -> None:
    space = nasrec_space("nasrec-flat", n_dense=0, n_sparse=4, dense_dims=(8, 32), sparse_dims=(2,), embedding_dim=8)
    network = known_networks(space)["dnn, large"]
    deep, rows, head = 4 * 8 * 32 + 2 * 32 * 32, 4 * 2 * 8, 32 + 2 * 8  # three layers, rows mixed 4 to 2
    assert macs(ArchitectureBatch.of([network]), 0, 4)[0] == deep + rows + head


def test_chips_that_a_space_cannot_express_are_left_out() -> None:
    network = nasrec_space(n_dense=2, n_sparse=4, n_blocks=2)
    only_small = HARDWARE_SPACE.with_choices({"crossbar_size": (32,)})
    assert known_designs(codesign_of(network, only_small)).shape == (0, 2 * 14 + 14)
