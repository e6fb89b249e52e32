"""Rows as tensors on a device: all of them at once, or read from a stored log batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from moco.data import LogPart, Rows


@dataclass(frozen=True, slots=True)
class TensorRows:
    """Rows on a device.

    Attributes:
        ids: (N, F) field-local ids.
        dense: (N, D).
        labels: (N,).
    """

    ids: Tensor
    dense: Tensor
    labels: Tensor

    @staticmethod
    def of(rows: Rows, device: torch.device) -> TensorRows:
        """The rows on a device; on the CPU they share their memory where it can be written to."""
        arrays = (np.require(array, requirements="W") for array in (rows.ids, rows.dense, rows.labels))
        return TensorRows(*(torch.from_numpy(array).to(device) for array in arrays))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64]) -> TensorRows:
        """The rows of an index."""
        at = torch.from_numpy(index).to(self.labels.device)
        return TensorRows(self.ids[at], self.dense[at], self.labels[at])

    def batches(self, size: int) -> Iterator[TensorRows]:
        """All rows in order, `size` at a time."""
        for parts in zip(*(torch.split(x, size) for x in (self.ids, self.dense, self.labels)), strict=True):
            yield TensorRows(*parts)


@dataclass(frozen=True, slots=True)
class MappedRows:
    """Rows of a stored log, which come from its memory map when they are asked for.

    Attributes:
        part: The log's train, valid or test rows.
        device: Where batches go.
    """

    part: LogPart
    device: torch.device

    def __len__(self) -> int:
        return len(self.part)

    def take(self, index: NDArray[np.int64]) -> TensorRows:
        """The rows of an index."""
        return TensorRows.of(self.part.rows(index), self.device)

    def batches(self, size: int) -> Iterator[TensorRows]:
        """All rows in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.take(np.arange(start, min(start + size, len(self))))


def rows_on(rows: Rows | LogPart, device: torch.device) -> TensorRows | MappedRows:
    """Rows ready for training: those in memory go to the device, those of a stored log stay on the disk."""
    return MappedRows(rows, device) if isinstance(rows, LogPart) else TensorRows.of(rows, device)


def evenly(n_rows: int, n_at_most: int) -> NDArray[np.int64]:
    """At most so many row numbers below n_rows, evenly spaced."""
    return np.linspace(0, n_rows - 1, min(n_rows, n_at_most)).round().astype(np.int64)
