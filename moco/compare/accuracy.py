"""Accuracy alone: every retrained design beside every baseline that was trained on the same data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moco.baselines import BaselineResult, baseline_costs
from moco.baselines.recipes import baseline_recipe
from moco.chosen.retrained import Retrained, by_key
from moco.compare.figures import Contender, Figures, figures
from moco.compare.noise import Difference, difference
from moco.data import ClickLog
from moco.settings import TAUGHT
from pimmodel import Calibration

SCORES = ("auc", "logloss", "chip_auc", "chip_logloss")
"""On test rows: in plain numbers, and as the chip computes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """One network, trained with several seeds.

    Attributes:
        name: The baseline's, with whether it was taught, or the first digits of the design's key.
        role: Why the design was chosen; empty for a baseline.
        key: The design's; empty for a baseline.
        seeds: Of training.
        scores: By name of SCORES, one value a seed.
        n_parameters: Trained numbers without embedding tables.
        contender: The network on its chip: the design's own, ISAAC's for a baseline.
        figures: By the calibration of the search.
    """

    name: str
    role: str
    key: str
    seeds: tuple[int, ...]
    scores: dict[str, tuple[float, ...]]
    n_parameters: int
    contender: Contender
    figures: Figures

    def mean(self, score: str) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.scores[score]))

    def deviation(self, score: str) -> float:
        """Standard deviation over the seeds; NaN of one seed."""
        return float(np.std(self.scores[score], ddof=1)) if len(self.seeds) > 1 else math.nan


def trained_designs(found: Sequence[Retrained], calibration: Calibration) -> list[Trained]:
    """Retrained designs, one entry each, in their order."""
    entries = []
    for key, ones in by_key(found).items():
        design, on_chip = ones[0].design, [one.chip_test for one in ones]
        contender = Contender.of_design(design)
        entries.append(
            Trained(
                name=key[:8],
                role=ones[0].role + TAUGHT * any(one.start.endswith(TAUGHT) for one in ones),
                key=key,
                seeds=tuple(one.seed for one in ones),
                scores={
                    "auc": tuple(one.test.auc for one in ones),
                    "logloss": tuple(one.test.logloss for one in ones),
                    "chip_auc": tuple(score.auc for score in on_chip),
                    "chip_logloss": tuple(score.logloss for score in on_chip),
                },
                n_parameters=design.n_parameters,
                contender=contender,
                figures=figures(contender, calibration),
            )
        )
    return entries


def trained_baselines(results: Sequence[BaselineResult], data: ClickLog, calibration: Calibration) -> list[Trained]:
    """Baselines, one entry each, in the order of their results."""
    entries = []
    for label in dict.fromkeys(result.label for result in results):
        mine = [result for result in results if result.label == label]
        network, n_dense = baseline_recipe(mine[0].name, data).network, len(data.dense)
        contender = Contender.of_baseline(network, n_dense, data.cardinalities)
        entries.append(
            Trained(
                name=label,
                role="",
                key="",
                seeds=tuple(result.seed for result in mine),
                scores={
                    score: tuple(
                        getattr(one, score.replace("chip_", "chip_test_") if "chip" in score else f"test_{score}")
                        for one in mine
                    )
                    for score in SCORES
                },
                n_parameters=baseline_costs(network, n_dense, data.cardinalities).n_parameters,
                contender=contender,
                figures=figures(contender, calibration),
            )
        )
    return entries


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstBest:
    """One design less the baseline that is best in one score.

    Attributes:
        design: Its name.
        score: One of SCORES.
        baseline: The best in it, by its mean over seeds.
        difference: Of the means.
    """

    design: str
    score: str
    baseline: str
    difference: Difference


def against_best(designs: Sequence[Trained], baselines: Sequence[Trained]) -> list[AgainstBest]:
    """Every design less the best baseline, score by score.

    Raises:
        ValueError: There are no baselines.
    """
    if not baselines:
        raise ValueError("there are no baselines to compare with: train some with 'moco baselines'")
    found = []
    for design in designs:
        for score in SCORES:
            sign = -1 if "logloss" in score else 1
            best = max(baselines, key=lambda one: sign * one.mean(score))
            found.append(
                AgainstBest(
                    design=design.name,
                    score=score,
                    baseline=best.name,
                    difference=difference(design.scores[score], best.scores[score]),
                )
            )
    return found
