"""Who waits for whom in PostgreSQL."""

from typing import TypeAlias

import asyncpg

from tests.support.waiting import until

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def until_waiting(pool: Pool, number: int = 1) -> None:
    """Return once so many connections to this database wait for another's lock."""
    wanted = f"{number} connections wait for a lock"
    await until(lambda: pool.fetchval(_WAITING), lambda waiting: waiting >= number, wanted, pause=0.01)
