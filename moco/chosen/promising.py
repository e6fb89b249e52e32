"""Which designs to train from scratch next: those that promise the most beyond what has been trained already.

Supernet scores are cheap and not to be trusted alone; training from scratch is dear and is the truth. What networks
have reached from scratch so far corrects the scores of all designs, and says how uncertain they are. The design whose
expected improvement of the trained front of log loss and energy is largest comes next. This is Bayesian optimisation
with two fidelities over the designs that the search has scored. At first improvement counts per time of training, and
at the end for itself: cost cooling (Lee et al., 2020, arXiv 2003.10870).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from moco.costs.batch import are_lossless
from moco.design import Design
from moco.oracle.correction import LEAST_NETWORKS, Correction
from moco.oracle.features import FEATURES
from moco.oracle.known_bias import KNOWN_BIAS, KnownBias
from moco.search.codesign import CodesignStudy
from moco.training.pace import training_time
from pimmodel import PimConfig
from spaces import ArchitectureBatch
from studies import is_non_dominated

Floats = NDArray[np.float64]

MARGIN = 1 / 8
"""Of the span of log energies, by which the front is taken to reach beyond its dearest design."""

SAME_LOGLOSS = 2e-3
"""Chips of one network whose scores differ by less are taken as one: noise of converters, and of seeds, is larger."""


@dataclass(frozen=True)
class Truths:
    """Networks trained from scratch in plain numbers, before any design was.

    Attributes:
        score: (m,) supernet scores.
        features: (m, K) of the networks.
        logloss: (m,) valid log loss.
    """

    score: Floats
    features: Floats
    logloss: Floats

    @classmethod
    def none(cls) -> Truths:
        """Where there are none."""
        return cls(np.empty(0), np.empty((0, len(FEATURES))), np.empty(0))


@dataclass(frozen=True, slots=True)
class Terms:
    """How promise is measured now.

    Attributes:
        reference: The log loss that a design must stay below to be worth anything; it must also stay below that of half
            of the front that is expected.
        haste: From 0, where improvement counts for itself, to 1, where it counts per time of training.
        most_time: Of a training, in the unit of `training_time`; what takes longer is left out.
    """

    reference: float
    haste: float = 0.0
    most_time: float = np.inf


@dataclass(frozen=True)
class Candidates:
    """Scored designs as arrays.

    Attributes:
        designs: n of them.
        score: (n,) supernet scores of their networks in plain numbers.
        features: (n, K) of their networks.
        chip_loss: (n,) what their chips add to log loss.
        log_energy: (n,) natural logarithm of the least energy in pJ, on whatever chip loses nothing either.
        time: (n,) that their training takes, in that of a network without products.
        known: What networks reached from scratch before.
        bias: Of scores, known beforehand.
    """

    designs: Sequence[Design]
    score: Floats
    features: Floats
    chip_loss: Floats
    log_energy: Floats
    time: Floats
    known: Truths
    bias: KnownBias = KNOWN_BIAS

    @classmethod
    def of(
        cls, study: CodesignStudy, designs: Sequence[Design], least_pj: Mapping[str, float], known: Truths
    ) -> Candidates:
        """Of a study's scored designs; of a network's chips that score alike the one of least energy.

        Args:
            study: Of the designs.
            designs: To choose from.
            least_pj: Energy that their networks need, by key: which chip a search looked at is chance.
            known: What networks reached from scratch before.
        """
        cheapest: dict[object, Design] = {}
        for design in sorted(designs, key=lambda design: (least_pj[design.key], design.energy_pj)):
            cheapest.setdefault((design.architecture, round(design.logloss / SAME_LOGLOSS)), design)
        kept = list(cheapest.values())
        networks = ArchitectureBatch.of([design.architecture for design in kept])
        logloss = np.array([design.logloss for design in kept])
        lossless = np.flatnonzero(are_lossless(PimConfig.concatenate([design.hardware for design in kept])))
        known_of = {kept[row].architecture: logloss[row] for row in lossless.tolist()}
        score, features = study.features(networks, [known_of.get(design.architecture, np.nan) for design in kept])
        plain = score if study.correction is None else study.correction.predict(score, features)[0]
        chip_loss = logloss - plain
        log_energy = np.log([least_pj[design.key] for design in kept])
        time = training_time(study.space.network, networks)
        bias = KNOWN_BIAS if study.correction is None else study.correction.bias
        return cls(kept, score, features, chip_loss, log_energy, time, known, bias)

    def __len__(self) -> int:
        return len(self.designs)

    def most_promising(self, trained: Mapping[str, float], n: int, terms: Terms) -> list[Design]:
        """At most n designs to train next, by their scores, corrected by what was trained.

        Args:
            trained: Valid log loss of designs trained so far, by their key.
            n: How many; none of those trained.
            terms: By which promise is measured.
        """
        is_open = ~self._among(trained) & (self.time <= terms.most_time)
        return self._best(*self._expected(trained), is_open, trained, n, terms)

    def _among(self, results: Mapping[str, float]) -> NDArray[np.bool_]:
        """(n,) which candidates have a result."""
        return np.array([design.key in results for design in self.designs])

    def _middle_of_front(self, mean: Floats) -> float:
        """The median log loss of the designs of least expected log loss and energy.

        Beyond it a front goes on to ever cheaper designs of little use, which would take most of the trainings: they
        are quick, and there are many factors of ten of energy to improve on.
        """
        return float(np.median(mean[is_non_dominated(np.column_stack([mean, self.log_energy]))]))

    def _expected(self, trained: Mapping[str, float]) -> tuple[Floats, Floats]:
        """(n,) expected log losses of all candidates and their standard deviations."""
        rows = np.flatnonzero(self._among(trained))
        reached = np.array([trained[self.designs[row].key] for row in rows.tolist()], dtype=np.float64)
        truths = np.concatenate([self.known.logloss, reached - self.chip_loss[rows]])
        scores = np.concatenate([self.known.score, self.score[rows]])
        features = np.concatenate([self.known.features, self.features[rows]])
        if len(truths) < LEAST_NETWORKS:  # so few say how far off scores are, not how to order networks
            found = Correction.unlearned(float(self.score.std()), self.bias)
            shift = float(np.median(truths - found.predict(scores, features)[0])) if len(truths) > 0 else 0.0
        else:
            found, shift = Correction.fit(scores, features, truths, self.bias), 0.0
        mean, sd = found.predict(self.score, self.features)
        return mean + shift + self.chip_loss, sd

    def _best(
        self,
        mean: Floats,
        sd: Floats,
        is_open: NDArray[np.bool_],
        trained: Mapping[str, float],
        n: int,
        terms: Terms,
    ) -> list[Design]:
        """At most n of the open candidates, each the one that is expected to improve the trained front most."""
        rows = np.flatnonzero(self._among(trained)).tolist()
        values = [trained[self.designs[row].key] for row in rows]
        reference = min(terms.reference, self._middle_of_front(mean))
        chosen: list[Design] = []
        for _ in range(min(n, int(is_open.sum()))):
            gain = expected_improvement(
                mean, sd, self.log_energy, self.log_energy[rows], np.array(values, dtype=np.float64), reference
            )
            row = int(np.where(is_open, gain / self.time**terms.haste, -1.0).argmax())
            chosen.append(self.designs[row])
            is_open[row] = False
            # What it will turn out to be is not known yet: the next choice takes it as predicted.
            rows.append(row)
            values.append(float(mean[row]))
        return chosen


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
    costs = np.concatenate([cost, known_cost])
    end = costs.max() + max(float(np.ptp(costs)), 1e-9) * MARGIN
    order = np.argsort(known_cost, kind="stable")
    starts = np.concatenate([[-np.inf], known_cost[order]])
    ends = np.concatenate([known_cost[order], [end]])
    best = np.minimum.accumulate(np.concatenate([[reference], known_value[order]]))
    widths = np.maximum(ends - np.maximum(starts, cost[:, None]), 0.0)
    sd = np.maximum(sd, 1e-12)[:, None]
    z = (best - mean[:, None]) / sd
    gains: Floats = (widths * sd * (z * ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))).sum(axis=1)
    return gains
