"""Predictions: exact where the answer is known by hand, and what is cheap is computed, not predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from spaces.space import ChoiceBlock, Space
from studies import Constraint, Evaluation, Objective, Study
from studies.engines.gaussian_process import Surrogate, encoded

SPACE = Space(
    "s",
    (
        ChoiceBlock("width", (8, 16, 32), is_ordered=True),
        ChoiceBlock("kind", ("a", "b", "c")),
        ChoiceBlock("fixed", (1,), is_ordered=True),
    ),
)


def test_encoding_by_hand() -> None:
    half = np.sqrt(0.5)
    expected = [[0.0, half, 0, 0, 0.0], [0.5, 0, 0, half, 0.0], [1.0, 0, half, 0, 0.0]]
    np.testing.assert_allclose(encoded(SPACE, np.array([[0, 0, 0], [1, 2, 0], [2, 1, 0]])), expected)
    a, b = encoded(SPACE, np.array([[0, 0, 0], [0, 1, 0]]))
    assert np.linalg.norm(a - b) == pytest.approx(1.0)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(20, 60))
def test_what_each_choice_adds_is_learned(seed: int, n: int) -> None:
    # A sum over blocks is what the linear part of the kernel is for: new designs are predicted nearly exactly.
    rng = np.random.default_rng(seed)
    space = Space("sum", tuple(ChoiceBlock(f"b{i}", (0, 1, 2), is_ordered=i % 2 == 0) for i in range(4)))
    worth = rng.normal(size=(4, 3))
    worth[::2] = worth[::2, :1] * np.arange(3)  # ordered blocks add in proportion
    designs = space.sample(rng, n + 40)
    values = worth[np.arange(4), designs].sum(axis=1)[:, None] * [1.0, -1e6] + [0.0, 1e9]
    code = encoded(space, designs)
    model = Surrogate(code[:n], values[:n], rng)
    error = np.abs(model.predict(code[n:]) - values[n:]) / values.std(axis=0)
    assert np.median(error) < 0.05


@pytest.mark.parametrize("n", [1, 2, 30])
def test_flat_targets_and_equal_designs_are_predicted_flat(n: int) -> None:
    code = encoded(SPACE, np.tile([[1, 2, 0]], (n, 1)))
    model = Surrogate(code, np.full((n, 2), [3.0, -7.0]), np.random.default_rng(0))
    other = encoded(SPACE, np.array([[1, 2, 0], [0, 0, 0]]))
    np.testing.assert_allclose(model.predict(other), np.tile([[3.0, -7.0]], (2, 1)))


def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
    """Error, which few correct choices lower, against a cost; a limit on the cost of the first half."""
    error = (genomes != 3).mean(axis=1) + 0.02 * (genomes[:, ::2] * genomes[:, 1::2]).mean(axis=1)
    cost = (genomes + 1.0).sum(axis=1)
    return Evaluation(np.stack([-error, cost], axis=1), (genomes[:, :10] + 1.0).sum(axis=1, keepdims=True))


def search(engine: str, seed: int, cheap: Any = None, n: int = 150) -> Study:
    space = Space("p", tuple(ChoiceBlock(f"b{i}", tuple(range(6))) for i in range(20)))
    objectives = [Objective(name="worth", direction="max", reference=-1.5), Objective(name="cost", reference=130.0)]
    constraints = [Constraint(name="half", limit=40.0)]
    study = Study("s", space, objectives, constraints, engine=engine, seed=seed, population_size=30, cheap=cheap)
    study.optimize(evaluate, n)
    return study


def partly(genomes: NDArray[np.int64]) -> Evaluation:
    full = evaluate(genomes)
    values = np.array(full.values)
    values[:, 0] = np.nan
    return Evaluation(values, full.constraints, {"sum": genomes.sum(axis=1), "two": genomes[:, :2]})


def test_surrogate_beats_the_search_that_it_breeds_with() -> None:
    volumes = {engine: [search(engine, seed).hypervolume() for seed in range(3)] for engine in ("spea2", "surrogate")}
    assert min(volumes["surrogate"]) > max(volumes["spea2"])


def test_cheap_quantities_are_computed_with_their_sign_and_limit() -> None:
    told = search("surrogate", 0, partly)
    assert told.hypervolume() > search("spea2", 0).hypervolume()
    # Proposals on exact costs keep the limit, but for the tenth that no prediction has chosen.
    assert told.trials().is_feasible[-30:].mean() > 0.8


def test_what_cheap_says_is_believed() -> None:
    # Told that every design of the sixth choice in the first block breaks the limit, the search hardly proposes one.
    def wrong(genomes: NDArray[np.int64]) -> Evaluation:
        full = partly(genomes)
        return Evaluation(full.values, np.where(genomes[:, :1] == 0, 1e3, 1.0))

    proposed = search("surrogate", 0, wrong).trials().genomes[60:]
    assert (proposed[:, 0] == 0).mean() < 0.15


@pytest.mark.parametrize(
    ("compute", "message"),
    [
        (lambda genomes: np.zeros(len(genomes)), r"objectives of cheap must have shape \(30, 2\), NaN where a design"),
        (lambda genomes: Evaluation(np.zeros((len(genomes), 2)), np.zeros((len(genomes), 3))), "constraints of cheap"),
        (
            lambda genomes: Evaluation(np.zeros((len(genomes), 2)), None, {"x": np.full(len(genomes), np.nan)}),
            "attribute 'x' of cheap must be finite",
        ),
    ],
)
def test_wrong_cheap_quantities_are_refused(compute: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        search("surrogate", 0, compute, n=60)
