"""How raw column values become a network's inputs, as a JSON file: written from a data set, read back, applied.

A table names the values of each categorical field (`TableEncoding`); a public log has rules for the numbers that its
values stand for (`LogEncoding`). Both encode new rows exactly as the data set does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data import ClickLog, NumericTransform, StoredLog
from moco.data.encode import field_ids
from moco.data.logs import LOG_FORMATS, LogSample
from moco.data.packed import POLARS_ERRORS
from moco.data.schema import as_numbers, typed_features
from moco.export.log_encoding import LogEncoding
from moco.export.manifest import ExportError

FORMAT = "moco preprocessing 1"

_MEANING = (
    "An empty cell is a missing value. A categorical cell becomes an id: under rule 'text' value i of 'values' has id "
    "i + 1, and a missing or any other value has id 0; predict.py spells the other rules out. A numeric cell x "
    "becomes (f(x) - shift) / scale, with f(x) = ln(max(x, 0) + 1) for kind 'log' and f(x) = x otherwise, and 0 "
    "where it is missing; kind 'zero' is the constant 0, without a column."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class TableEncoding:
    """The encoding of a table: F categorical fields with vocabularies, D numeric ones.

    Attributes:
        vocabularies: (F,) named after their fields; value i has id i + 1.
        dense: (D,) names of the numeric fields.
        transform: From raw numbers to dense inputs.
    """

    vocabularies: tuple[pl.Series, ...]
    dense: tuple[str, ...]
    transform: NumericTransform

    @property
    def categorical(self) -> tuple[str, ...]:
        """(F,) names of the categorical fields."""
        return tuple(values.name for values in self.vocabularies)

    @property
    def columns(self) -> tuple[str, ...]:
        """Raw columns that new rows must have."""
        return (*self.categorical, *self.dense)

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """(F,) embedding rows of each field."""
        return tuple(len(values) + 1 for values in self.vocabularies)

    def encode(self, frame: pl.DataFrame, source: str) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """(N, F) ids and (N, D) dense inputs of raw rows; DataError names what cannot be read."""
        typed = typed_features(frame, self.categorical, self.dense, source)
        ids = field_ids(typed, self.categorical, self.vocabularies)
        return ids, self.transform.dense(typed, self.dense, source)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        numbers = zip(self.dense, self.transform.shift, self.transform.scale, strict=True)
        return {
            "fields": [{"name": one.name, "rule": "text", "values": one.to_list()} for one in self.vocabularies],
            "dense": [
                {"name": name, "kind": self.transform.kind, "shift": shift, "scale": scale}
                for name, shift, scale in numbers
            ],
        }

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote."""
        dense = entries["dense"]
        kinds = {number["kind"] for number in dense} or {"none"}
        if not kinds <= {"log", "standard", "none"} or len(kinds) != 1:
            raise ValueError(f"'dense' must be of one kind, log, standard or none, got {sorted(kinds)}")
        shift, scale = (tuple(float(number[name]) for number in dense) for name in ("shift", "scale"))
        return cls(
            vocabularies=tuple(
                pl.Series(field["name"], field["values"], dtype=pl.String, strict=True) for field in entries["fields"]
            ),
            dense=tuple(str(number["name"]) for number in dense),
            transform=NumericTransform(kinds.pop(), shift, scale),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Preprocessing:
    """All that turns raw rows into what a network reads.

    Attributes:
        encoding: Of the features.
        label: Column of the label in a raw log; None where it is not known.
        label_is_count: The label column counts clicks, and the label is 1 from one click on.
        header: Columns of the raw files where these have no header line; None where they have one.
    """

    encoding: TableEncoding | LogEncoding
    label: str | None = None
    label_is_count: bool = False
    header: tuple[str, ...] | None = None

    @classmethod
    def of(cls, data: ClickLog, label: str | None = None) -> Self:
        """That of a data set.

        Args:
            data: The data set.
            label: Column of the label in raw rows; that of a public log is known.
        """
        log = data.log if isinstance(data, LogSample) else data
        if not isinstance(log, StoredLog):
            vocabularies = tuple(map(pl.Series.alias, log.vocabularies, log.categorical))
            return cls(
                encoding=TableEncoding(vocabularies=vocabularies, dense=log.dense, transform=log.transform), label=label
            )
        log_format = LOG_FORMATS[log.manifest["plan"]["log"]]
        of_file = next(column.name for column in log_format.columns if column.kind == "label")
        has_header = log_format.has_header or bool(log_format.joined)
        return cls(
            encoding=LogEncoding.of(log, data.stored_ids if isinstance(data, LogSample) else None),
            label=label or of_file,
            label_is_count=log_format.counts_clicks,
            header=None if has_header else log_format.header,
        )

    def labels(self, frame: pl.DataFrame, source: str) -> NDArray[np.float32] | None:
        """(N,) labels of raw rows, 0 or 1; None where the frame has no label column.

        Raises:
            ValueError: A label is something else.
        """
        if self.label is None or self.label not in frame.columns:
            return None
        numbers = as_numbers(frame[self.label], source).to_numpy()  # null becomes NaN
        if self.label_is_count:
            numbers = np.where(numbers >= 0, np.minimum(numbers, 1), numbers)
        wrong = ~np.isin(numbers, (0.0, 1.0))
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(
                f"{source}: label {self.label!r} must be 0 or 1, got {frame[self.label][row]!r} in row {row + 1}; "
                "remove the column to predict without scores"
            )
        labels: NDArray[np.float32] = numbers.astype(np.float32)
        return labels

    def to_json(self) -> str:
        """As JSON text."""
        header = None if self.header is None else list(self.header)
        label = {"column": self.label, "is_count": self.label_is_count}
        entries = {"format": FORMAT, "meaning": _MEANING, "label": label, "header": header, **self.encoding.to_dict()}
        return json.dumps(entries, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote.

        Raises:
            ExportError: The text is something else, or of another format.
        """
        try:
            entries = json.loads(text)
            written_as = entries["format"]
            if written_as == FORMAT:
                label, header = entries["label"], entries["header"]
                is_table = all(field["rule"] == "text" for field in entries["fields"])
                return cls(
                    encoding=(TableEncoding if is_table else LogEncoding).from_dict(entries),
                    label=None if label["column"] is None else str(label["column"]),
                    label_is_count=bool(label["is_count"]),
                    header=None if header is None else tuple(map(str, header)),
                )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, *POLARS_ERRORS) as error:
            raise ExportError(f"this preprocessing is damaged ({error!r}): export the design again") from error
        raise ExportError(
            f"this preprocessing has format {written_as!r}, this version reads {FORMAT!r}: export the design again"
        )
