"""A generation evaluated in shards, at once on several cores or machines, by joblib."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import joblib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from studies.failures import Evaluate
from studies.objective import Evaluation


def sharded(evaluate: Evaluate, n_jobs: int, backend: str | None = None) -> Callable[[NDArray[np.int64]], Evaluation]:
    """An evaluate function that splits each generation into `n_jobs` shards and joins what comes back, in order.

    The study stores the same whatever the number of shards, as long as the values of a design depend on nothing but
    the design: not on its neighbours in the batch, nor on a generator that goes on from call to call. Where a shard
    raises an exception, the study tries each design by itself, one after another: an evaluate that returns what failed
    (Evaluation.failures) keeps all shards busy.

        study.optimize(sharded(evaluate, n_jobs=4), n_trials=2000)

    On a cluster, Dask carries the shards; its workers must be able to import what evaluate uses:

        client = dask.distributed.Client("tcp://scheduler:8786")
        with joblib.parallel_config("dask"):
            study.optimize(sharded(evaluate, n_jobs=-1), n_trials=2000)

    Args:
        evaluate: Maps (B, P) genomes to (B, M) objectives, or to an Evaluation. Processes get a copy each time: keep
            large arrays in files or in the module, not in a closure.
        n_jobs: Shards; -1 for one a core, or a worker of the cluster.
        backend: Of joblib: "loky" (processes), "threading" and the like. None takes the one that
            joblib.parallel_config set, else processes.

    Raises:
        ValueError: n_jobs is 0; when called: shards return different things, or not one row a design.
    """
    if n_jobs == 0:
        raise ValueError("n_jobs must be a number of shards, or -1 for one a core, got 0")

    def evaluate_in_shards(genomes: NDArray[np.int64]) -> Evaluation:
        with joblib.parallel_config(backend) if backend is not None else joblib.parallel_config():
            n_shards = max(1, min(joblib.effective_n_jobs(n_jobs), len(genomes)))
            shards = np.array_split(genomes, n_shards)
            results = joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(evaluate)(shard) for shard in shards)
        return joined(results, [len(shard) for shard in shards])

    return evaluate_in_shards


def joined(results: Sequence[Evaluation | ArrayLike], sizes: Sequence[int]) -> Evaluation:
    """The evaluations of consecutive shards as that of all their designs.

    Args:
        sizes: Designs of each shard.

    Raises:
        ValueError: Shards return different things, or not one row a design.
    """
    parts = [result if isinstance(result, Evaluation) else Evaluation(result) for result in results]
    names = [sorted(part.attributes) for part in parts]
    for shard, part in enumerate(parts):
        if names[shard] != names[0]:
            raise ValueError(
                f"evaluate must return the same attributes for every shard: shard 0 has {names[0]}, "
                f"shard {shard} has {names[shard]}"
            )
        if (part.constraints is None) != (parts[0].constraints is None):
            raise ValueError(
                f"evaluate must return constraints for every shard or for none: shards 0 and {shard} differ"
            )
    has_constraints = parts[0].constraints is not None
    return Evaluation(
        values=_stacked("objective values", [part.values for part in parts], sizes),
        constraints=(
            _stacked("constraint values", [part.constraints for part in parts if part.constraints is not None], sizes)
            if has_constraints
            else None
        ),
        attributes={
            name: _stacked(f"attribute {name!r}", [part.attributes[name] for part in parts], sizes)
            for name in parts[0].attributes
        },
        failures={
            start + row: reason
            for start, part in zip(np.cumsum([0, *sizes]).tolist(), parts, strict=False)
            for row, reason in part.failures.items()
        },
    )


def _stacked(what: str, columns: Sequence[ArrayLike], sizes: Sequence[int]) -> NDArray[np.float64]:
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    for shard, (array, size) in enumerate(zip(arrays, sizes, strict=True)):
        if array.ndim == 0 or len(array) != size or array.shape[1:] != arrays[0].shape[1:]:
            raise ValueError(
                f"{what} of shard {shard} must have one row for each of its {size} designs and the columns of shard 0 "
                f"{arrays[0].shape[1:]}, got shape {array.shape}"
            )
    return np.concatenate(arrays)
