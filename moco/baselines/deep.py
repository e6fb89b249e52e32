"""Networks around a deep part: DNN, Wide & Deep, DeepFM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from moco.baselines.hand_made import Fields, Structure
from moco.baselines.linear import first_order, second_order
from moco.baselines.passes import Pass, V


@dataclass(frozen=True, kw_only=True)
class DeepStructure(Structure):
    """A structure with a deep part.

    Attributes:
        hidden: Widths of the deep part's layers.
        dropout: Share of each layer's outputs that is dropped in training.
        has_batch_norm: Whether the deep part's layers are batch-normalised.
    """

    hidden: tuple[int, ...] = (400, 400, 400)
    dropout: float = 0.0
    has_batch_norm: bool = True

    def __post_init__(self) -> None:
        Structure.__post_init__(self)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and below 1, got {self.dropout}")
        if min(self.hidden, default=1) < 1:
            raise ValueError(f"hidden widths must be at least 1, got {self.hidden}")

    def deep(self, run: Pass[V], x: V) -> V:
        """(n,) to (last hidden width,)."""
        return mlp(run, "deep", x, self.hidden, self.dropout, has_batch_norm=self.has_batch_norm)


@dataclass(frozen=True, kw_only=True)
class Dnn(DeepStructure):
    """The deep part alone.

    Source: Covington, Adams and Sargin, RecSys 2016, doi:10.1145/2959100.2959190.
    """

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        return run.layer("head", self.deep(run, run.flat(fields.rows)), 1)


@dataclass(frozen=True, kw_only=True)
class WideDeep(DeepStructure):
    """First order beside the deep part.

    Source: Cheng et al., DLRS 2016, arXiv 1606.07792; without crossed columns, as in BARS.
    """

    has_first_order: ClassVar[bool] = True

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        deep = run.layer("head", self.deep(run, run.flat(fields.rows)), 1)
        return run.add(deep, first_order(run, fields))


@dataclass(frozen=True, kw_only=True)
class DeepFm(DeepStructure):
    """A factorisation machine beside the deep part, on the same embeddings.

    Source: Guo et al., IJCAI 2017, arXiv 1703.04247.
    """

    has_first_order: ClassVar[bool] = True

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        deep = run.layer("head", self.deep(run, run.flat(fields.rows)), 1)
        return run.add(deep, first_order(run, fields), second_order(run, fields))


def mlp(
    run: Pass[V], name: str, x: V, widths: Sequence[int], dropout: float = 0.0, *, has_batch_norm: bool = False
) -> V:
    """(n,) through ReLU layers "<name>_1", "<name>_2", ... of these widths."""
    layer = run.batch_normalised_layer if has_batch_norm else run.layer
    for number, width in enumerate(widths, start=1):
        x = run.dropped(run.relu(layer(f"{name}_{number}", x, width)), dropout)
    return x
