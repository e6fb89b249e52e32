"""xDeepFM: interactions of growing order, compressed layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from moco.baselines.deep import DeepStructure
from moco.baselines.hand_made import Fields
from moco.baselines.linear import first_order
from moco.baselines.passes import Pass, V


@dataclass(frozen=True, kw_only=True)
class XDeepFm(DeepStructure):
    """First order, a compressed interaction network (CIN) and a deep part side by side.

    Source: Lian et al., KDD 2018, arXiv 1803.05170; the CIN without activation functions, as the paper advises.

    Attributes:
        n_maps: Rows of each layer of the CIN.
    """

    n_maps: tuple[int, ...] = (32, 32)
    has_first_order: ClassVar[bool] = True

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        deep = run.layer("head", self.deep(run, run.flat(fields.rows)), 1)
        pooled, rows = [], fields.rows
        for number, n_rows in enumerate(self.n_maps, start=1):
            rows = cin_layer(run, f"cin_{number}", fields.rows, rows, n_rows)
            pooled.append(run.total(rows))
        interactions = run.layer("cin_head", run.concatenated(pooled), 1, has_bias=False)
        return run.add(deep, first_order(run, fields), interactions)


def cin_layer(run: Pass[V], name: str, first: V, rows: V, n_out: int) -> V:
    """(k, E) first and (h, E) rows to (n_out, E): mixtures of the products of each two rows, element by element."""
    return run.row_layer(name, run.outer(rows, first), n_out)
