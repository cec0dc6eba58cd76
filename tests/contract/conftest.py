"""Fixtures of the contracts."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.cluster.site import Site
from tests.support.postgres import PostgresServer


@pytest.fixture
def site(postgres_server: PostgresServer) -> Iterator[Site]:
    """A database that the engines of two shards share."""
    with ExitStack() as stack:
        yield Site(postgres_server.database(), stack)
