"""Spaces of the steps: a settled chip is the only chip, settled networks are the only networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moco.compare.fixed_chip import at_uniform_bits, bit_columns, fixed_chip_space, on_fixed_chip
from moco.compare.settled_networks import settled_networks
from moco.costs.lowering import pim_config
from moco.runs.run import Run
from moco.search.codesign import codesign_space
from pimmodel import ISAAC


def test_a_fixed_chip_space_has_only_that_chip(run: Run) -> None:
    space = fixed_chip_space(run.space)
    assert space.hardware.cardinality == 1
    genomes = space.sample(np.random.default_rng(0), 20)
    chips = pim_config(space.hardware_values(genomes))
    assert all(chips.take(row) == ISAAC for row in range(20))
    networks = space.networks(genomes)
    for network in (networks[row] for row in range(20)):
        assert {block.dense_bits for block in network.blocks} == {8}
        assert {block.fm_bits for block in network.blocks} == {8}


def test_networks_keep_all_but_their_bits(run: Run) -> None:
    space, network = fixed_chip_space(run.space), run.space.network
    genomes = network.sample(np.random.default_rng(1), 20)
    there = space.networks(on_fixed_chip(space, genomes))
    back = network.networks(at_uniform_bits(network, genomes))
    before = network.networks(genomes)
    for row in range(20):
        assert there[row] == back[row]
        bits = ("dense_bits", "sparse_bits", "dense_to_sparse_bits", "fm_bits")
        eight = [replace(block, **dict.fromkeys(bits, 8)) for block in before[row].blocks]
        assert list(there[row].blocks) == eight
    assert len(bit_columns(network)) == len(bits) * network.n_blocks


def test_no_8_bit_weights_no_naive_mapping(run: Run) -> None:
    space = codesign_space(run.data, n_blocks=1, weight_bits=(2, 4))
    with pytest.raises(ValueError, match=r"a naive mapping has 8-bit weights, and space .* chooses among \(2, 4\)"):
        fixed_chip_space(space)


def test_settled_networks_are_the_only_ones(run: Run) -> None:
    network = run.space.network
    genomes = network.canonical(network.sample(np.random.default_rng(2), 5))
    space = settled_networks(run.space, genomes)
    drawn = space.sample(np.random.default_rng(3), 60)
    joint = space.joint_genomes(drawn)
    others = np.setdiff1d(np.arange(run.space.n_network_blocks), bit_columns(network))
    np.testing.assert_array_equal(joint[:, others], genomes[drawn[:, 0]][:, others])
    np.testing.assert_array_equal(joint[:, bit_columns(network)], drawn[:, 1 : 1 + len(bit_columns(network))])
    hardware = run.space.n_network_blocks
    assert len(np.unique(joint[:, hardware:], axis=0)) > 30
    canonical = space.canonical(drawn)
    np.testing.assert_array_equal(space.canonical(canonical), canonical)
    assert run.space.keys(space.joint_genomes(canonical)) == run.space.keys(joint)
    known = space.known()
    assert set(known[:, 0].tolist()) == set(range(5))
    assert len(known) % 5 == 0


def test_no_networks(run: Run) -> None:
    with pytest.raises(ValueError, match="a search of chips needs at least one network, got none"):
        settled_networks(run.space, run.space.network.sample(np.random.default_rng(0), 0))
