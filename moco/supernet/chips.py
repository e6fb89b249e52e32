"""Training on chips: each step's products lose what a random chip would take from them.

To calibrate every layer anew in every step would take far longer than the step. So what a chip does to a product, a
gain and a noise, is told once for each size of layer, with normal numbers for inputs and weights, and remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from moco.supernet.crossbars import Range, normal_numbers
from moco.supernet.numerics import Linear, product
from pimmodel import PimConfig
from pimmodel.numerics import ProductProfile, predict_distortion, profile_product, required_adc_bits

MOST_NOISE = 0.3
"""Of a product's root mean square. A chip that adds more to a layer of 64 inputs is of no use: it is not trained on."""

N_VECTORS, N_OUTPUTS = 128, 32
"""Of the products of normal numbers that tell what a chip does."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a chip does to a product.

    Attributes:
        gain: Of the product.
        noise: Share of the product's root mean square.
    """

    gain: float
    noise: float


NOTHING = Loss(1.0, 0.0)


class TrainedChip:
    """Products in training as a chip gives them; see `Arithmetic`.

    Ranges of activations follow each batch. Gradients pass through the rounding as if it were not there.

    Args:
        chip: One configuration.
        rng: Source of the noise.
    """

    def __init__(self, chip: PimConfig, rng: np.random.Generator) -> None:
        self._chip, self._rng = chip, rng
        self._bits = int(chip.activation_bits)
        self._is_lossless = int(required_adc_bits(chip)) <= int(chip.adc_bits)
        self._multiplies_activations = str(chip.product_unit) == "crossbar"
        self._losses: dict[tuple[int, int, bool], Loss] = {}

    def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        """See `Arithmetic`."""
        weight, bias = layer
        if weight.shape[1] == 0:
            return product(x, weight, bias)
        rounded, is_signed = self._rounded(x)
        loss = self.loss(weight.shape[1], bits, is_signed)
        y = product(rounded, weight if loss.gain == 1 else loss.gain * weight, torch.zeros_like(bias))
        return self._noisy(y, loss) + bias[:, None]

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        """See `Arithmetic`."""
        (inputs, is_signed), (stored, _) = self._rounded(left), self._rounded(right)
        y = torch.bmm(inputs, stored)
        if not self._multiplies_activations:
            return y
        loss = self.loss(left.shape[2], max(self._bits, 2), is_signed)
        return self._noisy(loss.gain * y, loss)

    def loss(self, n_inputs: int, weight_bits: int, is_signed: bool) -> Loss:
        """What the chip does to a layer of about so many inputs."""
        if self._is_lossless:
            return NOTHING
        key = 1 << (n_inputs - 1).bit_length(), weight_bits, is_signed
        if key not in self._losses:
            profile = _profile(*key, self._bits, str(self._chip.weight_encoding))
            found = predict_distortion(profile, self._chip)
            noise = float(np.sqrt(found.noise_variance.reshape(-1)[0] / profile.signal_power))
            gain = float(found.alpha.reshape(-1)[0])
            self._losses[key] = Loss(float(np.clip(gain, 0.5, 1.5)), min(noise, MOST_NOISE))
        return self._losses[key]

    def _rounded(self, x: Tensor) -> tuple[Tensor, bool]:
        """x in the chip's bits, and whether it has negative numbers."""
        least, largest = (float(value) for value in torch.aminmax(x.detach()))
        is_signed = least < 0
        low, high = (-(2 ** (self._bits - 1)), 2 ** (self._bits - 1) - 1) if is_signed else (0, 2**self._bits - 1)
        reach = max(-least, largest) * (1 - 0.35 / 2 ** (self._bits - 4))  # few bits serve the many small numbers
        if not 0 < reach < np.inf:
            return x, is_signed
        rounded: Tensor = _Rounding.apply(x, Range(reach / high, low, high))  # type: ignore[no-untyped-call]
        return rounded, is_signed

    def _noisy(self, y: Tensor, loss: Loss) -> Tensor:
        if loss.noise == 0:
            return y
        numbers, n = normal_numbers(), y.numel()
        start = int(self._rng.integers(max(1, len(numbers) - n)))
        noise = numbers[start : start + n].to(y.device)
        if len(noise) < n:
            noise = noise.repeat(-(-n // len(noise)))[:n]
        size = float(loss.noise * y.detach().square().mean().sqrt())
        return y + size * noise.view(y.shape)


class _Rounding(torch.autograd.Function):
    """Rounds forward and passes gradients back unchanged (Bengio et al., arXiv 1308.3432)."""

    @staticmethod
    def forward(context: Any, x: Tensor, grid: Range) -> Tensor:
        return grid.rounded(x)

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        return gradients[0], None


def useful_chips(chips: PimConfig) -> PimConfig:
    """Those of B chips on which a layer of 64 inputs keeps its product: noise below MOST_NOISE, gain about 1.

    All of them where there is no such chip.
    """
    rng = np.random.default_rng(0)
    kept = [row for row in range(len(chips)) if _is_useful(TrainedChip(chips.take(row), rng).loss(64, 8, False))]
    return chips.take(np.array(kept, dtype=np.int64)) if kept else chips


def _is_useful(loss: Loss) -> bool:
    return loss.noise < MOST_NOISE and 0.8 < loss.gain < 1.2


@lru_cache(maxsize=256)
def _profile(n_inputs: int, weight_bits: int, is_signed: bool, activation_bits: int, encoding: Any) -> ProductProfile:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(N_VECTORS, n_inputs)), rng.normal(size=(n_inputs, N_OUTPUTS))
    inputs = Range.of(torch.from_numpy(x if is_signed else np.maximum(x, 0)), activation_bits)
    top = 2 ** (weight_bits - 1) - 1
    return profile_product(
        inputs.integers(torch.from_numpy(x if is_signed else np.maximum(x, 0))),
        np.rint(w / np.abs(w).max(axis=0) * top).astype(np.int64),
        activation_bits=activation_bits,
        weight_bits=weight_bits,
        encoding=encoding,
        is_signed=is_signed,
    )
