"""The embedding table."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDING_STD = 0.1

SPARSE_TABLE_ROWS = 200_000
"""Above this many rows, the table's gradient holds the rows of the batch only: updating all would take all the time."""


class Embedding(nn.Module):
    """One table for all categorical fields, field after field.

    Attributes:
        table: (sum of cardinalities, E).
        cardinalities: Rows of each field's table.
        form: What the table is read through, while it is trained; see `moco.supernet.standardised`.
    """

    def __init__(self, cardinalities: Sequence[int], width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.cardinalities = tuple(cardinalities)
        self.table = nn.Parameter(torch.empty(sum(cardinalities), width).normal_(0, EMBEDDING_STD, generator=generator))
        offsets = [0, *accumulate(self.cardinalities)][:-1]
        self.form: nn.Module = nn.Identity()
        self.register_buffer("offsets", torch.tensor(offsets, dtype=torch.int64), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """(N, F) field-local ids to (N, F, E) rows."""
        return self.rows(ids, self.values)

    @property
    def values(self) -> Tensor:
        """(sum of cardinalities, E) what is read: the table, in its form."""
        values: Tensor = self.form(self.table)
        return values

    def rows(self, ids: Tensor, table: Tensor) -> Tensor:
        """The same from another table of this one's shape."""
        is_sparse = len(table) > SPARSE_TABLE_ROWS
        rows: Tensor = functional.embedding(ids + self.get_buffer("offsets"), table, sparse=is_sparse)
        return rows
