import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from moco.data.logs.threads import in_order


def test_results_are_in_order_and_few_are_under_way() -> None:
    lock = threading.Lock()
    started, most = 0, 0
    taken = 0

    def square(n: int) -> int:
        nonlocal started, most
        with lock:
            started += 1
            most = max(most, started - taken)
        time.sleep(0.002 if n % 3 else 0.0)
        return n * n

    with ThreadPoolExecutor(4) as pool, in_order(pool, 5, square, range(50)) as results:
        for n, result in enumerate(results):
            assert result == n * n
            taken += 1
    assert taken == 50
    assert most <= 6  # five, and the one whose result is on its way


def test_nothing_is_left_running_after_an_error() -> None:
    ended = []

    def slow(n: int) -> None:
        if n == 0:
            raise ValueError("first")
        time.sleep(0.05)
        ended.append(n)

    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(ValueError, match="first"), in_order(pool, 4, slow, range(100)) as results:
            list(results)
        n_ended = len(ended)
        time.sleep(0.1)
        assert len(ended) == n_ended <= 3
