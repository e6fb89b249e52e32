from pathlib import Path

import numpy as np
import pytest

from moco.data.logs.formats import CRITEO
from moco.data.logs.generate import generate_criteo
from moco.data.logs.parse import parse_block
from moco.data.rows import DataError


def test_the_lines_are_of_the_format(tmp_path: Path) -> None:
    generate_criteo(tmp_path / "train.txt", 60_000)
    text = (tmp_path / "train.txt").read_bytes()
    block = parse_block(text, CRITEO, "vocabulary")
    assert (block.labels.size, block.bad) == (60_000, ())
    assert 200 < len(text) / 60_000 < 280
    assert 0.2 < block.labels.mean() < 0.32  # Criteo Kaggle: 0.256
    n_values = [np.unique(keys).size for keys in block.keys]
    assert n_values[8] <= 3 + 1  # C9 has 3 values, and cells that are missing read as 0
    assert n_values[2] > 10_000  # C3 has 10 million
    rates = np.array([block.labels[block.keys[5] == key].mean() for key in np.unique(block.keys[5])])
    assert rates.max() - rates.min() > 0.05  # values carry the label


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        generate_criteo(tmp_path / name, 50, seed)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c
    assert a.count(b"\n") == 50


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="n_rows must be a whole number of at least 1, got 0"):
        generate_criteo(tmp_path / "a", 0)
    with pytest.raises(DataError, match=r"cannot write .*; free disk space or choose another path"):
        generate_criteo(tmp_path / "nowhere" / "a", 5)
