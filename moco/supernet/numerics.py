"""How a product with static weights is computed: quantised weights, one product function for every layer.

Everything that multiplies by weights goes through `product`, so whatever hardware does to a product belongs there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

MIN_BITS = 2
"""A symmetric quantiser needs at least the levels -1, 0 and 1."""


def product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """weight @ x + bias: (n_in, M) inputs, one column a vector, to (n_out, M).

    Memory order follows the input: the transpose of a row-major x gives the transpose of a row-major result.
    """
    if x.stride(0) == 1:
        return functional.linear(x.T, weight, bias).T
    return torch.addmm(bias[:, None], weight, x)


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
    """The (sum of cardinalities, E) embedding rows rounded to `bits` bits, one scale a field's table."""
    tables = torch.split(table.detach(), list(cardinalities))
    return torch.cat([fake_quantise(rows.reshape(1, -1), bits).view_as(rows) for rows in tables])
