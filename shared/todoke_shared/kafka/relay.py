"""Outbox -> topics. One relay per shard: publish, await the acknowledgement, delete.

May block: on PostgreSQL and on Kafka. May lose: nothing. May repeat: the last batch, when it dies between the
acknowledgement and the delete; ids are deterministic, so readers recognise it.
"""

import asyncio
from types import TracebackType
from typing import Self

import asyncpg

from todoke_shared.kafka.records import Outgoing, Publisher
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import OUTBOX_SHARDS

_SQL = load_queries("todoke_shared.postgres", "stream.sql")
POLL_SECONDS = 0.1
"""How long a record of another process may wait; our own handlers wake us at once."""
BATCH = 1000


class Relay:
    """Publishes what a room has put into the outbox of its schema."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", schema: str, publisher: Publisher) -> None:
        self._pool = pool
        self._schema = schema
        self._publisher = publisher
        self._wake = asyncio.Event()
        self._owner: asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | None = None
        self._shards: list[int] = []

    def wake(self) -> None:
        """Something was just committed to the outbox."""
        self._wake.set()

    async def run_once(self) -> None:
        """Publish until the outbox is empty, then wait for a wake or the poll time."""
        await self._own_shards()
        while await self.publish_some():
            self._wake.clear()
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def publish_some(self) -> int:
        """Publish one batch of the shards owned and give its size."""
        if not self._shards:
            return 0
        rows = await self._pool.fetch(_SQL["read_outbox"], self._shards, BATCH)
        if rows:
            await self._publisher.publish([Outgoing(r["topic"], r["key"], r["value"], r["headers"]) for r in rows])
            await self._pool.execute(_SQL["delete_outbox"], [row["id"] for row in rows])
        return len(rows)

    async def _own_shards(self) -> None:
        if self._owner is not None and self._owner.is_closed():
            await self.release()
        if self._owner is None:
            self._owner = await self._pool.acquire()
        if len(self._shards) < OUTBOX_SHARDS:
            rows = await self._owner.fetch(_SQL["lock_shards"], OUTBOX_SHARDS, f"todoke.outbox.{self._schema}")
            # A session may lock the same shard twice, so the answer repeats those we own.
            self._shards = [row["shard"] for row in rows]

    async def release(self) -> None:
        """Give the shards to whoever asks next. The connection is closed, for its locks live as long as it does."""
        owner, self._owner, self._shards = self._owner, None, []
        if owner is not None:
            owner.terminate()
            await self._pool.release(owner)

    async def __aenter__(self) -> Self:
        """Own what shards are free."""
        await self._own_shards()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release them."""
        await self.release()
