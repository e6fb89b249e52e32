import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moco.data.logs.cells import NEGATIVE_LIMIT, PAD, Cells, hex_text, signed


def read(kind: str, texts: list[bytes]) -> list[int | str | None]:
    """Each cell's number, None where it is empty, "wrong" where it is no such number."""
    cells = Cells(b"\t".join(texts) + b"\n")
    lengths = np.array([len(text) for text in texts])
    end = PAD + np.cumsum(lengths + 1) - 1
    if kind == "hex":
        keys, is_empty, wrong = cells.hex(end - lengths, end)
        numbers = keys.tolist()
    else:
        values, is_empty, _, wrong = cells.decimal(end - lengths, end)
        numbers = signed(values)
    return [
        "wrong" if bad else None if empty else number
        for number, empty, bad in zip(numbers, is_empty.tolist(), wrong.tolist(), strict=True)
    ]


def test_hex_by_hand() -> None:
    texts = [b"68fd1e64", b"0", b"f", b"ABCDEF09", b"", b"0000000a", b"ffffffff", b"g", b"@", b"`", b":", b"/", b" 1"]
    # 0x68fd1e64 = 6 * 16**7 + 8 * 16**6 + 15 * 16**5 + 13 * 16**4 + 16**3 + 14 * 16**2 + 6 * 16 + 4
    expected = [1761418852, 0, 15, 0xABCDEF09, None, 10, 2**32 - 1]
    assert read("hex", texts) == [*expected, *["wrong"] * 6]
    assert read("hex", [b"123456789", b"-1", b"\xe9", b"\xff", b"1\x00"]) == ["wrong"] * 5


def test_decimal_by_hand() -> None:
    texts = [
        b"0",
        b"7",
        b"-1",
        b"12345678",
        b"123456789",
        b"",
        b"10000169349117863715",
        b"-9999999",
        b"0000000000000007",
    ]
    assert read("decimal", texts) == [0, 7, -1, 12345678, 123456789, None, 10000169349117863715, -9999999, 7]
    wrong = [
        b"-",
        b"+1",
        b"1.0",
        b"1e3",
        b" 1",
        b"1 ",
        b"--1",
        b"a",
        b"1-2",
        b"12345678a",
        b"-10000000",
        b"\xff",
        b"1:",
    ]
    assert read("decimal", wrong) == ["wrong"] * len(wrong)
    largest = 2**64 - NEGATIVE_LIMIT - 1
    limits = [
        str(largest).encode(),
        str(largest + 1).encode(),
        b"18446744073709551616",
        b"9" * 20,
        b"9" * 24,
        b"1" * 25,
    ]
    assert read("decimal", limits) == [largest, *["wrong"] * 5]


any_cell = st.binary(max_size=26).map(lambda text: text.replace(b"\t", b"").replace(b"\n", b""))
hex_cell = st.text("0123456789abcdefABCDEFg", max_size=10).map(str.encode)
decimal_cell = st.text("0123456789-", max_size=22).map(str.encode)


@settings(max_examples=200)
@given(st.lists(any_cell | hex_cell | decimal_cell, min_size=1, max_size=20))
@example([b"18446744073699551615", b"18446744073699551616"])
def test_a_cell_is_read_as_python_reads_it_or_refused(texts: list[bytes]) -> None:
    for text, from_hex, from_decimal in zip(texts, read("hex", texts), read("decimal", texts), strict=True):
        if not text:
            assert from_hex is from_decimal is None
            continue
        is_hex = re.fullmatch(rb"[0-9a-fA-F]{1,8}", text)
        assert from_hex == (int(text, 16) if is_hex else "wrong")
        value = int(text) if re.fullmatch(rb"-?[0-9]{1,24}", text) else None
        in_range = value is not None and -NEGATIVE_LIMIT < value < 2**64 - NEGATIVE_LIMIT
        assert from_decimal == (value if in_range else "wrong")


@pytest.mark.parametrize(("value", "text"), [(0, b"00000000"), (0x68FD1E64, b"68fd1e64"), (2**32 - 1, b"ffffffff")])
def test_hex_text(value: int, text: bytes) -> None:
    assert hex_text(np.array([value, 1], dtype=np.uint32)).tolist() == [text, b"00000001"]
