from pathlib import Path

import numpy as np
import pytest

from moco.data.logs.blockfile import BlockList, BlockStore, field_bits
from moco.data.logs.formats import AVAZU, CRITEO, LogFormat
from moco.data.logs.parse import parse_block


@pytest.mark.parametrize("log_format", [CRITEO, AVAZU])
def test_a_block_is_read_as_it_was_written(log_format: LogFormat, tmp_path: Path) -> None:
    cells = ["1" if column.kind == "label" else "17" for column in log_format.columns]
    line = log_format.separator.join(cells)
    empty = log_format.separator.join(["0", "", *cells[2:]] if log_format is CRITEO else ["", *cells[1:]])
    block = parse_block(f"{line}\nbad\n{empty}\n".encode(), log_format, "authors")
    store = BlockStore(tmp_path, log_format, "authors")
    record = store.put(3, block, 99)
    assert (record.n_rows, record.n_lines, record.bad) == (2, 3, block.bad)
    np.testing.assert_array_equal(store.labels(3, 2), block.labels)
    np.testing.assert_array_equal(store.dense(3, 2), block.dense)
    np.testing.assert_array_equal(store.missing(3, 2), block.missing)
    for field, keys in enumerate(block.keys):
        np.testing.assert_array_equal(store.keys(3, 2, field), keys)
    field = 26 if log_format is CRITEO else 0  # the cell left empty: I1 after 26 categorical fields, id
    assert [np.flatnonzero(field_bits(block.missing, f)).tolist() for f in (field, field + 1)] == [[1], []]


def test_only_a_whole_block_of_the_same_text_is_found(tmp_path: Path) -> None:
    store = BlockStore(tmp_path, CRITEO, "vocabulary")
    block = parse_block(b"\t".join([b"1"] * 40) + b"\nbad\n", CRITEO, "vocabulary")
    record = store.put(0, block, 99)
    assert store.found(0, 99) == record
    assert store.found(0, 98) is None
    assert store.found(1, 99) is None
    rows = tmp_path / "000000.rows"
    whole = rows.read_bytes()
    for bad in (whole[:-1], bytes([whole[0] ^ 1]) + whole[1:]):
        rows.write_bytes(bad)
        assert store.found(0, 99) is None
    rows.write_bytes(whole)
    (tmp_path / "000000.json").write_text("{")
    assert store.found(0, 99) is None


def test_first_rows(tmp_path: Path) -> None:
    blocks = BlockList(BlockStore(tmp_path, CRITEO, "vocabulary"), (5, 0, 7))
    assert list(blocks) == [(0, 0, 5), (1, 5, 0), (2, 5, 7)]
