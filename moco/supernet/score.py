"""The score of a network in a supernet: its head refitted on some rows, its predictions judged on others."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from moco.supernet.forward import Forward, Path
from moco.supernet.head import fitted_head
from moco.supernet.metrics import PREDICT_BATCH, Score
from moco.supernet.network import Remembered, Supernet, features_first
from moco.supernet.numerics import fake_quantise, quantised_tables
from moco.supernet.rows import TensorRows
from spaces.architecture import HEAD_BITS, Architecture

FLOAT_BITS = 32
"""Table bits at which embeddings stay as they are."""


class Scorer:
    """Scores networks of one supernet, whose weights must not change meanwhile.

    Shared weights leave the heads of many networks far from their best. So each network's head is fitted anew, as
    plain numbers, and then rounded to the head's bits.

    Args:
        supernet: The weights.
        refit: Rows on which heads are fitted; not those that the supernet was trained on.
        judge: Rows on which networks are judged.
    """

    def __init__(self, supernet: Supernet, refit: TensorRows, judge: TensorRows) -> None:
        self._supernet = supernet
        self._refit, self._judge = refit, judge
        self._inputs: dict[int, tuple[list[tuple[Tensor, Tensor]], list[tuple[Tensor, Tensor]]]] = {}

    @torch.no_grad()
    def score(self, architecture: Architecture, table_bits: int = FLOAT_BITS) -> Score:
        """The network's score, with embedding tables rounded to table_bits."""
        if table_bits not in self._inputs:
            self._inputs[table_bits] = self._batches(self._refit, table_bits), self._batches(self._judge, table_bits)
        weights, path = Remembered(self._supernet), Path.of(architecture)
        refit, judge = ([Forward(path, weights, *batch) for batch in batches] for batches in self._inputs[table_bits])
        first_weight, first_bias = refit[0].head()
        weight, bias = fitted_head(_features(refit), self._refit.labels, first_weight[0], first_bias[0])
        logits = fake_quantise(weight[None], HEAD_BITS)[0] @ _features(judge) + bias
        return Score.of(self._judge.labels.cpu().numpy(), logits.cpu().numpy())

    def _batches(self, rows: TensorRows, table_bits: int) -> list[tuple[Tensor, Tensor]]:
        """Dense values (D, n) and embedded rows (F, E, n) of each batch."""
        embedding = self._supernet.embedding
        table: Tensor = embedding.table
        if table_bits < FLOAT_BITS:
            table = quantised_tables(table, embedding.cardinalities, table_bits)
        return [
            (batch.dense.T.contiguous(), features_first(embedding.rows(batch.ids, table)))
            for batch in rows.batches(PREDICT_BATCH)
        ]


def _features(passes: Sequence[Forward]) -> Tensor:
    """(n, N) inputs of the head over all batches."""
    return torch.cat([one.head_inputs() for one in passes], dim=1)
