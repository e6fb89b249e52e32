from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """These matrices are small: threads would only wait for each other."""
    with threadpool_limits(1):
        yield
