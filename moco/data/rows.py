"""The rows of one part of a log as arrays, and the error of this package."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


class DataError(ValueError):
    """A log, a saved data set or an option that cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One part (train, valid or test) of an encoded log: N rows, F categorical and D dense fields.

    Attributes:
        ids: (N, F) ids local to their field; 0 stands for a value that is missing or out of vocabulary.
        dense: (N, D) transformed numbers, all finite; D may be 0.
        labels: (N,) 0 or 1; of train rows also between them, where a teacher softened them (`moco.runs.teacher`).
    """

    ids: NDArray[np.int32]
    dense: NDArray[np.float32]
    labels: NDArray[np.float32]

    def __post_init__(self) -> None:
        n_rows = len(self.labels)
        for name, n_axes, dtype in (("ids", 2, np.int32), ("dense", 2, np.float32), ("labels", 1, np.float32)):
            array = getattr(self, name)
            if array.dtype != dtype or array.ndim != n_axes or len(array) != n_rows:
                raise DataError(
                    f"{name} must be {np.dtype(dtype)} with {n_axes} axes and a row for each of {n_rows} labels, "
                    f"got {array.dtype} of shape {array.shape}"
                )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def label_mean(self) -> float:
        """Share of rows with label 1."""
        return float(self.labels.mean(dtype=np.float64))

    def rows(self, indices: NDArray[np.integer[Any]]) -> "Rows":
        """Rows by their index, in the order asked for; repeats are allowed."""
        return Rows(self.ids[indices], self.dense[indices], self.labels[indices])
