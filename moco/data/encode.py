"""Typed columns to ids and dense numbers: vocabularies and numeric transforms, learned from train rows only."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data.rows import DataError

NumericKind = Literal["log", "standard", "none"]

LEAST_DEVIATION = 1e-150
"""Below it squares of differences fall out of what numbers can hold, and a column counts as constant."""


@dataclass(frozen=True, slots=True)
class NumericTransform:
    """How raw numbers become dense inputs: (f(x) - shift) / scale for each field; a missing value becomes 0.

    Attributes:
        kind: "log": f(x) = ln(max(x, 0) + 1), as NASRec, AutoCTR and DLRM read Criteo; "standard" and
            "none": f(x) = x.
        shift: (D,) mean over the train rows for "standard", else 0.
        scale: (D,) standard deviation over the train rows for "standard", else 1; 1 for a constant field.
    """

    kind: NumericKind
    shift: tuple[float, ...]
    scale: tuple[float, ...]

    def dense(self, frame: pl.DataFrame, numeric: tuple[str, ...], source: str) -> NDArray[np.float32]:
        """(N, D) dense inputs of the numeric columns, float64 with null for missing.

        Raises:
            DataError: a transformed value does not fit float32.
        """
        dense = np.zeros((frame.height, len(numeric)), dtype=np.float32)
        for column, name, shift, scale in zip(dense.T, numeric, self.shift, self.scale, strict=True):
            values = frame[name].to_numpy()  # null becomes NaN
            if self.kind == "log":
                values = np.log1p(np.maximum(values, 0.0))
            values = (values - shift) / scale
            too_large = np.abs(values) > np.finfo(np.float32).max
            if too_large.any():
                row = int(too_large.argmax())
                raise DataError(
                    f"{source}: numeric column {name!r} holds {frame[name][row]!r} in row {row + 1}, too large for "
                    "float32; use numeric_transform='log'"
                )
            column[:] = np.where(np.isnan(values), 0.0, values)
        return dense


def fit_transform(train: pl.DataFrame, numeric: tuple[str, ...], kind: NumericKind) -> NumericTransform:
    """The transform of the numeric columns, its statistics taken from the train rows.

    Raises:
        DataError: kind is unknown.
    """
    if kind not in get_args(NumericKind):
        known = ", ".join(repr(known) for known in get_args(NumericKind))
        raise DataError(f"unknown numeric_transform {kind!r}; transforms are {known}")
    if kind != "standard":
        return NumericTransform(kind, (0.0,) * len(numeric), (1.0,) * len(numeric))
    shift: list[float] = []
    scale: list[float] = []
    for name in numeric:
        values = train[name].drop_nulls().to_numpy()
        std = float(values.std()) if values.size else 0.0
        shift.append(float(values.mean()) if values.size else 0.0)
        # Rounding leaves a constant column a deviation of about 1e-16 of its value.
        scale.append(std if std > max(1e-12 * abs(shift[-1]), LEAST_DEVIATION) else 1.0)
    return NumericTransform(kind, tuple(shift), tuple(scale))


def vocabulary(column: pl.Series, min_count: int) -> pl.Series:
    """The values of a train column that get an id of their own; value i of the result has id i + 1.

    Values are ordered by falling count, then by value, so that the ids do not depend on the order of the rows.

    Args:
        column: Text, null for missing.
        min_count: A value seen in fewer rows is left out and falls to id 0.

    Raises:
        DataError: min_count is not a whole number of at least 1.
    """
    if not isinstance(min_count, int) or min_count < 1:
        raise DataError(f"min_count must be a whole number of at least 1, got {min_count!r}")
    counts = column.drop_nulls().alias("value").value_counts(name="n_rows")
    kept = counts.filter(pl.col("n_rows") >= min_count)
    return kept.sort("n_rows", "value", descending=[True, False])["value"].alias(column.name)


def field_ids(
    frame: pl.DataFrame, categorical: tuple[str, ...], vocabularies: tuple[pl.Series, ...]
) -> NDArray[np.int32]:
    """(N, F) ids of the categorical columns; 0 where a value is missing or not in the vocabulary of its field."""
    ids = np.zeros((frame.height, len(categorical)), dtype=np.int32)
    for column, name, values in zip(ids.T, categorical, vocabularies, strict=True):
        known = pl.int_range(1, len(values) + 1, dtype=pl.Int32, eager=True)
        column[:] = frame[name].replace_strict(values, known, default=0, return_dtype=pl.Int32).to_numpy()
    return ids
