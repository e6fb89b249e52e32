"""Embedding tables that are standardised while they are trained: every column of a field with mean 0 and one deviation.

A penalty keeps embeddings small, and makes their products, which grow with the square of them, smaller still: a network
then lives by its large weights behind them, and one in a few never begins to use products of fields. Standardised, a
penalty says how rows lie to each other, not how large they are, and shared weights see values of one size in every
network. What is standardised is an affine change of each column, so it goes into the table when training ends: the
network that comes out is as any other, on a chip too.

Source: batch normalisation (Ioffe and Szegedy, 2015, arXiv 1502.03167), here with exact statistics: a table is finite,
and how often each of its rows occurs is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from moco.supernet.embedding import SPARSE_TABLE_ROWS, Embedding
from moco.supernet.rows import MappedRows, TensorRows, evenly

COUNTED_ROWS = 200_000
"""Most train rows, evenly spaced, that say how often each embedding row occurs."""

VARIANCE_EPS = 1e-8
"""Added to variances: a field with one value has none."""


class Standardised(nn.Module):
    """A table's standardised form.

    Args:
        cardinalities: Rows of each field's table.
        shares: (sum of cardinalities,) how often each row occurs among all train rows; 1 over each field.
        std: Of each column of a field over the train rows.
    """

    def __init__(self, cardinalities: Sequence[int], shares: Tensor, std: float) -> None:
        super().__init__()
        fields = torch.arange(len(cardinalities)).repeat_interleave(torch.tensor(cardinalities))
        self.register_buffer("_fields", fields.to(shares.device), persistent=False)
        self.register_buffer("_shares", shares[:, None], persistent=False)
        self._n_fields, self._std = len(cardinalities), std

    def forward(self, table: Tensor) -> Tensor:
        """(rows, E) from (rows, E)."""
        fields, shares = self.get_buffer("_fields"), self.get_buffer("_shares")
        none = table.new_zeros(self._n_fields, table.shape[1])
        centred = table - none.index_add(0, fields, shares * table)[fields]
        variance = none.index_add(0, fields, shares * centred.square())
        return centred * (self._std * torch.rsqrt(variance + VARIANCE_EPS))[fields]


def standardise(embedding: Embedding, rows: TensorRows | MappedRows, std: float) -> None:
    """From now on the table is read standardised over these rows, until it is settled.

    Nothing happens where std is 0, or where the table is so large that a step must not touch all of it.
    """
    if std > 0 and len(embedding.table) <= SPARSE_TABLE_ROWS:
        embedding.form = Standardised(embedding.cardinalities, _shares(embedding, rows), std)


@torch.no_grad()
def settle(embedding: Embedding) -> None:
    """The table becomes what is read of it, and is read as it is from now on."""
    embedding.table.copy_(embedding.values)
    embedding.form = nn.Identity()


def settled_state(module: nn.Module, embedding: Embedding) -> dict[str, Tensor]:
    """A copy of the weights of a module that holds the embedding, as they will be when the table is settled."""
    values = {**module.state_dict(), "embedding.table": embedding.values}
    return {name: value.detach().clone() for name, value in values.items()}


def _shares(embedding: Embedding, rows: TensorRows | MappedRows) -> Tensor:
    """(sum of cardinalities,) how often each embedding row occurs among the train rows."""
    ids = rows.take(evenly(len(rows), COUNTED_ROWS)).ids + embedding.get_buffer("offsets")
    return torch.bincount(ids.flatten(), minlength=len(embedding.table)).to(embedding.table.dtype) / len(ids)
