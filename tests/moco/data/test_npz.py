import zipfile
from pathlib import Path

import numpy as np
import pytest

from moco.data import CtrDataset, DataError, TableSchema, dataset_from_frame, load_dataset

DLRM = TableSchema(label="y", categorical=("X_cat",), numeric=("X_int",))


def arrays_of(n_rows: int = 100) -> dict[str, np.ndarray]:
    """Named and shaped as DLRM's kaggleAdDisplayChallenge_processed.npz, which has 13 and 26 columns."""
    rng = np.random.default_rng(0)
    return {
        "X_int": rng.integers(-1, 50, (n_rows, 3), dtype=np.int32),
        "X_cat": rng.integers(0, 9, (n_rows, 2), dtype=np.int32),
        "y": np.arange(n_rows, dtype=np.int32) % 2,
        "counts": np.array([9, 9], dtype=np.int32),
    }


@pytest.fixture
def load(tmp_path: Path):
    def load(path: Path, schema: TableSchema | None = DLRM, **options: object) -> CtrDataset:
        return load_dataset("table", path, schema=schema, cache_dir=tmp_path / "cache", **options)

    return load


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_name_stands_for_all_columns_of_an_array(save, tmp_path: Path, load) -> None:
    arrays = arrays_of()
    save(tmp_path / "day.npz", **arrays)
    data = load(tmp_path / "day.npz")
    assert (data.name, data.categorical) == ("day", ("X_cat_0", "X_cat_1"))
    assert data.dense == ("X_int_0", "X_int_1", "X_int_2")
    columns = {f"{name}_{k}": arrays[name][:, k] for name in ("X_int", "X_cat") for k in range(arrays[name].shape[1])}
    named = TableSchema(label="y", categorical=data.categorical, numeric=data.dense)
    assert load(tmp_path / "day.npz", named).digest == data.digest
    assert dataset_from_frame({"y": arrays["y"], **columns}, named, name="day").digest == data.digest
    assert dataset_from_frame(arrays, DLRM, name="day").digest == data.digest
    with np.load(tmp_path / "day.npz") as file:
        assert dataset_from_frame(file, DLRM, name="day").digest == data.digest


def test_dense_values_by_hand(tmp_path: Path, load) -> None:
    arrays = arrays_of()
    arrays["X_int"][:] = [[0, 1, -1]]
    np.savez(tmp_path / "day.npz", **arrays)
    # ln(max(x, 0) + 1), as DLRM reads its integers.
    np.testing.assert_allclose(load(tmp_path / "day.npz").train.dense[0], [0.0, np.log(2.0), 0.0], rtol=1e-6)


def test_parts_and_split_column(tmp_path: Path, load) -> None:
    arrays = arrays_of()
    part = np.repeat(["train", "valid", "test"], [60, 20, 20])
    np.savez(tmp_path / "day.npz", part=part, **arrays)
    (tmp_path / "day").mkdir()
    for name in np.unique(part):
        np.savez(tmp_path / "day" / f"{name}.npz", **{k: arrays[k][part == name] for k in ("X_int", "X_cat", "y")})
    assert load(tmp_path / "day").digest == load(tmp_path / "day.npz", split_column="part").digest
    np.savez(tmp_path / "day" / "valid.npz", X_int=arrays["X_int"][:, :2], X_cat=arrays["X_cat"], y=arrays["y"])
    with pytest.raises(DataError, match=r"the schema means 6 columns in train.npz and 5 in valid.npz"):
        load(tmp_path / "day")


def test_columns_that_are_not_there(tmp_path: Path, load) -> None:
    np.savez(tmp_path / "day.npz", **arrays_of())
    with pytest.raises(DataError, match=r"day.npz: unknown column 'x'; columns are 'X_int', 'X_cat', 'y', 'counts'"):
        load(tmp_path / "day.npz", TableSchema(label="y", categorical=("x",)))
    with pytest.raises(DataError, match=r"day.npz: unknown column 'X_int_3'; array 'X_int' has the columns X_int_0 to"):
        load(tmp_path / "day.npz", TableSchema(label="y", categorical=("X_int_3",)))
    with pytest.raises(DataError, match=r"one length, got 100 rows of 'y' and 2 of 'counts'"):
        load(tmp_path / "day.npz", TableSchema(label="y", categorical=("X_cat",), numeric=("counts",)))
    with pytest.raises(DataError, match="needs a schema: TableSchema"):
        load(tmp_path / "day.npz", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(
            {"X_cat": np.array([1, "a"] * 50, dtype=object)}, r"'X_cat' holds Python objects, which could", id="o"
        ),
        pytest.param({"X_cat": np.zeros((100, 2, 2))}, r"'X_cat' must have shape \(N,\) or \(N, k\), got", id="3-d"),
        pytest.param({"X_int": np.zeros((99, 3))}, r"got 100 rows of 'y' and 99 of 'X_int_0'", id="length"),
        pytest.param({"y": np.zeros((100, 2))}, r"label must be one column, but array 'y' has 2", id="label"),
        pytest.param({"X_int": np.full((100, 3), "a")}, r"numeric column 'X_int_0' holds 'a' in row 1", id="text"),
        pytest.param({"X_int": np.full((100, 3), np.inf)}, r"numeric column 'X_int_0' holds inf in", id="infinite"),
        pytest.param({"y": np.full(100, 2)}, r"day.npz: label 'y' must be 0 or 1, got 2 in row 1", id="label-value"),
    ],
)
def test_unusable_arrays(change: dict[str, np.ndarray], message: str, tmp_path: Path, load) -> None:
    np.savez(tmp_path / "day.npz", **(arrays_of() | change))
    with pytest.raises(DataError, match=message):
        load(tmp_path / "day.npz")


def test_damaged_files(tmp_path: Path, load) -> None:
    path = tmp_path / "day.npz"
    np.savez_compressed(path, **arrays_of(5000))
    whole = path.read_bytes()
    middle = len(whole) // 2
    for damaged in (b"", b"click,site\n", whole[:middle], whole[:middle] + b"\0" * 50 + whole[middle + 50 :]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"cannot read .*day.npz as npz: .*; it is damaged or of another kind"):
            load(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(DataError, match=r"day.npz holds one array without a name; save columns by name with numpy.sav"):
        load(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("y", "1,0")
    with pytest.raises(DataError, match=r"day.npz: 'y' is not an array; write the file with numpy.savez"):
        load(path, TableSchema(label="y", categorical=("y_",)))
