from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import moco
from moco.data import CtrDataset, DataError, TableSchema, dataset_from_frame
from moco.data.tables import read_table

SCHEMA = TableSchema(label="click", categorical=("site", "user"), numeric=("price",), time="at")
N_ROWS = 40


def columns_of() -> dict[str, list[Any]]:
    return {
        "click": [i % 2 for i in range(N_ROWS)],
        "site": [f"s{i % 3}" if i % 7 else None for i in range(N_ROWS)],
        "user": [100 + i % 5 if i % 11 else None for i in range(N_ROWS)],
        "price": [i / 3 if i % 4 else None for i in range(N_ROWS)],
        "at": [N_ROWS - i for i in range(N_ROWS)],
    }


class Series:
    """As much of a pandas Series as is read, with NaN and None where pandas has them."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def to_numpy(self) -> np.ndarray:
        is_text = any(isinstance(value, str) for value in self._values)
        return np.array(self._values, dtype=object if is_text else np.float64)

    def isna(self) -> np.ndarray:
        return np.array([value is None for value in self._values])


class Frame:
    """As much of a pandas DataFrame as is read."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.columns = list(columns)
        self.iloc = self
        self._columns = columns

    def __getitem__(self, at: tuple[slice, int]) -> Series:
        return Series(self._columns[self.columns[at[1]]])


def frames() -> dict[str, Any]:
    columns = columns_of()
    numbers = {name: np.array(columns[name], dtype=np.float64) for name in ("user", "price")}
    return {
        "pandas-like": Frame(columns),
        "lists": columns,
        "arrays-of-objects": {name: np.array(values, dtype=object) for name, values in columns.items()},
        "arrays-with-nan": {name: np.array(values) for name, values in columns.items()} | numbers,
        "masked": columns
        | {
            name: np.ma.MaskedArray(
                np.nan_to_num(values).astype(np.int64 if name == "user" else float), np.isnan(values)
            )
            for name, values in numbers.items()
        },
        "polars-series": pl.DataFrame(columns).to_dict(),
        "unread-columns": columns | {"blob": np.zeros((3, 2, 2)), 5: "x"},
    }


@pytest.mark.parametrize("kind", frames())
def test_frames_of_every_kind_hold_the_same_data_set(kind: str) -> None:
    expected = dataset_from_frame(pl.DataFrame(columns_of()), SCHEMA)
    data = dataset_from_frame(frames()[kind], SCHEMA)
    # Whole numbers beside NaN are integers again: not '100.0'.
    assert data.vocabularies[1].sort().to_list() == ["100", "101", "102", "103", "104"]
    assert data.digest == expected.digest


def test_pandas() -> None:
    expected = dataset_from_frame(pl.DataFrame(columns_of()), SCHEMA).digest
    frame = pd.DataFrame(columns_of())
    for other in (frame, frame.convert_dtypes(), frame.astype({"site": "category", "user": "category"})):
        assert dataset_from_frame(other, SCHEMA).digest == expected
    dated = frame.assign(at=pd.date_range("2024-01-01", periods=N_ROWS, tz="Europe/Paris")[::-1])
    by_time = dataset_from_frame(frame, SCHEMA, split="time")
    assert dataset_from_frame(dated, SCHEMA, split="time").digest == by_time.digest


def test_ids_and_numbers_by_hand() -> None:
    part = np.repeat(["train", "valid", "test"], [4, 2, 2])
    data = dataset_from_frame(
        {
            "y": np.array([1, 0, 1, 0, 1, 0, 0, 1]),
            "X_cat": np.array([[7, 1], [7, 2], [8, 2], [7, 2], [8, 1], [9, 2], [7, 3], [8, 2]]),
            "X_int": np.array([[0.0], [3.0], [np.nan], [1.0], [2.0], [0.0], [0.0], [4.0]], dtype=np.float32),
            "part": part,
        },
        TableSchema(label="y", categorical=("X_cat",), numeric=("X_int",)),
        name="dlrm",
        split_column="part",
        numeric_transform="none",
    )
    assert (data.name, data.categorical, data.dense) == ("dlrm", ("X_cat_0", "X_cat_1"), ("X_int_0",))
    # Train holds 7 three times and 8 once, 2 three times and 1 once; 9 and 3 occur in other parts alone.
    np.testing.assert_array_equal(data.train.ids, [[1, 2], [1, 1], [2, 1], [1, 1]])
    np.testing.assert_array_equal(data.valid.ids, [[2, 2], [0, 1]])
    np.testing.assert_array_equal(data.test.ids, [[1, 0], [2, 1]])
    np.testing.assert_array_equal(data.train.dense, [[0.0], [3.0], [0.0], [1.0]])
    np.testing.assert_array_equal(data.test.labels, [0.0, 1.0])
    assert data.n_missing == ((0, 0, 0), (0, 0, 0), (1, 0, 0))


def test_one_column_of_an_array_of_several() -> None:
    x = np.arange(2 * N_ROWS).reshape(N_ROWS, 2) % 6
    y = np.arange(N_ROWS).reshape(-1, 1) % 2
    one = dataset_from_frame({"x": x, "y": y}, TableSchema(label="y", categorical=("x_1",)))
    alone = dataset_from_frame({"x_1": x[:, 1], "y_0": y[:, 0]}, TableSchema(label="y_0", categorical=("x_1",)))
    assert one.digest == alone.digest
    # An array of that very name comes first.
    both = dataset_from_frame({"x": x, "x_1": x[:, 0], "y": y}, TableSchema(label="y", categorical=("x_1",)))
    assert both.vocabularies[0].sort().to_list() == ["0", "2", "4"]


def test_options_are_those_of_a_table() -> None:
    frame = pl.DataFrame(columns_of())
    by_time = dataset_from_frame(frame, SCHEMA, split="time", test_fraction=0.25)
    np.testing.assert_array_equal(by_time.test.labels, frame["click"].head(10))
    assert dataset_from_frame(frame, SCHEMA, seed=1).digest != dataset_from_frame(frame, SCHEMA).digest
    assert dataset_from_frame(frame, SCHEMA, min_count=N_ROWS).cardinalities == (1, 1)
    assert moco.dataset_from_frame is dataset_from_frame


@pytest.mark.parametrize(
    "dtype", ["datetime64[D]", "datetime64[h]", "datetime64[s]", "datetime64[ns]", "timedelta64[m]", "int16", "f2", "g"]
)
def test_times_and_numbers_of_numpy(dtype: str) -> None:
    columns = columns_of() | {"at": np.arange(N_ROWS, 0, -1).astype(dtype)}
    expected = dataset_from_frame(columns_of(), SCHEMA, split="time")
    assert dataset_from_frame(columns, SCHEMA, split="time").digest == expected.digest


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(np.array([b"a", b"\xc3\xa9"]), ["a", "é"], id="bytes"),
        pytest.param(np.array(["a", "b"], dtype=np.dtypes.StringDType()), ["a", "b"], id="numpy-strings"),
        pytest.param([1, "a"], ["1", "a"], id="mixed"),
        pytest.param([2**70, -1], ["-1", str(2**70)], id="large"),
        pytest.param([True, float("nan")], ["true"], id="bool"),
        pytest.param([1.5, None], ["1.5"], id="not-whole"),
        pytest.param(np.array([1.0, 2.0]), ["1.0", "2.0"], id="floats-without-a-gap"),
    ],
)
def test_values_as_names(values: Any, expected: list[str]) -> None:
    columns = columns_of()
    columns["site"] = np.tile(values, N_ROWS // 2) if isinstance(values, np.ndarray) else values * (N_ROWS // 2)
    assert dataset_from_frame(columns, SCHEMA).vocabularies[0].sort().to_list() == expected


@pytest.mark.parametrize(
    ("site", "message"),
    [
        pytest.param([1, 2], r"log: declared columns must have one length, got 40 rows of 'click' and 2", id="short"),
        pytest.param(np.zeros((2, 2, 2)), r"log: array 'site' must have shape \(N,\) or \(N, k\), got \(2", id="3-d"),
        pytest.param(np.zeros((40, 0)), r"'site' must have shape \(N,\) or \(N, k\), got \(40, 0\)", id="no-columns"),
        pytest.param(np.array(5), r"'site' must have shape \(N,\) or \(N, k\), got \(\)", id="scalar"),
        pytest.param("x", r"log: column 'site' must be an array, got str", id="text"),
        pytest.param(iter([1]), r"log: column 'site' must be an array, got list_iterator", id="iterator"),
        pytest.param([1j] * N_ROWS, r"column 'site' of type Object cannot be read as String", id="object"),
        pytest.param(np.zeros(N_ROWS, complex), r"column 'site' of type complex128 is neither", id="complex"),
        pytest.param([[1], "a"] * 20, r"column 'site' holds \[1\] of type list; give one plain", id="list"),
        pytest.param(np.array([b"\xff"] * N_ROWS), r"column 'site' holds bytes that are not UTF-8", id="not-utf-8"),
    ],
)
def test_columns_that_cannot_be_read(site: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataset_from_frame(columns_of() | {"site": site}, SCHEMA, name="log")


def test_errors() -> None:
    columns = columns_of()
    with pytest.raises(TypeError, match=r"frame must be a polars or pandas DataFrame or a mapping .*, got list"):
        dataset_from_frame([columns], SCHEMA)
    with pytest.raises(TypeError, match=r"got LazyFrame; call its collect\(\)"):
        dataset_from_frame(pl.LazyFrame(columns), SCHEMA)
    with pytest.raises(TypeError, match="schema must be a TableSchema, got str"):
        dataset_from_frame(columns, "click")
    with pytest.raises(DataError, match=r"seed must be a whole number from 0 to .*, got -1"):
        dataset_from_frame(columns, SCHEMA, seed=-1)
    with pytest.raises(DataError, match="table: unknown column 'user'; columns are 'click', 'site', 'price', 'at'"):
        dataset_from_frame({name: values for name, values in columns.items() if name != "user"}, SCHEMA)
    with pytest.raises(DataError, match=r"table has no rows"):
        dataset_from_frame({name: [] for name in columns}, SCHEMA)
    with pytest.raises(DataError, match=r"table: label 'click' must be 0 or 1, got 2 in row 1"):
        dataset_from_frame(columns | {"click": [2] * N_ROWS}, SCHEMA)
    twice = Frame(columns)
    twice.columns[1] = "click"
    with pytest.raises(DataError, match=r"frame must name each column once, got 'click' more than once; rename or"):
        dataset_from_frame(twice, SCHEMA)
    wide = columns | {"x": np.zeros((N_ROWS, 2)), "part": np.full((N_ROWS, 1), "train")}
    with pytest.raises(DataError, match=r"label must be one column, but array 'x' has 2; name one of them, as x_0"):
        dataset_from_frame(wide, TableSchema(label="x", categorical=("site",)))
    with pytest.raises(DataError, match=r"unknown column 'x_2'; array 'x' has the columns x_0 to x_1"):
        dataset_from_frame(wide, TableSchema(label="click", categorical=("x_2",)))
    with pytest.raises(DataError, match=r"must name each column once, got 'x_0' more than once"):
        dataset_from_frame(wide, TableSchema(label="click", categorical=("x_0",), numeric=("x",)))
    with pytest.raises(DataError, match=r"split_column 'part' must have one axis; each row needs one part"):
        dataset_from_frame(wide, SCHEMA, split_column="part")


ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=3)),
        st.one_of(st.none(), st.integers(-3, 12)),
        st.one_of(st.none(), st.floats(-1e6, 1e6, width=32)),
    ),
    min_size=20,
    max_size=30,
)


def in_csv(frame: pl.DataFrame, folder: Path) -> CtrDataset:
    frame.write_csv(folder / "log.csv", quote_style="non_numeric")
    return read_table((folder / "log.csv",), schema=LAW)


def in_parquet(frame: pl.DataFrame, folder: Path) -> CtrDataset:
    frame.write_parquet(folder / "log.parquet")
    return read_table((folder / "log.parquet",), schema=LAW)


def in_npz(frame: pl.DataFrame, folder: Path) -> CtrDataset:
    site = frame["site"].fill_null("").to_numpy().astype(str)
    others = frame.select("click", "user", "price").to_dict(as_series=True)
    np.savez(folder / "log.npz", site=site, **{name: column.to_numpy() for name, column in others.items()})
    return read_table((folder / "log.npz",), schema=LAW)


LAW = TableSchema(label="click", categorical=("site", "user"), numeric=("price",))
FORMS: dict[str, Callable[[pl.DataFrame, Path], CtrDataset]] = {
    "csv": in_csv,
    "parquet": in_parquet,
    "npz": in_npz,
    "polars": lambda frame, _: dataset_from_frame(frame, LAW, name="log"),
    "pandas-like": lambda frame, _: dataset_from_frame(Frame(frame.to_dict(as_series=False)), LAW, name="log"),
    "lists": lambda frame, _: dataset_from_frame(frame.to_dict(as_series=False), LAW, name="log"),
    "arrays": lambda frame, _: dataset_from_frame(
        {column.name: column.to_numpy() for column in frame}, LAW, name="log"
    ),
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
@example(rows=[(None, None, None)] * 19 + [("\x1f", None, None)])
def test_the_form_of_the_same_rows_does_not_matter(
    rows: list[tuple[str | None, int | None, float | None]], tmp_path: Path
) -> None:
    columns = {"click": pl.UInt8, "site": pl.String, "user": pl.Int64, "price": pl.Float64}
    frame = pl.DataFrame([(row % 2, *cells) for row, cells in enumerate(rows)], schema=columns, orient="row")
    digests = {form: read(frame, tmp_path).digest for form, read in FORMS.items()}
    assert set(digests.values()) == {digests["csv"]}, digests
