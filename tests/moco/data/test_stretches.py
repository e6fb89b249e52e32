import numpy as np
import polars as pl

from moco.data import TableSchema, dataset_from_frame
from moco.data.stretches import label_means, label_means_text


def test_means_by_hand() -> None:
    # 25 rows: stretches of 2 and 3 rows in turn, which begin at rows 0, 2, 5, 7, ...
    labels = np.zeros(25)
    labels[[0, 2, 3, 24]] = 1
    assert label_means(labels) == (1 / 2, 2 / 3, 0, 0, 0, 0, 0, 0, 0, 1 / 3)
    assert label_means(np.ones(10)) == (1.0,) * 10
    assert label_means(np.ones(9)) == ()
    assert label_means_text((0.5, 0.25), "by day") == "label mean of each tenth, by day: 0.5000 0.2500"


def test_a_log_is_told_along_its_time() -> None:
    day = np.random.default_rng(0).permutation(200)
    frame = pl.DataFrame({"y": (day >= 100).astype(int), "c": day % 7, "day": day})
    by_day = dataset_from_frame(frame, TableSchema(label="y", categorical=("c",), time="day"))
    assert by_day.label_means == (0.0,) * 5 + (1.0,) * 5
    assert "label mean of each tenth, by day: 0.0000" in by_day.describe()
    by_row = dataset_from_frame(frame, TableSchema(label="y", categorical=("c",)))
    assert by_row.label_means == label_means(frame["y"].to_numpy())
    assert by_row.order == "in the order of the rows"
    assert by_row.digest == by_day.digest  # an account, nothing that a model sees
    gap = frame.with_columns(pl.when(pl.col("day") > 0).then(pl.col("day")).alias("day"))
    without_order = dataset_from_frame(gap, TableSchema(label="y", categorical=("c",), time="day"))
    assert without_order.order == "in the order of the rows"
