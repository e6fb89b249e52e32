"""Which designs to train from scratch next: those that promise the most beyond what has been trained already.

Supernet scores are cheap and not to be trusted alone; training from scratch is dear and is the truth. So a few designs,
spread over energy, are trained first. From them the correction learns what scores are worth. Each further design is
the one whose expected improvement of the trained front of log loss and energy is largest. This is Bayesian optimisation
over the designs that the search has scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from moco.correction import Correction
from moco.design import Design
from moco.features import network_features
from spaces import ArchitectureBatch

Floats = NDArray[np.float64]

N_FIRST = 8
"""Designs that are trained before anything is learned from them."""


@dataclass(frozen=True)
class Candidates:
    """Scored designs as arrays.

    Attributes:
        designs: n of them.
        score: (n,) supernet scores.
        features: (n, K) of their networks.
        log_energy: (n,) natural logarithm of the energy in pJ.
    """

    designs: Sequence[Design]
    score: Floats
    features: Floats
    log_energy: Floats

    @classmethod
    def of(cls, designs: Sequence[Design]) -> Candidates:
        """Of scored designs; each network once, on its cheapest chip."""
        cheapest: dict[object, Design] = {}
        for design in sorted(designs, key=lambda design: design.energy_pj):
            cheapest.setdefault((design.architecture, design.logloss), design)
        kept = list(cheapest.values())
        networks = ArchitectureBatch.of([design.architecture for design in kept])
        features = network_features(networks, kept[0].n_dense, len(kept[0].cardinalities))
        energy = np.log([design.energy_pj for design in kept])
        return cls(kept, np.array([design.logloss for design in kept]), features, energy)

    def __len__(self) -> int:
        return len(self.designs)

    def next(self, trained: Mapping[str, float], n: int, reference: float) -> list[Design]:
        """At most n designs to train next, the most promising first.

        Args:
            trained: Valid log loss of the designs trained so far, by their key; others than these candidates count not.
            n: How many.
            reference: The log loss that a design must stay below to be worth anything.
        """
        rows = [row for row, design in enumerate(self.designs) if design.key in trained]
        truth = [trained[self.designs[row].key] for row in rows]
        chosen: list[Design] = []
        while len(chosen) < n and len(rows) < len(self):
            row = self._first(rows) if len(rows) < N_FIRST else self._best(rows, truth, reference)
            chosen.append(self.designs[row])
            rows.append(row)
            # What it will turn out to be is not known yet: the next choice takes it as predicted.
            truth.append(float(self.predict(rows[:-1], truth)[0][row]) if truth else float(self.score[row]))
        return chosen

    def correction(self, rows: Sequence[int], truth: Sequence[float]) -> Correction:
        """What the designs of some rows teach."""
        return Correction.fit(self.score[list(rows)], self.features[list(rows)], truth)

    def predict(self, rows: Sequence[int], truth: Sequence[float]) -> tuple[Floats, Floats]:
        """(n,) expected log losses of all candidates and their standard deviations, from those of some rows."""
        if len(truth) < 2:
            return self.score + float(np.mean(truth) - self.score[list(rows)].mean()), np.ones(len(self))
        return self.correction(rows, truth).predict(self.score, self.features)

    def _first(self, rows: Sequence[int]) -> int:
        """The best score among those of nearly the energy where the fewest designs are trained."""
        steps = np.linspace(self.log_energy.min(), self.log_energy.max(), N_FIRST + 1)
        place = np.clip(np.searchsorted(steps, self.log_energy, side="right") - 1, 0, N_FIRST - 1)
        counts = np.bincount(place[list(rows)], minlength=N_FIRST).astype(np.float64)
        is_left = np.ones(len(self), dtype=bool)
        is_left[list(rows)] = False
        order = np.lexsort((self.score, counts[place], ~is_left))
        return int(order[0])

    def _best(self, rows: Sequence[int], truth: Sequence[float], reference: float) -> int:
        mean, sd = self.predict(rows, truth)
        gain = expected_improvement(mean, sd, self.log_energy, self.log_energy[list(rows)], np.array(truth), reference)
        gain[list(rows)] = -1.0
        return int(gain.argmax())


def expected_improvement(
    mean: Floats, sd: Floats, cost: Floats, known_cost: Floats, known_value: Floats, reference: float
) -> Floats:
    """(n,) expected growth of the area that the front of value and cost dominates.

    The area reaches up to the reference value, and in cost up to the highest of all, and a little beyond: so the most
    accurate design counts wherever it lies. With a known cost and a normal value it is a sum over the steps of the
    front, of the step's width times the expected improvement of its value.

    Args:
        mean: (n,) expected values.
        sd: (n,) their standard deviations.
        cost: (n,) known costs.
        known_cost: (m,) of the designs known.
        known_value: (m,) likewise.
        reference: The value that must be improved where nothing is known at that cost.
    """
    span = max(float(np.ptp(np.concatenate([cost, known_cost]))), 1e-9)
    end = max(cost.max(), known_cost.max()) + span / N_FIRST
    order = np.argsort(known_cost, kind="stable")
    starts = np.concatenate([[-np.inf], known_cost[order]])
    ends = np.concatenate([known_cost[order], [end]])
    best = np.minimum.accumulate(np.concatenate([[reference], known_value[order]]))
    widths = np.maximum(ends - np.maximum(starts, cost[:, None]), 0.0)
    sd = np.maximum(sd, 1e-12)[:, None]
    z = (best - mean[:, None]) / sd
    gains: Floats = (widths * sd * (z * ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))).sum(axis=1)
    return gains
