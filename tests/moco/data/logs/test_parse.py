import math
import re

import numpy as np
import pytest

from moco.data.logs.formats import AVAZU, CRITEO, KDD2012
from moco.data.logs.parse import check_first_line, parse_block
from moco.data.logs.profiles import Profiles
from moco.data.rows import DataError

# Label, I1 to I13, C1 to C26; I1, I12 and C3 empty, I2 negative.
LINE = b"\t".join(
    [b"1", b"", b"-3", b"2", b"0", b"1382", *[b"4"] * 6, b"", b"5", b"68fd1e64", b"80E26C9B", b"", *[b"a73ee510"] * 23]
)


def test_a_line_of_criteo_by_hand() -> None:
    block = parse_block(LINE + b"\n", CRITEO, "vocabulary")
    assert block.labels.tolist() == [1]
    # ln(max(x, 0) + 1); a missing number and a negative one are 0.
    logs = [0.0, 0.0, math.log(3), 0.0, math.log(1383), *[math.log(5)] * 6, 0.0, math.log(6)]
    np.testing.assert_array_equal(block.dense, np.array([logs], dtype=np.float32))
    assert [keys.tolist() for keys in block.keys[:4]] == [[1761418852], [2162322587], [0], [2805916944]]
    assert len(block.keys) == 26
    # Bits: C1 to C26, then I1 to I13. Empty are C3 (bit 2), I1 (bit 26) and I12 (bit 37).
    bits = np.unpackbits(block.missing, axis=1)[0]
    assert np.flatnonzero(bits).tolist() == [2, 26, 37]
    assert (block.n_lines, block.bad) == (1, ())


def test_no_lines() -> None:
    block = parse_block(b"", CRITEO, "vocabulary")
    assert (block.labels.size, block.dense.shape, block.missing.shape) == (0, (0, 13), (0, 5))
    assert (len(block.keys), block.n_lines, block.bad) == (26, 0, ())


def test_line_ends() -> None:
    unix = parse_block(LINE + b"\n" + LINE + b"\n", CRITEO, "vocabulary")
    dos = parse_block(LINE + b"\r\n" + LINE + b"\r\n", CRITEO, "vocabulary")
    for a, b in zip((unix.dense, unix.missing, *unix.keys), (dos.dense, dos.missing, *dos.keys), strict=True):
        np.testing.assert_array_equal(a, b)
    without_last = LINE[: LINE.rindex(b"\t") + 1]
    assert np.unpackbits(parse_block(without_last + b"\r\n", CRITEO, "vocabulary").missing)[25] == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (LINE + b"\t", "41 columns, not 40"),
        (LINE[2:], "39 columns, not 40"),
        (b"", "a blank line"),
        (b"2" + LINE[1:], "label must be 0 or 1, got '2'"),
        (b"-1" + LINE[1:], "label must be 0 or 1, got '-1'"),
        (LINE[1:], "label must be 0 or 1, got ''"),
        (LINE.replace(b"1382", b"1382.5"), "I5 must be a whole number, got '1382.5'"),
        (LINE.replace(b"68fd1e64", b"68fd1e6x"), "C1 must be up to 8 hexadecimal digits, got '68fd1e6x'"),
        (LINE.replace(b"68fd1e64", b"68fd1e641"), "C1 must be up to 8 hexadecimal digits, got '68fd1e641'"),
        (b"\xff\xfe\x00" * 9, "1 columns, not 40"),
    ],
)
def test_a_bad_line_is_kept_apart(line: bytes, reason: str) -> None:
    block = parse_block(LINE + b"\n" + line + b"\n" + LINE + b"\n", CRITEO, "vocabulary")
    assert [(bad.line, bad.reason) for bad in block.bad] == [(2, reason)]
    assert block.bad[0].text == line[:200].decode("utf-8", "replace")
    assert block.n_lines == 3
    assert block.labels.tolist() == [1, 1]
    assert all(len(array) == 2 for array in (block.dense, block.missing, *block.keys))


def test_avazu_by_hand() -> None:
    line = (
        b"10000169349117863715,0,14102100,1005,0,1fbe01fe,f3845767,28905ebd,ecad2386,7801e8d9,07d7df22,a99f214a,"
        b"96809ac8,711ee120,1,0,15704,320,50,1722,0,35,-1,79\n"
    )
    block = parse_block(line, AVAZU, "authors")
    assert block.keys[0].tolist() == [10000169349117863715]
    assert block.keys[4].tolist() == [0x1FBE01FE]
    assert block.keys[21].tolist() == [2**64 - 1]  # C20 = -1
    assert block.dense.tolist() == [[0.0]]  # the authors' placeholder
    without_id = parse_block(line, AVAZU, "vocabulary")
    assert [keys[0] for keys in without_id.keys] == [keys[0] for keys in block.keys[1:]]
    assert without_id.dense.shape == (1, 0)


def test_kdd_by_hand() -> None:
    # Click, Impression, DisplayURL, AdID, AdvertiserID, Depth, Position, Query, Keyword, Title, Description, User
    lines = b"0\t1\t4298118681424644510\t7\t8\t2\t1\t10\t11\t12\t13\t490234\n3\t9\t5\t7\t8\t2\t1\t10\t11\t12\t13\t77\n"
    profiles = Profiles(*(np.array([n], dtype=np.uint64) for n in (490234, 2, 5)))
    block = parse_block(lines, KDD2012, "authors", profiles)
    assert block.labels.tolist() == [0, 1]  # Click > 0
    logs = [[math.log(2), math.log(3), math.log(2)], [math.log(10), math.log(3), math.log(2)]]
    np.testing.assert_array_equal(block.dense, np.array(logs, dtype=np.float32))
    assert [keys.tolist()[0] for keys in block.keys] == [4298118681424644510, 7, 8, 10, 11, 12, 13, 490234, 2, 5]
    assert [keys.tolist()[1] for keys in block.keys[8:]] == [0, 0]  # a user without profile
    without = parse_block(lines, KDD2012, "vocabulary", profiles)
    np.testing.assert_array_equal(without.dense, block.dense[:, 1:])  # Impression leaks the label
    bad = parse_block(b"-1" + lines[1:], KDD2012, "vocabulary", profiles).bad
    assert [line.reason for line in bad] == ["Click must be a count of clicks, got '-1'"]


def slow_parse(line: bytes) -> tuple[int, list[int | None]] | None:
    """Label and cells of a line of Criteo, None for a bad one: the rules cell by cell."""
    cells = line.removesuffix(b"\r").split(b"\t")
    if len(cells) != 40 or cells[0] == b"" or not re.fullmatch(rb"0{0,23}[01]", cells[0]):
        return None
    values: list[int | None] = []
    for j, cell in enumerate(cells[1:], start=1):
        rule = rb"(-?[0-9]{1,24})?" if j < 14 else rb"[0-9a-fA-F]{0,8}"
        if not re.fullmatch(rule, cell):
            return None
        values.append(int(cell, 10 if j < 14 else 16) if cell else None)
        if j < 14 and cell and not -(10**7) < int(cell) < 2**64 - 10**7:
            return None
    return int(cells[0]), values


def mutated(rng: np.random.Generator, line: bytes) -> bytes:
    """A line after one to three random changes of its bytes."""
    text = bytearray(line)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, len(text)))
        kind = rng.integers(0, 5)
        if kind == 0:
            text[at] = rng.integers(0, 256)
        elif kind == 1:
            text.insert(at, int(rng.choice(list(b"\t\n\r-0159afAFgG:/@` .\x00\xff"))))
        elif kind == 2:
            del text[at]
        elif kind == 3:
            text[at:at] = bytes(rng.choice(list(b"0123456789abcdef-"), size=rng.integers(1, 25)).astype(np.uint8))
        else:
            text[at] = rng.choice(list(b"0123456789abcdef"))
        text = text or bytearray(b"\t")
    return bytes(text)


def test_twenty_thousand_mutated_lines_are_read_as_the_rules_say_or_refused() -> None:
    rng = np.random.default_rng(0)
    text = b"\n".join(mutated(rng, LINE) for _ in range(20_000)) + b"\n"
    lines = text[:-1].split(b"\n")
    block = parse_block(text, CRITEO, "vocabulary")
    expected = [slow_parse(line) for line in lines]
    assert block.n_lines == len(lines) >= 20_000
    assert [bad.line for bad in block.bad] == [i for i, row in enumerate(expected, start=1) if row is None]
    good = [row for row in expected if row is not None]
    assert 3_000 < len(good) < 17_000  # the mutations neither spare nor spoil all lines
    assert block.labels.tolist() == [label for label, _ in good]
    bits = np.unpackbits(block.missing, axis=1, count=39).astype(bool)
    for j in range(39):
        values = [row[j] for _, row in good]
        bit = j - 13 if j >= 13 else j + 26
        assert bits[:, bit].tolist() == [value is None for value in values]
        if j < 13:
            logs = [math.log1p(max(value or 0, 0)) for value in values]
            np.testing.assert_allclose(block.dense[:, j], logs, rtol=1e-6)
        else:
            assert block.keys[j - 13].tolist() == [value or 0 for value in values]


def test_first_lines() -> None:
    check_first_line(LINE, CRITEO, "train.txt")
    check_first_line(b"\xff\xfe junk", CRITEO, "train.txt")  # a bad line, not a header
    with pytest.raises(DataError, match=r"train.txt begins with a header line, 'label\\tI1\\t.*Criteo Kaggle has none"):
        check_first_line("\t".join(CRITEO.header).encode(), CRITEO, "train.txt")
    header = ",".join(AVAZU.header)
    for end in ("\n", "\r\n"):
        check_first_line(f"{header}{end}".encode(), AVAZU, "train.csv")
    check_first_line(f"\ufeff{header}\n".encode(), AVAZU, "train.csv")
    with pytest.raises(DataError, match=r"train.csv has no header line: line 1 of Avazu must be 'id,click,"):
        check_first_line(b",".join([b"7"] * 24), AVAZU, "train.csv")
    with pytest.raises(DataError, match=r"test.csv has another header line: .* got 'id,hour"):
        check_first_line(header.replace("click,", "").encode(), AVAZU, "test.csv")
