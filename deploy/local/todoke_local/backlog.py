"""Whether anything is still on its way: what lies between the rooms, in PostgreSQL."""

import asyncio
import time

import asyncpg

_BACKLOG = """
SELECT (SELECT count(*) FROM segmenter.outbox)
     + (SELECT count(*) FROM scheduler.outbox)
     + (SELECT count(*) FROM dispatcher.outbox)
     + (SELECT count(*) FROM dispatcher.deliveries WHERE state IN ('waiting', 'attempting'))
"""
_PROGRESS = """
SELECT (SELECT coalesce(sum(next_offset), 0) FROM segmenter.consumed)
     + (SELECT coalesce(sum(next_offset), 0) FROM scheduler.consumed)
     + (SELECT coalesce(sum(next_offset), 0) FROM dispatcher.consumed)
"""
QUIET_SECONDS = 2.0
"""Longer than any hop from topic to topic takes, so that a quiet pipeline is an empty one."""


async def until_quiet(pool: "asyncpg.Pool[asyncpg.Record]", *, seconds: float) -> bool:
    """Wait until nothing is on its way and nothing has moved for two seconds. False when it never was so in time."""
    deadline = time.monotonic() + seconds
    progress, since = None, time.monotonic()
    while time.monotonic() < deadline:
        now = await pool.fetchval(_PROGRESS)
        if now != progress or await pool.fetchval(_BACKLOG):
            progress, since = now, time.monotonic()
        elif time.monotonic() - since >= QUIET_SECONDS:
            return True
        await asyncio.sleep(0.1)
    return False
