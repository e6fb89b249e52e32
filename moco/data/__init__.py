"""Click logs as arrays: public and own logs read, checked, encoded, split, described and cached. NumPy and polars."""

from moco.data.dataset import CtrDataset
from moco.data.encode import NumericTransform
from moco.data.load import DATASETS, load_dataset
from moco.data.rows import DataError, Rows
from moco.data.schema import TableSchema

__all__ = ["DATASETS", "CtrDataset", "DataError", "NumericTransform", "Rows", "TableSchema", "load_dataset"]
