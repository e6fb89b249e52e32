"""Optuna's samplers through ask and tell.

Each generation is asked of a fresh in-memory Optuna study that holds what the sampler needs to know, by a fresh
sampler with a seed of its own: so a resumed study goes on exactly as an unbroken one, and no Optuna object has to be
stored. Genetic samplers need the surviving population only, quasi-random ones nothing (each generation is a Sobol
sequence, scrambled anew); the others see every design.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIIISampler, NSGAIISampler, QMCSampler, TPESampler
from optuna.trial import FrozenTrial, create_trial

from studies.engines import Results, Setting

ASKS_PER_DESIGN = 4  # a sampler that repeats itself is asked at most this often for each wanted design

SAMPLERS: dict[str, Callable[[int, int], BaseSampler]] = {
    "optuna:nsga2": lambda seed, population_size: NSGAIISampler(seed=seed, population_size=population_size),
    "optuna:nsga3": lambda seed, population_size: NSGAIIISampler(seed=seed, population_size=population_size),
    "optuna:tpe": lambda seed, population_size: TPESampler(seed=seed),
    "optuna:gp": lambda seed, population_size: GPSampler(seed=seed),
    "optuna:qmc": lambda seed, population_size: QMCSampler(seed=seed, scramble=True, warn_independent_sampling=False),
}


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's log lines about each study and its warnings that a class is experimental."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)


class OptunaEngine:
    """One of Optuna's samplers, told whole generations."""

    def __init__(self, name: str, setting: Setting) -> None:
        self._is_genetic = name in ("optuna:nsga2", "optuna:nsga3")
        if self._is_genetic and setting.population_size < 2:
            raise ValueError(f"engine {name!r} needs a population_size of at least 2, got {setting.population_size}")
        self._learns = name != "optuna:qmc"
        self._name = name
        self._setting = setting
        self._distributions: dict[str, BaseDistribution] = {
            block.name: IntDistribution(0, len(block.choices) - 1)
            if block.is_ordered
            else CategoricalDistribution(range(len(block.choices)))
            for block in setting.space.blocks
        }
        self._known: list[FrozenTrial] = []  # what the sampler sees: the population, or every design

    def ask(self, n: int, generation: int) -> NDArray[np.int64]:
        space = self._setting.space
        designs = np.zeros((0, len(space.blocks)), dtype=np.int64)
        if not self._known and self._learns:
            return designs
        with quiet_optuna():
            study = self._study(self._known, self._setting.generator(generation, "ask"))
            for _ in range(ASKS_PER_DESIGN * n):
                params = study.ask(self._distributions).params
                genome = np.array([[params[block.name] for block in space.blocks]], dtype=np.int64)
                candidates = np.concatenate([designs, space.canonical(genome)])
                designs = candidates[self._setting.is_fresh(candidates)]
                if len(designs) == n:
                    break
        return designs

    def tell(self, results: Results, generation: int) -> None:
        if not self._learns:
            return
        self._known = [*self._known, *self._trials(results)]
        if self._is_genetic and len(self._known) > self._setting.population_size:
            with quiet_optuna():
                study = self._study(self._known, self._setting.generator(generation, "tell"))
                sampler = study.sampler
                assert isinstance(sampler, NSGAIISampler | NSGAIIISampler)
                survivors = sampler.get_parent_population(study, 1)
            self._known = [self._known[trial.number] for trial in survivors]

    def state(self) -> dict[str, Any]:
        """Trial numbers of the population in its order; nothing for samplers that see every design."""
        return {"population": [trial.user_attrs["number"] for trial in self._known]} if self._is_genetic else {}

    def restore(self, results: Results, state: dict[str, Any]) -> None:
        if self._is_genetic:
            results = results.select(np.array(state["population"], dtype=np.int64))
        self._known = self._trials(results) if self._learns else []

    def _study(self, trials: list[FrozenTrial], rng: np.random.Generator) -> optuna.Study:
        """A fresh Optuna study in memory that holds these trials as its first generation."""
        study = optuna.create_study(
            directions=["minimize"] * self._setting.n_objectives,
            sampler=SAMPLERS[self._name](int(rng.integers(2**31)), self._setting.population_size),
        )
        study.add_trials(trials)
        return study

    def _trials(self, results: Results) -> list[FrozenTrial]:
        names = [block.name for block in self._setting.space.blocks]
        return [
            create_trial(
                values=values,
                params=dict(zip(names, genome, strict=True)),
                distributions=self._distributions,
                constraints={str(index): violation for index, violation in enumerate(violations)},
                user_attrs={"number": number},
                system_attrs={"NSGAIISampler:generation": 0, "NSGAIIISampler:generation": 0},
            )
            for number, genome, values, violations in zip(
                results.number.tolist(),
                results.genomes.tolist(),
                results.values.tolist(),
                results.violations.tolist(),
                strict=True,
            )
        ]
