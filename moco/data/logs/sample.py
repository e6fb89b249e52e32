"""A sub-sample of a stored log in memory: a CtrDataset, so that all that reads one works on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data.dataset import CtrDataset
from moco.data.encode import NumericTransform
from moco.data.logs.stored import StoredLog
from moco.data.rows import DataError, Rows
from moco.data.split import PARTS


@dataclass(frozen=True, kw_only=True, eq=False)
class LogSample(CtrDataset):
    """Some rows of a stored log with small tables: a field's ids are those that its train rows hold, most frequent
    first; any other value has id 0.

    Attributes:
        log: Where the rows come from.
        stored_ids: (F,) arrays: id i + 1 of the sample is the id stored_ids[f][i] of the log.
    """

    log: StoredLog
    stored_ids: tuple[NDArray[np.int64], ...]

    def encode(self, frame: pl.DataFrame) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """As `CtrDataset.encode`; raw values go through the encoding of the log first."""
        ids, dense = self.log.encode(frame)
        return _compacted(ids, self.stored_ids), dense

    def save(self, folder: str | Path) -> None:
        """Refused: the stored log is the saved form, from which the same sample is drawn again.

        Raises:
            DataError: always.
        """
        raise DataError(f"a sample is drawn again from its stored log; keep {self.log.folder} in place of {folder}")


def draw_sample(log: StoredLog, n_rows: int | None = None, seed: int = 0) -> LogSample:
    """Rows drawn without replacement, each part in proportion, their order kept.

    Args:
        log: The stored log.
        n_rows: Of train, valid and test together; None, or as many as there are, for the whole log (4 bytes a field
            and row).
        seed: Of the draw.

    Raises:
        DataError: too few rows for both labels in each part.
    """
    if n_rows is not None and (not isinstance(n_rows, int) or n_rows < 30):
        raise DataError(f"n_rows must be a whole number of at least 30, got {n_rows!r}")
    rng = np.random.default_rng(seed)
    parts: dict[str, Rows] = {}
    n_missing = []
    for name in PARTS:
        part = log.part(name)
        at = part.row_numbers.astype(np.int64)
        if n_rows is not None and n_rows < len(log):
            size = max(1, round(len(part) * n_rows / len(log)))
            at = at[np.sort(rng.choice(len(part), size=size, replace=False, shuffle=False))]
        parts[name] = log.gather(at)
        if parts[name].labels.min() == parts[name].labels.max():
            raise DataError(f"part {name!r} of a sample of {n_rows} rows has one label only; take more rows")
        n_missing.append(log.n_missing(at).tolist())
    stored_ids = tuple(_frequent_first(column) for column in parts["train"].ids.T)
    parts = {name: Rows(_compacted(rows.ids, stored_ids), rows.dense, rows.labels) for name, rows in parts.items()}
    held = sum(len(rows) for rows in parts.values())
    n_dense = len(log.dense)
    return LogSample(
        name=log.name if held == len(log) else f"{log.name}, {held:,} of {len(log):,} rows, seed {seed}",
        categorical=log.categorical,
        dense=log.dense,
        cardinalities=tuple(ids.size + 1 for ids in stored_ids),
        vocabularies=tuple(log.values(f, ids) for f, ids in enumerate(stored_ids)),
        transform=NumericTransform("log", (0.0,) * n_dense, (1.0,) * n_dense),
        n_missing=tuple((train, valid, test) for train, valid, test in zip(*n_missing, strict=True)),
        log=log,
        stored_ids=stored_ids,
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
    )


def _frequent_first(ids: NDArray[np.int32]) -> NDArray[np.int64]:
    values, counts = np.unique(ids[ids > 0], return_counts=True)
    ordered: NDArray[np.int64] = values[np.argsort(-counts, kind="stable")].astype(np.int64)
    return ordered


def _compacted(ids: NDArray[np.int32], stored_ids: tuple[NDArray[np.int64], ...]) -> NDArray[np.int32]:
    compacted = np.zeros_like(ids)
    for column, new, kept in zip(ids.T, compacted.T, stored_ids, strict=True):
        order: NDArray[Any] = np.argsort(kept)
        ordered = kept[order]
        if ordered.size:
            at = np.minimum(np.searchsorted(ordered, column), ordered.size - 1)
            new[:] = np.where(ordered[at] == column, order[at] + 1, 0)
    return compacted
