"""The fleet's one clock is PostgreSQL's; a simulated clock (start, rate) is a row that every service follows."""

import asyncio
import time
from datetime import datetime, timedelta

import asyncpg

from todoke_shared.clock import ClockSample, SampledClock
from todoke_shared.errors import SlowDownError

RESAMPLE_SECONDS = 1.0
"""Often enough that a drifting machine stays within milliseconds, and a new simulated clock is followed at once."""

_SAMPLE = """
SELECT clock_timestamp() AS wall, s.starts_at, s.set_at, s.rate
  FROM (SELECT 1) AS one LEFT JOIN platform.simulated_clock s ON s.lives_until > clock_timestamp()
"""
_SET = """
INSERT INTO platform.simulated_clock (starts_at, set_at, rate, lives_until)
VALUES ($1, clock_timestamp(), $2, clock_timestamp() + $3)
ON CONFLICT (singleton) DO UPDATE
   SET starts_at = excluded.starts_at, set_at = excluded.set_at, rate = excluded.rate,
       lives_until = excluded.lives_until
"""
_KEEP = "UPDATE platform.simulated_clock SET lives_until = clock_timestamp() + $1"
SIMULATED_LIFE = timedelta(seconds=30)
"""A replay that was killed leaves the shop in a time of its own no longer than this."""


async def sample_clock(pool: "asyncpg.Pool[asyncpg.Record]") -> ClockSample:
    """Ask PostgreSQL for the time.

    The answer is taken to be made when it arrives: the clock may be late by the way back, and is never ahead, however
    long the way or the wait for a connection (fault test 21: nothing early).
    """
    try:
        row = await pool.fetchrow(_SAMPLE)
    except asyncpg.UndefinedTableError:
        raise SlowDownError("the database is not prepared; run `todoke migrate`") from None
    arrived = time.monotonic()
    if row is None:
        raise RuntimeError("PostgreSQL gave no time")
    wall: datetime = row["wall"]
    rate = row["rate"] or 1.0
    now = row["starts_at"] + (wall - row["set_at"]) * rate if row["rate"] else wall
    return ClockSample(wall=wall, now=now, rate=rate, monotonic=arrived)


async def open_clock(pool: "asyncpg.Pool[asyncpg.Record]") -> SampledClock:
    """A clock that tells PostgreSQL's time; `follow_clock` keeps it true."""
    return SampledClock(await sample_clock(pool))


async def follow_clock(clock: SampledClock, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """A round of the loop that keeps a clock true."""
    clock.resample(await sample_clock(pool))
    await asyncio.sleep(RESAMPLE_SECONDS)


async def set_simulated_clock(pool: "asyncpg.Pool[asyncpg.Record]", starts_at: datetime, rate: float) -> None:
    """From now on the shop's time starts at `starts_at` and passes `rate` times as fast, for SIMULATED_LIFE."""
    await pool.execute(_SET, starts_at, rate, SIMULATED_LIFE)


async def keep_simulated_clock(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Let the simulated clock live on, for SIMULATED_LIFE from now."""
    await pool.execute(_KEEP, SIMULATED_LIFE)


async def clear_simulated_clock(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Back to real time."""
    await pool.execute("DELETE FROM platform.simulated_clock")
