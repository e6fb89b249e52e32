"""Work on a pool of threads, its results in order, and none of it left running when the caller gives up."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def in_order(
    pool: ThreadPoolExecutor, n_ahead: int, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Iterator[Result]]:
    """The results of a function for each item, in the order of the items, at most n_ahead of them under way.

    At the end of the block, also by an error, no call is under way any more: files may be closed and removed.
    """
    running: deque[Future[Result]] = deque()

    def results() -> Iterator[Result]:
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) >= n_ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()

    try:
        yield results()
    finally:
        for future in running:
            future.cancel()
        wait(running)
