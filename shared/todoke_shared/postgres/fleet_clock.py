"""The fleet's one clock is PostgreSQL's; a simulated clock (start, rate) is a row that every service follows."""

import time
from datetime import datetime

import asyncpg

from todoke_shared.clock import ClockSample, SampledClock

RESAMPLE_SECONDS = 1.0
"""Often enough that a drifting machine stays within milliseconds, and a new simulated clock is followed at once."""

_SAMPLE = """
SELECT clock_timestamp() AS wall, s.starts_at, s.set_at, s.rate
  FROM (SELECT 1) AS one LEFT JOIN platform.simulated_clock s ON true
"""
_SET = """
INSERT INTO platform.simulated_clock (starts_at, set_at, rate) VALUES ($1, clock_timestamp(), $2)
ON CONFLICT (singleton) DO UPDATE SET starts_at = excluded.starts_at, set_at = excluded.set_at, rate = excluded.rate
"""


async def sample_clock(pool: "asyncpg.Pool[asyncpg.Record]") -> ClockSample:
    """Ask PostgreSQL for the time. Half the round trip is taken for the way back."""
    before = time.monotonic()
    row = await pool.fetchrow(_SAMPLE)
    after = time.monotonic()
    if row is None:
        raise RuntimeError("PostgreSQL gave no time")
    wall: datetime = row["wall"]
    rate = row["rate"] or 1.0
    now = row["starts_at"] + (wall - row["set_at"]) * rate if row["rate"] else wall
    return ClockSample(wall=wall, now=now, rate=rate, monotonic=(before + after) / 2)


async def open_clock(pool: "asyncpg.Pool[asyncpg.Record]") -> SampledClock:
    """A clock that tells PostgreSQL's time; keep it true with `sample_clock` every RESAMPLE_SECONDS."""
    return SampledClock(await sample_clock(pool))


async def set_simulated_clock(pool: "asyncpg.Pool[asyncpg.Record]", starts_at: datetime, rate: float) -> None:
    """From now on the shop's time starts at `starts_at` and passes `rate` times as fast."""
    await pool.execute(_SET, starts_at, rate)


async def clear_simulated_clock(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Back to real time."""
    await pool.execute("DELETE FROM platform.simulated_clock")
