"""The graph of a workload while it is drawn: operators in order, and who waits for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pimmodel import Kind, Workload

Column = NDArray[np.int64] | NDArray[np.bool_] | int
"""One number for all networks, or (B,) numbers."""


@dataclass
class WorkGraph:
    """Collects operators in topological order, and edges that are active for some networks or all.

    Attributes:
        n_networks: B.
    """

    n_networks: int
    names: list[str] = field(default_factory=list)
    kinds: list[Kind] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    shapes: list[tuple[Column, Column, Column, Column]] = field(default_factory=list)
    edges: list[tuple[int, int]] = field(default_factory=list)
    is_active: list[Column] = field(default_factory=list)

    def add(
        self,
        name: str,
        kind: Kind,
        in_features: Column,
        out_features: Column,
        n_vectors: Column,
        *,
        waits_for: Sequence[int | tuple[int, Column]] = (),
        weight_bits: Column = 8,
        function: str = "",
    ) -> int:
        """Adds one operator and returns its number; `waits_for` holds producers, alone or with who waits for them."""
        number = len(self.names)
        self.names.append(name)
        self.kinds.append(kind)
        self.functions.append(function)
        self.shapes.append((in_features, out_features, n_vectors, weight_bits))
        for entry in waits_for:
            producer, is_active = entry if isinstance(entry, tuple) else (entry, True)
            self.edges.append((producer, number))
            self.is_active.append(is_active)
        return number

    def workload(self) -> Workload:
        """All that was added; an operator without results is left out."""
        in_features, out_features, n_vectors, weight_bits = (
            self._columns([shape[part] for shape in self.shapes], np.int64) for part in range(4)
        )
        n_vectors *= out_features > 0
        return Workload(
            names=tuple(self.names),
            kinds=tuple(self.kinds),
            functions=tuple(self.functions),
            in_features=in_features,
            out_features=out_features,
            n_vectors=n_vectors,
            weight_bits=weight_bits,
            edges=np.array(self.edges, dtype=np.int64).reshape(-1, 2),
            is_active_edge=self._columns(self.is_active, np.bool_),
        )

    def _columns(self, columns: Sequence[Column], dtype: type) -> NDArray[Any]:
        array: NDArray[Any] = np.empty((len(columns), self.n_networks), dtype=dtype)
        for index, column in enumerate(columns):
            array[index] = column
        return array.T
