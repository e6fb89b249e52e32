"""Cells of a block of text to numbers, a whole column at a time.

The last eight characters of every cell are taken as one 64-bit word; the digits of all cells are then checked and put
together by a few arithmetic operations on words (SIMD within a register), never by a loop over cells.
"""

import numpy as np
from numpy.typing import NDArray

PAD = 24
"""Bytes before the text in a buffer, so that the words of the first cell lie inside."""

NEGATIVE_LIMIT = 10_000_000
"""Decimal values are kept modulo 2**64; those above -NEGATIVE_LIMIT and below 2**64 - NEGATIVE_LIMIT are told apart."""

_U64 = np.uint64
# KEEP[n] selects the last n characters of a word of 8: the first character lies in the lowest byte.
_KEEP = np.array([(2**64 - 1) << 8 * (8 - n) & (2**64 - 1) for n in range(9)], dtype=np.uint64)
_HIGHEST_TOP = 1844  # 2**64 = 1844 * 10**16 + 6744073709551616
_HIGHEST_REST = 6744073709551616 - NEGATIVE_LIMIT


def _each(byte: int) -> np.uint64:
    return _U64(int.from_bytes(bytes([byte] * 8), "little"))


class Cells:
    """The text of a block with the words that start at each of its bytes.

    Attributes:
        bytes: (PAD + length,) the text behind PAD bytes of padding.
    """

    def __init__(self, text: bytes) -> None:
        self.bytes: NDArray[np.uint8] = np.empty(PAD + len(text), dtype=np.uint8)
        self.bytes[:PAD] = 0
        self.bytes[PAD:] = np.frombuffer(text, dtype=np.uint8)
        self._words = np.ndarray((max(self.bytes.size - 7, 0),), dtype="V8", buffer=self.bytes, strides=(1,))

    def hex(
        self, start: NDArray[np.int64], end: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_], NDArray[np.bool_]]:
        """Hexadecimal cells of up to 8 digits, in either case.

        Args:
            start: (N,) first byte of each cell.
            end: (N,) byte after its last.

        Returns:
            (N,) values, which cells are empty, which are not such numbers.
        """
        length = end - start
        word, keep = self._word(end, length)
        letter = (word >> _U64(6)) & _each(1)  # bit 6 tells letters from digits
        lower = word | (letter << _U64(5))
        nibble = (word & _each(0x0F)) + letter * _U64(9)
        wrong = (lower & _each(0xF0)) ^ (_each(0x30) + letter * _U64(0x30))
        wrong |= ((nibble + _each(6)) >> _U64(4) & _each(1)) ^ letter
        wrong |= nibble & _each(0x10)
        nibble &= keep
        value = (nibble * _U64(16 * 2**8 + 1) >> _U64(8)) & _U64(0x00FF00FF00FF00FF)
        value = (value * _U64(2**8 * 2**16 + 1) >> _U64(16)) & _U64(0x0000FFFF0000FFFF)
        value = value * _U64(2**16 * 2**32 + 1) >> _U64(32)
        return value.astype(np.uint32), length == 0, (wrong != 0) | (length > 8)

    def decimal(
        self, start: NDArray[np.int64], end: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """Decimal cells, with a minus sign or none.

        Args:
            start: (N,) first byte of each cell.
            end: (N,) byte after its last.

        Returns:
            (N,) values modulo 2**64, which cells are empty, which are negative, which are not such numbers or out of
            range (NEGATIVE_LIMIT).
        """
        is_negative = (self.bytes[start] == ord("-")) & (end > start)
        length = end - start - is_negative
        value, wrong = self._eight_digits(end, length)
        if length.size and length.max() > 8:
            long = np.flatnonzero(length > 8)
            middle, wrong_middle = self._eight_digits(end[long] - 8, length[long] - 8)
            top, wrong_top = self._eight_digits(end[long] - 16, np.maximum(length[long] - 16, 0))
            rest = middle * _U64(10**8) + value[long]
            too_large = (top > _HIGHEST_TOP) | ((top == _HIGHEST_TOP) & (rest >= _U64(_HIGHEST_REST)))
            wrong[long] |= wrong_middle | wrong_top | too_large | (length[long] > 24)
            value[long] = top * _U64(10**16) + rest
        wrong |= is_negative & ((length == 0) | (value >= NEGATIVE_LIMIT))
        value = np.where(is_negative, ~value + _U64(1), value)
        return value, (length == 0) & ~is_negative, is_negative, wrong

    def _eight_digits(
        self, end: NDArray[np.int64], length: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """The number that the last 8 digits before `end` make, or all of them where there are fewer."""
        word, keep = self._word(end, length)
        wrong = ((word + _each(0x46)) | (word - _each(0x30))) & _each(0x80)  # above '9' or below '0'
        value = word & _each(0x0F) & keep
        value = (value * _U64(10 * 2**8 + 1) >> _U64(8)) & _U64(0x00FF00FF00FF00FF)
        value = (value * _U64(100 * 2**16 + 1) >> _U64(16)) & _U64(0x0000FFFF0000FFFF)
        value = value * _U64(10_000 * 2**32 + 1) >> _U64(32)
        return value, wrong != 0

    def _word(self, end: NDArray[np.int64], length: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """The last 8 characters before `end`, '0' in place of those before the cell, and the mask of the cell."""
        keep = _KEEP[np.minimum(length, 8)]
        word = self._words[end - 8].view("<u8")
        return (word & keep) | (_each(ord("0")) & ~keep), keep


def hex_text(values: NDArray[np.uint32]) -> NDArray[np.bytes_]:
    """(N,) the 8 lower-case hexadecimal digits of each value."""
    shifts = np.arange(28, -4, -4, dtype=np.uint32)
    nibbles = (values[:, None] >> shifts) & np.uint32(15)
    text: NDArray[np.bytes_] = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[nibbles].view("S8")[:, 0]
    return text


def signed(values: NDArray[np.uint64]) -> list[int]:
    """The whole numbers that decimal cells stood for."""
    return [value - 2**64 if value >= 2**64 - NEGATIVE_LIMIT else value for value in values.tolist()]
