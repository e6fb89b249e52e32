"""Operators of a batch, one entry each, and what they cost: the arrays that every cost function takes and returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
T = TypeVar("T", bound=np.generic)

COMPONENTS = (
    "adc",
    "dac",
    "crossbar",
    "sample_hold",
    "shift_add",
    "buffer",
    "interconnect",
    "digital",
    "embedding_memory",
    "leakage",
)
"""Names of the cost components, in the order of every breakdown."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operators:
    """The n operators of one kind that B designs hold; absent ones have no entry.

    Attributes:
        n_designs: B.
        design: (n,) which design each operator belongs to, 0 to B - 1.
        in_features, out_features, n_vectors, weight_bits: (n,) shape numbers; `Kind` says what they mean.
    """

    n_designs: int
    design: NDArray[np.intp]
    in_features: Floats
    out_features: Floats
    n_vectors: Floats
    weight_bits: Floats

    def __len__(self) -> int:
        return len(self.design)

    def take(self, which: NDArray[np.bool_]) -> Operators:
        """Those where `which`, (n,), is true."""
        return Operators(
            n_designs=self.n_designs,
            design=self.design[which],
            in_features=self.in_features[which],
            out_features=self.out_features[which],
            n_vectors=self.n_vectors[which],
            weight_bits=self.weight_bits[which],
        )

    def each(self, per_design: NDArray[T]) -> NDArray[T]:
        """(n,) the value of each operator's design; (1,) stays as it is: one value for all designs."""
        return per_design if len(per_design) == 1 else per_design[self.design]

    def total(self, per_operator: Floats) -> Floats:
        """(B,) sum over the operators of each design."""
        if len(per_operator) == 1:
            per_operator = np.broadcast_to(per_operator, self.design.shape)
        return np.bincount(self.design, per_operator, minlength=self.n_designs).astype(np.float64, copy=False)

    def largest(self, per_operator: Floats) -> Floats:
        """(B,) maximum over the operators of each design; 0 for a design without any."""
        largest = np.zeros(self.n_designs)
        np.maximum.at(largest, self.design, per_operator)
        return largest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OperatorCosts:
    """Costs of the n operators of one kind; every array is (n,) or, where all share a value, (1,).

    Attributes:
        energy_pj: By component, one inference; leakage of idle parts excluded, `static_mw` holds it.
        time_ns: By component: how long it works for one inference. Components overlap where `busy_ns` is less
            than their sum.
        area_um2: By component, with each operator's share of whatever its crossbars share.
        busy_ns: Time until the operator can take the next inference.
        overhead_ns: Time a result needs beyond that.
        static_mw: Drawn all the time.
        n_crossbars, n_used_cells: Crossbars it occupies, the cells of them that hold data.
        n_tiles: Tiles it occupies; a fraction where tiles are shared.
    """

    energy_pj: dict[str, Floats]
    time_ns: dict[str, Floats]
    area_um2: dict[str, Floats]
    busy_ns: Floats
    overhead_ns: Floats
    static_mw: Floats = field(default_factory=lambda: np.zeros(1))
    n_crossbars: Floats = field(default_factory=lambda: np.zeros(1))
    n_used_cells: Floats = field(default_factory=lambda: np.zeros(1))
    n_tiles: Floats = field(default_factory=lambda: np.zeros(1))
