"""NumPy's .npz: arrays by name in a zip, read without running anything that they hold."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from moco.data.arrays import declared_columns
from moco.data.rows import DataError
from moco.data.schema import TableSchema


def read_npz(path: Path, schema: TableSchema, split_column: str | None) -> tuple[TableSchema, pl.DataFrame]:
    """The declared columns of a file, such as DLRM's kaggleAdDisplayChallenge_processed.npz.

    Args:
        path: The file; arrays that the schema does not name are not read.
        schema: May name arrays (N, k), which mean all of their columns.
        split_column: Another array to take, of the part of each row.

    Returns:
        The schema with a name for each column, and the columns.

    Raises:
        DataError: the file is damaged, a column is absent, or an array is of a kind or shape that has no column.
    """
    with path.open("rb") as raw:  # NumPy leaves a damaged file open that it opened itself
        try:
            file = np.load(raw, allow_pickle=False)
        except Exception as error:  # damaged bytes make the parsers raise nearly anything
            raise _unreadable(path, error) from error
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise DataError(f"{path} holds one array without a name; save columns by name with numpy.savez")
        with file:
            return declared_columns(_Arrays(path, file), schema, split_column, path.name)


class _Arrays(Mapping[str, Any]):
    """The arrays of a file, each read when it is asked for."""

    def __init__(self, path: Path, file: "np.lib.npyio.NpzFile[Any]") -> None:
        self._path = path
        self._file = file

    def __getitem__(self, name: str) -> Any:
        try:
            array = self._file[name]
        except KeyError:
            raise
        except Exception as error:
            if "allow_pickle" in str(error):
                raise DataError(
                    f"{self._path}: array {name!r} holds Python objects, which could run code when they are read; "
                    "save text as numpy.array(values, dtype=str) and numbers as numbers"
                ) from error
            raise _unreadable(self._path, error) from error
        if not isinstance(array, np.ndarray):
            raise DataError(f"{self._path}: {name!r} is not an array; write the file with numpy.savez")
        return array

    def __contains__(self, name: object) -> bool:
        return name in self._file.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._file.files)

    def __len__(self) -> int:
        return len(self._file.files)


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"cannot read {path} as npz: {reason}; it is damaged or of another kind: write or copy it again")
