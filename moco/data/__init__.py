"""Click logs as arrays: public and own logs read, checked, encoded, split, described and cached. NumPy and polars."""

from moco.data.dataset import CtrDataset
from moco.data.encode import NumericTransform
from moco.data.frames import dataset_from_frame
from moco.data.load import DATASETS, load_dataset
from moco.data.logs.options import LogOptions
from moco.data.logs.prepare import prepare_log
from moco.data.logs.stored import LogPart, StoredLog
from moco.data.rows import DataError, Rows
from moco.data.schema import TableSchema

ClickLog = CtrDataset | StoredLog
"""An encoded log: in memory, or on the disk at any size."""

__all__ = [
    "DATASETS",
    "ClickLog",
    "CtrDataset",
    "DataError",
    "LogOptions",
    "LogPart",
    "NumericTransform",
    "Rows",
    "StoredLog",
    "TableSchema",
    "dataset_from_frame",
    "load_dataset",
    "prepare_log",
]
