"""What chips do to products in training, beside what the calibrated model and the exact product say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from moco.supernet.chips import MOST_NOISE, NOTHING, TrainedChip, useful_chips
from moco.supernet.crossbars import ExactChip, ModelledChip
from moco.supernet.numerics import fake_quantise
from pimmodel import PimConfig


def chip_of(seed: int = 0, **fields: object) -> TrainedChip:
    return TrainedChip(PimConfig(**fields), np.random.default_rng(seed))  # type: ignore[arg-type]


@pytest.mark.parametrize("adc_bits", [5, 6])
@pytest.mark.parametrize("is_signed", [False, True])
def test_noise_is_about_that_of_the_exact_product(adc_bits: int, is_signed: bool) -> None:
    rng = np.random.default_rng(1)
    x = torch.from_numpy(rng.normal(size=(96, 600)).astype(np.float32))
    x = x if is_signed else x.relu()
    weight = fake_quantise(torch.from_numpy(rng.normal(size=(16, 96)).astype(np.float32)), 8)
    layer = weight, torch.zeros(16)
    modelled = ModelledChip(PimConfig(adc_bits=adc_bits))
    modelled.product("b1_fc", x, layer, 8)
    modelled.is_calibrating = False
    exact = ExactChip(modelled).product("b1_fc", x, layer, 8)
    plain = weight @ x
    noise = float((exact - plain).square().mean().sqrt() / plain.square().mean().sqrt())
    loss = chip_of(adc_bits=adc_bits).loss(96, 8, is_signed)
    assert loss.noise == pytest.approx(min(noise, MOST_NOISE), rel=0.5)
    trained = chip_of(adc_bits=adc_bits).product("b1_fc", x, layer, 8)
    given = float((trained - plain).square().mean().sqrt() / plain.square().mean().sqrt())
    assert given == pytest.approx(loss.noise, rel=0.3)


def test_gradients_pass_as_if_nothing_were_rounded() -> None:
    x = torch.randn(8, 20, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weight, bias = torch.randn(3, 8, generator=torch.Generator().manual_seed(1)).requires_grad_(), torch.zeros(3)
    chip_of(adc_bits=12, activation_bits=4).product("b1_fc", x, (weight, bias), 8).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, weight.detach().sum(dim=0)[:, None].expand(8, 20))
    assert weight.grad is not None
    assert float((weight.grad - x.detach().sum(dim=1)).abs().max()) > 0  # the weight meets the rounded inputs


def test_a_lossless_chip_takes_nothing_but_precision() -> None:
    chip = chip_of(adc_bits=12)
    assert chip.loss(64, 8, False) == NOTHING
    x, layer = torch.randn(16, 50), (torch.randn(4, 16), torch.randn(4))
    expected = layer[0] @ x + layer[1][:, None]
    torch.testing.assert_close(chip.product("b1_fc", x, layer, 8), expected, rtol=0.05, atol=0.2)
    left, right = torch.randn(5, 3, 4), torch.randn(5, 4, 2)
    torch.testing.assert_close(chip.activation_product("g", left, right), left @ right, rtol=0.05, atol=0.2)


def test_useless_chips_are_left_out() -> None:
    chips = PimConfig(adc_bits=np.array([2, 4, 12]), cell_bits=4, dac_bits=4)
    assert useful_chips(chips).adc_bits.tolist() == [12]  # type: ignore[union-attr]
    assert len(useful_chips(PimConfig(adc_bits=np.array([1, 1]), cell_bits=4, dac_bits=4))) == 2


def test_inputs_without_any_number_are_no_harm() -> None:
    chip = chip_of(adc_bits=5)
    layer = torch.randn(4, 16), torch.randn(4)
    torch.testing.assert_close(chip.product("b1_fc", torch.zeros(16, 7), layer, 8), layer[1][:, None].expand(4, 7))
    nothing = chip.product("b1_fc", torch.zeros(0, 7), (torch.zeros(4, 0), layer[1]), 8)
    torch.testing.assert_close(nothing, layer[1][:, None].expand(4, 7))
