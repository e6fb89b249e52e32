"""Search engines behind one small interface; each proposes designs and learns from their values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from spaces.space import Space

IsFresh = Callable[[NDArray[np.int64]], NDArray[np.bool_]]
"""(B, P) genomes -> (B,) whether a design was never evaluated and does not occur in an earlier row."""

Cheap = Callable[[NDArray[np.int64]], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""(B, P) genomes -> (B, M + K) minimised objectives and violations, NaN where they take an evaluation, and (B, F)
further numbers that predictions may use."""

PYMOO_ENGINES = ("nsga2", "nsga3", "spea2", "sms-emoa", "rvea", "age-moea")
OPTUNA_ENGINES = ("optuna:nsga2", "optuna:nsga3", "optuna:tpe", "optuna:gp", "optuna:qmc")
ENGINES = (*PYMOO_ENGINES, "moead", "surrogate", "random", *OPTUNA_ENGINES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Evaluated designs as an engine sees them.

    Attributes:
        number: (B,) trial numbers, increasing; those of failed designs are missing.
        genomes: (B, P) canonical genomes.
        values: (B, M) objectives, all minimised.
        violations: (B, K) normalised constraint violations, feasible where <= 0.
    """

    number: NDArray[np.int64]
    genomes: NDArray[np.int64]
    values: NDArray[np.float64]
    violations: NDArray[np.float64]

    def followed_by(self, others: Results) -> Results:
        """These results, then the others."""
        return Results(
            number=np.concatenate([self.number, others.number]),
            genomes=np.concatenate([self.genomes, others.genomes]),
            values=np.concatenate([self.values, others.values]),
            violations=np.concatenate([self.violations, others.violations]),
        )

    def select(self, numbers: NDArray[np.int64]) -> Results:
        """The results of some trial numbers, in their order; ValueError when one is missing."""
        rows = np.searchsorted(self.number, numbers)
        if len(numbers) and (rows.max() == len(self.number) or not np.array_equal(self.number[rows], numbers)):
            raise ValueError(f"the engine knows trials that are not stored: {np.setdiff1d(numbers, self.number)}")
        return self.rows(rows)

    def rows(self, rows: NDArray[np.int64]) -> Results:
        """The results of some rows, in their order."""
        return Results(
            number=self.number[rows],
            genomes=self.genomes[rows],
            values=self.values[rows],
            violations=self.violations[rows],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an engine works on.

    Attributes:
        is_fresh: Tells which designs are worth proposing.
        cheap: Computes what costs next to nothing; None where everything takes an evaluation.
    """

    space: Space
    n_objectives: int
    n_constraints: int
    seed: int
    population_size: int
    is_fresh: IsFresh
    cheap: Cheap | None = None

    def generator(self, generation: int, purpose: Literal["ask", "tell", "fill", "improve"]) -> np.random.Generator:
        """A generator of its own for each generation and purpose: none has a past that would have to be stored."""
        spawn_key = (generation, ("ask", "tell", "fill", "improve").index(purpose))
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=spawn_key))


class Engine(Protocol):
    """A search engine.

    `ask` must not change what a later `ask` of the same generation returns: a generation whose evaluation was
    cut off is asked for again.
    """

    def ask(self, n: int, generation: int) -> NDArray[np.int64]:
        """At most n fresh canonical designs; fewer where the engine has no idea (left)."""

    def tell(self, results: Results, generation: int) -> None:
        """Learn from the designs of that generation."""

    def state(self) -> dict[str, Any]:
        """What the engine knows beyond the study's results: plain data for JSON.

        A list of trial numbers under "population" means that `restore` needs those results only.
        """

    def restore(self, results: Results, state: dict[str, Any]) -> None:
        """Go on from all results so far, or those of the population, and the state stored with the last of them."""


def make_engine(name: str, setting: Setting) -> Engine:
    """The engine of that name; its library is imported only now.

    Raises:
        ValueError: There is no such engine, or it cannot work on this setting.
    """
    if name == "random":
        from studies.engines.random import RandomEngine

        return RandomEngine(setting)
    if name == "moead":
        from studies.engines.moead import MoeadEngine

        return MoeadEngine(setting)
    if name == "surrogate":
        from studies.engines.surrogate import SurrogateEngine

        return SurrogateEngine(setting)
    if name in PYMOO_ENGINES:
        from studies.engines.pymoo import PymooEngine

        return PymooEngine(name, setting)
    if name in OPTUNA_ENGINES:
        from studies.engines.optuna import OptunaEngine

        return OptunaEngine(name, setting)
    raise ValueError(f"unknown engine {name!r}; engines are {', '.join(map(repr, ENGINES))}")
