"""MOEA/D (Zhang and Li 2007, doi:10.1109/TEVC.2007.892759): many weighted sums, each with a best design of its own.

A design that comes back goes to the subproblem that it serves best, and to neighbours of that one that it improves
(Wang et al. 2014, doi:10.1109/CEC.2014.6900239): so it does not matter for which subproblem it was bred, and known or
random designs take part. Objectives are scaled by the population's range first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.decomposition.pbi import PBI
from pymoo.decomposition.tchebicheff import Tchebicheff
from scipy.spatial.distance import cdist

from studies.engines import Results, Setting
from studies.engines.pymoo import crossed, mutated, reference_directions

N_NEIGHBOURS = 20
NEIGHBOUR_MATING = 0.9
N_ROUNDS = 100
"""Of breeding, until enough designs were found that are fresh."""


class MoeadEngine:
    """MOEA/D, told whole generations."""

    def __init__(self, setting: Setting) -> None:
        if setting.n_constraints:
            raise ValueError(
                f"engine 'moead' cannot keep constraints, and the study has {setting.n_constraints}: "
                "use another engine, such as 'nsga2' or 'spea2'"
            )
        if setting.n_objectives < 2:
            raise ValueError("engine 'moead' needs at least two objectives, got 1: use another engine")
        self._setting = setting
        self._directions = reference_directions("moead", setting.n_objectives, setting.population_size)
        distances = cdist(self._directions, self._directions)
        self._neighbours = distances.argsort(axis=1, kind="stable")[:, :N_NEIGHBOURS]
        self._decomposition = Tchebicheff() if setting.n_objectives == 2 else PBI()
        self._population: Results | None = None  # the design of each subproblem
        self._ideal = np.full(setting.n_objectives, np.inf)

    def ask(self, n: int, generation: int) -> NDArray[np.int64]:
        space = self._setting.space
        found = np.zeros((0, len(space.blocks)), dtype=np.int64)
        if self._population is None:
            return found
        rng = self._setting.generator(generation, "ask")
        for _ in range(N_ROUNDS):
            if len(found) == n:
                break
            pairs = self._population.genomes[self._parents(n - len(found), rng)]
            children = mutated(crossed(np.swapaxes(pairs, 0, 1), space, rng), space, rng)
            candidates = np.concatenate([found, space.canonical(children[: len(pairs)])])
            found = candidates[self._setting.is_fresh(candidates)]
        return found

    def _parents(self, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """(n, 2) subproblems whose designs breed: neighbours mostly, else any two."""
        n_subproblems = len(self._directions)
        rounds = [rng.permutation(n_subproblems) for _ in range(-(-n // n_subproblems))]
        subproblems = np.concatenate(rounds)[:n]
        near = rng.permuted(self._neighbours[subproblems], axis=1)[:, :2]
        anywhere = rng.permuted(np.tile(np.arange(n_subproblems), (n, 1)), axis=1)[:, :2]
        parents: NDArray[np.int64] = np.where(rng.random((n, 1)) < NEIGHBOUR_MATING, near, anywhere)
        return parents

    def tell(self, results: Results, generation: int) -> None:
        self._ideal = np.minimum(self._ideal, results.values.min(axis=0))
        n_subproblems = len(self._directions)
        known = results if self._population is None else self._population.followed_by(results)
        taken = np.arange(n_subproblems) if self._population is not None else np.zeros(n_subproblems, dtype=np.int64)
        loss = self._losses(known.values, known.values[taken].max(axis=0))
        if self._population is None:
            taken = loss.argmin(axis=0)
        for row in range(len(known.number) - len(results.number), len(known.number)):
            near = self._neighbours[loss[row].argmin()]
            is_better = loss[row, near] < loss[taken[near], near]
            taken[near[is_better]] = row
        self._population = known.rows(taken)

    def _losses(self, values: NDArray[np.float64], worst: NDArray[np.float64]) -> NDArray[np.float64]:
        """(B, D) what each of B designs is worth to each of D subproblems; less is better."""
        span = worst - self._ideal
        scaled = (values - self._ideal) / np.where(span > 0, span, 1.0)
        losses: NDArray[np.float64] = self._decomposition.do(
            scaled, weights=self._directions, ideal_point=np.zeros(len(self._ideal)), _type="many_to_many"
        )
        return losses

    def state(self) -> dict[str, Any]:
        """The trial number of each subproblem's design, and the least of each objective so far."""
        assert self._population is not None
        return {"population": self._population.number.tolist(), "ideal": self._ideal.tolist()}

    def restore(self, results: Results, state: dict[str, Any]) -> None:
        self._ideal = np.array(state["ideal"])
        self._population = results.select(np.array(state["population"], dtype=np.int64))
