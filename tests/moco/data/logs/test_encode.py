import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moco.data.logs.cells import NEGATIVE_LIMIT
from moco.data.logs.encode import FieldTable, authors_table, vocabulary_table
from moco.data.logs.formats import AVAZU, CRITEO, KDD2012, Column

SOME = Column(name="f", kind="hex")
PRESENT = np.zeros(1, dtype=np.bool_)


def one_id(table: FieldTable, key: int) -> int:
    dtype = np.uint32 if table.kind == "hex" else np.uint64
    return int(table.ids(np.array([key % 2**64], dtype=dtype), PRESENT)[0])


def column(name: str) -> Column:
    return next(c for f in (AVAZU, KDD2012, CRITEO) for c in (*f.columns, *f.joined) if c.name == name)


@pytest.mark.parametrize(
    ("field", "rows", "key", "expected"),
    [
        # 0x68fd1e64 = 1761418852 = 1206451 * 1460 + 392
        ("C1", 1461, 0x68FD1E64, 393),
        # 0x80e26c9b = 2162322587 = 3708958 * 583 + 73
        ("C2", 584, 0x80E26C9B, 74),
        # 0xa73ee510 = 2805916944 = 935305648 * 3 + 0
        ("C9", 4, 0xA73EE510, 1),
    ],
)
def test_the_authors_rule_for_criteo_by_hand(field: str, rows: int, key: int, expected: int) -> None:
    columns = {c.name: c for c in CRITEO.columns}
    table = authors_table(columns[field], CRITEO.is_token, None)
    assert table.table_rows == rows
    assert one_id(table, key) == expected
    assert table.ids(np.array([key], dtype=np.uint32), ~PRESENT).tolist() == [0]  # fmod(-1, n) + 1


@pytest.mark.parametrize(
    ("field", "key", "expected"),
    [
        # A letter makes it hexadecimal: 0x1fbe01fe = 532546046 < 2**31 - 1; = 112422 * 4737 + 3032
        ("site_id", 0x1FBE01FE, 3033),
        # Digits alone make it decimal: 12345678 = 2606 * 4737 + 1056
        ("site_id", 0x12345678, 1057),
        # 0xf3845767 = 4085536615 = 2147483647 + 1938052968; 1938052968 = 250232 * 7745 + 6128
        ("site_domain", 0xF3845767, 6129),
        # -1 modulo 2**31 - 1 is 2147483646 = 12485370 * 172 + 6
        ("C20", -1, 7),
        # 10000169349117863715 modulo 2147483647 = 1232789817 = 123291 * 9999 + 3108
        ("id", 10000169349117863715, 3109),
        # 14102100 = 58758 * 240 + 180
        ("hour", 14102100, 181),
        # 4298118681424644510 modulo 2147483647 = 269828597 = 10270 * 26273 + 4887
        ("DisplayURL", 4298118681424644510, 4888),
    ],
)
def test_the_authors_rule_for_tokens_by_hand(field: str, key: int, expected: int) -> None:
    assert one_id(authors_table(column(field), True, None), key) == expected


@given(st.text("0123456789abcdef", min_size=1, max_size=8))
def test_a_hex_token_is_what_python_reads(text: str) -> None:
    value = (int(text) if text.isdecimal() else int(text, 16)) % (2**31 - 1)
    table = authors_table(column("device_ip"), True, None)
    assert one_id(table, int(text, 16)) == math.fmod(value, 6729487 - 1) + 1


@given(st.integers(1 - NEGATIVE_LIMIT, 2**64 - NEGATIVE_LIMIT - 1) | st.integers(-300, 300))
def test_a_decimal_token_is_what_python_reads(value: int) -> None:
    table = authors_table(column("UserID"), True, None)
    assert one_id(table, value) == math.fmod(value % (2**31 - 1), 20004011 - 1) + 1


def test_the_authors_sizes_and_their_limit() -> None:
    # Totals of nasrec's configuration: 33.76, 9.46 and 50.67 million rows; 3.07, 1.04 and 3.04 with 500,000 a table.
    for log_format, full, limited in ((CRITEO, 33.76, 3.07), (AVAZU, 9.46, 1.04), (KDD2012, 50.67, 3.04)):
        columns = log_format.categorical("authors")
        for limit, total in ((None, full), (500_000, limited)):
            tables = [authors_table(c, log_format.is_token, limit) for c in columns]
            assert sum(table.table_rows for table in tables) / 1e6 == pytest.approx(total, abs=0.0051)
    # The limit takes the place of the size: 0x68fd1e64 = 3522 * 499999 + 422374
    c3 = {c.name: c for c in CRITEO.columns}["C3"]
    assert one_id(authors_table(c3, False, 500_000), 0x68FD1E64) == 1761418852 % 499_999 + 1


def test_a_vocabulary_has_no_collisions() -> None:
    keys = np.array([9, 4, 2**32 - 1], dtype=np.uint32)
    table = vocabulary_table(SOME, keys, None, 10)
    assert (table.rule, table.table_rows, table.dtype) == ("vocabulary", 4, np.uint8)
    asked = np.array([4, 9, 5, 2**32 - 1, 9], dtype=np.uint32)
    assert table.ids(asked, np.array([False] * 4 + [True])).tolist() == [2, 1, 0, 3, 0]


def test_a_field_above_the_limit_is_hashed() -> None:
    keys = np.arange(1000, dtype=np.uint32)
    assert vocabulary_table(SOME, keys, 1000, 64).rule == "vocabulary"
    table = vocabulary_table(SOME, keys, 999, 64)
    assert (table.rule, table.table_rows) == ("hashed", 64)
    ids = table.ids(keys, keys == 7)
    assert ids[7] == 0
    assert ids[keys != 7].min() == 1
    assert ids.max() == 63
    assert np.bincount(ids)[1:].max() < 40  # 1000 keys over 63 rows: 16 each on average


@pytest.mark.parametrize(
    ("rows", "dtype"), [(256, np.uint8), (257, np.uint16), (65_536, np.uint16), (65_537, np.uint32)]
)
def test_the_smallest_type_that_holds_the_ids(rows: int, dtype: type) -> None:
    assert FieldTable(name="f", kind="hex", rule="hashed", table_rows=rows).dtype == dtype
