"""Preprocessing as a file encodes raw rows exactly as the data set does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moco
from moco.data import ClickLog, CtrDataset, DataError, StoredLog, TableSchema
from moco.data.encode import NumericKind
from moco.data.logs import LOG_FORMATS, LogOptions, draw_sample, generate_log, prepare_log
from moco.export import standalone
from moco.export.manifest import ExportError
from moco.export.preprocess import Preprocessing

N_ROWS = 600


def encodes_as(data: ClickLog, frame: pl.DataFrame) -> Preprocessing:
    """The preprocessing of a data set, read back from JSON and compared on raw rows."""
    read = Preprocessing.from_json(Preprocessing.of(data).to_json())
    assert read.to_json() == Preprocessing.of(data).to_json()
    assert read.encoding.categorical == data.categorical
    assert read.encoding.cardinalities == data.cardinalities
    for got, due in zip(read.encoding.encode(frame, "rows"), data.encode(frame), strict=True):
        np.testing.assert_array_equal(got, due)
    if all(dtype == pl.String for dtype in frame.dtypes):
        compare_script(read, frame)
    return read


def compare_script(read: Preprocessing, frame: pl.DataFrame) -> None:
    """What predict.py makes of the same cells."""
    entries = json.loads(read.to_json())
    ids, dense = read.encoding.encode(frame, "rows")
    for field, due in zip(entries["fields"], ids.T, strict=True):
        id_of = standalone.ids_of(field)
        assert [id_of(cell or "") for cell in frame[field["name"]]] == due.tolist()
    for number, column in zip(entries["dense"], dense.T, strict=True):
        if number["kind"] != "zero":
            value_of = standalone.dense_of(number)
            values = [value_of(cell or "") for cell in frame[number["name"]]]
            np.testing.assert_allclose(values, column, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", ["log", "standard", "none"])
def test_a_table_with_missing_and_unknown_values(kind: NumericKind) -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "click": rng.integers(0, 2, 400),
            "shop": [f'shop {i}, "the" first' for i in rng.integers(0, 9, 400)],
            "hour": rng.integers(0, 24, 400),
            "price": np.where(rng.random(400) < 0.1, np.nan, rng.lognormal(size=400)),
        }
    )
    schema = TableSchema(label="click", categorical=("shop", "hour"), numeric=("price",))
    data = moco.dataset_from_frame(frame, schema, numeric_transform=kind, min_count=3)
    new = pl.DataFrame(
        {
            "hour": ["3", "", None, "99"],
            "shop": [None, 'shop 1, "the" first', "", "né"],
            "price": ["", "nan", "-3", " 7 "],
        }
    )
    encodes_as(data, new)
    encodes_as(data, frame)


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@settings(max_examples=25)
@given(values=st.lists(words, min_size=20, max_size=40))
def test_any_text(values: list[str]) -> None:
    frame = pl.DataFrame({"word": values * 3, "label": [i % 2 for i in range(3 * len(values))]})
    data = moco.dataset_from_frame(frame, TableSchema(label="label", categorical=("word",)))
    encodes_as(data, pl.DataFrame({"word": [*values, "", None, "never seen before"]}))


def raw_rows(folder: Path, name: str) -> pl.DataFrame:
    """Rows of a generated log's main file as text."""
    log_format = LOG_FORMATS[name]
    path = folder if folder.is_file() else folder / log_format.files[0]
    return pl.read_csv(
        path,
        separator=log_format.separator,
        has_header=log_format.has_header,
        new_columns=None if log_format.has_header else list(log_format.header),
        infer_schema=False,
    )


@pytest.mark.parametrize(
    ("name", "options", "limit"),
    [
        pytest.param("criteo", LogOptions(), None, id="criteo-vocabulary"),
        pytest.param("criteo", LogOptions(hash_above=50, hash_rows=40), 30, id="criteo-hashed-capped"),
        pytest.param("criteo", LogOptions(encoding="authors"), 500, id="criteo-authors"),
        pytest.param("avazu", LogOptions(encoding="authors"), None, id="avazu-authors"),
        pytest.param("avazu", LogOptions(min_count=1), 20, id="avazu-vocabulary-capped"),
        pytest.param("kdd2012", LogOptions(encoding="authors"), None, id="kdd2012-authors"),
    ],
)
def test_public_logs(tmp_path: Path, name: str, options: LogOptions, limit: int | None) -> None:
    path = tmp_path / "raw"
    if name == "kdd2012":
        path.mkdir()
    generate_log(name, path, N_ROWS)
    log = prepare_log(name, path, tmp_path / "log", options).capped(limit)
    frame = raw_rows(path, name)
    if name == "kdd2012":
        frame = frame.with_columns(gender=pl.lit("1"), age=pl.lit("3"))
    unknown = frame.head(1).with_columns(pl.lit(None, dtype=pl.String).alias(column) for column in frame.columns)
    frame = pl.concat([frame, unknown])
    read = encodes_as(log, frame)
    assert read.header == (LOG_FORMATS["criteo"].header if name == "criteo" else None)
    labels = read.labels(frame.head(N_ROWS), "rows")
    assert labels is not None
    np.testing.assert_array_equal(labels, log.gather(np.arange(N_ROWS)).labels)
    encodes_as(draw_sample(log, 500, seed=1), frame)


def test_labels_are_checked(synthetic: CtrDataset) -> None:
    read = Preprocessing.of(synthetic, "label")
    assert read.labels(pl.DataFrame({"c0": ["1"]}), "rows") is None
    np.testing.assert_array_equal(read.labels(pl.DataFrame({"label": ["1", "0"]}), "rows"), [1, 0])
    for wrong in ("2", "", "-1"):
        with pytest.raises(ValueError, match=r"rows: label 'label' must be 0 or 1, got .* in row 2"):
            read.labels(pl.DataFrame({"label": ["1", wrong]}), "rows")


def test_bad_rows_are_named(synthetic: CtrDataset) -> None:
    encoding = Preprocessing.of(synthetic).encoding
    with pytest.raises(DataError, match=r"my.csv: unknown column 'c1', 'c2', 'c3', 'n0', 'n1'; columns are 'c0'"):
        encoding.encode(pl.DataFrame({"c0": ["1"]}), "my.csv")
    frame = pl.DataFrame({name: ["1"] for name in encoding.columns}).with_columns(n1=pl.lit("many"))
    with pytest.raises(DataError, match=r"my.csv: numeric column 'n1' holds 'many' in row 1"):
        encoding.encode(frame, "my.csv")


def test_other_texts_are_refused(synthetic: CtrDataset, tmp_path: Path) -> None:
    text = Preprocessing.of(synthetic).to_json()
    entries = json.loads(text)
    with pytest.raises(ExportError, match="format 'moco preprocessing 9', this version reads 'moco preprocessing 1'"):
        Preprocessing.from_json(json.dumps({**entries, "format": "moco preprocessing 9"}))
    for wrong in ("", "[]", "{}", text[:-9], json.dumps({**entries, "fields": [{"rule": "text"}]})):
        with pytest.raises(ExportError, match="damaged"):
            Preprocessing.from_json(wrong)
    for change in ({"kind": "eval"}, {"shift": "x"}):
        dense = [{**entries["dense"][0], **change}, entries["dense"][1]]
        with pytest.raises(ExportError, match="damaged"):
            Preprocessing.from_json(json.dumps({**entries, "dense": dense}))
    generate_log("criteo", tmp_path / "train.txt", N_ROWS)
    log = prepare_log("criteo", tmp_path / "train.txt", tmp_path / "log")
    assert isinstance(log, StoredLog)
    entries = json.loads(Preprocessing.of(log).to_json())
    changes: tuple[dict[str, object], ...] = (
        {"rule": "code"},
        {"table_rows": 1},
        {"table_rows": 2**40},
        {"kept": [0, 99]},
        {"values": ["a"]},
    )
    for wrong_entry in changes:
        fields = [{**field, "kept": [], **wrong_entry} for field in entries["fields"]]
        with pytest.raises(ExportError, match="damaged"):
            Preprocessing.from_json(json.dumps({**entries, "fields": fields}))
