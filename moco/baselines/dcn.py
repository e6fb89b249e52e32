"""The deep and cross network, version 2."""

from __future__ import annotations

from dataclasses import dataclass

from moco.baselines.deep import DeepStructure
from moco.baselines.hand_made import Fields
from moco.baselines.passes import Pass, V


@dataclass(frozen=True, kw_only=True)
class DcnV2(DeepStructure):
    """Cross layers of full rank and a deep part side by side.

    Source: Wang et al., WWW 2021, arXiv 2008.13535, the parallel form.

    Attributes:
        n_cross: Cross layers.
    """

    n_cross: int = 3

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        x = run.flat(fields.rows)
        crossed = x
        for number in range(1, self.n_cross + 1):
            crossed = cross_layer(run, f"cross_{number}", x, crossed)
        return run.layer("head", run.concatenated([crossed, self.deep(run, x)]), 1)


def cross_layer(run: Pass[V], name: str, first: V, x: V) -> V:
    """(n,) first * (W x + b) + x."""
    return run.add(run.multiply(first, run.layer(name, x, run.shape(x)[0])), x)
