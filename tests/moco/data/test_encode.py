import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moco.data import DataError, NumericTransform
from moco.data.encode import field_ids, fit_transform, vocabulary


def texts(*values: str | None) -> pl.DataFrame:
    return pl.DataFrame({"c": pl.Series(values, dtype=pl.String)})


def test_vocabulary_orders_by_count_then_value() -> None:
    column = texts("b", "a", "c", "c", None, "b", "d")["c"]
    assert vocabulary(column, min_count=1).to_list() == ["b", "c", "a", "d"]
    assert vocabulary(column, min_count=2).to_list() == ["b", "c"]
    assert vocabulary(column, min_count=3).to_list() == []


def test_missing_rare_and_new_values_get_id_0() -> None:
    values = vocabulary(texts("b", "a", "b", "a", "rare", None)["c"], min_count=2)
    assert field_ids(texts("a", "b", "rare", "new", None), ("c",), (values,)).tolist() == [[1], [2], [0], [0], [0]]


@given(st.lists(st.one_of(st.none(), st.text(min_size=1)), min_size=1), st.randoms())
def test_ids_decode_to_their_values_and_ignore_row_order(values: list[str | None], random: object) -> None:
    known = vocabulary(texts(*values)["c"], min_count=1)
    ids = field_ids(texts(*values), ("c",), (known,))[:, 0]
    assert [None if i == 0 else known[int(i) - 1] for i in ids] == values
    random.shuffle(values)
    assert vocabulary(texts(*values)["c"], min_count=1).to_list() == known.to_list()


def test_log_transform_by_hand() -> None:
    frame = pl.DataFrame({"n": [0.0, np.e - 1.0, -3.0, None]})
    dense = fit_transform(frame, ("n",), "log").dense(frame, ("n",), "log.csv")
    np.testing.assert_allclose(dense[:, 0], [0.0, 1.0, 0.0, 0.0], rtol=1e-6)
    assert dense.dtype == np.float32


def test_standard_transform_takes_its_statistics_from_train() -> None:
    train = pl.DataFrame({"n": [1.0, 3.0, None], "constant": [0.1, 0.1, 0.1]})
    transform = fit_transform(train, ("n", "constant"), "standard")
    assert transform == NumericTransform("standard", (2.0, pytest.approx(0.1)), (1.0, 1.0))
    test = pl.DataFrame({"n": [5.0, None], "constant": [0.1, 0.1]})
    np.testing.assert_allclose(transform.dense(test, ("n", "constant"), "t"), [[3.0, 0.0], [0.0, 0.0]], atol=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
@example([0.0, 6.391706622172154e-162])  # whose squares are too small for a number
def test_standard_has_mean_0_and_deviation_at_most_1(values: list[float]) -> None:
    frame = pl.DataFrame({"n": values})
    dense = fit_transform(frame, ("n",), "standard").dense(frame, ("n",), "t").astype(np.float64)
    assert dense.mean() == pytest.approx(0.0, abs=1e-3)
    assert dense.std() <= 1.0 + 1e-3


def test_no_dense_fields_give_an_empty_array() -> None:
    frame = texts("a", "b")
    assert fit_transform(frame, (), "log").dense(frame, (), "t").shape == (2, 0)


def test_a_field_without_any_train_value_standardises() -> None:
    frame = pl.DataFrame({"n": pl.Series([None, None], dtype=pl.Float64)})
    assert fit_transform(frame, ("n",), "standard").dense(frame, ("n",), "t").tolist() == [[0.0], [0.0]]


def test_errors() -> None:
    frame = pl.DataFrame({"n": [1.0, 1e300]})
    with pytest.raises(DataError, match=r"unknown numeric_transform 'cube'; transforms are 'log', 'standard', 'none'"):
        fit_transform(frame, ("n",), "cube")
    with pytest.raises(DataError, match=r"t.csv: numeric column 'n' holds 1e\+300 in row 2, too large for float32"):
        fit_transform(frame, ("n",), "none").dense(frame, ("n",), "t.csv")
    with pytest.raises(DataError, match="min_count must be a whole number of at least 1, got 0"):
        vocabulary(texts("a")["c"], min_count=0)
