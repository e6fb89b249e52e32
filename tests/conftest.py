"""What all tests share: hypothesis without time limits, and a real PostgreSQL server, started when first asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.postgresql import new_database, server, server_programs

settings.register_profile("moco", deadline=None)  # a busy machine is no failure
settings.load_profile("moco")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Folder of the socket of a server of this session's own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'moco[postgresql]'")
    if server_programs() is None:
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    with server() as folder:
        yield folder


@pytest.fixture
def database(postgresql: str) -> str:
    """URL of an empty database of this test's own."""
    return new_database(postgresql)
