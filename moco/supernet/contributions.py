"""What each operator of a trained network contributes: how much worse it predicts without what the operator tells.

An operator's output is replaced by its mean over the rows, so that it says the same of every row, and the log loss
rises by what it said. Source: mean ablation, as permutation importance (Breiman 2001, doi:10.1023/A:1010933404324)
without its noise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from moco.supernet.forward import Forward, Path
from moco.supernet.metrics import Score
from moco.supernet.network import Network, Remembered, features_first
from moco.supernet.rows import MappedRows, TensorRows, evenly
from spaces import ArchitectureBatch, liveness

N_ROWS = 4000
"""Most rows that contributions are measured on."""


@torch.no_grad()
def contributions(network: Network, rows: TensorRows | MappedRows, n_rows: int = N_ROWS) -> dict[str, float]:
    """The rise of log loss without each live operator, by names such as "b2 attention".

    A figure below 0 says that the network predicts these rows better without the operator. Rises do not add up: what
    two operators both say is missed only without both.

    Args:
        network: With trained weights, in plain numbers.
        rows: To measure on; not those it was trained on.
        n_rows: How many of them at most, evenly spaced.
    """
    sample = rows.take(evenly(len(rows), n_rows))
    live = liveness(ArchitectureBatch.of([network.architecture]))
    whole = _logloss(network, sample, None)
    found = {}
    for number, block in enumerate(network.architecture.blocks, start=1):
        for operator, is_live, is_dense in (
            (block.dense_operator, live.dense_operator[0, number - 1], True),
            (block.sparse_operator, live.sparse_operator[0, number - 1], False),
        ):
            if is_live:
                found[f"b{number} {operator}"] = _logloss(network, sample, (number, is_dense)) - whole
    return found


def _logloss(network: Network, rows: TensorRows, silenced: tuple[int, bool] | None) -> float:
    embedded = features_first(network.embedding(rows.ids))
    made = _Silenced(network, rows.dense.T.contiguous(), embedded, silenced)
    return Score.of(rows.labels.cpu().numpy(), made.logits().cpu().numpy()).logloss


class _Silenced(Forward):
    """A pass in which one operator says the same of every row.

    Args:
        network: With its weights.
        dense: (D, N) dense fields.
        rows: (F, E, N) embedded categorical fields.
        silenced: Number of the block, and whether its dense operator is meant, not its sparse one; None: none.
    """

    def __init__(self, network: Network, dense: Tensor, rows: Tensor, silenced: tuple[int, bool] | None) -> None:
        super().__init__(Path.of(network.architecture), Remembered(network), dense, rows)
        self._silenced = silenced

    def _dense_operator_output(self, node: int) -> Tensor:
        return self._said(super()._dense_operator_output, node, True)

    def _rows_output(self, node: int) -> Tensor:
        return self._said(super()._rows_output, node, False)

    def _said(self, output: Callable[[int], Tensor], node: int, is_dense: bool) -> Tensor:
        said = output(node)
        return said.mean(dim=-1, keepdim=True).expand_as(said) if self._silenced == (node, is_dense) else said
