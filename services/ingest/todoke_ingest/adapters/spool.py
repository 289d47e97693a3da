"""The spool: records in the table `ingest.outbox`, drained in each customer's order by the relay that every room has.

May block: for SECONDS. May lose: nothing. May repeat: as the relay does.
"""

import asyncio
from collections.abc import Sequence

import asyncpg

from todoke_shared.contracts.topics import TOPICS
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.records import Outgoing
from todoke_shared.kafka.relay import Relay
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import put_outbox
from todoke_shared.telemetry import metrics

_SQL = load_queries("todoke_ingest.adapters", "spool.sql")
_TOPICS = [name for topic in TOPICS for name in (topic.name, topic.dead_letters)]
SECONDS = 2.0
"""A sender that is still there after Kafka's deadline must not wait much longer."""


class PostgresSpool:
    """At most `limit` bytes of keys and values, of all ingests together."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", relay: Relay, *, limit: int) -> None:
        self._pool = pool
        self._relay = relay
        self._limit = limit
        self._last: int | None = None
        self._bytes = 0

    @property
    def is_half_full(self) -> bool:
        """Whether what strangers send should wait outside: the other half is for the shop and for LINE."""
        return self._bytes > self._limit // 2

    async def put(self, records: Sequence[Outgoing]) -> None:
        """Return once they are committed. SlowDownError when the spool is full or PostgreSQL does not answer."""
        size = sum(len(record.key or b"") + len(record.value or b"") for record in records)
        try:
            async with asyncio.timeout(SECONDS), self._pool.acquire() as connection, connection.transaction():
                used = await connection.fetchval(_SQL["lock_room"], size, self._limit)
                if used is not None:
                    await put_outbox(connection, records)
                    last = await connection.fetchval(_SQL["last"])
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise SlowDownError(f"Kafka is away and so is PostgreSQL ({type(error).__name__})") from error
        if used is None:
            raise SlowDownError("Kafka is away and the spool is full (TODOKE_SPOOL_BYTES)")
        self._last = max(self._last or 0, last)
        self._bytes = used
        metrics.SPOOL_BYTES.set(used)

    async def drain_some(self) -> int:
        """Bring some to Kafka, oldest first. SlowDownError while it is away."""
        return await self._relay.publish_some()

    async def waiting(self) -> frozenset[str]:
        """The topics of which records that this ingest has put in, or found there at first, still wait for Kafka."""
        row = await self._pool.fetchrow(_SQL["look"], self._last, _TOPICS)
        if row is None:
            raise RuntimeError("ingest.spool_room has lost its row; put it back: INSERT INTO spool_room DEFAULT VALUES")
        metrics.SPOOL_BYTES.set(row["bytes"])
        self._bytes = row["bytes"]
        return frozenset(row["waiting"])
