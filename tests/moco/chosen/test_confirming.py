"""Which designs are trained again, by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from moco.chosen.confirming import N_SEEDS, least_sure
from moco.chosen.trained import PROMISING, FromScratch


def design(key: str) -> Any:
    return SimpleNamespace(key=key)


def result(key: str, seed: int, logloss: float) -> FromScratch:
    return FromScratch(
        key=key,
        role=PROMISING,
        seed=seed,
        n_epochs=1.0,
        valid_logloss=logloss,
        valid_auc=0.7,
        test_logloss=logloss,
        test_auc=0.7,
    )


LEAST_PJ = {"a": 9.0, "b": 5.0, "c": 6.0, "d": 1.0, "untrained": 2.0}
DESIGNS = [design(key) for key in LEAST_PJ]


def keys(results: list[FromScratch], n: int) -> tuple[list[str], int]:
    again, n_seeds = least_sure(DESIGNS, LEAST_PJ, results, n)
    return [one.key for one in again], n_seeds


def test_the_front_is_trained_again_the_most_accurate_first() -> None:
    once = [result("a", 0, 0.50), result("b", 0, 0.51), result("c", 0, 0.52), result("d", 0, 0.55)]
    assert keys(once, 1) == (["a"], 1)
    assert keys(once, 9) == (["a", "b", "d"], 1)  # c is dearer than b and worse
    assert least_sure(DESIGNS, LEAST_PJ, [], 3) == ([], 0)


def test_a_lucky_one_falls_back_and_the_next_is_looked_at() -> None:
    results = [result("a", 0, 0.50), result("b", 0, 0.51), result("d", 0, 0.55), result("a", 1, 0.54)]
    assert keys(results, 1) == (["b"], 1)  # a has a mean of 0.52 and more energy
    results += [result("b", 1, 0.51), result("b", 2, 0.51)]
    assert keys(results, 1) == (["d"], 1)
    results += [result("d", seed, 0.55) for seed in (1, 2)]
    assert keys(results, 1) == ([], 0)


def test_those_named_have_as_many_trainings_as_the_first() -> None:
    results = [result("a", 0, 0.50), result("a", 1, 0.50), result("b", 0, 0.51), result("d", 0, 0.55)]
    assert keys(results, 9) == (["a"], 2)
    assert keys([*results, result("a", 2, 0.50)], 9) == (["b", "d"], 1)


def test_what_is_chosen_so_is_better_than_the_best_of_one_training_each() -> None:
    """Forty designs of one energy whose log losses differ as much as their seeds do."""
    n, sd, gains = 40, 0.0024, []
    designs = [design(str(row)) for row in range(n)]
    for repeat in range(60):
        rng = np.random.default_rng(repeat)
        true = rng.normal(0.55, sd, n)
        results = [result(str(row), 0, true[row] + rng.normal(0, sd)) for row in range(n)]
        lucky = min(results, key=lambda one: one.valid_logloss).key
        while (found := least_sure(designs, dict.fromkeys(map(str, range(n)), 1.0), results, 1))[0]:
            (again,), seed = found
            results.append(result(again.key, seed, true[int(again.key)] + rng.normal(0, sd)))
        assert len(results) < n + 30 * N_SEEDS
        best = min(
            {one.key for one in results},
            key=lambda key: np.mean([one.valid_logloss for one in results if one.key == key]),
        )
        gains.append(true[int(lucky)] - true[int(best)])
    assert np.mean(gains) == pytest.approx(0.00065, abs=0.0004)
