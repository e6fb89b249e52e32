"""The score of a network in a supernet: its layers tuned on some rows, its head refitted on others, judged on more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from moco.supernet.crossbars import MOST_LOGIT, N_SAMPLED, ExactChip, ModelledChip
from moco.supernet.fine_tuning import BATCH_SIZE, Lesson, fine_tuned
from moco.supernet.forward import Forward, Path
from moco.supernet.head import fitted_head
from moco.supernet.metrics import Score
from moco.supernet.network import Remembered, Supernet, features_first
from moco.supernet.numerics import FLOAT, FLOAT_BITS, Arithmetic, Linear, fake_quantise, quantised_tables
from moco.supernet.rows import TensorRows
from pimmodel import PimConfig
from spaces.architecture import HEAD_BITS, Architecture

SCORED_AT_ONCE = 512
"""Rows of a batch. A chip's noise is drawn batch by batch, so it is part of what a score is."""


@dataclass(frozen=True, slots=True, eq=False)
class _Embedded:
    """All rows, embedded by tables of so many bits.

    Attributes:
        refit: Dense values (D, n) and embedded rows (F, E, n) of each batch; likewise judge.
        lessons: What layers are tuned on.
    """

    refit: list[tuple[Tensor, Tensor]]
    judge: list[tuple[Tensor, Tensor]]
    lessons: list[Lesson]


class Scorer:
    """Scores networks of one supernet, whose weights must not change meanwhile.

    Shared weights leave networks far from their best. So each network's layers are tuned in a few steps
    (`moco.supernet.fine_tuning`), and its head is fitted anew, as plain numbers, and then rounded to the head's bits.

    Args:
        supernet: The weights.
        refit: Rows on which heads are fitted; not those that the supernet was trained on.
        judge: Rows on which networks are judged.
        tune: Rows on which layers are tuned, in batches of `BATCH_SIZE`; layers stay as they are where there is none.
    """

    def __init__(
        self, supernet: Supernet, refit: TensorRows, judge: TensorRows, tune: TensorRows | None = None
    ) -> None:
        self._supernet = supernet
        self._refit, self._judge, self._tune = refit, judge, tune
        self._embedded: dict[int, _Embedded] = {}
        self._remembered: tuple[tuple[Path, int] | None, Remembered] = None, Remembered(supernet)

    @torch.no_grad()
    def score(self, architecture: Architecture, table_bits: int = FLOAT_BITS, chip: PimConfig | None = None) -> Score:
        """The network's score, with embedding tables rounded to table_bits; in plain numbers where no chip is given."""
        arithmetic, layer = self._fitted(architecture, table_bits, chip)
        judge = self._passes(architecture, table_bits, self._embedded[table_bits].judge, arithmetic)
        return self._judged(arithmetic, layer, judge)

    @torch.no_grad()
    def exact(self, architecture: Architecture, table_bits: int, chip: PimConfig, n_rows: int) -> Score:
        """The score of the same weights with every product on crossbars computed slice by slice, on the first rows."""
        modelled, layer = self._fitted(architecture, table_bits, chip)
        assert isinstance(modelled, ModelledChip)
        batches, n_left = [], n_rows
        for dense, rows in self._embedded[table_bits].judge:
            if n_left > 0:
                batches.append((dense[:, :n_left], rows[:, :, :n_left]))
                n_left -= dense.shape[1]
        exact = ExactChip(modelled)
        return self._judged(exact, layer, self._passes(architecture, table_bits, batches, exact))

    def _fitted(self, architecture: Architecture, table_bits: int, chip: PimConfig | None) -> tuple[Arithmetic, Linear]:
        """The calibrated chip, and the head fitted to what it computes, its weight rounded."""
        if table_bits not in self._embedded:
            self._embedded[table_bits] = self._with_tables_of(table_bits)
        refit = self._embedded[table_bits].refit
        arithmetic: Arithmetic = FLOAT
        if chip is not None:
            arithmetic = modelled = ModelledChip(chip)
            dense, rows = refit[0]
            sample = [(dense[:, :N_SAMPLED], rows[:, :, :N_SAMPLED])]
            _features(self._passes(architecture, table_bits, sample, modelled))
            modelled.is_calibrating = False
        passes = self._passes(architecture, table_bits, refit, arithmetic)
        first_weight, first_bias = passes[0].head()
        features = _features(passes)
        weight, bias = fitted_head(features, self._refit.labels, first_weight[0], first_bias[0])
        layer = fake_quantise(weight[None], HEAD_BITS), bias[None]
        if chip is not None:
            modelled.is_calibrating = True
            modelled.product("head", features[:, :N_SAMPLED].contiguous(), layer, HEAD_BITS)
            modelled.is_calibrating = False
        return arithmetic, layer

    def _passes(
        self,
        architecture: Architecture,
        table_bits: int,
        batches: Sequence[tuple[Tensor, Tensor]],
        arithmetic: Arithmetic,
    ) -> list[Forward]:
        path = Path.of(architecture)
        if self._remembered[0] != (path, table_bits):
            tuned = fine_tuned(self._supernet, path, self._embedded[table_bits].lessons)
            self._remembered = (path, table_bits), Remembered(tuned)
        return [Forward(path, self._remembered[1], *batch, arithmetic) for batch in batches]

    def _judged(self, arithmetic: Arithmetic, layer: Linear, passes: Sequence[Forward]) -> Score:
        features = _features(passes)
        logits = arithmetic.product("head", features, layer, HEAD_BITS)[0]
        if arithmetic is not FLOAT:
            logits = torch.nan_to_num(logits).clamp_(-MOST_LOGIT, MOST_LOGIT)
        return Score.of(self._judge.labels[: features.shape[1]].cpu().numpy(), logits.cpu().numpy())

    def _with_tables_of(self, table_bits: int) -> _Embedded:
        embedding = self._supernet.embedding
        table = quantised_tables(embedding.values, embedding.cardinalities, table_bits)

        def embedded(rows: TensorRows) -> tuple[Tensor, Tensor]:
            return rows.dense.T.contiguous(), features_first(embedding.rows(rows.ids, table))

        refit, judge = (
            [embedded(batch) for batch in rows.batches(SCORED_AT_ONCE)] for rows in (self._refit, self._judge)
        )
        tune = () if self._tune is None else self._tune.batches(BATCH_SIZE)
        return _Embedded(refit, judge, [Lesson(*embedded(batch), batch.labels) for batch in tune])


def _features(passes: Sequence[Forward]) -> Tensor:
    """(n, N) inputs of the head over all batches."""
    return torch.cat([one.head_inputs() for one in passes], dim=1)
