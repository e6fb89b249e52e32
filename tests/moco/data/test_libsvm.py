import gzip
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from moco.data import CtrDataset, DataError, TableSchema, load_dataset
from moco.data.libsvm import read_libsvm

LINES = ["1 3:1 10:0.5 7:1", "0 4:1 10:2 8:1", "1 3:1 10:0 8:1", "0 3:1 10:1 7:1"]


@pytest.fixture
def load(tmp_path: Path):
    def load(path: Path, **options: object) -> CtrDataset:
        return load_dataset("table", path, cache_dir=tmp_path / "cache", **options)

    return load


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join([*lines, ""]))
    return path


def test_fields_by_hand(tmp_path: Path, load) -> None:
    for part, lines in (("train", LINES), ("valid", LINES[:2]), ("test", ["1 5:1 10:3 7:1", "0 3:1 10:1 9:1"])):
        write(tmp_path / f"{part}.libsvm", *lines)
    data = load(tmp_path, fields=["user", "price", "site"], numeric_transform="none")
    assert (data.categorical, data.dense) == (("user", "site"), ("price",))
    assert [values.to_list() for values in data.vocabularies] == [["3", "4"], ["7", "8"]]
    np.testing.assert_array_equal(data.train.ids, [[1, 1], [2, 2], [1, 2], [1, 1]])
    np.testing.assert_array_equal(data.train.dense, [[0.5], [2.0], [0.0], [1.0]])
    np.testing.assert_array_equal(data.test.ids, [[0, 1], [1, 0]])  # 5 and 9 are not in train
    np.testing.assert_array_equal(data.test.labels, [1.0, 0.0])
    assert load(tmp_path).dense == ("field_2",)


def test_the_same_rows_as_csv(tmp_path: Path, load) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"label": np.arange(300) % 2, "a": rng.integers(0, 9, 300), "b": rng.integers(10, 20, 300)})
    frame = frame.with_columns(price=pl.Series(rng.normal(size=300).round(3)))
    frame.write_csv(tmp_path / "log.csv")
    write(tmp_path / "log.svm", *(f"{label} {a}:1 {b}:1 20:{price}" for label, a, b, price in frame.iter_rows()))
    schema = TableSchema(label="label", categorical=("a", "b"), numeric=("price",))
    expected = load(tmp_path / "log.csv", schema=schema, numeric_transform="standard", min_count=2)
    given = load(tmp_path / "log.svm", fields=("a", "b", "price"), numeric_transform="standard", min_count=2)
    assert given.digest == expected.digest


def test_every_way_to_write_a_line(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.libsvm", *LINES)
    schema, (expected,) = read_libsvm((plain,))
    assert schema == TableSchema(label="label", categorical=("field_1", "field_3"), numeric=("field_2",))
    assert expected["label"].to_list() == [1.0, 0.0, 1.0, 0.0]
    text = "# a comment\r\n\r\n+1 3:1 10:.5 7:1.0 # b\r\n-1\t4:1  10:2e0 8:1 \r\n  1.0 3:1 10:0 8:1\r\n \r\n"
    text += "-1 03:1 10:1 7:1"
    (tmp_path / "b.libfm").write_bytes(text.encode())
    (tmp_path / "b.libfm.gz").write_bytes(gzip.compress(text.encode()))
    pl.read_lines(plain).write_csv(tmp_path / "c.svm.zst", compression="zstd", include_header=False)
    for name in ("b.libfm", "b.libfm.gz", "c.svm.zst"):
        its_schema, (frame,) = read_libsvm((tmp_path / name,))
        assert its_schema == schema
        assert frame.equals(expected)


def test_a_field_is_judged_by_all_parts(tmp_path: Path) -> None:
    parts = tuple(
        write(tmp_path / f"{part}.svm", *lines)
        for part, lines in (("train", ["1 1:1 9:1", "0 2:1 9:1"]), ("valid", ["1 1:1 9:4", "0 2:1 9:1"]))
    )
    schema, frames = read_libsvm(parts)
    assert (schema.categorical, schema.numeric) == (("field_1",), ("field_2",))
    assert [frame["field_2"].to_list() for frame in frames] == [[1.0, 1.0], [4.0, 1.0]]
    assert read_libsvm(parts[:1])[0].categorical == ("field_1", "field_2")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("1 3:1 10:2", r"a.svm: line 5 has 2 entries, line 1 has 3; each line needs an entry", id="short"),
        pytest.param("1 3:1 10:2 7:1 8:1", r"line 5 has 4 entries, line 1 has 3", id="long"),
        pytest.param("1", r"line 5 has 0 entries", id="label-alone"),
        pytest.param("1 3:1 ten:2 7:1", r"a.svm: line 5 holds 'ten:2', not index:value with a whole", id="index"),
        pytest.param("1 3:1 -10:2 7:1", r"line 5 holds '-10:2', not index:value", id="negative"),
        pytest.param("1 3:1 1.5:2 7:1", r"line 5 holds '1.5:2', not index:value", id="fraction"),
        pytest.param("1 3:1 10:two 7:1", r"line 5 holds '10:two', not index:value", id="value"),
        pytest.param("1 3:1 10:nan 7:1", r"line 5 holds '10:nan', not index:value", id="nan"),
        pytest.param("1 3:1 10:1e999 7:1", r"line 5 holds '10:1e999', not index:value", id="infinite"),
        pytest.param("1 3:1 10: 7:1", r"line 5 holds '10:', not index:value", id="no-value"),
        pytest.param("1 3:1 10 7:1", r"line 5 holds '10', not index:value", id="no-colon"),
        pytest.param("1 3:1 1:10:2 7:1", r"line 5 holds '1:10:2', not index:value", id="libffm"),
        pytest.param("2 3:1 10:2 7:1", r"a.svm: label must be 0 or 1, or -1 or 1, got '2' in line 5", id="label"),
        pytest.param("a 3:1 10:2 7:1", r"label must be 0 or 1, or -1 or 1, got 'a' in line 5", id="label-text"),
        pytest.param("-1 3:1 10:2 7:1", r"or -1 and 1, got 0 in line 2 and -1 in line 5", id="labels-of-both-kinds"),
        pytest.param(
            "1 3:1 11:2 7:1",
            r"entry 2 of the lines \(field_2\) has value 0.5 in line 1, and its indices run from 10 to 11: a categ",
            id="neither-kind",
        ),
    ],
)
def test_malformed_line(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_libsvm((write(tmp_path / "a.svm", *LINES, line, *LINES),))


def test_errors(tmp_path: Path, load) -> None:
    path = write(tmp_path / "a.svm", *LINES * 10)
    schema = TableSchema(label="label", categorical=("field_1",))
    with pytest.raises(DataError, match=r"a.svm declares its own columns; leave the schema out, and name them by fi"):
        load(path, schema=schema)
    with pytest.raises(DataError, match=r"a.svm has neither times nor a split column; split it 'stratified' or in thr"):
        load(path, split="time")
    with pytest.raises(DataError, match=r"split 'given' of one file needs split_column"):
        load(path, split="given")
    with pytest.raises(DataError, match=r"fields must be a list of names, one for each entry of a line, got 'a,b,c'"):
        load(path, fields="a,b,c")
    with pytest.raises(DataError, match=r"a.svm: each line has 3 entries, but there are 2 fields: 'a', 'b'"):
        load(path, fields=["a", "b"])
    for third in ("a", "label"):
        with pytest.raises(DataError, match=rf"fields must be different names and none of them 'label', .* '{third}'"):
            load(path, fields=["a", "b", third])
    with pytest.raises(DataError, match=r"categorical must name at least one column, got none"):
        load(write(tmp_path / "b.svm", "1 1:0.5", "0 1:2"))
    with pytest.raises(DataError, match=r"c.svm: line 1 is '1', not label index:value"):
        load(write(tmp_path / "c.svm", "1", "0"))
    with pytest.raises(DataError, match=r"d.svm is empty; rows of a log are expected"):
        load(write(tmp_path / "d.svm", "# nothing", ""))
    (tmp_path / "e.svm").write_bytes(b"1 3:1 \xe9\n")
    with pytest.raises(DataError, match=r"cannot read .*e.svm as lines of text: invalid utf"):
        load(tmp_path / "e.svm")
    write(tmp_path / "f.svm.gz", *LINES)
    with pytest.raises(DataError, match=r"f.svm.gz ends in .gz but is not packed so"):
        load(tmp_path / "f.svm.gz")
    (tmp_path / "log.csv").write_text("label,a\n1,2\n")
    with pytest.raises(DataError, match=r"fields name the entries of a libsvm, but log.csv names its columns; leave"):
        load(tmp_path / "log.csv", schema=schema, fields=["a"])


def test_errors_of_parts(tmp_path: Path, load) -> None:
    write(tmp_path / "train.svm", *LINES)
    write(tmp_path / "valid.libfm", "1 3:1 10:1", "0 3:1 10:1")
    write(tmp_path / "test.libsvm", *LINES)
    with pytest.raises(DataError, match=r"valid.libfm has 2 entries in a line, .*train.svm has 3; all parts need an"):
        load(tmp_path)
    (tmp_path / "valid.libfm").unlink()
    (tmp_path / "valid.csv").write_text("label,field_1\n1,3\n0,4\n")
    with pytest.raises(DataError, match=r"parts must all be libsvm or none, got train.svm, valid.csv, test.libsvm"):
        load(tmp_path)
    write(tmp_path / "valid.svm", *LINES)
    with pytest.raises(DataError, match=r"must hold one file for part 'valid' .* found 2"):
        load(tmp_path)
