"""The encoding of a public log without its rows: the rule of each field, as plain data and applied to new rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data import StoredLog
from moco.data.logs.cells import signed
from moco.data.logs.encode import FieldRule, FieldTable

CONSTANT = "constant_0"
"""The dense input of the authors' encoding that stands for no column."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LogEncoding:
    """The encoding of a stored log, or of a sample of one.

    Attributes:
        log: The log's tables and names; it holds no rows.
        kept: Of a sample: (F,) arrays, id i + 1 of the sample is the id kept[f][i] of the log, any other is 0.
    """

    log: StoredLog
    kept: tuple[NDArray[np.int64], ...] | None = None

    @classmethod
    def of(cls, log: StoredLog, kept: Sequence[NDArray[np.int64]] | None = None) -> Self:
        """That of a log whose rows are left behind."""
        bare = _without_rows(log.tables, log.dense, log.max_table_rows)
        return cls(log=bare, kept=None if kept is None else tuple(kept))

    @property
    def categorical(self) -> tuple[str, ...]:
        """(F,) names of the categorical fields."""
        return self.log.categorical

    @property
    def dense(self) -> tuple[str, ...]:
        """(D,) names of the dense inputs."""
        return self.log.dense

    @property
    def columns(self) -> tuple[str, ...]:
        """Raw columns that new rows must have."""
        return (*self.categorical, *(name for name in self.dense if name != CONSTANT))

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """(F,) embedding rows of each field."""
        return self.log.cardinalities if self.kept is None else tuple(len(ids) + 1 for ids in self.kept)

    def encode(self, frame: pl.DataFrame, source: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """(N, F) ids and (N, D) dense inputs of raw rows; DataError names what cannot be read."""
        ids, dense = self.log.encode(frame)
        if self.kept is not None:
            for column, stored, rows in zip(ids.T, self.kept, self.log.cardinalities, strict=True):
                of_sample = np.zeros(rows, dtype=np.int32)
                of_sample[stored] = np.arange(1, len(stored) + 1)
                column[:] = of_sample[column]
        return ids, dense

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        fields = []
        for f, (table, rows) in enumerate(zip(self.log.tables, self.log.cardinalities, strict=True)):
            fields.append(
                {
                    "name": table.name,
                    "rule": table.rule,
                    "kind": table.kind,
                    "table_rows": int(table.table_rows),
                    "limit": int(rows) if rows < table.table_rows else None,
                    "values": table.keys.tolist() if table.kind == "hex" else signed(np.asarray(table.keys)),
                    "kept": None if self.kept is None else self.kept[f].tolist(),
                }
            )
        numbers = [
            {"name": name, "kind": "zero" if name == CONSTANT else "log", "shift": 0.0, "scale": 1.0}
            for name in self.dense
        ]
        return {"fields": fields, "dense": numbers, "max_table_rows": self.log.max_table_rows}

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote."""
        fields = entries["fields"]
        tables = tuple(_table(field) for field in fields)
        log = _without_rows(tables, tuple(str(one["name"]) for one in entries["dense"]), entries["max_table_rows"])
        kept = [field["kept"] for field in fields]
        if None in kept:
            return cls(log=log)
        for ids, rows in zip(kept, log.cardinalities, strict=True):
            if ids and not 0 < min(ids) <= max(ids) < rows:
                raise ValueError(f"'kept' must hold ids from 1 to {rows - 1}")
        return cls(log=log, kept=tuple(np.array(ids, dtype=np.int64) for ids in kept))


def _without_rows(tables: tuple[FieldTable, ...], dense: Sequence[str], max_table_rows: int | None) -> StoredLog:
    bare = StoredLog(folder=Path(), manifest={"dense": list(dense)}, tables=tables, _arrays={})
    return bare.capped(max_table_rows)


def _table(field: Mapping[str, Any]) -> FieldTable:
    rule, kind, rows, values = field["rule"], field["kind"], field["table_rows"], field["values"]
    if rule not in get_args(FieldRule) or kind not in ("hex", "decimal"):
        raise ValueError(f"field {field['name']!r} has unknown rule {rule!r} or kind {kind!r}")
    if type(rows) is not int or not (1 if rule == "vocabulary" else 2) <= rows < 2**31:
        raise ValueError(
            f"'table_rows' of field {field['name']!r} must be at least 2 (1 for a vocabulary), got {rows!r}"
        )
    if rule == "vocabulary" and len(values) != rows - 1:
        raise ValueError(f"field {field['name']!r} must have {rows - 1} values, got {len(values)}")
    dtype = np.uint32 if kind == "hex" else np.uint64
    keys = np.array([value % 2**64 for value in values], dtype=dtype)
    return FieldTable(name=str(field["name"]), kind=kind, rule=rule, table_rows=rows, keys=keys)
