"""Logistic regression and the factorisation machine: no layers, a bias and what the tables hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from moco.baselines.hand_made import Fields, Structure
from moco.baselines.passes import Pass, V


@dataclass(frozen=True, kw_only=True)
class LogisticRegression(Structure):
    """The sum of one learned number for each field's value.

    Source: Richardson, Dominowska and Ragno, WWW 2007, doi:10.1145/1242572.1242643.
    """

    embedding_dim: int = 0
    has_first_order: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.embedding_dim != 0:
            raise ValueError(f"embedding_dim of logistic regression is 0, got {self.embedding_dim}")

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        return run.shifted("logit", first_order(run, fields))


@dataclass(frozen=True, kw_only=True)
class FactorisationMachine(Structure):
    """First order, and the inner product of the embeddings of each two fields.

    Source: Rendle, ICDM 2010, doi:10.1109/ICDM.2010.127.
    """

    has_first_order: ClassVar[bool] = True

    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """See `Structure`."""
        return run.shifted("logit", run.add(first_order(run, fields), second_order(run, fields)))


def first_order(run: Pass[V], fields: Fields[V]) -> V:
    """(1,) the sum of the fields' own numbers."""
    assert fields.first_order is not None
    return run.total(fields.first_order)


def second_order(run: Pass[V], fields: Fields[V]) -> V:
    """(1,) the sum of the inner products of the rows of each two fields."""
    return run.total(run.pair_sum(fields.rows))
