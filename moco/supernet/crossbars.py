"""How a chip computes a network's products: activations in few bits, column sums through converters of few bits.

A chip is calibrated on a sample of rows, layer by layer in the order of computation, each on the inputs that the layers
before it give on this chip. A layer's calibration settles the range of its inputs and what the converters do to its
product, by the moment model of `pimmodel.numerics`: a gain and a noise. `ModelledChip` then computes with them, and
`ExactChip` computes the same product slice by slice instead.

The head reads what several blocks put out, some of it a hundred times as large as the rest: one step for all would
leave most of them no bits. So each of its inputs is divided by its largest magnitude, in the multiplication by which it
is rounded to a word where it is put out, and the weights of its wordline are multiplied by that before they are written
into cells, as SmoothQuant does (Xiao et al., 2023, arXiv 2211.10438).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moco.supernet.numerics import Linear, fake_quantise, product
from moco.supernet.ranges import Range, magnitudes, stored_in_cells
from moco.supernet.rows import evenly
from pimmodel import PimConfig
from pimmodel.numerics import (
    ProductProfile,
    exact_product,
    exact_products,
    predict_distortion,
    profile_product,
    required_adc_bits,
)

N_SAMPLED = 256
"""Vectors of a layer's inputs that its calibration looks at."""

N_NORMAL = 1 << 22

NUMERICS = (
    "activation_bits",
    "adc_bits",
    "adc_range",
    "cell_bits",
    "crossbar_size",
    "dac_bits",
    "n_active_wordlines",
    "product_unit",
    "weight_encoding",
)
"""Fields of a chip that change what a product comes to."""

HEAD = "head"
"""Name of the product whose inputs have magnitudes of their own."""

HEADROOM = 1.25
"""How far the range of the head's inputs goes beyond what each reaches on the sample."""

MOST_LOGIT = 30.0
"""Beyond it a sigmoid is 0 or 1 in any number of bits that a chip has; useless chips would give logits without end."""

NEGLIGIBLE = 1e-3
"""Noise below this share of the output is left out."""

_INTS = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Calibrated:
    """One product of a network on one chip.

    Attributes:
        inputs: Range of the inputs.
        stored: Range of what the cells hold where that is activations.
        gain: Of the product.
        noise: Root mean square of its noise, in steps of inputs times weights.
        profile: Sample of the product, None where nothing is lost.
    """

    inputs: Range
    stored: Range | None = None
    gain: float = 1.0
    noise: float = 0.0
    profile: ProductProfile | None = None


class ModelledChip:
    """Products as a chip gives them: quantised inputs, the moment model's gain and noise.

    While `is_calibrating`, every product is calibrated on what it is given. The noise is the same each time a chip is
    made: a product's depends on its name and on how many vectors came before.

    Args:
        chip: One configuration.
        seed: Of the noise.
    """

    def __init__(self, chip: PimConfig, seed: int = 0) -> None:
        self._chip = chip
        self._seed = seed
        self._bits = int(chip.activation_bits)
        self._is_lossless = int(required_adc_bits(chip)) <= int(chip.adc_bits)
        self._multiplies_activations = str(chip.product_unit) == "crossbar"
        self._calibrated: dict[str, _Calibrated] = {}
        self._head_sizes = torch.ones(0)
        self._n_drawn: dict[str, int] = {}
        self.is_calibrating = True

    def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        """See `Arithmetic`."""
        weight, bias = layer
        if weight.shape[1] == 0:
            return product(x, weight, bias)
        if name == HEAD:
            if self.is_calibrating:
                self._head_sizes = magnitudes(sampled(x.T).T)
            x, layer = evened(x, layer, bits, self._head_sizes)
        if self.is_calibrating:
            self._calibrate(name, x, layer[0], bits)
        return self._multiplied(name, x, layer, bits)

    def _multiplied(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        known, (weight, bias) = self._calibrated[name], layer
        y = product(known.inputs.steps(x), known.gain * known.inputs.scale * weight, bias)
        if known.noise > 0:
            steps = known.noise * known.inputs.scale * weight_steps(weight, bits)
            y = torch.addcmul(y, steps[:, None], self._normal(name, y))
        return y

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        """See `Arithmetic`; what is stored in cells is the right one."""
        if self.is_calibrating:
            self._calibrate_activations(name, left, right)
        known = self._calibrated[name]
        assert known.stored is not None
        step = known.inputs.scale * known.stored.scale
        y = torch.bmm(known.inputs.steps(left), known.stored.steps(right)).mul_(known.gain * step)
        if known.noise > 0:
            y.add_(self._normal(name, y), alpha=known.noise * step)
        return y

    def _calibrate(self, name: str, x: Tensor, weight: Tensor, bits: int) -> None:
        sample = sampled(x.T)
        inputs = Range.of(sample, self._bits)
        if name == HEAD and inputs == Range.spanning(sample, self._bits):  # it has bits enough to give up none
            inputs = replace(inputs, scale=HEADROOM * inputs.scale)
        if self._is_lossless:
            self._calibrated[name] = _Calibrated(inputs)
            return
        self._calibrated[name] = self._distorted(
            inputs, None, inputs.integers(sample), weight_integers(weight, bits).T, bits
        )

    def _calibrate_activations(self, name: str, left: Tensor, right: Tensor) -> None:
        vectors, columns = sampled_operands(left, right)
        inputs, stored = Range.of(vectors, self._bits), stored_in_cells(Range.of(columns, self._bits), self._bits)
        if self._is_lossless or not self._multiplies_activations:
            self._calibrated[name] = _Calibrated(inputs, stored)
            return
        self._calibrated[name] = self._distorted(
            inputs, stored, inputs.integers(vectors), stored.integers(columns).T, max(self._bits, 2)
        )

    def _distorted(self, inputs: Range, stored: Range | None, x: _INTS, w: _INTS, bits: int) -> _Calibrated:
        profile = profile_product(
            x,
            w,
            activation_bits=self._bits,
            weight_bits=bits,
            encoding=str(self._chip.weight_encoding),  # type: ignore[arg-type]
            is_signed=inputs.low < 0,
        )
        if profile.signal_power == 0:
            return _Calibrated(inputs, stored, profile=profile)
        found = predict_distortion(profile, self._chip)
        gain, noise = float(found.alpha.reshape(-1)[0]), float(np.sqrt(found.noise_variance.reshape(-1)[0]))
        if noise < NEGLIGIBLE * np.sqrt(profile.signal_power):
            noise = 0.0
        return _Calibrated(inputs, stored, gain, noise, profile)

    def _normal(self, name: str, like: Tensor) -> Tensor:
        """Standard normal numbers of a tensor's shape and order in memory, as if each product had its own source."""
        start = self._n_drawn.setdefault(name, zlib.crc32(name.encode(), self._seed))
        self._n_drawn[name] = start + like.numel()
        numbers = normal_numbers()
        start, n = start % len(numbers), like.numel()
        if start + n > len(numbers):
            start = 0
        if n > len(numbers):
            numbers = numbers.repeat(-(-n // len(numbers)))
        found: Tensor = numbers[start : start + n].to(like.device)
        return found.view(like.T.shape).T if like.dim() == 2 and like.stride(0) == 1 else found.view(like.shape)


@lru_cache(maxsize=1)
def normal_numbers() -> Tensor:
    """Standard normal numbers to take slices of: drawing new ones costs more than the products that they distort."""
    return torch.empty(N_NORMAL).normal_(generator=torch.Generator().manual_seed(0))


class ExactChip(ModelledChip):
    """The same chip, its products by static weights computed slice by slice: slow, and what the chip really does.

    Args:
        modelled: The chip as calibrated; ranges are the same.
    """

    def __init__(self, modelled: ModelledChip) -> None:
        super().__init__(modelled._chip)
        self._calibrated, self._head_sizes = modelled._calibrated, modelled._head_sizes
        self.is_calibrating = False

    def _multiplied(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        known, (weight, bias) = self._calibrated[name], layer
        if known.profile is None:
            return super()._multiplied(name, x, layer, bits)
        steps = weight_steps(weight, bits)
        sums = exact_product(
            known.inputs.integers(x.T),
            weight_integers(weight, bits).T,
            self._chip,
            weight_bits=bits,
            is_signed=known.inputs.low < 0,
            profile=known.profile,
        )
        y = torch.from_numpy(sums.T.astype(np.float32)).to(x.device)
        result: Tensor = y * (known.inputs.scale * steps)[:, None] + bias[:, None]
        return result

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        """See `Arithmetic`; each sample's right one is written into cells of its own."""
        known = self._calibrated[name]
        if known.profile is None:
            return super().activation_product(name, left, right)
        assert known.stored is not None
        sums = exact_products(
            known.inputs.integers(left),
            known.stored.integers(right),
            self._chip,
            weight_bits=max(self._bits, 2),
            is_signed=known.inputs.low < 0,
            profile=known.profile,
        )
        step = known.inputs.scale * known.stored.scale
        return torch.from_numpy((sums * step).astype(np.float32)).to(left.device)


def numerics_keys(chips: PimConfig) -> list[tuple[object, ...]]:
    """What of each of B chips changes a product's value: the activation bits alone where converters lose nothing."""
    shape = (len(chips),)
    is_lossless = np.broadcast_to(required_adc_bits(chips) <= chips.adc_bits, shape).tolist()
    columns = [np.broadcast_to(getattr(chips, name), shape).tolist() for name in NUMERICS]
    rows = zip(*columns, strict=True)
    return [row[:1] if lossless else row for row, lossless in zip(rows, is_lossless, strict=True)]


def evened(x: Tensor, layer: Linear, bits: int, sizes: Tensor) -> tuple[Tensor, Linear]:
    """Inputs (n_in, M) divided by their sizes (n_in,), and the layer by which their product stays what it was, its
    weight rounded to so many bits anew."""
    weight, bias = layer
    return x / sizes[:, None], (fake_quantise(weight * sizes, bits), bias)


def weight_steps(weight: Tensor, bits: int) -> Tensor:
    """(n_out,) the step of each output's weights, which `fake_quantise` has rounded to `bits` bits."""
    top = 2 ** (bits - 1) - 1
    steps: Tensor = (weight.detach().abs().amax(dim=1) / top).clamp_min(torch.finfo(weight.dtype).tiny)
    return steps


def weight_integers(weight: Tensor, bits: int) -> _INTS:
    """(n_out, n_in) whole numbers of steps of a weight that `fake_quantise` has rounded to `bits` bits."""
    integers: _INTS = np.rint((weight / weight_steps(weight, bits)[:, None]).detach().cpu().numpy()).astype(np.int64)
    return integers


def sampled_operands(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Of a product of activations, some (n, k) vectors of the left and some (n, k) columns of the right one.

    Vectors meet the columns of other samples too: what matters is how such sums are spread.
    """
    return sampled(left.flatten(0, 1)), sampled(right.transpose(1, 2).flatten(0, 1))


def sampled(vectors: Tensor) -> Tensor:
    """At most N_SAMPLED rows, evenly spaced."""
    kept: Tensor = vectors.detach()[torch.from_numpy(evenly(len(vectors), N_SAMPLED))]
    return kept
