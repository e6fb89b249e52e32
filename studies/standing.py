"""Where a study stands: what it needs to know of its stored designs from one generation to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spaces.space import Space
from studies import front
from studies.objective import Objective, check_names, minimised
from studies.storage.reading import Counts, StudyReading
from studies.trials import Failures, Trials


class Standing:
    """Read once, then kept up to date: keys of all designs, counts, and the front when somebody asks for it.

    Attributes:
        counts: How much the study holds.
    """

    def __init__(self, space: Space, objectives: Sequence[Objective]) -> None:
        self.counts = Counts()
        self._space = space
        self._objectives = objectives
        self._keys: set[str] = set()
        self._attribute_shapes: dict[str, int | None] = {}
        self._front_points: NDArray[np.float64] | None = None

    def read(self, reading: StudyReading) -> None:
        """Starts again from what the file holds."""
        self.counts = reading.counts()
        self._keys = reading.keys()
        self._attribute_shapes = reading.attribute_shapes()
        self._front_points = None

    def add(self, trials: Trials, failures: Failures) -> None:
        """Takes one more stored generation into account."""
        self._keys.update(trials.keys, failures.keys)
        self.counts = Counts(
            n_generations=self.counts.n_generations + 1,
            n_evaluated=self.counts.n_evaluated + len(trials),
            n_feasible=self.counts.n_feasible + int(trials.is_feasible.sum()),
            n_failed=self.counts.n_failed + len(failures),
        )
        if len(trials):
            self._attribute_shapes = _shapes(trials.attributes)
        if self._front_points is not None:
            new_points = minimised(trials.values[trials.is_feasible], self._objectives)
            self._front_points = front.merged(self._front_points, new_points)

    def is_fresh(self, genomes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(B,) whether a design was never answered and does not occur in an earlier row of the (B, P) genomes."""
        seen = set()
        is_fresh = np.zeros(len(genomes), dtype=bool)
        for row, key in enumerate(self._space.keys(genomes)):
            is_fresh[row] = key not in self._keys and key not in seen
            seen.add(key)
        return is_fresh

    def front_points(self, reading: StudyReading) -> NDArray[np.float64]:
        """(B, M) minimised objectives of the feasible designs that no other dominates."""
        if self._front_points is None:
            found = reading.points()
            points = minimised(found.values[found.is_feasible], self._objectives)
            self._front_points = points[front.is_non_dominated(points)]
        return self._front_points

    def check_attributes(self, study: str, attributes: Mapping[str, NDArray[np.float64]]) -> None:
        """ValueError when the attributes of a generation are not those of the generations before it."""
        check_names("attribute", list(attributes))
        shapes = _shapes(attributes)
        if self.counts.n_evaluated > 0 and shapes != self._attribute_shapes:
            raise ValueError(
                f"attributes must stay the same through study {study!r}: the first generation had "
                f"{self._attribute_shapes} (name: number of columns), this one has {shapes}"
            )


def _shapes(attributes: Mapping[str, NDArray[np.float64]]) -> dict[str, int | None]:
    return {name: None if values.ndim == 1 else values.shape[1] for name, values in attributes.items()}
