"""Which rows of a log go to train, valid and test."""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from moco.data.rows import DataError
from moco.data.schema import as_numbers

PARTS = ("train", "valid", "test")


class PartRows(NamedTuple):
    """Row numbers of each part, in the order of the log."""

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]


def stratified_rows(labels: NDArray[np.float32], valid_fraction: float, test_fraction: float, seed: int) -> PartRows:
    """A random split in which each part has the same share of positive labels.

    Args:
        labels: (N,) 0 or 1.
        valid_fraction: Share of the rows for valid.
        test_fraction: Share of the rows for test; train gets the rest.
        seed: Same seed, same split.

    Raises:
        DataError: the fractions leave a part empty, or a label is too rare to appear in each part.
    """
    n_valid, n_test = _part_sizes(len(labels), valid_fraction, test_fraction)
    rest, test = _stratified(labels, np.arange(len(labels)), n_test, seed)
    train, valid = _stratified(labels, rest, n_valid, seed)
    return PartRows(np.sort(train), np.sort(valid), np.sort(test))


def held_out_rows(
    labels: NDArray[np.float32], valid_fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The train and valid rows of a log whose test rows are elsewhere, split as by `stratified_rows`.

    Raises:
        DataError: the fraction leaves a part empty, or a label is too rare to appear in each part.
    """
    _require_share("valid_fraction", valid_fraction)
    n_valid = round(len(labels) * valid_fraction)
    if not 0 < n_valid < len(labels):
        raise DataError(f"{len(labels)} rows are too few for valid_fraction {valid_fraction}: a part would be empty")
    train, valid = _stratified(labels, np.arange(len(labels)), n_valid, seed)
    return np.sort(train), np.sort(valid)


def _stratified(
    labels: NDArray[np.float32], rows: NDArray[np.int64], n_held_out: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    # Imported here because scikit-learn takes a second to load and a cached data set does not need it.
    from sklearn.model_selection import train_test_split

    try:
        rest, held_out = train_test_split(rows, test_size=n_held_out, stratify=labels[rows], random_state=seed)
    except ValueError as error:
        n_positive = int(labels.sum())
        raise DataError(
            f"cannot split {len(labels)} rows, {n_positive} of them with label 1, so that train, valid and test "
            "each hold both labels; use more rows or larger fractions"
        ) from error
    return rest, held_out


def time_rows(time: pl.Series, valid_fraction: float, test_fraction: float, source: str) -> PartRows:
    """A split by time: the latest rows are test, those before them valid, the earliest train.

    Rows of the same time keep the order of the log, so the parts may share the instant at their border.

    Args:
        time: (N,) numbers, dates, or text; text is ordered as numbers if every value is one, else as text.
        valid_fraction: Share of the rows for valid.
        test_fraction: Share of the rows for test.
        source: Where the rows come from, for error messages.

    Raises:
        DataError: a time is missing, or the fractions leave a part empty.
    """
    in_time = rows_in_time(time, source)
    n_valid, n_test = _part_sizes(len(time), valid_fraction, test_fraction)
    n_train = len(time) - n_valid - n_test
    train, valid, test = np.split(in_time, [n_train, n_train + n_valid])
    return PartRows(np.sort(train), np.sort(valid), np.sort(test))


def rows_in_time(time: pl.Series, source: str) -> NDArray[np.int64]:
    """(N,) the rows of a log from the earliest to the latest; those of one time keep their order.

    Raises:
        DataError: a time is missing, or the column cannot be ordered.
    """
    try:
        time = as_numbers(time, source)
    except DataError:
        if time.dtype != pl.String:
            raise
        time = time.set(time == "", None)
    if time.null_count():
        row = int(time.is_null().arg_true()[0])
        raise DataError(f"{source}: time column {time.name!r} is empty in row {row + 1}; every row needs a time")
    ordered = time.to_frame("time").with_row_index("row").sort("time", maintain_order=True)
    return ordered["row"].to_numpy().astype(np.int64)


def require_seed(seed: int) -> None:
    """Raise DataError when scikit-learn could not take the seed."""
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise DataError(f"seed must be a whole number from 0 to 2**32 - 1, got {seed!r}")


def _require_share(name: str, fraction: float) -> None:
    if not 0.0 < fraction < 1.0:
        raise DataError(f"{name} must lie between 0 and 1, got {fraction}")


def _part_sizes(n_rows: int, valid_fraction: float, test_fraction: float) -> tuple[int, int]:
    for name, fraction in (("valid_fraction", valid_fraction), ("test_fraction", test_fraction)):
        _require_share(name, fraction)
    if not valid_fraction + test_fraction < 1.0:
        raise DataError(
            "valid_fraction and test_fraction must sum to less than 1 so that train gets rows, "
            f"got {valid_fraction} + {test_fraction} = {valid_fraction + test_fraction}"
        )
    sizes = (round(n_rows * valid_fraction), round(n_rows * test_fraction))
    if min(sizes) == 0 or sum(sizes) >= n_rows:
        raise DataError(
            f"{n_rows} rows are too few for valid_fraction {valid_fraction} and test_fraction {test_fraction}: "
            "a part would be empty"
        )
    return sizes
