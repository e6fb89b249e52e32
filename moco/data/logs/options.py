"""How a log is to be encoded, and how far its preparation is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from moco.data.logs.formats import EncodingName
from moco.data.rows import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """How a log is encoded.

    Attributes:
        encoding: "vocabulary": each value that train holds min_count times has an embedding row of its own, all others
            row 0. "authors": NASRec's rule, a value modulo the table size; its results can be set beside the paper's.
        min_count: For "vocabulary".
        hash_above: For "vocabulary": a field with more values than this is hashed; None for no field.
        hash_rows: Table rows of a hashed field.
        max_table_rows: For "authors": limit on the rows of each table, applied before the modulo; the authors search
            with 500,000 and train with None. (`StoredLog.capped` limits the tables of any stored log.)
        max_bad_share: Share of bad lines above which the file is refused.
    """

    encoding: EncodingName = "vocabulary"
    min_count: int = 2
    hash_above: int | None = None
    hash_rows: int = 1_000_000
    max_table_rows: int | None = None
    max_bad_share: float = 0.001

    def __post_init__(self) -> None:
        if self.encoding not in get_args(EncodingName):
            known = ", ".join(map(repr, get_args(EncodingName)))
            raise DataError(f"unknown encoding {self.encoding!r}; encodings are {known}")
        for name, least, is_optional in (
            ("min_count", 1, False),
            ("hash_above", 0, True),
            ("hash_rows", 2, False),
            ("max_table_rows", 2, True),
        ):
            value = getattr(self, name)
            if not (isinstance(value, int) and value >= least) and not (is_optional and value is None):
                raise DataError(f"{name} must be a whole number of at least {least}, got {value!r}")
        if self.hash_rows > 2**31 - 1:
            raise DataError(f"hash_rows must fit 32-bit ids, got {self.hash_rows}")
        if not isinstance(self.max_bad_share, int | float) or not 0.0 <= self.max_bad_share <= 1.0:
            raise DataError(f"max_bad_share must lie between 0 and 1, got {self.max_bad_share!r}")
        if self.encoding == "vocabulary" and self.max_table_rows is not None:
            raise DataError("max_table_rows at preparation is for encoding 'authors'; use StoredLog.capped")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a preparation is.

    Attributes:
        stage: "reading" or "encoding".
        n_rows: Rows done in this stage.
        n_expected: Rows of the whole log, estimated from the bytes read; 0 where unknown (zstd while reading).
        rows_per_s: Speed of this stage.
        seconds_left: Of this stage; None where unknown.
    """

    stage: str
    n_rows: int
    n_expected: int
    rows_per_s: float
    seconds_left: float | None


class Clock:
    """Tells the progress of one stage.

    Args:
        stage: Its name.
        report: Where it is told; None for nowhere.
    """

    def __init__(self, stage: str, report: Callable[[Progress], None] | None) -> None:
        self._stage, self._report, self._start = stage, report, time.monotonic()

    def tell(self, n_rows: int, share: float) -> None:
        """Report rows done and the share of the stage that they are, 0 where that is unknown."""
        if self._report is not None:
            elapsed_s = max(time.monotonic() - self._start, 1e-9)
            left = elapsed_s * (1.0 - share) / share if share > 0 else None
            expected = round(n_rows / share) if share > 0 else 0
            self._report(Progress(self._stage, n_rows, expected, n_rows / elapsed_s, left))
