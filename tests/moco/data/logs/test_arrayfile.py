from pathlib import Path

import numpy as np

from moco.data.logs.arrayfile import ArrayFile


def test_rows_in_any_order(tmp_path: Path) -> None:
    expected = np.arange(30, dtype=np.uint16).reshape(10, 3)
    with ArrayFile(tmp_path / "a.npy", np.dtype(np.uint16), (10, 3)) as file:
        file.write(4, expected[4:])
        file.write(0, expected[:4].astype(np.int64))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), expected)
    assert np.load(tmp_path / "a.npy").dtype == np.uint16


def test_rows_one_after_another(tmp_path: Path) -> None:
    with ArrayFile(tmp_path / "a.npy", np.dtype(np.uint32), (5,)) as file:
        for rows in ([1, 2], [], [3, 4, 5]):
            file.append(np.array(rows))
    assert np.load(tmp_path / "a.npy", mmap_mode="r").tolist() == [1, 2, 3, 4, 5]


def test_an_empty_array(tmp_path: Path) -> None:
    with ArrayFile(tmp_path / "a.npy", np.dtype(np.float32), (7, 0)) as file:
        file.write(0, np.zeros((7, 0), dtype=np.float32))
    assert np.load(tmp_path / "a.npy").shape == (7, 0)
