"""What the operators compute, features first: dense values are (d, N), sparse rows (s, E, N), for N samples.

With samples last, joining inputs, mixing rows and flattening rows move no data.

Source: NASRec (Zhang et al., WWW 2023, arXiv 2207.07187) and its public code, in the stand-alone form: biases on,
layer norms only inside attention.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from moco.supernet.numerics import Linear
from spaces.architecture import ATTENTION_HEADS

Layer = Callable[[Tensor], Tensor]
"""A linear layer: (n_in, M) inputs, one column a vector, to (n_out, M)."""

Product = Callable[[Tensor, Tensor], Tensor]
"""A product of two activations: (N, r, k) and (N, k, c) to (N, r, c)."""

NORM_GAIN = 0.17
"""First value of the gains of attention's layer norms, as in NASRec's code."""

NORM_EPS = 1e-5


def mixed_rows(rows: Tensor, layer: Layer) -> Tensor:
    """(n, E, N) rows to (s, E, N): one linear layer over the rows, shared by all E columns."""
    return layer(rows.flatten(1)).view(-1, *rows.shape[1:])


def pairwise_products(rows: Tensor, product: Product = torch.bmm) -> Tensor:
    """(k + 1, E, N) rows to the (k (k + 1) / 2, N) inner products of each two rows.

    The pairs of row 1, of row 2, ..: those of fewer rows come first.
    """
    n_rows, width, n_samples = rows.shape
    samples = rows.flatten(0, 1).T.contiguous().view(n_samples, n_rows, width)
    gram = product(samples, samples.transpose(1, 2)).flatten(1)
    first, second = torch.tril_indices(n_rows, n_rows, offset=-1, device=rows.device)
    return gram.index_select(1, first * n_rows + second).T


def padded(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Both (d, N) values at the width of the wider, the narrower filled with zeros."""
    missing = len(left) - len(right)
    if missing > 0:
        right = functional.pad(right, (0, 0, 0, missing))
    elif missing < 0:
        left = functional.pad(left, (0, 0, 0, -missing))
    return left, right


def gated(left: Tensor, right: Tensor, gate: Layer) -> Tensor:
    """Right, weighted by the sigmoid of a square layer of left."""
    return torch.sigmoid(gate(left)) * right


def factorisation_machine(rows: Tensor) -> Tensor:
    """(s, E, N) rows to (E, N): the square of their sum less the sum of their squares."""
    return rows.sum(dim=0).square() - rows.square().sum(dim=0)


def normalised_over_rows(rows: Tensor) -> Tensor:
    """(s, E, N) rows, shifted and scaled to mean 0 and variance 1 over the s rows."""
    centred = rows - rows.mean(dim=0, keepdim=True)
    return centred * torch.rsqrt(centred.square().mean(dim=0, keepdim=True) + NORM_EPS)


def transformer_layer(
    rows: Tensor,
    qkv: Layer,
    scores: Product,
    context: Product,
    out: Layer,
    norm1: Linear,
    ffn1: Layer,
    ffn2: Layer,
    norm2: Linear,
) -> Tensor:
    """(s, E, N) rows to (s, E, N): self-attention and a feed-forward layer, each with a residual and a layer norm."""
    n_rows, width, n_samples = rows.shape
    head_width = width // ATTENTION_HEADS

    def linear(x: Tensor, layer: Layer) -> Tensor:
        return layer(x.flatten(0, 1).T).T.view(n_samples, n_rows, -1)

    def heads(x: Tensor) -> Tensor:
        per_head = x.reshape(n_samples, n_rows, ATTENTION_HEADS, head_width).transpose(1, 2)
        return per_head.reshape(n_samples * ATTENTION_HEADS, n_rows, head_width)

    x = rows.flatten(0, 1).T.contiguous().view(n_samples, n_rows, width)
    query, key, value = (heads(part) for part in linear(x, qkv).chunk(3, dim=2))
    weights = torch.softmax(scores(query * head_width**-0.5, key.transpose(1, 2)), dim=2)
    joined = (
        context(weights, value)
        .view(n_samples, ATTENTION_HEADS, n_rows, head_width)
        .transpose(1, 2)
        .reshape(n_samples, n_rows, width)
    )
    x = functional.layer_norm(x + linear(joined, out), (width,), *norm1, NORM_EPS)
    hidden = torch.relu(linear(x, ffn1))
    x = functional.layer_norm(x + linear(hidden, ffn2), (width,), *norm2, NORM_EPS)
    return x.flatten(1).T.contiguous().view(n_rows, width, n_samples)
