"""DLRM: inner products of embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from moco.baselines.deep import DeepStructure, mlp
from moco.baselines.hand_made import Fields
from moco.baselines.passes import Pass, V


@dataclass(frozen=True, kw_only=True)
class Dlrm(DeepStructure):
    """Inner products of each two embeddings, the dense fields' among them, then the deep part.

    Source: Naumov et al., 2019, arXiv 1906.00091.

    Attributes:
        bottom: Widths of the layers from the dense fields to their one embedding, whose own layer comes last; without
            dense fields there is none.
    """

    bottom: tuple[int, ...] = (64,)
    embeds_dense: ClassVar[bool] = False

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        rows, beside = fields.rows, []
        if run.shape(fields.dense)[0] > 0:
            embedded = mlp(run, "bottom", fields.dense, (*self.bottom, self.embedding_dim))
            rows, beside = run.concatenated([run.as_row(embedded), rows]), [embedded]
        n_rows = run.shape(rows)[0]
        pairs = [run.pairs("pairs", rows)] if n_rows > 1 else [run.flat(rows)]
        return run.layer("head", self.deep(run, run.concatenated([*beside, *pairs])), 1)
