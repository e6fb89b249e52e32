"""Evaluated designs of a study, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trials:
    """B evaluated designs; row i of every array belongs to the same trial.

    Attributes:
        number: (B,) trial number in the study, from 0.
        generation: (B,) generation that bred the design, from 0.
        keys: Hexadecimal key of each design.
        genomes: (B, P) canonical genomes.
        values: (B, M) objectives, each in its own sign.
        constraints: (B, K) constrained quantities.
        is_feasible: (B,) whether every constrained quantity keeps its limit.
        attributes: Further stored numbers by name, (B,) or (B, C).
    """

    number: NDArray[np.int64]
    generation: NDArray[np.int64]
    keys: list[str]
    genomes: NDArray[np.int64]
    values: NDArray[np.float64]
    constraints: NDArray[np.float64]
    is_feasible: NDArray[np.bool_]
    attributes: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.number)

    def select(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Trials:
        """The trials of a mask, or of row indices in their order."""
        indices = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return Trials(
            number=self.number[indices],
            generation=self.generation[indices],
            keys=[self.keys[index] for index in indices],
            genomes=self.genomes[indices],
            values=self.values[indices],
            constraints=self.constraints[indices],
            is_feasible=self.is_feasible[indices],
            attributes={name: values[indices] for name, values in self.attributes.items()},
        )
