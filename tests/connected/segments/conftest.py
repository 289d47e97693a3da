"""A segmenter on PostgreSQL, at noon, with one segment and one campaign."""

from collections.abc import AsyncIterator

import pytest

from tests.support.segment_machines import NOON, Machine, Pool, open_segments
from todoke_shared.clock import FakeClock


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Everybody's tables, one segment, one campaign for who enters it."""
    async with open_segments(postgres_dsn) as opened:
        yield opened


@pytest.fixture
async def machine(pool: Pool) -> Machine:
    """One, at noon."""
    return await Machine(pool, FakeClock(NOON)).start()
