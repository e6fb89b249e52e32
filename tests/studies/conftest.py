"""Problems with known answers, shared by the tests of studies."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Constraint, Evaluation, Objective, Study, Trials

Evaluate = Callable[[NDArray[np.int64]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A space, a function of its genomes, and what to ask of it."""

    space: Space
    evaluate: Evaluate
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = field(default=())

    def study(self, storage: Path | None = None, **settings: Any) -> Study:
        name = settings.pop("name", "test")
        return Study(name, self.space, self.objectives, self.constraints, storage=storage, **settings)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_interrupts() -> None:
    """Also where the tests run in the background of a script, which makes them ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def step(study: Study, evaluate: Evaluate, n: int, n_generations: int = 1) -> None:
    """Some generations by ask and tell, which leave the dashboard alone."""
    for _ in range(n_generations):
        genomes = study.ask(n)
        study.tell(genomes, evaluate(genomes))


def assert_same(a: Trials, b: Trials) -> None:
    """Bit for bit."""
    for name in ("number", "generation", "genomes", "values", "constraints", "is_feasible"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert a.keys == b.keys
    assert list(a.attributes) == list(b.attributes)
    for name, values in a.attributes.items():
        np.testing.assert_array_equal(values, b.attributes[name], err_msg=name)


@pytest.fixture
def dtlz2() -> Problem:
    """DTLZ2 (Deb et al. 2002) with 12 variables of 32 levels and 3 objectives; the front is the unit sphere."""
    levels = 32

    def evaluate(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        x = genomes / (levels - 1.0)
        g = ((x[:, 2:] - 0.5) ** 2).sum(axis=1)
        a, b = x[:, 0] * np.pi / 2, x[:, 1] * np.pi / 2
        return np.stack([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)], axis=1) * (1 + g)[:, None]

    return Problem(
        space=Space("dtlz2", tuple(ChoiceBlock(f"x{i}", tuple(range(levels)), is_ordered=True) for i in range(12))),
        evaluate=evaluate,
        objectives=tuple(Objective(name=f"f{i}", reference=1.1) for i in range(3)),
    )


@pytest.fixture
def truss() -> Problem:
    """A small constrained problem with ordered, unordered and conditional blocks, a maximised objective and attributes.

    Bars of some material and width: stiffness against mass, with limits on cost and width.
    """
    density, stiffness, price = np.array([7.8, 2.7, 1.6]), np.array([210.0, 70.0, 140.0]), np.array([1.0, 3.0, 20.0])
    space = Space(
        "truss",
        (
            ChoiceBlock("material", ("steel", "aluminium", "carbon")),
            ChoiceBlock("width_mm", tuple(range(1, 21)), is_ordered=True),
            ChoiceBlock("bars", tuple(range(1, 11)), is_ordered=True),
            ChoiceBlock("is_hollow", (False, True)),
            ChoiceBlock("wall_mm", (1, 2, 3, 4), is_ordered=True, only_if=("is_hollow", True)),
        ),
    )

    def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
        material, width, bars = genomes[:, 0], genomes[:, 1] + 1.0, genomes[:, 2] + 1.0
        area = np.where(genomes[:, 3] == 1, np.minimum(width**2, 4 * width * (genomes[:, 4] + 1)), width**2) * bars
        mass = density[material] * area
        return Evaluation(
            values=np.stack([mass, stiffness[material] * area * width**2], axis=1),
            constraints=np.stack([price[material] * mass, width * bars], axis=1),
            attributes={"bars": bars, "split": np.stack([area, -area], axis=1)},
        )

    return Problem(
        space=space,
        evaluate=evaluate,
        objectives=(
            Objective(name="mass_g", unit="g", reference=30_000.0),
            Objective(name="stiffness", direction="max", reference=0.0),
        ),
        constraints=(Constraint(name="cost", limit=5000.0, unit="EUR"), Constraint(name="width_mm", limit=60.0)),
    )


@pytest.fixture
def run() -> Callable[..., None]:
    return step


@pytest.fixture
def same() -> Callable[[Trials, Trials], None]:
    return assert_same
