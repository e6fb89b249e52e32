from pathlib import Path

import numpy as np
import pytest

from moco.data.logs.profiles import Profiles, read_profiles
from moco.data.rows import DataError


def test_profiles_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "userid_profile.txt"
    path.write_bytes(b"5\t1\t3\r\n490234\t2\t6\r\n5\t2\t2\r\n7\t0\t1")
    profiles = read_profiles(path, 8)  # several blocks
    gender, age = profiles.of(np.array([7, 5, 6, 490234, 0, 2**63], dtype=np.uint64))
    assert gender.tolist() == [0, 1, 0, 2, 0, 0]  # the first entry of a user counts; 0 without one
    assert age.tolist() == [1, 3, 0, 6, 0, 0]


def test_no_users() -> None:
    nobody = Profiles(*(np.zeros(0, dtype=np.uint64),) * 3)
    assert [column.tolist() for column in nobody.of(np.array([1, 2], dtype=np.uint64))] == [[0, 0], [0, 0]]


@pytest.mark.parametrize("line", ["8\t1", "8\t1\t2\t3", "8\tx\t2", "8\t\t2", "8\t-1\t2", ""])
def test_a_bad_profile_names_its_line(line: str, tmp_path: Path) -> None:
    path = tmp_path / "userid_profile.txt"
    path.write_text(f"1\t1\t3\n2\t1\t3\n{line}\n9\t1\t1\n")
    for block_bytes in (6, 1000):
        with pytest.raises(DataError, match=r"userid_profile.txt: line 3 must be user, gender and age, three whole"):
            read_profiles(path, block_bytes)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "p").touch()
    with pytest.raises(DataError, match="p is empty; user, gender and age of each user are expected"):
        read_profiles(tmp_path / "p", 100)
