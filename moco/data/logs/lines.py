"""Columns of numbers to lines of text, a whole block at a time: the way back from `cells`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moco.data.logs.cells import hex_text

# What stands for 0 to 9999 at the front of a number, where 0 is nothing, and 10,000 entries on behind other digits.
_FOUR_DIGITS = np.array(
    [b"", *(b"%d" % n for n in range(1, 10_000)), *(b"%04d" % n for n in range(10_000))], dtype="S4"
).view(np.uint32)
_FOUR_NIBBLES = hex_text(np.arange(2**16, dtype=np.uint32)).view("S4")[1::2].view(np.uint32)


def decimal_cells(numbers: NDArray[np.uint64]) -> NDArray[np.bytes_]:
    """(N,) numbers as text; between and beside the digits zero bytes, which `lines` leaves out."""
    n_groups = -(-len(str(int(numbers.max(initial=0)))) // 4)
    text = np.empty((numbers.size, n_groups), dtype=np.uint32)
    left = numbers
    for group in range(n_groups - 1, -1, -1):
        higher = left // np.uint64(10_000)
        last = (left - higher * np.uint64(10_000)).astype(np.int64)
        text[:, group] = _FOUR_DIGITS[last + 10_000 * (higher > 0)]
        left = higher
    text[numbers == 0, -1] = ord("0")
    cells: NDArray[np.bytes_] = text.view(f"S{4 * n_groups}")[:, 0]
    return cells


def hex_cells(numbers: NDArray[np.uint32]) -> NDArray[np.bytes_]:
    """(N,) numbers as 8 lower-case hexadecimal digits."""
    text = np.empty((numbers.size, 2), dtype=np.uint32)
    text[:, 0] = _FOUR_NIBBLES[numbers >> np.uint32(16)]
    text[:, 1] = _FOUR_NIBBLES[numbers & np.uint32(0xFFFF)]
    cells: NDArray[np.bytes_] = text.view("S8")[:, 0]
    return cells


def lines(columns: Sequence[NDArray[np.bytes_]], separator: str) -> bytes:
    """The lines whose cells the columns hold, (N,) each; zero bytes are left out."""
    ends = [separator.encode()] * (len(columns) - 1) + [b"\n"]
    fields: list[tuple[str, Any]] = []
    for place, column in enumerate(columns):
        fields += [(f"cell{place}", column.dtype), (f"end{place}", "S1")]
    canvas = np.empty(len(columns[0]), dtype=fields)
    for place, (column, end) in enumerate(zip(columns, ends, strict=True)):
        canvas[f"cell{place}"] = column
        canvas[f"end{place}"] = end
    text: NDArray[np.uint8] = canvas.view(np.uint8)
    return bytes(text[text != 0])
