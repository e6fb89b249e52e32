"""Products on a chip: beside hand-made ones, beside plain numbers where nothing is lost, and beside the exact ones."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from moco.costs.lowering import pim_config
from moco.data import CtrDataset, load_dataset
from moco.oracle.oracle import Oracle
from moco.settings import TrainSettings
from moco.supernet import TrainedSupernet, train_supernet
from moco.supernet.crossbars import MOST_LOGIT, ExactChip, ModelledChip, evened, numerics_keys
from moco.supernet.forward import Path
from moco.supernet.network import Network, forward_pass
from moco.supernet.numerics import fake_quantise
from moco.supernet.ranges import Range, magnitudes
from pimmodel import PimConfig
from pimmodel.numerics import exact_product
from spaces import HARDWARE_SPACE
from spaces.architecture import Architecture, Block
from spaces.nasrec import NasrecSpace, nasrec_space

Arrays = NDArray[Any]

LOSSLESS = PimConfig(adc_bits=12)
ADC_BITS = (4, 5, 6, 7, 8)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


@given(st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=50), st.integers(2, 8))
@example([1.2611686178923354e-44, 0.0], 3)
def test_a_range_rounds_to_few_whole_steps(values: list[float], bits: int) -> None:
    x = torch.tensor(values)
    found = Range.of(x, bits)
    steps = found.integers(x)
    assert steps.min() >= found.low
    assert steps.max() <= found.high
    assert found.high - found.low + 1 <= 2**bits
    assert (found.low < 0) == bool((x < 0).any())
    within = (x >= found.low * found.scale) & (x <= found.high * found.scale)
    assert ((found.rounded(x) - x).abs()[within] <= found.scale / 2 * 1.001).all()


def test_a_range_of_few_bits_gives_up_its_outliers() -> None:
    x = torch.cat([numbers(5000), torch.tensor([30.0])])
    four, eight = Range.of(x, 4), Range.of(x, 8)
    assert four.high * four.scale < 15 < eight.high * eight.scale
    to_the_largest = Range(30 / 7, -8, 7)
    assert (four.rounded(x) - x).square().sum() < 0.5 * (to_the_largest.rounded(x) - x).square().sum()


@pytest.mark.parametrize("adc_bits", [5, 12])
@pytest.mark.parametrize("is_signed", [False, True])
def test_the_exact_product_is_that_of_the_hardware_model(adc_bits: int, is_signed: bool) -> None:
    chip = PimConfig(adc_bits=adc_bits, crossbar_size=32, n_active_wordlines=32, columns_per_adc=8)
    x, bias = numbers(40, 30), numbers(5, seed=2)
    x = x if is_signed else x.relu()
    weight = fake_quantise(numbers(5, 40, seed=1), 8)
    modelled = ModelledChip(chip)
    modelled.product("b1_fc", x, (weight, bias), 8)
    modelled.is_calibrating = False
    given_product = ExactChip(modelled).product("b1_fc", x, (weight, bias), 8)

    inputs = Range.of(x.T, 8)
    step = weight.abs().amax(dim=1).numpy() / 127
    w = np.rint(weight.numpy() / step[:, None]).astype(np.int64)
    expected = exact_product(inputs.integers(x.T), w.T, chip, weight_bits=8, is_signed=is_signed).T
    expected = expected * inputs.scale * step[:, None] + bias.numpy()[:, None]
    np.testing.assert_allclose(given_product, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    plain = (weight @ inputs.rounded(x) + bias[:, None]).numpy()
    is_plain = np.allclose(given_product, plain, atol=1e-3 * np.abs(plain).max())
    assert is_plain == (adc_bits == 12)


def by_hand(x: Arrays, weight: Arrays, bias: Arrays, chip: PimConfig, scale: float) -> Arrays:
    """weight @ x + bias of unsigned x on differential pairs, in plain loops over wordlines, input bits and cells."""
    inputs = np.clip(np.rint(x * np.float32(1 / scale)), 0, 2 ** int(chip.activation_bits) - 1).astype(np.int64)
    step = np.abs(weight).max(axis=1) / 127
    stored = np.rint(weight / step[:, None]).astype(np.int64)
    n_driven, most = int(chip.n_active_wordlines), 2 ** (int(chip.adc_bits) - 1) - 1
    unit = n_driven * 1 * 3 / most  # 1-bit inputs, 2-bit cells, full scale
    sums = np.zeros((len(weight), x.shape[1]))
    for start in range(0, len(x), n_driven):
        some = slice(start, start + n_driven)
        for i in range(int(chip.activation_bits)):
            driven = (inputs[some] >> i) & 1
            for j in range(0, 7, 2):
                cells = np.sign(stored[:, some]) * ((np.abs(stored[:, some]) >> j) & (3 if j < 6 else 1))
                sums += np.clip(np.rint(cells @ driven / unit), -most, most) * unit * 2.0 ** (i + j)
    return sums * scale * step[:, None] + bias[:, None]


def test_the_exact_network_is_the_one_computed_by_hand() -> None:
    choices = {"dense_inputs": (0,), "sparse_inputs": (0,), "left": 0, "right": 0, "dense_dim": 16, "sparse_dim": 4}
    block = Block(dense_operator="fc", sparse_operator="efc", **choices)
    architecture = Architecture(blocks=(block,), embedding_dim=8)
    network = Network(architecture, (5, 7, 3), 20, seed=0)
    rows, dense = numbers(15, 3, 8).abs(), numbers(15, 20, seed=1).abs()
    chip = PimConfig(
        crossbar_size=8, n_active_wordlines=8, columns_per_adc=8, adc_bits=4, weight_encoding="differential"
    )
    with torch.no_grad():
        modelled = ModelledChip(chip)
        forward_pass(network, Path.of(architecture), dense, rows, modelled).logits()
        modelled.is_calibrating = False
        found = forward_pass(network, Path.of(architecture), dense, rows, ExactChip(modelled)).logits()
        plain = forward_pass(network, Path.of(architecture), dense, rows).logits()
        weights = {
            name: (fake_quantise(network.weights[f"{name}_weight"], 8).numpy(), network.weights[f"{name}_bias"].numpy())
            for name in ("b1_fc", "b1_efc", "head")
        }
    scales = {name: known.inputs.scale for name, known in modelled._calibrated.items()}
    assert scales["b1_fc"] == Range.of(dense, 8).scale
    fc = np.maximum(by_hand(dense.numpy().T, *weights["b1_fc"], chip, scales["b1_fc"]), 0)
    mixed = rows.numpy().transpose(1, 2, 0).reshape(3, -1)
    efc = np.maximum(by_hand(mixed, *weights["b1_efc"], chip, scales["b1_efc"]), 0).reshape(4 * 8, -1)
    weight, bias = weights["head"]
    sizes = modelled._head_sizes.numpy()
    assert len(sizes) == len(fc) + len(efc)
    head = by_hand(np.concatenate([fc, efc]) / sizes[:, None], weight * sizes, bias, chip, scales["head"])
    np.testing.assert_allclose(found.numpy(), head[0], rtol=1e-4, atol=1e-5)
    assert float((found - plain).abs().max()) > 1e-3


def of_many_magnitudes(n_inputs: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Inputs from .01 to 100 in size, and a layer to whose product all of them contribute alike."""
    sizes = torch.logspace(-2, 2, n_inputs)
    return numbers(n_inputs, 400).abs() * sizes[:, None], (numbers(1, n_inputs, seed=1) / sizes, numbers(1, seed=2))


@pytest.mark.parametrize("bits", [4, 6, 8])
def test_no_input_of_the_head_takes_the_bits_of_another(bits: int) -> None:
    """Each has 2^bits steps of its own: half-normal numbers, 3 at most, are off by 1.4 / 2^bits of their deviation."""
    x, layer = of_many_magnitudes(40)
    plain = layer[0] @ x + layer[1][:, None]
    chip = PimConfig(activation_bits=bits, adc_bits=12)
    errors = {}
    for name in ("head", "b1_fc"):
        modelled = ModelledChip(chip)
        modelled.product(name, x, layer, 8)
        modelled.is_calibrating = False
        found = modelled.product(name, x, layer, 8)
        np.testing.assert_allclose(ExactChip(modelled).product(name, x, layer, 8), found, rtol=1e-4, atol=1e-3)
        errors[name] = float((found - plain).square().mean().sqrt() / plain.std())
    assert errors["head"] < 2.0 ** (1 - bits) + 1 / 64  # of activations, and of weights rounded to 8 bits
    assert errors["b1_fc"] > 4 * errors["head"]


def test_an_input_of_the_head_that_never_varies_costs_the_others_nothing() -> None:
    x, (weight, bias) = of_many_magnitudes(12)
    x[3] = 0.0
    assert magnitudes(x)[3] == x.abs().amax(dim=1)[[0, 1, 2, *range(4, 12)]].median()
    assert torch.equal(magnitudes(x)[4:], x.abs().amax(dim=1)[4:])
    assert (magnitudes(torch.zeros(3, 5)) > 0).all()
    assert torch.isfinite(magnitudes(torch.full((3, 5), float("inf")))).all()
    divided, (evenly_weighted, same_bias) = evened(x, (weight, bias), 16, magnitudes(x))
    assert float(divided.abs().max()) == 1.0
    torch.testing.assert_close(evenly_weighted @ divided, weight @ x, rtol=1e-3, atol=1e-3)
    assert torch.equal(same_bias, bias)


def test_a_lossless_chip_only_quantises() -> None:
    x, weight, bias = numbers(20, 50), fake_quantise(numbers(6, 20, seed=1), 4), numbers(6, seed=2)
    chip = ModelledChip(LOSSLESS)
    found = chip.product("b1_fc", x, (weight, bias), 4)
    expected = weight @ Range.of(x.T, 8).rounded(x) + bias[:, None]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    left, right = numbers(7, 3, 4), numbers(7, 4, 2, seed=3)
    torch.testing.assert_close(chip.activation_product("gram", left, right), left @ right, rtol=0.05, atol=0.1)


def test_gain_and_noise_are_those_of_the_exact_product() -> None:
    x = numbers(128, 4000).relu()
    weight, bias = fake_quantise(numbers(32, 128, seed=1), 8), torch.zeros(32)
    for adc_bits in ADC_BITS[1:]:
        chip = PimConfig(adc_bits=adc_bits)
        modelled = ModelledChip(chip)
        y = modelled.product("b1_fc", x, (weight, bias), 8)
        modelled.is_calibrating = False
        exact = ExactChip(modelled).product("b1_fc", x, (weight, bias), 8)
        plain = weight @ x
        errors = [float((one - plain).square().mean().sqrt() / plain.square().mean().sqrt()) for one in (y, exact)]
        if adc_bits < 8:  # 8 bits lose nothing here
            assert errors[0] == pytest.approx(errors[1], rel=0.25)
        gains = [float((one * plain).sum() / plain.square().sum()) for one in (y, exact)]
        assert gains[0] == pytest.approx(gains[1], abs=0.08)


def test_a_chip_gives_the_same_noise_again() -> None:
    x, layer = numbers(128, 300).relu(), (fake_quantise(numbers(16, 128, seed=1), 8), torch.zeros(16))
    runs = []
    for _ in range(2):
        chip = ModelledChip(PimConfig(adc_bits=5))
        runs.append([chip.product("b1_fc", x, layer, 8), chip.product("b1_fc", x, layer, 8)])
    torch.testing.assert_close(runs[0], runs[1], rtol=0, atol=0)
    assert not torch.equal(runs[0][0], runs[0][1])


def test_chips_that_lose_nothing_share_a_key() -> None:
    chips = PimConfig(
        adc_bits=np.array([8, 9, 8, 5, 5]),
        activation_bits=np.array([8, 8, 4, 8, 8]),
        n_copies=np.array([1, 2, 1, 1, 4]),
    )
    keys = numerics_keys(chips)
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] == keys[4] != keys[0]
    assert numerics_keys(PimConfig()) == [(8,)]


@pytest.fixture(scope="module")
def log() -> CtrDataset:
    return load_dataset("synthetic", n_rows=6000, n_fields=5, n_dense=3, max_cardinality=40)


@pytest.fixture(scope="module")
def space() -> NasrecSpace:
    return nasrec_space(
        n_dense=3, n_sparse=5, n_blocks=3, dense_dims=(16, 32), sparse_dims=(4, 8), weight_bits=(4, 8), embedding_dim=8
    )


@pytest.fixture(scope="module")
def supernet(log: CtrDataset, space: NasrecSpace) -> TrainedSupernet:
    return train_supernet(log, space, settings=TrainSettings(epochs=6, embedding_l2=1e-4), seed=0)


@pytest.fixture(scope="module")
def oracle(log: CtrDataset, supernet: TrainedSupernet) -> Oracle:
    return Oracle(supernet, log, n_jobs=1)


def networks_of(space: NasrecSpace, n: int, seed: int = 0) -> np.ndarray:
    return space.canonical(space.sample(np.random.default_rng(seed), n))


def chips_of(n: int, seed: int) -> PimConfig:
    return pim_config(HARDWARE_SPACE.columns(HARDWARE_SPACE.sample(np.random.default_rng(seed), n)))


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_scores_do_not_depend_on_order_company_or_processes(
    oracle: Oracle, log: CtrDataset, supernet: TrainedSupernet, space: NasrecSpace, seed: int
) -> None:
    networks, chips = space.networks(networks_of(space, 4, seed)), chips_of(4, seed)
    bits = np.array([32, 8, 4, 32])
    first = oracle.score(networks, bits, chips)
    order = np.array([2, 0, 3, 1])
    again = Oracle(supernet, log, n_jobs=2).score(networks.take(order), bits[order], chips.take(order))
    assert again.logloss.tolist() == first.logloss[order].tolist()
    alone = Oracle(supernet, log, n_jobs=1).score(networks.take(np.array([1])), bits[1:2], chips.take(np.array([1])))
    assert alone.logloss[0] == first.logloss[1]


def test_eight_bits_and_enough_converter_bits_change_next_to_nothing(oracle: Oracle, space: NasrecSpace) -> None:
    networks = space.networks(networks_of(space, 10))
    chips = PimConfig(adc_bits=np.full(10, 12))
    plain, on_chip = oracle.score(networks).logloss, oracle.score(networks, None, chips).logloss
    assert np.abs(plain - on_chip).max() < 2e-3
    exact = oracle.exact(networks, None, chips, n_rows=10_000).logloss
    np.testing.assert_allclose(exact, on_chip, atol=1e-6)


def test_more_converter_bits_never_lose_more(oracle: Oracle, space: NasrecSpace) -> None:
    networks = space.networks(networks_of(space, 12, seed=1))
    means = [
        oracle.score(networks, None, PimConfig(adc_bits=np.full(12, bits), cell_bits=4, dac_bits=2)).logloss.mean()
        for bits in (4, 6, 8, 10, 12)
    ]
    assert all(later <= earlier + 2e-3 for earlier, later in pairwise(means))
    assert means[0] > means[-1] + 0.01


def test_scores_order_chips_as_the_exact_products_do(oracle: Oracle, space: NasrecSpace) -> None:
    """Of pairs of chips on which the exact log losses of a network differ clearly, nearly all are in order."""
    in_order: list[bool] = []
    for genome in networks_of(space, 3, seed=3):
        networks = space.networks(np.repeat(genome[None], 24, axis=0))
        chips = chips_of(24, seed=4)
        modelled = oracle.score(networks, None, chips).logloss
        exact = oracle.exact(networks, None, chips, n_rows=10_000).logloss
        clear = np.subtract.outer(exact, exact) > 2e-3
        in_order += (np.subtract.outer(modelled, modelled)[clear] > 0).tolist()
    assert np.mean(in_order) > 0.85  # .91 to .98 for other seeds of the supernet


@pytest.mark.parametrize("factor", [1e3, 1e6, 1e12])
def test_numbers_that_a_useless_chip_made_endless_are_borne(
    log: CtrDataset, supernet: TrainedSupernet, space: NasrecSpace, factor: float
) -> None:
    steps = Range.of(torch.tensor([1.0, np.nan, np.inf, -np.inf]), 8).integers(torch.tensor([np.nan, np.inf, 1.0]))
    assert steps.tolist()[0] == 0
    huge = train_supernet(log, space, settings=TrainSettings(epochs=1, embedding_l2=1e-4), seed=1)
    with torch.no_grad():
        for name, weight in huge.supernet.weights.items():
            if name != "head_bias":
                weight.mul_(factor)
    oracle = Oracle(huge, log, n_jobs=1)
    networks, chips = space.networks(networks_of(space, 12, seed=5)), chips_of(12, seed=6)
    for scores in (oracle.score(networks, None, chips), oracle.exact(networks, None, chips, n_rows=200)):
        assert np.isfinite(scores.logloss).all()
        assert (scores.logloss <= MOST_LOGIT).all()


def test_chips_and_networks_come_in_equal_numbers(oracle: Oracle, space: NasrecSpace) -> None:
    with pytest.raises(ValueError, match="chips must be 2, one a network, got 3"):
        oracle.score(space.networks(networks_of(space, 2)), None, chips_of(3, 0))
