import gzip
from pathlib import Path

import polars as pl
import pytest

from moco.data.logs.source import MAX_LINE_BYTES, blocks
from moco.data.rows import DataError

LINES = [f"{i}\t{'x' * (i % 90)}".encode() for i in range(5000)]
TEXT = b"\n".join(LINES) + b"\n"


def zstd(path: Path, text: bytes) -> None:
    """Packs lines with polars, the one packer at hand that writes zstd."""
    lines = pl.DataFrame({"line": text.decode().split("\n")[:-1]})
    lines.lazy().sink_csv(path, include_header=False, quote_style="never", separator="\x1f", compression="zstd")


@pytest.fixture(params=["plain", "gzip", "two gzips", "zstd"])
def packed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "log.zst" if request.param == "zstd" else tmp_path / "log"
    if request.param == "zstd":
        zstd(path, TEXT)
    else:
        middle = TEXT.index(b"\n", len(TEXT) // 2) - 3
        gzips = gzip.compress(TEXT[:middle]) + gzip.compress(TEXT[middle:])
        path.write_bytes({"plain": TEXT, "gzip": gzip.compress(TEXT), "two gzips": gzips}[request.param])
    return path


def test_blocks_are_whole_lines_and_all_of_them(packed: Path) -> None:
    found = list(blocks(packed, 20_000))
    assert b"".join(block.text for block in found) == TEXT
    assert len(found) > 5
    assert all(block.text.endswith(b"\n") for block in found)
    assert max(len(block.text) for block in found) < 20_200
    shares = [block.share_read for block in found]
    assert shares == sorted(shares)
    assert shares[-1] in (0.0, 1.0)


def test_a_missing_final_newline_is_made_up(tmp_path: Path) -> None:
    for name, text in (("plain", b"a\nb"), ("packed", gzip.compress(b"a\nb"))):
        (tmp_path / name).write_bytes(text)
        assert b"".join(block.text for block in blocks(tmp_path / name, 100)) == b"a\nb\n"


def test_an_empty_file_has_no_blocks(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"")
    assert list(blocks(tmp_path / "log", 100)) == []


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_a_packed_file_that_is_cut_short_or_damaged(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "log.zst"
    if kind == "gzip":
        path.write_bytes(gzip.compress(TEXT))
    else:
        zstd(path, TEXT)
    whole = path.read_bytes()
    bad_files = [whole[: len(whole) // 2], whole[:-3], whole[:6]]
    if kind == "gzip":  # which has a checksum; polars writes zstd without one
        bad_files.append(whole[:200] + b"\x00" * 40 + whole[240:])
    for bad in bad_files:
        path.write_bytes(bad)
        with pytest.raises(
            DataError, match=r"cannot read .*log.zst to its end \(.+\); it is damaged, cut short or not"
        ):
            list(blocks(path, 20_000))


def test_a_file_that_is_not_lines(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\x00" * (2 * MAX_LINE_BYTES))
    with pytest.raises(DataError, match=r"log has a line longer than 1,048,576 bytes; is it a log in text"):
        list(blocks(tmp_path / "log", 1000))


def test_a_file_that_goes_or_changes(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with pytest.raises(DataError, match=r"cannot read .*log: No such file or directory; put the file back"):
        next(blocks(path, 1000))
    path.write_bytes(TEXT)
    reader = blocks(path, 1000)
    next(reader)
    path.unlink()
    with pytest.raises(DataError, match="No such file or directory; put the file back and run again"):
        list(reader)
    path.write_bytes(TEXT)
    reader = blocks(path, 1000)
    next(reader)
    with path.open("ab") as file:
        file.write(b"more\n")
    with pytest.raises(DataError, match="log changed while it was read; let it rest and run again"):
        list(reader)
