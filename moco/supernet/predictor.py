"""What every click predictor has, whether it was searched or made by hand: one embedding table, and logits of rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from torch import Tensor, nn

from moco.supernet.embedding import Embedding
from moco.supernet.numerics import FLOAT, Arithmetic
from moco.supernet.rows import TensorRows


class Predictor(nn.Module, ABC):
    """A network that predicts clicks, trained and put on chips in one way whatever it consists of.

    Attributes:
        embedding: The table of all categorical fields.
        weights: Every other weight by name.
    """

    embedding: Embedding
    weights: nn.ParameterDict

    @abstractmethod
    def logits(self, dense: Tensor, rows: Tensor, arithmetic: Arithmetic) -> Tensor:
        """(N,) logits of (N, D) dense values and (N, F, E) embedded rows, every product computed by the arithmetic."""

    def renew_statistics(self, batches: Iterable[TensorRows]) -> None:  # most networks remember none
        """Finds what batch normalisation remembers anew, from batches of train rows: that of averaged weights is not
        the average of what each step remembered.
        """

    def forward(self, ids: Tensor, dense: Tensor) -> Tensor:
        """(N,) logits of (N, F) field-local ids and (N, D) dense values."""
        return self.logits(dense, self.embedding(ids), FLOAT)
