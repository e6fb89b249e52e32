"""A hand-made network: a structure, which is a function of a pass, and its weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar, Generic, Self

import torch
from torch import Tensor, nn

from moco.baselines.passes import Pass, V
from moco.baselines.tensor_pass import MOMENTUM, Masks, TensorPass
from moco.baselines.work_pass import Node, Shape, WorkPass
from moco.supernet.embedding import EMBEDDING_STD, Embedding
from moco.supernet.numerics import FLOAT, FLOAT_BITS, Arithmetic
from moco.supernet.predictor import Predictor
from moco.supernet.rows import TensorRows


@dataclass(frozen=True)
class Fields(Generic[V]):
    """What a structure reads.

    Attributes:
        rows: (k, E) embedded fields: the F categorical ones, then the D dense ones where the structure embeds them.
        first_order: (k,) one learned number of each field's value, where the structure has them.
        dense: (D,) values.
    """

    rows: V
    first_order: V | None
    dense: V


@dataclass(frozen=True, kw_only=True)
class Structure(ABC):
    """What a network computes from its fields.

    Attributes:
        embedding_dim: E.
        has_first_order: Whether tables hold one number more a row, which goes straight into the logit.
        embeds_dense: Whether dense fields become rows too: a learned vector times the value.
    """

    embedding_dim: int = 10
    has_first_order: ClassVar[bool] = False
    embeds_dense: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.embedding_dim < 1:
            raise ValueError(f"embedding_dim must be at least 1, got {self.embedding_dim}")

    @property
    def table_width(self) -> int:
        """Numbers of a table row: those of the embedding, then the one of first order."""
        return self.embedding_dim + self.has_first_order

    @abstractmethod
    def logit(self, run: Pass[V], fields: Fields[V]) -> V:
        """(1,) the logit."""

    def logit_of_inputs(self, run: Pass[V], dense: V, rows: V) -> V:
        """(1,) the logit of (D,) dense values and (F, table width) rows of the tables."""
        if self.embeds_dense and run.shape(dense)[0] > 0:
            rows = run.concatenated([rows, run.dense_rows("dense", dense, self.table_width)])
        first_order = None
        if self.has_first_order:
            rows, numbers = run.split(rows, (self.embedding_dim, 1))
            first_order = run.flat(numbers)
        return self.logit(run, Fields(rows, first_order, dense))


class HandMade(Predictor):
    """A hand-made network with its weights.

    Args:
        structure: What it computes.
        cardinalities: Embedding rows of each categorical field.
        n_dense: Dense fields of the data.
        seed: Of the first weights, Xavier-normal, and of what is dropped in training.
        weight_bits: That products' weights are rounded to, in training too; None leaves them float.

    Attributes:
        weights: As `WorkPass.weights` names them.
        statistics: As `WorkPass.statistics` names them: what batch normalisation remembers.
        n_training_steps: () steps trained so far. What is dropped depends on it alone, so that a training that goes on
            from a checkpoint repeats an unbroken one.
    """

    n_training_steps: Tensor

    def __init__(
        self,
        structure: Structure,
        cardinalities: Sequence[int],
        n_dense: int,
        seed: int,
        *,
        weight_bits: int | None = None,
    ) -> None:
        super().__init__()
        work = drawn(structure, cardinalities, n_dense, FLOAT_BITS)
        self.structure, self.n_dense, self.weight_bits = structure, n_dense, weight_bits
        self._seed = seed
        generator = torch.Generator().manual_seed(seed)
        self.embedding = Embedding(cardinalities, structure.table_width, generator)
        if structure.has_first_order:
            with torch.no_grad():
                self.embedding.table[:, structure.embedding_dim :] = 0.0
        self.weights = nn.ParameterDict(
            {name: nn.Parameter(first_weight(name, shape, generator)) for name, shape in work.weights.items()}
        )
        self.statistics = nn.ParameterDict(
            {name: nn.Parameter(first_weight(name, shape, generator), False) for name, shape in work.statistics.items()}
        )
        self.register_buffer("n_training_steps", torch.zeros((), dtype=torch.int64))

    def logits(self, dense: Tensor, rows: Tensor, arithmetic: Arithmetic) -> Tensor:
        """See `Predictor`. A pass with gradients in training mode is a training step: it drops and counts."""
        masks = None
        if self.training and torch.is_grad_enabled():
            masks = self._masks(int(self.n_training_steps))
            self.n_training_steps += 1
        return self._logits(dense, rows, arithmetic, masks)

    @torch.no_grad()
    def renew_statistics(self, batches: Iterable[TensorRows]) -> None:
        """See `Predictor`: the mean over the batches, with what is dropped in training."""
        for number, batch in enumerate(batches if len(self.statistics) > 0 else ()):
            masks, share = self._masks(number), 1 / (number + 1)
            self._logits(batch.dense, self.embedding(batch.ids), FLOAT, masks, share)

    def _masks(self, n_steps: int) -> Masks:
        return Masks(self._seed, n_steps, self.embedding.table.device)

    def _logits(
        self, dense: Tensor, rows: Tensor, arithmetic: Arithmetic, masks: Masks | None, momentum: float = MOMENTUM
    ) -> Tensor:
        weights, statistics = dict(self.weights.items()), dict(self.statistics.items())
        run = TensorPass(weights, statistics, arithmetic, self.weight_bits, masks, momentum)
        return self.structure.logit_of_inputs(run, dense.T, rows.permute(1, 2, 0))[0]

    def rounded(self, weight_bits: int) -> Self:
        """A copy whose products' weights are rounded to so many bits."""
        copy = deepcopy(self).eval()
        copy.weight_bits = weight_bits
        return copy


def drawn(structure: Structure, cardinalities: Sequence[int], n_dense: int, weight_bits: int) -> WorkPass:
    """The work of one inference of a structure, from the lookup of rows to the probability of a click.

    Raises:
        ValueError: A number of fields or rows is wrong.
    """
    if not cardinalities or min(cardinalities) < 1:
        raise ValueError(f"every categorical field needs a table of at least one row, got {list(cardinalities)}")
    if n_dense < 0:
        raise ValueError(f"the data's dense fields must be 0 or more, got {n_dense}")
    run = WorkPass(weight_bits)
    rows = run.lookup(sum(cardinalities), len(cardinalities), structure.table_width)
    run.sigmoid(structure.logit_of_inputs(run, Node((n_dense,)), rows))
    return run


def first_weight(name: str, shape: Shape, generator: torch.Generator) -> Tensor:
    """A weight before training; what it is for is told by the end of its name."""
    if name.endswith("_weight"):
        return torch.empty(shape).normal_(0, math.sqrt(2 / sum(shape)), generator=generator)
    if name.endswith("_vectors"):
        return torch.empty(shape).normal_(0, EMBEDDING_STD, generator=generator)
    return torch.ones(shape) if name.endswith(("_gain", "_variance")) else torch.zeros(shape)
