"""Checksums of stored rows: SQLite notices a damaged page, but not a digit that changed within a value.

CRC-32 (ISO 3309) as in zlib; it finds accidents, not forgery.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from studies.trials import Failures, Trials


def trial_checksums(trials: Trials, genomes: NDArray[np.unsignedinteger], attributes: Sequence[str]) -> list[int]:
    """One a trial, over everything that is stored of it.

    Args:
        trials: B of them.
        genomes: (B, P) as they are stored.
        attributes: Names of the attributes in the order of their positions; a changed name changes every checksum.
    """
    n = len(trials)
    whole = np.column_stack([trials.number, trials.generation, trials.is_feasible]).astype("<i8")
    columns = [trials.attributes[name] for name in attributes]
    values = np.column_stack([trials.values, trials.constraints, *columns]).astype("<f8") + 0.0  # SQLite has no -0.0
    values[np.isnan(values)] = np.nan  # nor several kinds of NaN
    keys = np.array(trials.keys, dtype="S32").reshape(n, 1)
    parts = [_bytes(part) for part in (whole, keys, genomes, values)]
    rows, start = np.concatenate(parts, axis=1), zlib.crc32(json.dumps(list(attributes)).encode())
    width, text = rows.shape[1], rows.tobytes()
    return [zlib.crc32(text[at : at + width], start) for at in range(0, n * width, width)]


def failure_checksums(failures: Failures, genomes: NDArray[np.unsignedinteger]) -> list[int]:
    """One a failed design, over everything that is stored of it; (B, P) genomes as they are stored."""
    rows = zip(failures.number, failures.generation, failures.keys, failures.reasons, genomes, strict=True)
    return [
        zlib.crc32(genome.tobytes(), text_checksum(f"{number} {generation} {key} {reason}"))
        for number, generation, key, reason, genome in rows
    ]


def text_checksum(text: str) -> int:
    """Of one text."""
    return zlib.crc32(text.encode())


def _bytes(table: NDArray[np.generic]) -> NDArray[np.uint8]:
    """(B, C) table as (B, bytes of a row)."""
    width = table.shape[1] * table.itemsize
    return np.frombuffer(np.ascontiguousarray(table).tobytes(), dtype=np.uint8).reshape(len(table), width)
