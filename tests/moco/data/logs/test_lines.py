import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from moco.data.logs.lines import decimal_cells, hex_cells, lines


@given(st.lists(st.integers(0, 2**64 - 1) | st.sampled_from([0, 9, 10, 9_999, 10_000, 10_001, 10**8]), min_size=1))
def test_decimals(numbers: list[int]) -> None:
    text = lines([decimal_cells(np.array(numbers, dtype=np.uint64))], ",")
    assert text.decode().split("\n")[:-1] == [str(number) for number in numbers]


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1))
def test_hexadecimals(numbers: list[int]) -> None:
    text = lines([hex_cells(np.array(numbers, dtype=np.uint32))], ",")
    assert text.decode().split("\n")[:-1] == [f"{number:08x}" for number in numbers]


def test_columns_side_by_side() -> None:
    names = np.array([b"one", b"", b"three"])
    assert lines([names, decimal_cells(np.array([1, 20_000, 0], dtype=np.uint64))], "\t") == (
        b"one\t1\n\t20000\nthree\t0\n"
    )
