"""Gender and age of KDD Cup 2012's users, joined to the rows by user."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from moco.data.logs.cells import PAD, Cells
from moco.data.logs.source import blocks
from moco.data.rows import DataError


class Profiles:
    """A table of users.

    Args:
        users: (U,) user numbers; the first entry of a user counts.
        gender: (U,) 0 unknown, 1 male, 2 female.
        age: (U,) class of age.
    """

    def __init__(self, users: NDArray[np.uint64], gender: NDArray[np.uint64], age: NDArray[np.uint64]) -> None:
        self._users, first = np.unique(users, return_index=True)
        self._columns = (gender[first].astype(np.uint64), age[first].astype(np.uint64))

    def of(self, users: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """(N,) gender and (N,) age of users; 0 and 0 for a user without profile."""
        if not self._users.size:
            return np.zeros_like(users), np.zeros_like(users)
        at = np.minimum(np.searchsorted(self._users, users), self._users.size - 1)
        known = self._users[at] == users
        gender, age = (np.where(known, column[at], np.uint64(0)) for column in self._columns)
        return gender, age


def read_profiles(path: Path, block_bytes: int) -> Profiles:
    """The user profiles: user, gender and age, separated by tabs, without a header.

    Raises:
        DataError: the file cannot be read, or a line is not three whole numbers; the message names it.
    """
    columns: list[list[NDArray[np.uint64]]] = [[], [], []]
    n_lines = 0
    for block in blocks(path, block_bytes):
        cells = Cells(block.text)
        is_end = cells.bytes == ord("\n")
        marks = np.flatnonzero(is_end | (cells.bytes == ord("\t")))
        line_marks = np.flatnonzero(is_end[marks])
        wrong_count = np.diff(line_marks, prepend=-1) != 3
        if wrong_count.any():
            raise _bad_profile(path, n_lines + int(wrong_count.argmax()) + 1)
        ends = marks.reshape(-1, 3).T.copy()
        starts = np.empty_like(ends)
        starts[0] = np.concatenate(([PAD], ends[2, :-1] + 1))
        starts[1:] = ends[:-1] + 1
        ends[2] -= cells.bytes[ends[2] - 1] == ord("\r")
        for values, start, end in zip(columns, starts, ends, strict=True):
            value, is_empty, is_negative, wrong = cells.decimal(start, end)
            wrong |= is_empty | is_negative
            if wrong.any():
                raise _bad_profile(path, n_lines + int(wrong.argmax()) + 1)
            values.append(value)
        n_lines += line_marks.size
    if not n_lines:
        raise DataError(f"{path} is empty; user, gender and age of each user are expected")
    users, gender, age = (np.concatenate(values) for values in columns)
    return Profiles(users, gender, age)


def _bad_profile(path: Path, line: int) -> DataError:
    return DataError(f"{path}: line {line} must be user, gender and age, three whole numbers separated by tabs")
