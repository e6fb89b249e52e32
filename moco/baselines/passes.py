"""The operators that hand-made networks are written in: once for numbers, and once for the work of a chip.

A network is a function of a pass. `moco.baselines.tensor_pass` computes its logits; `moco.baselines.work_pass` draws
the graph of its work and knows the shapes of its weights. So what is costed is what is computed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

V = TypeVar("V")
"""A value within a pass. Its shape is (n,), or (k, E) for k rows of width E; samples are not counted."""


class Pass(ABC, Generic[V]):
    """One pass through a network. A name stands for weights, and for the product that they take part in."""

    @abstractmethod
    def shape(self, x: V) -> tuple[int, ...]:
        """(n,) or (k, E)."""

    # Products

    @abstractmethod
    def layer(self, name: str, x: V, n_out: int, *, has_bias: bool = True) -> V:
        """(n,) to (n_out,): a linear layer."""

    @abstractmethod
    def batch_normalised_layer(self, name: str, x: V, n_out: int) -> V:
        """(n,) to (n_out,): a linear layer and batch normalisation, which after training is part of the layer.

        Source: Ioffe and Szegedy, ICML 2015, arXiv 1502.03167.
        """

    @abstractmethod
    def row_layer(self, name: str, rows: V, n_out: int) -> V:
        """(k, E) to (n_out, E): one linear layer over the rows, shared by all columns."""

    @abstractmethod
    def width_layer(self, name: str, rows: V, n_out: int) -> V:
        """(k, E) to (k, n_out): one linear layer without bias over the columns, shared by all rows."""

    @abstractmethod
    def activation_product(self, name: str, left: V, right: V) -> V:
        """(r, k) by (k, c) to (r, c)."""

    @abstractmethod
    def pairs(self, name: str, rows: V) -> V:
        """(k, E) to (k (k - 1) / 2,): the inner products of each two rows."""

    # Element-wise

    @abstractmethod
    def relu(self, x: V) -> V:
        """The larger of x and 0."""

    @abstractmethod
    def sigmoid(self, x: V) -> V:
        """1 / (1 + exp(-x))."""

    @abstractmethod
    def softmax(self, x: V) -> V:
        """Over the last axis."""

    @abstractmethod
    def layer_norm(self, name: str, x: V) -> V:
        """Mean 0 and deviation 1 over the last axis, then a gain and a bias for each of its elements."""

    @abstractmethod
    def add(self, *values: V) -> V:
        """The sum of values of one shape."""

    @abstractmethod
    def multiply(self, left: V, right: V) -> V:
        """The product of two values of one shape, element by element."""

    @abstractmethod
    def scaled(self, x: V, factor: float) -> V:
        """x times a constant, which costs nothing: it goes into the scale that the next rounding has anyway."""

    @abstractmethod
    def shifted(self, name: str, x: V) -> V:
        """x plus a learned number for each element."""

    @abstractmethod
    def dense_rows(self, name: str, x: V, width: int) -> V:
        """(n,) to (n, width): each value times a learned vector."""

    @abstractmethod
    def outer(self, left: V, right: V) -> V:
        """(h, E) and (k, E) to (h k, E): the product of each two rows, element by element."""

    @abstractmethod
    def pair_sum(self, rows: V) -> V:
        """(k, E) to (E,): the sum of the products of each two rows, element by element."""

    @abstractmethod
    def total(self, x: V) -> V:
        """(n,) to (1,), and (k, E) to (k,): the sum over the last axis."""

    @abstractmethod
    def dropped(self, x: V, share: float) -> V:
        """x with a random share of its elements set to 0 while training."""

    # Where values lie; costs nothing

    @abstractmethod
    def concatenated(self, values: Sequence[V]) -> V:
        """Values or rows one after another."""

    @abstractmethod
    def flat(self, rows: V) -> V:
        """(k, E) to (k E,)."""

    @abstractmethod
    def as_row(self, x: V) -> V:
        """(E,) to (1, E)."""

    @abstractmethod
    def part(self, x: V, start: int, stop: int) -> V:
        """Elements or rows from start to stop."""

    @abstractmethod
    def split(self, rows: V, widths: Sequence[int]) -> list[V]:
        """(k, E) to one (k, width) after another; the widths add up to E."""

    @abstractmethod
    def side_by_side(self, values: Sequence[V]) -> V:
        """(k, E) values to (k, sum of E)."""

    @abstractmethod
    def transposed(self, rows: V) -> V:
        """(k, E) to (E, k)."""
