"""A search on predictions: what is cheap is computed, what is expensive is predicted, and the best are proposed.

For each generation, Gaussian processes learn the expensive quantities from all results so far, SPEA2 breeds on their
predictions for some generations, and the designs that survive are proposed. Everything follows from the results, so
nothing needs to be stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from studies.engines import Results, Setting
from studies.engines.gaussian_process import Surrogate, encoded
from studies.engines.pymoo import PymooEngine

N_BRED = 15
"""Generations bred on predictions for each that is evaluated; more of them go where predictions are wrong."""

N_LEARNED = 1000
"""Designs that predictions are learned from: the fittest, and others at random."""

PLAIN_SHARE = 0.1
"""Of the proposals, offspring of evaluated designs that no prediction has chosen."""

MOST_ABOVE = 2.0
"""Objectives are learned up to so many times as far above their median as the least is below it: how much worse than
useless a design is would bend the predictions of the others."""

N_FIRST = 10
"""Results below which there is nothing to learn from."""

Predict = Callable[[NDArray[np.int64]], NDArray[np.float64]]


class SurrogateEngine:
    """SPEA2 on Gaussian processes, told whole generations."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._results: Results | None = None

    def ask(self, n: int, generation: int) -> NDArray[np.int64]:
        setting = self._setting
        if self._results is None or len(self._results.number) < N_FIRST:
            return np.zeros((0, len(setting.space.blocks)), dtype=np.int64)
        results = replace(self._results, number=np.arange(len(self._results.number)))  # trials may have failed between
        rng = setting.generator(generation, "ask")
        known = {genome.tobytes() for genome in results.genomes}

        def is_new(genomes: NDArray[np.int64]) -> NDArray[np.bool_]:
            is_unknown = np.array([genome.tobytes() not in known for genome in genomes], dtype=bool)
            return np.asarray(setting.is_fresh(genomes) & is_unknown)

        size = max(n, setting.population_size)
        breeding = replace(setting, seed=int(rng.integers(2**62)), population_size=size, is_fresh=is_new)
        breeder = PymooEngine("spea2", breeding)
        breeder.start(results)
        plain = breeder.ask(n, 0)
        bred, first = plain[:0], len(results.number)
        with threadpool_limits(1, user_api="blas"):  # sums that do not depend on the number of cores
            predict = self._learned(breeder.numbers(), rng)
            for step in range(1, N_BRED + 1):
                offspring = breeder.ask(size, step)
                if len(offspring) == 0:
                    break
                known.update(genome.tobytes() for genome in offspring)
                breeder.tell(self._predicted(offspring, predict, first + len(bred)), step)
                bred = np.concatenate([bred, offspring])
                if len(offspring) < size:  # hardly anything is left around here
                    break
        survivors = breeder.numbers() - first
        chosen = bred[rng.permutation(survivors[survivors >= 0])]
        n_chosen = n - round(PLAIN_SHARE * n)
        proposed = np.concatenate([chosen[:n_chosen], plain, chosen[n_chosen:]])
        return proposed[setting.is_fresh(proposed)][:n]

    def _learned(self, fittest: NDArray[np.int64], rng: np.random.Generator) -> Predict:
        """What predicts the (B, M + K) objectives and violations of (B, P) genomes."""
        results, setting = self._results, self._setting
        assert results is not None
        others = rng.permutation(np.setdiff1d(np.arange(len(results.number)), fittest))
        rows = np.concatenate([fittest, others[: max(0, N_LEARNED - len(fittest))]])
        values, violations = results.values[rows], results.violations[rows]
        median = np.median(values, axis=0)
        values = np.minimum(values, median + MOST_ABOVE * (median - values.min(axis=0)))
        quantities = np.concatenate([values, violations], axis=1)

        def cheap(genomes: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            if setting.cheap is None:
                return np.full((len(genomes), quantities.shape[1]), np.nan), np.zeros((len(genomes), 0))
            return setting.cheap(genomes)

        computed, attributes = cheap(results.genomes[rows])
        is_expensive = np.isnan(computed).any(axis=0)
        centre, spread = attributes.mean(axis=0), attributes.std(axis=0)
        spread[spread == 0] = 1.0

        def inputs(genomes: NDArray[np.int64], attributes: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.concatenate([encoded(setting.space, genomes), (attributes - centre) / (2 * spread)], axis=1)

        model = Surrogate(inputs(results.genomes[rows], attributes), quantities[:, is_expensive], rng)

        def predict(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
            found, attributes = cheap(genomes)
            found[:, is_expensive] = model.predict(inputs(genomes, attributes))
            return found

        return predict

    def _predicted(self, genomes: NDArray[np.int64], predict: Predict, first: int) -> Results:
        """The designs as if they had been evaluated, numbered from `first`."""
        quantities = predict(genomes)
        return Results(
            number=np.arange(first, first + len(genomes)),
            genomes=genomes,
            values=quantities[:, : self._setting.n_objectives],
            violations=quantities[:, self._setting.n_objectives :],
        )

    def tell(self, results: Results, generation: int) -> None:
        self._results = results if self._results is None else self._results.followed_by(results)

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, results: Results, state: dict[str, Any]) -> None:
        self._results = results
