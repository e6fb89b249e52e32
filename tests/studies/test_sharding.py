"""Generations in shards: the same results whatever carries them and into how many they are cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from studies import Evaluation, sharded
from studies.sharding import joined


def odd(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values that show the order of rows."""
    return np.column_stack([genomes @ np.arange(1, genomes.shape[1] + 1), genomes[:, 0]]).astype(float)


@pytest.mark.parametrize(
    ("backend", "n_jobs"), [("threading", 1), ("threading", 2), ("threading", 7), ("loky", 2), (None, 1)]
)
def test_results_do_not_depend_on_shards(truss: Any, backend: str | None, n_jobs: int) -> None:
    genomes = truss.space.sample(np.random.default_rng(0), 23)
    whole = truss.evaluate(genomes)
    parts = sharded(truss.evaluate, n_jobs, backend)(genomes)
    np.testing.assert_array_equal(parts.values, whole.values)
    np.testing.assert_array_equal(parts.constraints, whole.constraints)
    assert set(parts.attributes) == set(whole.attributes)
    for name, values in whole.attributes.items():
        np.testing.assert_array_equal(parts.attributes[name], values)


def test_a_study_is_the_same_with_and_without_shards(truss: Any, same: Callable[..., None]) -> None:
    whole = truss.study(population_size=10)
    whole.optimize(truss.evaluate, 30)
    for n_jobs in (1, 2, 7):
        study = truss.study(population_size=10)
        study.optimize(sharded(truss.evaluate, n_jobs, "threading"), 30)
        same(study.trials(), whole.trials())


def test_every_shard_is_called_once_and_none_is_empty() -> None:
    sizes: list[int] = []

    def evaluate(genomes: NDArray[np.int64]) -> NDArray[np.float64]:
        sizes.append(len(genomes))
        return odd(genomes)

    genomes = np.arange(10).reshape(5, 2)
    np.testing.assert_array_equal(sharded(evaluate, 3, "threading")(genomes).values, odd(genomes))
    assert sorted(sizes) == [1, 2, 2]
    sizes.clear()
    sharded(evaluate, 7, "threading")(genomes)
    assert sizes == [1] * 5
    sizes.clear()
    assert np.shape(sharded(evaluate, 7, "threading")(genomes[:0]).values) == (0, 2)
    assert sizes == [0]


def test_the_backend_may_come_from_the_context() -> None:
    genomes = np.arange(12).reshape(6, 2)
    with joblib.parallel_config("threading", n_jobs=2):
        np.testing.assert_array_equal(sharded(odd, 2)(genomes).values, odd(genomes))


@given(sizes=st.lists(st.integers(0, 4), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_joining_what_was_split_gives_the_whole(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    whole = Evaluation(
        rng.random((n, 2)),
        rng.random((n, 1)),
        {"a": rng.random(n), "b": rng.random((n, 3))},
        {row: f"reason {row}" for row in np.flatnonzero(rng.random(n) < 0.3).tolist()},
    )
    edges = np.cumsum([0, *sizes])
    parts = []
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        parts.append(
            Evaluation(
                np.asarray(whole.values)[start:end],
                np.asarray(whole.constraints)[start:end],
                {name: np.asarray(values)[start:end] for name, values in whole.attributes.items()},
                {row - start: reason for row, reason in whole.failures.items() if start <= row < end},
            )
        )
    again = joined(parts, sizes)
    np.testing.assert_array_equal(again.values, whole.values)
    np.testing.assert_array_equal(again.constraints, whole.constraints)  # type: ignore[arg-type]
    for name, values in whole.attributes.items():
        np.testing.assert_array_equal(again.attributes[name], values)
    assert again.failures == whole.failures


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            Evaluation([[1.0]], attributes={"b": [1.0]}),
            r"the same attributes for every shard: shard 0 has \['a'\], shard 1",
        ),
        (Evaluation([[1.0]], [[1.0]], {"a": [1.0]}), "constraints for every shard or for none: shards 0 and 1 differ"),
        (
            Evaluation([[1.0], [2.0]], attributes={"a": [1.0]}),
            r"objective values of shard 1 .* its 1 designs .* \(2, 1\)",
        ),
        (
            Evaluation([[1.0, 2.0]], attributes={"a": [1.0]}),
            r"objective values of shard 1 .* columns of shard 0 \(1,\)",
        ),
        (Evaluation(1.0, attributes={"a": [1.0]}), r"objective values of shard 1 .* got shape \(\)"),
        (Evaluation([[1.0]], attributes={"a": [1.0, 2.0]}), "attribute 'a' of shard 1 must have one row for each"),
    ],
)
def test_shards_that_do_not_fit(second: Evaluation, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        joined([Evaluation([[1.0]], attributes={"a": [1.0]}), second], [1, 1])


def test_no_shards() -> None:
    with pytest.raises(ValueError, match="n_jobs must be a number of shards, or -1 for one a core, got 0"):
        sharded(odd, 0)


def test_what_a_shard_raises_comes_through_and_the_design_is_found(truss: Any) -> None:
    def evaluate(genomes: NDArray[np.int64]) -> Evaluation:
        if (genomes[:, 1] == genomes[0, 1]).all() and len(genomes) > 1:
            raise ValueError("never")
        if (genomes[:, 1] > 17).any():
            raise OSError("too wide")
        return truss.evaluate(genomes)

    genomes = np.zeros((8, 5), dtype=np.int64)
    genomes[:, 1] = np.arange(12, 20)
    with pytest.raises(OSError, match="too wide"):
        sharded(evaluate, 3, "threading")(genomes)
    study = truss.study(known=genomes, population_size=8)
    study.optimize(sharded(evaluate, 3, "threading"), 8)
    assert study.failures().genomes[:, 1].tolist() == [18, 19]
    assert len(study.trials()) == 6


def test_dask_carries_the_shards() -> None:
    distributed = pytest.importorskip("dask.distributed")
    genomes = np.arange(46).reshape(23, 2)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        np.testing.assert_array_equal(sharded(odd, -1)(genomes).values, odd(genomes))
        np.testing.assert_array_equal(sharded(odd, 7)(genomes).values, odd(genomes))
