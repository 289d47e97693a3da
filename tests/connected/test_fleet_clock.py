"""The fleet's clock on a real PostgreSQL: never ahead of it, and a simulated time ends with whoever keeps it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest

from todoke_shared.clock import SampledClock
from todoke_shared.postgres.fleet_clock import keep_simulated_clock, sample_clock, set_simulated_clock
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SHORTEN = "UPDATE platform.simulated_clock SET lives_until = lives_until - interval '10 s' RETURNING lives_until"
ENDS = "SELECT lives_until FROM platform.simulated_clock"
SHOP = datetime(2017, 11, 25, tzinfo=UTC)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """A small pool, as busy as the test makes it."""
    pool = await open_pool(postgres_dsn, application="clock-test", schema="platform", size=2)
    yield pool
    await pool.close()


async def ahead_of_postgres(clock: SampledClock, pool: Pool) -> timedelta:
    """How far the clock was ahead of an answer that PostgreSQL gave later; above zero is always wrong."""
    told = clock.wall()
    later: datetime = await pool.fetchval("SELECT clock_timestamp()")
    return told - later


async def test_a_sample_is_never_ahead_even_when_the_pool_is_busy(pool: Pool) -> None:
    """However long the wait for a connection, nothing is sent early for it."""
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(pool.acquire())
        sampling = asyncio.create_task(sample_clock(pool))
        await asyncio.sleep(0.5)
        assert not sampling.done()
    clock = SampledClock(await sampling)
    assert await ahead_of_postgres(clock, pool) <= timedelta(0)
    assert clock.now() <= clock.wall()


async def test_a_sample_is_never_ahead_by_the_way_there_and_back(pool: Pool) -> None:
    """Not by a part of a millisecond either, in twenty samples."""
    for _ in range(20):
        clock = SampledClock(await sample_clock(pool))
        assert await ahead_of_postgres(clock, pool) <= timedelta(0)
        assert clock.now() <= clock.wall()


async def test_a_simulated_clock_that_nobody_keeps_ends_by_itself(pool: Pool) -> None:
    """A replay that was killed gives the shop its real time back."""
    await set_simulated_clock(pool, SHOP, 60.0)
    sample = await sample_clock(pool)
    assert sample.rate == 60.0
    assert SHOP <= sample.now < SHOP + timedelta(hours=1)
    await pool.execute("UPDATE platform.simulated_clock SET lives_until = clock_timestamp()")
    after = await sample_clock(pool)
    assert (after.rate, after.now) == (1.0, after.wall)


async def test_a_simulated_clock_that_is_kept_lives_on(pool: Pool) -> None:
    """Keeping it moves its end, and neither its time nor its rate."""
    await set_simulated_clock(pool, SHOP, 60.0)
    shortened: datetime = await pool.fetchval(SHORTEN)
    before = await sample_clock(pool)
    await keep_simulated_clock(pool)
    assert await pool.fetchval(ENDS) >= shortened + timedelta(seconds=10)
    kept = await sample_clock(pool)
    assert kept.rate == 60.0
    passed = (kept.wall - before.wall).total_seconds() * 60
    assert (kept.now - before.now).total_seconds() == pytest.approx(passed, abs=0.001)
