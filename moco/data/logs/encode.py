"""From the key of a categorical value to its row in the embedding table of its field, by one of three rules."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from moco.data.logs.formats import Column, ColumnKind
from moco.data.logs.keys import KeyTable, mixed

FieldRule = Literal["vocabulary", "hashed", "authors-hex", "authors-token"]
_MODULUS = np.uint64(2**31 - 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldTable:
    """The table of one categorical field.

    Rules:
        "vocabulary": each key of a list has an id of its own, key i the id i + 1; any other value has id 0.
        "hashed": 1 + hash modulo (table_rows - 1), the hash spread by SplitMix64; values may collide.
        "authors-hex": NASRec's rule for Criteo. The hexadecimal number v has id fmod(v, table_rows - 1) + 1.
        "authors-token": NASRec's rule for Avazu and KDD Cup 2012. The text is read as a decimal number, else as a
            hexadecimal one, modulo 2**31 - 1 (as Python does, so that -1 is 2**31 - 2); then as above.
    A missing value has id 0 under every rule: NASRec reads it as -1, and fmod(-1, n) + 1 = 0.

    Attributes:
        name: Of the field.
        kind: "hex" or "decimal": what its keys stand for.
        rule: One of the above.
        table_rows: Rows of the table, row 0 included.
        keys: (table_rows - 1,) for "vocabulary", in order of falling count in train.
    """

    name: str
    kind: ColumnKind
    rule: FieldRule
    table_rows: int
    keys: NDArray[Any] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))

    @cached_property
    def _table(self) -> KeyTable:
        return KeyTable(self.keys)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned integer type that holds the ids."""
        return np.min_scalar_type(self.table_rows - 1)

    def ids(self, keys: NDArray[Any], is_missing: NDArray[np.bool_]) -> NDArray[Any]:
        """(N,) rows of the table, of type `dtype`."""
        ids: NDArray[Any]
        if self.rule == "vocabulary":
            ids = self._table.ids(keys).astype(self.dtype)
        else:
            if self.rule == "hashed":
                numbers: NDArray[Any] = mixed(keys)
            elif self.rule == "authors-hex":
                numbers = keys
            else:
                numbers = _token_of_hex(keys) if self.kind == "hex" else _token_of_decimal(keys)
            ids = (numbers % numbers.dtype.type(self.table_rows - 1)).astype(self.dtype)
            ids += ids.dtype.type(1)
        ids[is_missing] = 0
        return ids


def authors_table(column: Column, is_token: bool, max_table_rows: int | None) -> FieldTable:
    """The authors' table of a field; with a limit on its rows as they set it for search (500,000)."""
    rows = column.authors_rows if max_table_rows is None else min(column.authors_rows, max_table_rows)
    rule: FieldRule = "authors-token" if is_token else "authors-hex"
    return FieldTable(name=column.name, kind=column.kind, rule=rule, table_rows=rows)


def vocabulary_table(column: Column, keys: NDArray[Any], hash_above: int | None, hash_rows: int) -> FieldTable:
    """The table of the keys that train holds, or a hashed one of hash_rows where they are more than hash_above."""
    if hash_above is not None and keys.size > hash_above:
        return FieldTable(name=column.name, kind=column.kind, rule="hashed", table_rows=hash_rows)
    return FieldTable(name=column.name, kind=column.kind, rule="vocabulary", table_rows=keys.size + 1, keys=keys)


def _token_of_hex(keys: NDArray[Any]) -> NDArray[np.uint64]:
    """The number modulo 2**31 - 1 that hexadecimal text stands for when read as decimal wherever that is possible."""
    keys = keys.astype(np.uint64)
    has_letter = (keys >> np.uint64(3)) & ((keys >> np.uint64(2)) | (keys >> np.uint64(1))) & np.uint64(0x11111111)
    as_decimal = np.zeros_like(keys)
    for shift in range(28, -4, -4):
        as_decimal = as_decimal * np.uint64(10) + ((keys >> np.uint64(shift)) & np.uint64(15))
    number: NDArray[np.uint64] = np.where(has_letter != 0, keys, as_decimal) % _MODULUS
    return number


def _token_of_decimal(keys: NDArray[Any]) -> NDArray[np.uint64]:
    """The whole number modulo 2**31 - 1; keys are modulo 2**64, the highest ones negative."""
    magnitude = ~keys + np.uint64(1)
    is_negative = magnitude <= np.uint64(10**7)
    below = (_MODULUS - magnitude % _MODULUS) % _MODULUS
    number: NDArray[np.uint64] = np.where(is_negative & (keys != 0), below, keys % _MODULUS)
    return number
