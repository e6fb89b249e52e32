"""Random search: the floor that every engine has to beat, and the filler where an engine has no idea."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.space import Space
from studies.engines import IsFresh, Results, Setting

N_DRAWS = 100
DRAW_SIZE = 100


def random_designs(
    space: Space, n: int, rng: np.random.Generator, is_fresh: IsFresh, taken: NDArray[np.int64]
) -> NDArray[np.int64]:
    """At most n random canonical designs that are fresh and not among the `taken` ones.

    Fewer after 100 draws of max(n, 100) designs: then the space has hardly any design left.
    """
    found = taken
    for _ in range(N_DRAWS):
        if len(found) >= len(taken) + n:
            break
        drawn = space.canonical(space.sample(rng, max(n, DRAW_SIZE)))
        candidates = np.concatenate([found, drawn])
        found = candidates[is_fresh(candidates)]
    return found[len(taken) : len(taken) + n]


class RandomEngine:
    """Uniform sampling without repeats."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    def ask(self, n: int, generation: int) -> NDArray[np.int64]:
        space = self._setting.space
        rng = self._setting.generator(generation, "ask")
        nothing = np.zeros((0, len(space.blocks)), dtype=np.int64)
        return random_designs(space, n, rng, self._setting.is_fresh, taken=nothing)

    def tell(self, results: Results, generation: int) -> None:
        """Random search learns nothing."""

    def state(self) -> dict[str, Any]:
        return {"population": []}

    def restore(self, results: Results, state: dict[str, Any]) -> None:
        """Random search has nothing to go on from."""
