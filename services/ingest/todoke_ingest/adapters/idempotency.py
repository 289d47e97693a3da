"""Idempotency keys in PostgreSQL: whoever comes first says what a key stands for, for a day.

Claimed just before publishing, and for good: after a 503 the same request is sent again under the same key and is
published, since nothing of the first may be relied on. After a 2xx it is published again too, with the same ids, by
which every reader knows an event that it has had.
"""

import asyncio

import asyncpg

from todoke_shared.errors import SlowDownError
from todoke_shared.postgres.pool import CALL_TIMEOUT_SECONDS
from todoke_shared.postgres.queries import load_queries

PURGE_SECONDS = 60.0

_SQL = load_queries("todoke_ingest.adapters", "idempotency.sql")


async def claim(pool: "asyncpg.Pool[asyncpg.Record]", shop: str, key: str, digest: bytes) -> bool:
    """Whether the key stands for what has this digest: from now on, or since before. SlowDownError without an answer.

    One round trip. Two at once take turns in PostgreSQL: the second sees what the first has claimed.
    """
    try:
        async with asyncio.timeout(CALL_TIMEOUT_SECONDS):  # the wait for a connection is in it
            claimed: bytes = await pool.fetchval(_SQL["claim"], shop, key, digest)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        raise SlowDownError("PostgreSQL does not answer") from None
    return claimed == digest


async def purge(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Forget keys of more than a day ago, some at a time; then rest."""
    forgotten = await pool.execute(_SQL["purge"])
    await asyncio.sleep(1 if forgotten != "DELETE 0" else PURGE_SECONDS)
