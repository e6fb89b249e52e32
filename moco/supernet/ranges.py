"""How a chip's activations become whole numbers of a few bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moco.supernet.numerics import straight

CLIPS = (1.0, 0.85, 0.7, 0.55, 0.45, 0.35, 0.27, 0.2)
"""Shares of the largest magnitude at which a range may end; the one of least squared error is taken."""

LEAST, MOST = 1e-30, 1e15
"""Smaller numbers count as 0: the reciprocal of their step would be beyond float32. No range goes further than the
other: the product of two steps would be beyond it too."""


@dataclass(frozen=True, slots=True)
class Range:
    """How numbers become whole numbers of a few bits: q = round(x / scale), from low to high.

    Attributes:
        scale: One step.
        low: Least whole number: 0, or that of two's complement.
        high: The largest.
    """

    scale: float
    low: int
    high: int

    @classmethod
    def spanning(cls, x: Tensor, bits: int, clip: float = 1.0) -> Range:
        """The range that ends at a share of the largest magnitude; unsigned where no number is negative."""
        least, most = (float(end) for end in x.detach().aminmax()) if x.numel() else (0.0, 0.0)
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if least < 0 else (0, 2**bits - 1)
        largest = max(-least, most)
        return cls(min(largest, MOST) * clip / high if largest > LEAST else 1.0, low, high)

    @classmethod
    def of(cls, sample: Tensor, bits: int) -> Range:
        """The range of least squared error on a sample."""
        widest = cls.spanning(sample, bits)
        ranges = [cls(widest.scale * clip, widest.low, widest.high) for clip in CLIPS]
        errors = [float((one.rounded(sample) - sample).square().sum()) for one in ranges]
        return ranges[int(np.argmin(errors))]

    def straight(self, x: Tensor) -> Tensor:
        """x on the range's grid; the gradient passes straight through where x lies within the range."""
        return straight(x, self.scale, self.low, self.high)

    def rounded(self, x: Tensor) -> Tensor:
        """x on the range's grid."""
        return self.steps(x).mul_(self.scale)

    def steps(self, x: Tensor) -> Tensor:
        """The whole numbers of x."""
        return x.mul(1 / self.scale).round_().clamp_(self.low, self.high)

    def integers(self, x: Tensor) -> NDArray[np.int64]:
        """The same for NumPy; what is no number any more, after a chip of no use, counts as 0."""
        steps: NDArray[np.int64] = torch.nan_to_num(self.steps(x)).cpu().numpy().astype(np.int64)
        return steps


def magnitudes(x: Tensor) -> Tensor:
    """(n,) the largest magnitude of each of n inputs over N vectors, for (n, N); of those always 0 the median of all.

    Inputs that are divided by theirs share one range, and no large one takes the bits of a small one.
    """
    each = torch.nan_to_num(x.detach().abs().amax(dim=1)).clamp_(max=MOST)
    is_used = each > LEAST
    return torch.where(is_used, each, each[is_used].median()) if is_used.any() else torch.ones_like(each)


def stored_in_cells(signed: Range, bits: int) -> Range:
    """What cells can hold: signed numbers whose least is the largest negated."""
    high = 2 ** (bits - 1) - 1
    return Range(signed.scale * signed.high / high, -high, high)
