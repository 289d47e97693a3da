"""What many connected tests begin with."""

from collections.abc import AsyncIterator

import pytest

from tests.support.dispatching import Bench, open_bench


@pytest.fixture
async def bench(postgres_dsn: str) -> AsyncIterator[Bench]:
    """A ledger of this test's own."""
    async with open_bench(postgres_dsn) as bench:
        yield bench
