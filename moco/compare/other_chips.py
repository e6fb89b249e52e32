"""The best chips for networks that are settled, by what the search did not look at, such as area.

On all chips that lose nothing a network scores alike. So the smallest chip of a network makes as good a design as the
one that the search took for its energy. Caps of the search are kept as they are meant: by its own hardware model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from moco.compare.figures import columns_of
from moco.progress import progress_bar
from moco.search.best_chip import Value, allowed_costs, best_chip
from moco.search.codesign import CodesignStudy
from pimmodel import Calibration
from spaces import Genomes
from studies import Trials

Goal = Callable[[Mapping[str, NDArray[np.float64]]], NDArray[np.float64]]
"""(B,) what is made as small as can be, of figures by name (`moco.compare.figures.Figures`)."""

SINGLE_GOALS: tuple[Goal, ...] = (lambda columns: columns["area_mm2"], lambda columns: -columns["inferences_per_s_w"])
"""Area, and power efficiency: what a search for low energy and latency does not look at."""


@dataclass(frozen=True, eq=False)
class OtherChips:
    """Designs that lose nothing and keep the caps of their search, whose networks can have other chips.

    Attributes:
        codesign: Of their search.
        designs: Their first value is the log loss by which they are compared.
    """

    codesign: CodesignStudy
    designs: Trials

    @classmethod
    def of(cls, codesign: CodesignStudy, trials: Trials) -> OtherChips:
        """For those of some trials that can have other chips."""
        if len(trials) == 0:
            return cls(codesign, trials)
        is_allowed, _ = allowed_costs(codesign, trials.genomes, codesign.calibration)
        return cls(codesign, trials.select(np.flatnonzero(is_allowed)))

    def best(
        self, goals: Sequence[Goal], calibrations: Sequence[Calibration], most_logloss: float = np.inf
    ) -> tuple[Genomes, NDArray[np.float64]]:
        """(B, P) the designs with no higher log loss, on the best chip by each goal and calibration; their log losses.

        Log losses are those of the designs, (B,): the chips lose nothing either. They keep the caps, too.
        """
        designs = self.designs.select(self.designs.values[:, 0] <= most_logloss)
        values = [_value(self.codesign, calibration, goal) for calibration in calibrations for goal in goals]
        found = np.repeat(designs.genomes, len(values), axis=0)
        with progress_bar("other chips", "designs") as bar:
            for row, genome in enumerate(found):
                rng = np.random.default_rng(row // len(values))
                found[row] = best_chip(self.codesign.space, genome, values[row % len(values)], rng)
                bar.update((row + 1) / len(values), len(designs))
        return found, np.repeat(designs.values[:, 0], len(values))


def _value(codesign: CodesignStudy, calibration: Calibration, goal: Goal) -> Value:
    """A goal as a function of genomes; infinite for chips that lose something or break a cap."""

    def value(genomes: Genomes) -> NDArray[np.float64]:
        is_allowed, found = allowed_costs(codesign, genomes, calibration)
        return np.where(is_allowed, goal(columns_of(found)), np.inf)

    return value
