"""Outbox -> topics. One relay per shard: publish, await the acknowledgement, delete.

May block: on PostgreSQL and on Kafka. May lose: nothing. May repeat: the last batch, when it dies between the
acknowledgement and the delete; ids are deterministic, so readers recognise it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self

import asyncpg

from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.publish import MAX_RECORD_BYTES, size_of
from todoke_shared.kafka.records import Outgoing, Publisher
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import OUTBOX_SHARDS
from todoke_shared.telemetry import metrics

logger = logging.getLogger("todoke.relay")
_SQL = load_queries("todoke_shared.postgres", "stream.sql")
POLL_SECONDS = 0.1
"""How long a record of another process may wait; our own handlers wake us at once."""
BATCH = 1000
BATCH_BYTES = 8_000_000
"""A batch of large records must still be read within the pool's call timeout."""
PUBLISH_SECONDS = 15.0
"""aiokafka waits for ever for a topic that is not there; we would rather say so, again and again."""
REST_SECONDS = 2.0
"""How long a topic that took nothing is left alone, while the records behind its own are read."""
FAILURES_TO_RELEASE = 3
"""Rounds in which nothing went well: perhaps it is our way to Kafka that is closed, and another relay's is open."""
OWNER_LIFE = "8s"
"""A relay that says nothing for longer (SIGSTOP, a lost network) loses its shards to whoever is awake. More than the
longest pause after an error (telemetry/loops.py)."""
SIGN_SECONDS = 1.0
"""How often one that waits for Kafka, or for the delete, lets PostgreSQL know that it is awake."""


class Relay:
    """Publishes what a room has put into the outbox of its schema."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", schema: str, publisher: Publisher) -> None:
        self._pool = pool
        self._schema = schema
        self._publisher = publisher
        self._wake = asyncio.Event()
        self._owner: asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | None = None
        self._shards: list[int] = []
        self._rests_until: dict[str, float] = {}
        self._failures = 0
        self._is_behind = False

    def wake(self) -> None:
        """Something was just committed to the outbox."""
        self._wake.set()

    async def run_once(self) -> None:
        """Publish until the outbox is empty, then wait for a wake or the poll time."""
        self._wake.clear()
        while await self.publish_some() and self._is_behind:
            self._wake.clear()
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    async def publish_some(self) -> int:
        """Publish one batch of the shards owned and give its size. SlowDownError when Kafka takes none of it.

        Each topic by itself: one that is missing, or forbidden to us, keeps its own records waiting and no others.
        """
        rows = await self._read()
        self._is_behind = len(rows) == BATCH or sum(len(row["value"] or b"") for row in rows) >= BATCH_BYTES
        records = {row["id"]: Outgoing(row["topic"], row["key"], row["value"], row["headers"]) for row in rows}
        too_large = {key: record for key, record in records.items() if size_of(record) > MAX_RECORD_BYTES}
        await self._set_aside(too_large)
        by_topic: dict[str, dict[int, Outgoing]] = {}
        for key, record in records.items():
            if key not in too_large:
                by_topic.setdefault(record.topic, {})[key] = record
        await self._judge(await self._publish_topics(by_topic))
        return len(rows)

    async def _publish_topics(self, by_topic: Mapping[str, Mapping[int, Outgoing]]) -> list[BaseException | None]:
        """What came of each. The session that owns the shards is kept awake meanwhile, however long Kafka takes."""
        publishing = asyncio.gather(
            *(self._publish_topic(topic, its) for topic, its in by_topic.items()), return_exceptions=True
        )
        try:
            while not (await asyncio.wait([publishing], timeout=SIGN_SECONDS))[0]:
                with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    if self._owner is not None:  # if its session has ended, the next read finds out
                        await self._owner.execute("SELECT 1")
        finally:
            publishing.cancel()  # where we are told to stop ourselves
            await asyncio.wait([publishing])
        return publishing.result()

    async def _publish_topic(self, topic: str, records: Mapping[int, Outgoing]) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._publisher.publish(list(records.values()))
        except (TimeoutError, SlowDownError) as error:
            self._rests_until[topic] = time.monotonic() + REST_SECONDS
            if isinstance(error, TimeoutError):
                raise SlowDownError(
                    f"Kafka has not acknowledged for {PUBLISH_SECONDS:g} s; is {topic} there?"
                ) from None
            raise
        await self._pool.execute(_SQL["delete_outbox"], list(records))

    async def _judge(self, results: Sequence[BaseException | None]) -> None:
        """Raise what went wrong, if nothing went well; after some such rounds let others try who may have a way."""
        errors = [result for result in results if result is not None]
        for error in errors:
            if not isinstance(error, SlowDownError):
                raise error
        if not errors:
            self._failures = 0
            return
        if len(errors) < len(results):
            logger.warning("%s", errors[0])
            return
        self._failures += 1
        if self._failures >= FAILURES_TO_RELEASE:
            self._failures = 0
            await self.release()
        raise errors[0]

    def _resting_topics(self) -> list[str]:
        now = time.monotonic()
        self._rests_until = {topic: until for topic, until in self._rests_until.items() if until > now}
        return list(self._rests_until)

    async def _set_aside(self, too_large: dict[int, Outgoing]) -> None:
        """Leave what Kafka will never take in the outbox, out of the others' way, for a person to see to."""
        if not too_large:
            return
        await self._pool.execute(_SQL["set_aside"], list(too_large))
        for key, record in too_large.items():
            metrics.SET_ASIDE.labels(record.topic).inc()
            logger.error("%s.outbox %d is too large for %s and was set aside", self._schema, key, record.topic)

    async def _read(self) -> list[asyncpg.Record]:
        """The oldest of the shards that are ours, by the session that owns them: one that has died owns nothing."""
        async with self._owning() as owner:
            if not self._shards:
                return []
            return await owner.fetch(_SQL["read_outbox"], self._shards, BATCH, BATCH_BYTES, self._resting_topics())

    @asynccontextmanager
    async def _owning(self) -> "AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]":
        """The session that owns what shards were free; with an error of its own it is given up."""
        try:
            if self._owner is None:
                self._owner = await self._pool.acquire()
                await self._owner.execute(f"SET idle_session_timeout = '{OWNER_LIFE}'")
            if len(self._shards) < OUTBOX_SHARDS:
                rows = await self._owner.fetch(_SQL["lock_shards"], OUTBOX_SHARDS, f"todoke.outbox.{self._schema}")
                # A session may lock the same shard twice, so the answer repeats those we own.
                self._shards = [row["shard"] for row in rows]
            yield self._owner
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await self.release()
            raise

    async def release(self) -> None:
        """Give the shards to whoever asks next. The connection is closed, for its locks live as long as it does."""
        owner, self._owner, self._shards = self._owner, None, []
        if owner is not None:
            with suppress(asyncpg.InterfaceError):  # a session that has ended is no longer the pool's, and says so
                owner.terminate()
            await self._pool.release(owner)

    async def __aenter__(self) -> Self:
        """Own what shards are free."""
        async with self._owning():
            return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release them."""
        await self.release()
