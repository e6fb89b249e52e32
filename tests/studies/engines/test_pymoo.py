"""Variation of genomes, pymoo side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces.space import ChoiceBlock, Space
from studies.engines import Results
from studies.engines.pymoo import (
    _least_violation_tournament,
    _population,
    crossed,
    mutated,
    reference_directions,
)


def space_of(n_choices: list[int], is_ordered: list[bool]) -> Space:
    blocks = [
        ChoiceBlock(f"b{i}", tuple(range(n)), is_ordered=ordered)
        for i, (n, ordered) in enumerate(zip(n_choices, is_ordered, strict=True))
    ]
    return Space("s", tuple(blocks))


blocks = st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=8)


@settings(max_examples=50)
@given(blocks, st.integers(0, 10_000), st.integers(1, 20))
def test_children_are_genomes(shape: list[tuple[int, bool]], seed: int, n_pairs: int) -> None:
    space = space_of([n for n, _ in shape], [ordered for _, ordered in shape])
    is_ordered = np.array([ordered for _, ordered in shape])
    rng = np.random.default_rng(seed)
    pairs = space.sample(rng, 2 * n_pairs).reshape(2, n_pairs, len(shape))
    children = crossed(pairs, space, rng)
    space.check(children)
    space.check(mutated(children, space, rng))
    first, second = children.reshape(2, n_pairs, len(shape))
    # Unordered choices are those of the parents, each child the other's complement.
    unordered = ~is_ordered
    np.testing.assert_array_equal(
        np.sort([first[:, unordered], second[:, unordered]], axis=0), np.sort(pairs[:, :, unordered], axis=0)
    )
    # Equal parents have equal children.
    twins = np.stack([pairs[0], pairs[0]])
    np.testing.assert_array_equal(crossed(twins, space, rng), np.concatenate(twins))


def test_ordered_blocks_move_to_neighbours_and_unordered_anywhere() -> None:
    space = space_of([33, 33], [True, False])
    genomes = np.full((20_000, 2), 16)
    moved = mutated(genomes, space, np.random.default_rng(0)) - 16
    ordered, unordered = (column[column != 0] for column in moved.T)
    assert np.median(np.abs(ordered)) <= 2
    assert 7 <= np.median(np.abs(unordered)) <= 9  # uniform over 0..32
    # Probability 1 / P = 1/2, less the mutations that land where they were: 1/33 of the unordered ones.
    assert len(unordered) / 20_000 == pytest.approx(0.5 * 32 / 33, abs=0.02)


def test_a_lost_choice_can_come_back() -> None:
    # Rounded polynomial mutation alone hardly ever moves between two choices.
    space = space_of([2] * 10, [True] * 10)
    genomes = np.zeros((10_000, 10), dtype=np.int64)
    changed = mutated(genomes, space, np.random.default_rng(0))
    # Probability 1/10 to mutate, a tenth of that by resampling, half of which stays: 0.005.
    assert changed.mean() == pytest.approx(0.005, abs=0.001)


def test_smaller_violation_wins_and_ties_repeat_with_the_seed() -> None:
    violations = np.array([[0.5], [-1.0], [-2.0], [0.1]])
    population = _population(
        Results(number=np.arange(4), genomes=np.zeros((4, 1), int), values=np.zeros((4, 2)), violations=violations)
    )
    pairs = np.array([[0, 1], [0, 3], [3, 2]])
    winners = _least_violation_tournament(population, pairs, random_state=np.random.default_rng(0))
    assert winners.tolist() == [[1], [3], [2]]
    ties = np.tile([[1, 2]], (200, 1))
    first, second = (_least_violation_tournament(population, ties, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert set(first.ravel()) == {1, 2}


@pytest.mark.parametrize(
    ("n_objectives", "population_size", "expected"),
    # Das and Dennis: C(p + M - 1, M - 1) directions for p partitions; C(14, 2) = 91 and C(15, 2) = 105.
    [(3, 100, 91), (3, 105, 105), (2, 100, 100), (3, 3, 3), (1, 100, 1)],
)
def testreference_directions_fill_the_population(n_objectives: int, population_size: int, expected: int) -> None:
    directions = reference_directions("nsga3", n_objectives, population_size)
    assert directions.shape == (expected, n_objectives)
    np.testing.assert_allclose(directions.sum(axis=1), 1.0)
