"""A .npy file written row by row in any order."""

import io
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


class ArrayFile:
    """A .npy file of known shape whose rows are written in any order; plain writes, so that a full disk is an error."""

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        header = io.BytesIO()
        fields = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, fields)
        self._dtype = dtype
        self._row_bytes = dtype.itemsize * int(np.prod(shape[1:]))
        self._file = path.open("wb", buffering=0)
        self._start = self._end = len(header.getvalue())
        self._put(header.getvalue(), 0)

    def write(self, row: int, rows: NDArray[Any]) -> None:
        """Rows from a given row on; threads may write different rows at once."""
        data = np.ascontiguousarray(rows, dtype=self._dtype)
        self._put(data.reshape(-1).view(np.uint8).data, self._start + row * self._row_bytes)

    def append(self, rows: NDArray[Any]) -> None:
        """Rows after those appended before."""
        data = np.ascontiguousarray(rows, dtype=self._dtype)
        self._put(data.reshape(-1).view(np.uint8).data, self._end)
        self._end += data.nbytes

    def _put(self, data: bytes | memoryview, offset: int) -> None:
        while len(data):
            n_written = os.pwrite(self._file.fileno(), data, offset)
            data, offset = data[n_written:], offset + n_written

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
