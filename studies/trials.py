"""Evaluated and failed designs of a study, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trials:
    """B evaluated designs; row i of every array belongs to the same trial.

    Attributes:
        number: (B,) trial number in the study, from 0; those of failed designs are left out.
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

    @classmethod
    def concatenate(cls, parts: Sequence[Trials]) -> Trials:
        """The trials of one or more parts with the same attributes, one part after another."""
        return cls(
            number=np.concatenate([part.number for part in parts]),
            generation=np.concatenate([part.generation for part in parts]),
            keys=[key for part in parts for key in part.keys],
            genomes=np.concatenate([part.genomes for part in parts]),
            values=np.concatenate([part.values for part in parts]),
            constraints=np.concatenate([part.constraints for part in parts]),
            is_feasible=np.concatenate([part.is_feasible for part in parts]),
            attributes={
                name: np.concatenate([part.attributes[name] for part in parts]) for name in parts[0].attributes
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Failures:
    """B designs whose evaluation failed; row i of every entry belongs to the same design.

    Attributes:
        number: (B,) trial number in the study: failed designs are counted with the others.
        generation: (B,) generation that bred the design, from 0.
        keys: Hexadecimal key of each design.
        genomes: (B, P) canonical genomes.
        reasons: What went wrong, for people.
    """

    number: NDArray[np.int64]
    generation: NDArray[np.int64]
    keys: list[str]
    genomes: NDArray[np.int64]
    reasons: list[str]

    def __len__(self) -> int:
        return len(self.number)
