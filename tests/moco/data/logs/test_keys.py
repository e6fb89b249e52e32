from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moco.data.logs import keys as module
from moco.data.logs.keys import KeyTable, counted, mixed


@settings(max_examples=80)
@given(st.lists(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=40), max_size=5), st.integers(1, 3))
def test_counted_as_a_counter_counts(columns: list[list[int]], min_count: int) -> None:
    counts = Counter(key for column in columns for key in column)
    expected = sorted((key for key, count in counts.items() if count >= min_count), key=lambda k: (-counts[k], k))
    assert counted((np.array(c, dtype=np.uint64) for c in columns), min_count).tolist() == expected


def test_counting_in_pieces_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    columns = [(rng.pareto(1.0, 1000) * 5).astype(np.uint32) for _ in range(9)]
    whole = counted(columns, 2)
    monkeypatch.setattr(module, "_KEYS_AT_ONCE", 1500)
    np.testing.assert_array_equal(counted(columns, 2), whole)
    assert whole.dtype == np.uint32


@settings(max_examples=60)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 50), unique=True, max_size=60), st.lists(st.integers(0, 60)))
def test_a_table_finds_what_it_holds_and_nothing_else(held: list[int], asked: list[int]) -> None:
    table = KeyTable(np.array(held, dtype=np.uint64))
    expected = [held.index(key) + 1 if key in held else 0 for key in [*held, *asked]]
    assert table.ids(np.array([*held, *asked], dtype=np.uint64)).tolist() == expected


def test_keys_that_all_want_one_slot() -> None:
    # The table of 100 keys has 256 slots, chosen by the 8 highest bits of key * golden; the inverse of the odd number
    # modulo 2**64 gives keys whose products differ in the lowest bits alone.
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    held = np.array([low * inverse % 2**64 for low in range(100)], dtype=np.uint64)
    absent = np.array([low * inverse % 2**64 for low in range(100, 140)], dtype=np.uint64)
    table = KeyTable(held)
    np.testing.assert_array_equal(table.ids(held), np.arange(1, 101))
    assert not table.ids(absent).any()


def test_a_large_table() -> None:
    held = np.random.default_rng(0).permutation(2_000_000)[:1_000_000].astype(np.uint32)
    table = KeyTable(held)
    np.testing.assert_array_equal(table.ids(held), np.arange(1, held.size + 1))


def test_mixed_is_one_to_one_and_even() -> None:
    spread = mixed(np.arange(100_000, dtype=np.uint64))
    assert np.unique(spread).size == 100_000
    counts = np.bincount((spread % np.uint64(100)).astype(np.int64))
    assert np.abs(counts - 1000).max() < 5 * 1000**0.5  # five deviations of a Poisson count
    # The first output of SplitMix64 for seed 0 is this function of its increment 0x9E3779B97F4A7C15.
    assert mixed(np.array([0x9E3779B97F4A7C15], dtype=np.uint64)).tolist() == [0xE220A8397B1DCDAF]
