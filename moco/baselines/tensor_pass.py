"""A pass that computes: values of N samples are tensors (n, N) and (k, E, N), kept in memory sample by sample."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from moco.baselines.passes import Pass
from moco.supernet.numerics import FLOAT_BITS, Arithmetic, fake_quantise
from moco.supernet.operators import factorisation_machine, pairwise_products
from moco.supernet.ranks import Ranks

NORM_EPS = 1e-5

MOMENTUM = 0.1

_BYTE = 256


class Masks:
    """What is dropped in one training step.

    Args:
        seed: Of the network.
        n_steps: Steps that it has been trained before: the same masks come again where a training goes on.
        device: Where they are drawn.
    """

    def __init__(self, seed: int, n_steps: int, device: torch.device) -> None:
        key = zlib.crc32(f"{seed} {n_steps} {Ranks.here().rank}".encode())
        self._generator = torch.Generator(device).manual_seed(key)
        self._device = device

    def dropped(self, x: Tensor, share: float) -> Tensor:
        """x with a share of its values, rounded to 1/256, set to 0 and the others scaled up to keep the mean."""
        n_dropped = round(share * _BYTE)
        if n_dropped == 0:
            return x
        # 8 values a random number: drawing one for each would take as long as the products.
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=self._device)
        words.random_(torch.iinfo(torch.int64).min, None, generator=self._generator)
        kept = (words.view(torch.uint8)[: x.numel()] >= n_dropped).to(x.dtype).mul_(_BYTE / (_BYTE - n_dropped))
        return x * _by_feature(kept.view(_by_sample(x).shape))


class TensorPass(Pass[Tensor]):
    """Values of N samples.

    Args:
        weights: Trained weights by name, of the shapes that `WorkPass` notes.
        statistics: What batch normalisation remembers; a training step changes it.
        arithmetic: How products are computed.
        weight_bits: Of the weights of products; None leaves them as they are.
        masks: Of a training step; None where nothing is trained.
        momentum: Share of a batch's statistics in those that batch normalisation remembers.
    """

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        statistics: Mapping[str, Tensor],
        arithmetic: Arithmetic,
        weight_bits: int | None,
        masks: Masks | None,
        momentum: float = MOMENTUM,
    ) -> None:
        self._weights, self._statistics, self._momentum = weights, statistics, momentum
        self._arithmetic, self._bits, self._masks = arithmetic, weight_bits, masks

    def shape(self, x: Tensor) -> tuple[int, ...]:
        """See `Pass`, likewise below."""
        return tuple(x.shape[:-1])

    # Products

    def layer(self, name: str, x: Tensor, n_out: int, *, has_bias: bool = True) -> Tensor:
        return self._product(name, x, self._weights[f"{name}_weight"], self._bias(name) if has_bias else None)

    def batch_normalised_layer(self, name: str, x: Tensor, n_out: int) -> Tensor:
        weight, gain, bias = (self._weights[f"{name}_{part}"] for part in ("weight", "gain", "bias"))
        mean, variance = self._statistics[f"{name}_mean"], self._statistics[f"{name}_variance"]
        if self._masks is None:
            factor = gain * torch.rsqrt(variance + NORM_EPS)
            return self._product(name, x, weight * factor[:, None], bias - mean * factor)
        y = self._product(name, x, weight, None)
        updated = mean.clone(), variance.clone()
        normed = functional.batch_norm(y.T, updated[0], updated[1], gain, bias, True, self._momentum, NORM_EPS).T
        for statistic, new in zip((mean, variance), updated, strict=True):
            statistic.copy_(Ranks.here().mean(new.clone()))
        return normed

    def row_layer(self, name: str, rows: Tensor, n_out: int) -> Tensor:
        _, width, n_samples = rows.shape
        x = rows.permute(2, 1, 0).flatten(0, 1).T
        y = self._product(name, x, self._weights[f"{name}_weight"], self._bias(name))
        return y.T.reshape(n_samples, width, n_out).permute(2, 1, 0)

    def width_layer(self, name: str, rows: Tensor, n_out: int) -> Tensor:
        n_rows, _, n_samples = rows.shape
        x = _by_sample(rows).flatten(0, 1).T
        y = self._product(name, x, self._weights[f"{name}_weight"], None)
        return _by_feature(y.T.reshape(n_samples, n_rows, n_out))

    def activation_product(self, name: str, left: Tensor, right: Tensor) -> Tensor:
        return _by_feature(self._arithmetic.activation_product(name, _by_sample(left), _by_sample(right)))

    def pairs(self, name: str, rows: Tensor) -> Tensor:
        return pairwise_products(rows, lambda left, right: self._arithmetic.activation_product(name, left, right))

    # Element-wise

    def relu(self, x: Tensor) -> Tensor:
        return torch.relu(x)

    def sigmoid(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    def softmax(self, x: Tensor) -> Tensor:
        return _by_feature(torch.softmax(_by_sample(x), dim=-1))

    def layer_norm(self, name: str, x: Tensor) -> Tensor:
        gain, bias = self._weights[f"{name}_gain"], self._weights[f"{name}_bias"]
        return _by_feature(functional.layer_norm(_by_sample(x), gain.shape, gain, bias, NORM_EPS))

    def add(self, *values: Tensor) -> Tensor:
        first, *rest = values
        for value in rest:
            first = first + value
        return first

    def multiply(self, left: Tensor, right: Tensor) -> Tensor:
        return left * right

    def scaled(self, x: Tensor, factor: float) -> Tensor:
        return x * factor

    def shifted(self, name: str, x: Tensor) -> Tensor:
        return x + self._bias(name)[..., None]

    def dense_rows(self, name: str, x: Tensor, width: int) -> Tensor:
        return _by_feature(x.T[:, :, None] * self._weights[f"{name}_vectors"])

    def outer(self, left: Tensor, right: Tensor) -> Tensor:
        products = left.permute(2, 1, 0)[:, :, :, None] * right.permute(2, 1, 0)[:, :, None, :]
        return products.flatten(2).permute(2, 1, 0)

    def pair_sum(self, rows: Tensor) -> Tensor:
        return 0.5 * factorisation_machine(rows)

    def total(self, x: Tensor) -> Tensor:
        return x.sum(dim=-2, keepdim=x.dim() == 2)

    def dropped(self, x: Tensor, share: float) -> Tensor:
        return x if self._masks is None else self._masks.dropped(x, share)

    # Where values lie

    def concatenated(self, values: Sequence[Tensor]) -> Tensor:
        return _by_feature(torch.cat([_by_sample(value) for value in values], dim=1))

    def flat(self, rows: Tensor) -> Tensor:
        return _by_sample(rows).flatten(1).T

    def as_row(self, x: Tensor) -> Tensor:
        return x[None]

    def part(self, x: Tensor, start: int, stop: int) -> Tensor:
        return x[start:stop]

    def split(self, rows: Tensor, widths: Sequence[int]) -> list[Tensor]:
        return [_by_feature(part) for part in torch.split(_by_sample(rows), list(widths), dim=2)]

    def side_by_side(self, values: Sequence[Tensor]) -> Tensor:
        return _by_feature(torch.cat([_by_sample(value) for value in values], dim=2))

    def transposed(self, rows: Tensor) -> Tensor:
        return rows.transpose(0, 1)

    def _bias(self, name: str) -> Tensor:
        return self._weights[f"{name}_bias"]

    def _product(self, name: str, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """(n_in, M) to (n_out, M)."""
        bias = weight.new_zeros(len(weight)) if bias is None else bias
        if self._bits is None:
            return self._arithmetic.product(name, x, (weight, bias), FLOAT_BITS)
        return self._arithmetic.product(name, x, (fake_quantise(weight, self._bits), bias), self._bits)


def _by_sample(x: Tensor) -> Tensor:
    """(..., N) as (N, ...)."""
    return x.movedim(-1, 0)


def _by_feature(x: Tensor) -> Tensor:
    """(N, ...) as (..., N)."""
    return x.movedim(0, -1)
