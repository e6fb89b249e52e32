"""The space of chips, and the joint space of a network and its chip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import (
    HARDWARE_SPACE,
    Architecture,
    ChoiceBlock,
    CodesignSpace,
    Space,
    codesign_of,
    from_compact,
    nasrec_space,
)

FULL = codesign_of(nasrec_space(n_dense=13, n_sparse=26, weight_bits=(4, 8)))
TINY = codesign_of(nasrec_space(n_dense=0, n_sparse=3, n_blocks=2, dense_dims=(16,), sparse_dims=(16,)))

WITHOUT_ACTIVATION_PRODUCTS = from_compact("DP16|ATT16|00|0|0|0,0 ; FC16|EFC16|00|0|0|0,0")
WITH_DOT_PRODUCT = from_compact("DP16|EFC16|00|0|0|0,0 ; FC16|EFC16|00|1|0|0,0")
WITH_ATTENTION = from_compact("FC16|ATT16|00|0|0|0,0 ; FC16|EFC16|01|0|1|0,0")


def test_every_chip_is_legal() -> None:
    choices = {block.name: block.choices for block in HARDWARE_SPACE.blocks}
    for size in choices["crossbar_size"]:
        assert all(size % groups == 0 for groups in choices["wordline_groups"])
        assert all(size % columns == 0 for columns in choices["columns_per_adc"])
    assert all(bits >= max(choices["dac_bits"]) for bits in choices["activation_bits"])


def test_the_choices_of_the_chip() -> None:
    assert HARDWARE_SPACE.cardinality == 4 * 3 * 3 * 7 * 3 * 4 * 4 * 3 * 2 * 2 * 5 * 2 * 3 * 4
    unordered = {block.name for block in HARDWARE_SPACE.blocks if not block.is_ordered}
    assert unordered == {"adc_range", "weight_encoding", "product_unit", "execution", "table_memory"}
    assert Space.from_json(HARDWARE_SPACE.to_json()) == HARDWARE_SPACE


def test_the_joint_space_is_larger_than_published_ones() -> None:
    assert FULL.cardinality == 377134914611571824246580479134090087854208060238069760000000
    assert FULL.cardinality == FULL.network.cardinality * HARDWARE_SPACE.cardinality
    assert FULL.cardinality > 10**54  # AutoRAC (arXiv 2505.10748)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_genome_is_its_network_and_its_chip(seed: int) -> None:
    genomes = FULL.sample(np.random.default_rng(seed), 10)
    networks, chips = genomes[:, : FULL.n_network_blocks], genomes[:, FULL.n_network_blocks :]
    assert list(FULL.networks(genomes)) == list(FULL.network.networks(networks))
    values = FULL.hardware_values(genomes)
    for row, chip in enumerate(HARDWARE_SPACE.decode(chips)):
        assert {name: array[row].item() for name, array in values.items()} == chip
    canonical = FULL.canonical(genomes)
    np.testing.assert_array_equal(FULL.check(canonical), canonical)
    np.testing.assert_array_equal(FULL.canonical(canonical), canonical)
    np.testing.assert_array_equal(canonical[:, : FULL.n_network_blocks], FULL.network.canonical(networks))
    is_product_unit = np.array([block.name == "product_unit" for block in HARDWARE_SPACE.blocks])
    np.testing.assert_array_equal(
        canonical[:, FULL.n_network_blocks :][:, ~is_product_unit], chips[:, ~is_product_unit]
    )


@pytest.mark.parametrize(
    ("network", "matters"),
    [
        pytest.param(WITHOUT_ACTIVATION_PRODUCTS, False, id="dot-and-attention-are-dead"),
        pytest.param(WITH_DOT_PRODUCT, True, id="dot-product"),
        pytest.param(WITH_ATTENTION, True, id="attention"),
    ],
)
def test_the_product_unit_matters_where_activations_are_multiplied(network: Architecture, matters: bool) -> None:
    columns = TINY.network.genomes_of([network])[0]
    chip = np.zeros(len(HARDWARE_SPACE.blocks), dtype=np.int64)
    digital = np.concatenate([columns, chip])
    crossbar = digital.copy()
    crossbar[TINY.column("product_unit")] = 1
    first, second = TINY.keys(np.stack([digital, crossbar]))
    assert (first != second) == matters


def test_a_choice_below_the_product_unit_goes_with_it() -> None:
    hardware = Space(
        name="chip",
        blocks=(
            ChoiceBlock("product_unit", ("digital", "crossbar")),
            ChoiceBlock("write_bits", (1, 2), only_if=("product_unit", "crossbar")),
        ),
    )
    space = codesign_of(TINY.network, hardware)
    columns = TINY.network.genomes_of([WITHOUT_ACTIVATION_PRODUCTS])[0]
    canonical = space.canonical([[*columns, 1, 1]])
    assert canonical[0, -2:].tolist() == [0, 0]
    np.testing.assert_array_equal(space.canonical(canonical), canonical)


def test_json_and_digest() -> None:
    again = CodesignSpace.from_json(FULL.to_json())
    assert again == FULL
    assert again.digest == FULL.digest
    assert again.name == "nasrec-full x reram-pim"
    one_adc = HARDWARE_SPACE.with_choices({"adc_bits": (8,)})
    others = [TINY, codesign_of(FULL.network, one_adc), codesign_of(nasrec_space(n_dense=13, n_sparse=26))]
    assert len({space.digest for space in (FULL, *others)}) == 4


def test_no_genomes_are_fine() -> None:
    nothing = np.empty((0, len(FULL.blocks)), dtype=np.int64)
    assert FULL.canonical(nothing).shape == nothing.shape
    assert len(FULL.networks(nothing)) == 0
    assert FULL.hardware_values(nothing)["adc_bits"].shape == (0,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CodesignSpace.from_json("{}"), "not a co-design space: entry missing .*'network'"),
        (lambda: CodesignSpace.from_json(FULL.network.to_json()), "not a co-design space"),
        (lambda: CodesignSpace.from_dict({"network": [], "hardware": {}}), "not a "),
        (
            lambda: codesign_of(FULL.network, Space(name="chip", blocks=(ChoiceBlock("b1.fm_bits", (8,)),))),
            "names of choice blocks must be unique, got 'b1.fm_bits' more than once",
        ),
        (lambda: FULL.hardware_values([[0]]), r"genomes must have shape \(B, 112\)"),
    ],
)
def test_errors_say_what_to_do(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
