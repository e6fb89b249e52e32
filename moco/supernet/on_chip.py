"""A trained network on a chip: calibrated on some rows, scored by the moment model or slice by slice."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from moco.supernet.crossbars import MOST_LOGIT, N_SAMPLED, ExactChip, ModelledChip
from moco.supernet.metrics import Score, score_of
from moco.supernet.numerics import Arithmetic, quantised_tables
from moco.supernet.predictor import Predictor
from moco.supernet.rows import MappedRows, TensorRows, evenly
from pimmodel import PimConfig


class NetworkOnChip:
    """A network's predictions as a chip computes them; the network's weights must not change meanwhile.

    Args:
        network: With weights of its own; its embedding tables are rounded to the chip's bits.
        chip: One configuration.
        rows: To calibrate on: some of those that the network was trained on, evenly spaced.
    """

    @torch.no_grad()
    def __init__(self, network: Predictor, chip: PimConfig, rows: TensorRows | MappedRows) -> None:
        self._network, self._embedding = network, network.embedding
        self._table = quantised_tables(network.embedding.values, network.embedding.cardinalities, int(chip.table_bits))
        self._modelled = ModelledChip(chip)
        sample = rows.take(evenly(len(rows), N_SAMPLED))
        self._logits(self._modelled, sample.ids, sample.dense)
        self._modelled.is_calibrating = False

    def score(self, rows: TensorRows | MappedRows) -> Score:
        """The score by the moment model."""
        return score_of(self._logits_of(self._modelled), rows)

    def exact(self, rows: TensorRows | MappedRows, n_rows: int) -> Score:
        """The score of products computed slice by slice, on n_rows evenly spaced rows, or all if there are fewer."""
        return score_of(self._logits_of(ExactChip(self._modelled)), rows.take(evenly(len(rows), n_rows)))

    def exact_of_all(self, rows: TensorRows | MappedRows, n_rows: int) -> Score:
        """The score of all rows by the moment model, and what `exact` finds to be different on n_rows of them.

        So it stands beside other scores of all rows; where there are no more than n_rows, it is `exact`.
        """
        if len(rows) <= n_rows:
            return self.exact(rows, n_rows)
        whole, exact = self.score(rows), self.exact(rows, n_rows)
        modelled = self.score(rows.take(evenly(len(rows), n_rows)))
        return Score(
            logloss=whole.logloss + exact.logloss - modelled.logloss,
            auc=whole.auc + exact.auc - modelled.auc,
            logloss_se=whole.logloss_se,
        )

    def _logits_of(self, arithmetic: Arithmetic) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda ids, dense: self._logits(arithmetic, ids, dense)

    def _logits(self, arithmetic: Arithmetic, ids: Tensor, dense: Tensor) -> Tensor:
        rows = self._embedding.rows(ids, self._table)
        return torch.nan_to_num(self._network.logits(dense, rows, arithmetic)).clamp_(-MOST_LOGIT, MOST_LOGIT)
