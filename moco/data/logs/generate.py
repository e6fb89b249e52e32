"""A file in Criteo's raw format of any size, for tests of scale and for a first run without the real one.

Each field has the number of values that Criteo Kaggle has in it (10.1 million in C3), drawn by a power law, so that a
tenth of the file holds far more than a tenth of the values, as in a real log. The label depends on the values: about a
quarter is 1, and a network can learn it. The rows are not Criteo's.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moco.data.logs.cells import hex_text
from moco.data.logs.formats import CRITEO
from moco.data.logs.keys import mixed
from moco.data.rows import DataError

_ROWS_AT_ONCE = 50_000
_EXPONENT = 1.1  # of the power law; a choice, not a fit
_MISSING_SHARE = 0.12  # of the cells of each second field; Criteo's fields miss 0 to 80 %
_NUMBER_WIDTH = 7
_HEX_WIDTH = 8


def generate_criteo(path: str | Path, n_rows: int, seed: int = 0) -> None:
    """Write such a file, plain; the same arguments give the same file.

    Args:
        path: Of the file; one that exists is replaced.
        n_rows: Lines, about 220 bytes each.
        seed: Of all draws.

    Raises:
        DataError: n_rows is not a whole number of at least 1, or the file cannot be written.
    """
    if not isinstance(n_rows, int) or n_rows < 1:
        raise DataError(f"n_rows must be a whole number of at least 1, got {n_rows!r}")
    rng = np.random.default_rng(seed)
    try:
        with Path(path).open("wb") as file:
            for first in range(0, n_rows, _ROWS_AT_ONCE):
                file.write(_lines(rng, min(_ROWS_AT_ONCE, n_rows - first)))
    except OSError as error:
        raise DataError(f"cannot write {path} ({error}); free disk space or choose another path") from error


def _lines(rng: np.random.Generator, n_rows: int) -> bytes:
    """Lines as text: every cell at its full width with zero bytes as filling, which are then left out."""
    parts: list[NDArray[np.uint8]] = []
    tab = np.full((n_rows, 1), ord("\t"), dtype=np.uint8)
    logit = np.full(n_rows, -0.8)
    for field, column in enumerate(CRITEO.columns[1:]):
        if column.kind == "number":
            counts = np.minimum(np.floor(np.exp(rng.normal(1.0, 1.5, n_rows))), 10**_NUMBER_WIDTH - 1).astype(np.int64)
            logit += 0.1 * (np.log1p(counts) - 1.2)
            text = _decimal_text(counts)
        else:
            ids = _power_law(rng, column.authors_rows - 1, n_rows)
            hashed = mixed(ids + (np.uint64(field) << np.uint64(40)))
            logit += 0.3 * ((hashed >> np.uint64(32)).astype(np.float64) / 2**31 - 1.0)
            # A multiplication by an odd number is one to one on 32 bits: distinct values have distinct hashes.
            hashes = (ids.astype(np.uint32) + np.uint32(1)) * np.uint32(0x9E3779B1) ^ np.uint32(
                field * 0x85EBCA6B % 2**32
            )
            text = hex_text(hashes).view(np.uint8).reshape(n_rows, _HEX_WIDTH)
        if field % 2:
            text = text * (rng.random((n_rows, 1)) >= _MISSING_SHARE)
        parts += [tab, text]
    labels = rng.random(n_rows) < 1.0 / (1.0 + np.exp(-logit))
    end = np.full((n_rows, 1), ord("\n"), dtype=np.uint8)
    canvas = np.concatenate([(labels + ord("0")).astype(np.uint8)[:, None], *parts, end], axis=1)
    lines: bytes = canvas[canvas != 0].tobytes()
    return lines


def _power_law(rng: np.random.Generator, n_values: int, n_rows: int) -> NDArray[np.uint64]:
    """(n_rows,) values below n_values, value k about in proportion to (k + 1) ** -exponent (inverse transform)."""
    power = 1.0 - _EXPONENT
    drawn = (1.0 + rng.random(n_rows) * ((n_values + 1.0) ** power - 1.0)) ** (1.0 / power) - 1.0
    values: NDArray[np.uint64] = np.minimum(drawn, n_values - 1).astype(np.uint64)
    return values


def _decimal_text(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    """(N, width) digits of numbers, zero bytes in place of leading zeros."""
    digits = counts[:, None] // 10 ** np.arange(_NUMBER_WIDTH - 1, -1, -1)
    shown = (digits > 0) | (np.arange(_NUMBER_WIDTH) == _NUMBER_WIDTH - 1)
    text: NDArray[np.uint8] = np.where(shown, digits % 10 + ord("0"), 0).astype(np.uint8)
    return text
