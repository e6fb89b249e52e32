"""Distinct keys of a column: counted in bounded memory, and looked up by hashing."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio, Knuth's multiplicative hashing
_KEYS_AT_ONCE = 1 << 22


def counted(columns: Iterable[NDArray[Any]], min_count: int) -> NDArray[Any]:
    """The distinct keys of a column that comes in pieces, in order of falling count, then of value.

    Memory grows with the distinct keys, not with the rows.

    Args:
        columns: Keys, uint32 or uint64.
        min_count: A key seen less often is left out.
    """
    merged: list[tuple[NDArray[Any], NDArray[np.int64]]] = []
    pending: list[NDArray[Any]] = []
    n_pending = 0
    for column in columns:
        pending.append(column)
        n_pending += column.size
        if n_pending >= _KEYS_AT_ONCE:
            merged = [_merged([*merged, _counts(np.concatenate(pending), None)])]
            pending, n_pending = [], 0
    if pending:
        merged.append(_counts(np.concatenate(pending), None))
    if not merged:
        return np.zeros(0, dtype=np.uint32)
    values, counts = _merged(merged)
    kept = counts >= min_count
    values, counts = values[kept], counts[kept]
    ordered: NDArray[Any] = values[np.argsort(-counts, kind="stable")]
    return ordered


def _merged(pieces: list[tuple[NDArray[Any], NDArray[np.int64]]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    if len(pieces) == 1:
        return pieces[0]
    return _counts(np.concatenate([p[0] for p in pieces]), np.concatenate([p[1] for p in pieces]))


def _counts(keys: NDArray[Any], counts: NDArray[np.int64] | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Sorted distinct keys and how often each occurs; `counts` says for how many occurrences each key stands."""
    if counts is None:
        keys = np.sort(keys)
    else:
        order = np.argsort(keys, kind="stable")
        keys, counts = keys[order], counts[order]
    if not keys.size:
        return keys, np.zeros(0, dtype=np.int64)
    first = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    if counts is None:
        return keys[first], np.diff(first, append=keys.size)
    return keys[first], np.add.reduceat(counts, first)


class KeyTable:
    """A hash table from keys to their place in a list, with linear probing; found means equal, never only alike.

    Args:
        keys: (U,) distinct keys, uint32 or uint64; key i gets id i + 1.
    """

    def __init__(self, keys: NDArray[Any]) -> None:
        n_bits = max(4, (2 * keys.size).bit_length())  # at most half full
        self._shift = np.uint64(64 - n_bits)
        self._last = np.int64(2**n_bits - 1)
        self._keys = np.concatenate((np.zeros(1, keys.dtype), keys))
        self._ids = np.zeros(2**n_bits, dtype=np.int32)
        waiting = np.arange(1, keys.size + 1, dtype=np.int32)
        slot = self._slots(keys)
        while waiting.size:
            free = self._ids[slot] == 0
            self._ids[slot[free]] = waiting[free]  # of several that want one slot the last stays
            left = self._ids[slot] != waiting
            waiting, slot = waiting[left], (slot[left] + 1) & self._last

    def ids(self, keys: NDArray[Any]) -> NDArray[np.int32]:
        """(N,) id of each key, 0 for one that is not in the table."""
        slot = self._slots(keys)
        ids = self._ids[slot]
        open_ = np.flatnonzero((ids != 0) & (self._keys[ids] != keys))
        while open_.size:
            slot_open = (slot[open_] + 1) & self._last
            slot[open_] = slot_open
            found = self._ids[slot_open]
            ids[open_] = found
            open_ = open_[(found != 0) & (self._keys[found] != keys[open_])]
        return ids

    def _slots(self, keys: NDArray[Any]) -> NDArray[np.int64]:
        return (keys.astype(np.uint64) * _GOLDEN >> self._shift).view(np.int64)


def mixed(keys: NDArray[Any]) -> NDArray[np.uint64]:
    """(N,) keys spread over 64 bits, one to one (the finaliser of SplitMix64, Steele et al., OOPSLA 2014)."""
    x = keys.astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x
