import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.data import DataError
from moco.data.split import held_out_rows, stratified_rows, time_rows


@given(
    n_positive=st.integers(20, 200),
    n_negative=st.integers(20, 200),
    fractions=st.tuples(st.floats(0.1, 0.4), st.floats(0.1, 0.4)),
    seed=st.integers(0, 2**32 - 1),
)
def test_stratified_parts_cover_every_row_once_with_equal_label_means(
    n_positive: int, n_negative: int, fractions: tuple[float, float], seed: int
) -> None:
    labels = np.repeat(np.array([1.0, 0.0], dtype=np.float32), [n_positive, n_negative])
    parts = stratified_rows(labels, *fractions, seed)
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    for part in parts:
        assert (np.diff(part) > 0).all()  # the order of the log is kept
        # Whole rows only: two roundings of at most one row each.
        assert abs(labels[part].sum() - len(part) * labels.mean()) <= 2.0
    again = stratified_rows(labels, *fractions, seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_held_out_rows_are_a_stratified_share() -> None:
    labels = np.tile(np.array([0, 1, 0, 0], dtype=np.float32), 25)
    train, valid = held_out_rows(labels, 0.2, 0)
    assert sorted([*train, *valid]) == list(range(100))
    assert (len(valid), labels[valid].sum(), labels[train].sum()) == (20, 5.0, 20.0)
    assert not np.array_equal(held_out_rows(labels, 0.2, 1)[1], valid)
    with pytest.raises(DataError, match=r"valid_fraction must lie between 0 and 1, got 1.0"):
        held_out_rows(labels, 1.0, 0)
    with pytest.raises(DataError, match=r"4 rows are too few for valid_fraction 0.1: a part would be empty"):
        held_out_rows(labels[:4], 0.1, 0)


def test_seeds_give_different_splits() -> None:
    labels = np.tile(np.array([0, 1], dtype=np.float32), 50)
    assert not np.array_equal(stratified_rows(labels, 0.1, 0.1, 0).test, stratified_rows(labels, 0.1, 0.1, 1).test)


@pytest.mark.parametrize(
    "times",
    [
        pytest.param([9, 1, 5, 10, 3], id="numbers"),
        pytest.param(["9", "1", "5", "10", "3"], id="numbers-as-text"),
        pytest.param(["2024-09-01", "2024-01-01", "2024-05-01", "2024-10-01", "2024-03-01"], id="iso-8601"),
    ],
)
def test_time_split_puts_the_latest_rows_into_test(times: list[int] | list[str]) -> None:
    parts = time_rows(pl.Series("t", times), 0.2, 0.2, "log.csv")
    assert [part.tolist() for part in parts] == [[1, 2, 4], [0], [3]]


def test_equal_times_keep_the_order_of_the_log() -> None:
    parts = time_rows(pl.Series("t", [1] * 10), 0.2, 0.3, "log.csv")
    assert [part.tolist() for part in parts] == [[0, 1, 2, 3, 4], [5, 6], [7, 8, 9]]


@pytest.mark.parametrize("value", [None, ""])
def test_every_row_needs_a_time(value: str | None) -> None:
    with pytest.raises(DataError, match=r"log.csv: time column 't' is empty in row 2; every row needs a time"):
        time_rows(pl.Series("t", ["2024-01-01", value, "2024-01-02"]), 0.3, 0.3, "log.csv")


def test_errors() -> None:
    labels = np.tile(np.array([0, 1], dtype=np.float32), 50)
    with pytest.raises(DataError, match=r"must sum to less than 1 .* got 0.5 \+ 0.5 = 1.0"):
        stratified_rows(labels, 0.5, 0.5, 0)
    with pytest.raises(DataError, match=r"valid_fraction must lie between 0 and 1, got 0"):
        stratified_rows(labels, 0, 0.1, 0)
    with pytest.raises(DataError, match=r"test_fraction must lie between 0 and 1, got nan"):
        time_rows(pl.Series("t", [1, 2, 3]), 0.1, float("nan"), "log.csv")
    with pytest.raises(DataError, match=r"4 rows are too few for valid_fraction 0.1 and test_fraction 0.1"):
        stratified_rows(labels[:4], 0.1, 0.1, 0)
    with pytest.raises(
        DataError, match=r"cannot split 100 rows, 1 of them with label 1, so that train, valid and test"
    ):
        stratified_rows((np.arange(100) == 7).astype(np.float32), 0.1, 0.1, 0)
