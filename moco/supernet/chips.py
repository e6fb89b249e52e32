"""Chips in training: inputs quantised with a gradient straight through, and the moment model's gain and noise.

To calibrate every layer of a path on a chip would take far longer than a step. So a round of training has few chips,
which come back again and again; what a chip does to a layer's product is found on the first batch that meets the two,
relative to the size of inputs and outputs, and remembered for the rest of the round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moco.costs.lowering import pim_config
from moco.supernet.crossbars import HEAD, ModelledChip, evened, sampled, sampled_operands, weight_integers, weight_steps
from moco.supernet.embedding import Embedding
from moco.supernet.numerics import FLOAT, FLOAT_BITS, Arithmetic, Linear, product, straight
from moco.supernet.ranges import Range, magnitudes, stored_in_cells
from pimmodel import PimConfig
from spaces.space import Space

LEAST_SQNR_DB = 10.0
"""Converters that leave a product less signal to noise are left out of training: they only teach to ignore it."""

CHIPS_A_ROUND = 8


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What a chip does to one layer's product.

    Attributes:
        clip: Share of the inputs' largest magnitude at which their range ends.
        stored_clip: The same of activations that are held in cells.
        gain: Of the product.
        noise: Root mean square of the noise over that of the product, both in steps of inputs and weights.
    """

    clip: float
    stored_clip: float = 1.0
    gain: float = 1.0
    noise: float = 0.0


class TrainedChip(ModelledChip):
    """Products on a chip while weights are trained.

    Ranges end at a share of the batch's largest magnitude. Inputs beyond them get no gradient, and the noise gives
    none.

    Args:
        chip: One configuration.
        seed: Of the noise.
    """

    def __init__(self, chip: PimConfig, seed: int) -> None:
        super().__init__(chip, seed)
        self._remembered: dict[str, _Remembered] = {}

    def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        """See `Arithmetic`."""
        weight, bias = layer
        if weight.shape[1] == 0:
            return product(x, weight, bias)
        if name == HEAD:
            x, (weight, bias) = evened(x, layer, bits, magnitudes(x))
        if name not in self._remembered:
            self._remembered[name] = self._found(x, weight, bits)
        known = self._remembered[name]
        y = product(Range.spanning(x, self._bits, known.clip).straight(x), known.gain * weight, bias)
        if known.noise > 0:
            with torch.no_grad():
                steps = weight_steps(weight, bits)[:, None]
                size = ((y - bias[:, None]) / steps).square().mean().sqrt() / known.gain
                noise = self._normal(name, y) * (steps * (known.noise * size))
            y = y + noise
        return y

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        """See `Arithmetic`; what is stored in cells is the right one."""
        if name not in self._remembered:
            self._remembered[name] = self._found_of_activations(left, right)
        known = self._remembered[name]
        inputs = Range.spanning(left, self._bits, known.clip)
        stored = stored_in_cells(Range.spanning(right, self._bits, known.stored_clip), self._bits)
        y = torch.bmm(inputs.straight(left), stored.straight(right))
        if known.noise > 0:
            with torch.no_grad():
                noise = self._normal(name, y) * (known.noise * y.square().mean().sqrt())
            return known.gain * y + noise
        return known.gain * y

    @torch.no_grad()
    def _found(self, x: Tensor, weight: Tensor, bits: int) -> _Remembered:
        sample = sampled(x.T).float()
        inputs = Range.of(sample, self._bits)
        clip = inputs.scale / Range.spanning(sample, self._bits).scale
        if self._is_lossless:
            return _Remembered(clip)
        words = weight_integers(weight, bits).T
        return _Remembered(clip, 1.0, *self._relative(inputs, None, inputs.integers(sample), words, bits))

    @torch.no_grad()
    def _found_of_activations(self, left: Tensor, right: Tensor) -> _Remembered:
        vectors, columns = (sample.float() for sample in sampled_operands(left, right))
        inputs, held = Range.of(vectors, self._bits), Range.of(columns, self._bits)
        clip = inputs.scale / Range.spanning(vectors, self._bits).scale
        stored_clip = held.scale / Range.spanning(columns, self._bits).scale
        if self._is_lossless or not self._multiplies_activations:
            return _Remembered(clip, stored_clip)
        stored = stored_in_cells(held, self._bits)
        x, w = inputs.integers(vectors), stored.integers(columns).T
        return _Remembered(clip, stored_clip, *self._relative(inputs, stored, x, w, max(self._bits, 2)))

    def _relative(
        self, inputs: Range, stored: Range | None, x: NDArray[np.int64], w: NDArray[np.int64], bits: int
    ) -> tuple[float, float]:
        """Gain, and noise relative to the product; those of no loss where too little of the product is left."""
        found = self._distorted(inputs, stored, x, w, bits)
        assert found.profile is not None
        if found.profile.signal_power == 0:
            return 1.0, 0.0
        noise = found.noise / found.profile.signal_power**0.5
        error = (1 - found.gain) ** 2 + noise**2
        return (found.gain, noise) if error <= 10 ** (-LEAST_SQNR_DB / 10) else (1.0, 0.0)


@dataclass(frozen=True, slots=True)
class TableRounding:
    """Embedding rows in a chip's bits while they are trained, the gradient straight through.

    Attributes:
        steps: (F,) of each field's table at the start of the round.
        most: Largest number of steps.
    """

    steps: Tensor
    most: int

    @classmethod
    @torch.no_grad()
    def of(cls, embedding: Embedding, bits: int, dropout: float) -> TableRounding | None:
        """Steps of tables in `bits` bits, scaled as dropout scales the values that it keeps; None where float."""
        if bits >= FLOAT_BITS:
            return None
        most = 2 ** (bits - 1) - 1
        largest = torch.stack(
            [table.abs().amax() for table in torch.split(embedding.values, list(embedding.cardinalities))]
        )
        return cls((largest / (most * (1 - dropout))).clamp_min(torch.finfo(largest.dtype).tiny), most)

    def rounded(self, rows: Tensor) -> Tensor:
        """(N, F, E) rows on their tables' grids."""
        return straight(rows, self.steps[:, None], -self.most, self.most)


def arithmetic_of_steps(hardware: Space, share: float, rng: np.random.Generator) -> Iterator[Arithmetic]:
    """How the products of each step of a round are computed, without end.

    Args:
        hardware: The space of chips.
        share: Of the steps, those on a chip; the others compute with plain numbers.
        rng: Draws the round's chips and the steps.
    """
    if share == 0:
        yield from repeat(FLOAT)
    genomes = hardware.sample(rng, CHIPS_A_ROUND)
    configs = pim_config(hardware.columns(genomes))
    chips = [TrainedChip(configs.take(row), seed=int(rng.integers(2**32))) for row in range(CHIPS_A_ROUND)]
    while True:
        yield chips[rng.integers(CHIPS_A_ROUND)] if rng.random() < share else FLOAT
