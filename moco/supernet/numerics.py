"""How products are computed: quantised weights, and one place through which every product of a network goes.

What a chip does to a product is an `Arithmetic` of its own (moco.supernet.crossbars).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

Linear = tuple[Tensor, Tensor]
"""Weight (n_out, n_in) and bias (n_out,) of one layer; of a layer norm its gain and bias (E,)."""

FLOAT_BITS = 32
"""Bits of embeddings that are left as they are."""

MIN_BITS = 2
"""A symmetric quantiser needs at least the levels -1, 0 and 1."""


def product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """weight @ x + bias: (n_in, M) inputs, one column a vector, to (n_out, M).

    Memory order follows the input: the transpose of a row-major x gives the transpose of a row-major result.
    """
    if x.stride(0) == 1:
        return functional.linear(x.T, weight, bias).T
    return torch.addmm(bias[:, None], weight, x)


class Arithmetic(Protocol):
    """How a network's products are computed, each under its name, such as "b1_fc" or "b2_attention_scores"."""

    def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        """(n_in, M) inputs by a layer whose weight is rounded to `bits` bits, its bias added: (n_out, M)."""
        ...

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        """(N, r, k) by (N, k, c) activations: (N, r, c)."""
        ...


class FloatArithmetic:
    """Products of plain numbers."""

    def product(self, name: str, x: Tensor, layer: Linear, bits: int) -> Tensor:
        """See `Arithmetic`."""
        return product(x, *layer)

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        """See `Arithmetic`."""
        return torch.bmm(left, right)


FLOAT = FloatArithmetic()


class _Straight(torch.autograd.Function):
    """See `straight`. torch's own does the same, but its masks of truth values take a CPU three times as long."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor | float, low: int, high: int) -> Tensor:
        steps = x.float().mul(1 / scale)
        ctx.save_for_backward(steps.to(x.dtype))
        ctx.ends = low - 0.5, high + 0.5
        return steps.round().clamp_(low, high).mul_(scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        (steps,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, steps, *ctx.ends), None, None, None


def straight(x: Tensor, scale: Tensor | float, low: int, high: int) -> Tensor:
    """x rounded to whole numbers of steps from low to high; its gradient passes straight through, but not beyond them.

    Args:
        x: Any shape.
        scale: One step, or one for each of the values that it is broadcast to.
        low: Least number of steps.
        high: The largest.
    """
    rounded: Tensor = _Straight.apply(x, scale, low, high)  # type: ignore[no-untyped-call]
    return rounded


def fake_quantise(weight: Tensor, bits: int) -> Tensor:
    """The (n_out, n_in) weight rounded to 2^bits - 1 evenly spaced levels around zero, one scale an output.

    The largest magnitude of an output's weights is its outermost level. A crossbar column holds one output, so its
    scale is one digital multiplication after the converter. The gradient passes straight through the rounding.

    Raises:
        ValueError: bits is less than 2.
    """
    if bits < MIN_BITS:
        raise ValueError(f"weight bits must be at least {MIN_BITS} for levels on both sides of zero, got {bits}")
    if weight.numel() == 0:
        return weight
    top = 2 ** (bits - 1) - 1
    scale = weight.detach().abs().amax(dim=1).div_(top).clamp_min_(torch.finfo(weight.dtype).tiny)
    zero = torch.zeros(len(scale), dtype=torch.int32, device=weight.device)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -top, top)


def quantised_tables(table: Tensor, cardinalities: Sequence[int], bits: int) -> Tensor:
    """The (sum of cardinalities, E) embedding rows rounded to `bits` bits, one scale a field's table; not to 32."""
    if bits >= FLOAT_BITS:
        return table.detach()
    tables = torch.split(table.detach(), list(cardinalities))
    return torch.cat([fake_quantise(rows.reshape(1, -1), bits).view_as(rows) for rows in tables])
