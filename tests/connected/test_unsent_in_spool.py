"""While Kafka is away LINE's events lie in PostgreSQL: what is unsent meanwhile never leaves it."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest

from tests.support.doors import Doors
from tests.support.line_webhooks import signed_event
from tests.support.memory_topics import MemoryTopics
from todoke_ingest.adapters.spool import PostgresSpool
from todoke_ingest.handlers.intake import Intake
from todoke_shared.accounts import SIMULATOR_SECRET, load_config
from todoke_shared.clock import FakeClock
from todoke_shared.kafka.records import Outgoing
from todoke_shared.kafka.relay import Relay
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)


class OnlyTheSpool:
    """A publisher whose Kafka is away."""

    def __init__(self, spool: PostgresSpool) -> None:
        self._spool = spool

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Into the spool."""
        await self._spool.put(records)


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """Ingest's schema."""
    async with await open_pool(postgres_dsn, application="unsent-test", schema="ingest", size=2) as pool:
        yield pool


async def post(doors: Doors, clock: FakeClock, fields: dict[str, object]) -> int:
    """A LINE event by Hana, a second later; the answer."""
    clock.move_to(clock.now() + timedelta(seconds=1))
    body, signature = signed_event(fields, "hana", clock.now(), SIMULATOR_SECRET)
    return (await doors.take_line_webhook("main", body, signature)).status


def text(message: str, words: str) -> dict[str, object]:
    """A message event."""
    return {"type": "message", "message": {"type": "text", "id": message, "text": words}}


async def test_an_unsent_message_leaves_the_spool_and_gives_its_room_back(pool: Pool) -> None:
    """The message is deleted, another whose id begins alike is not, and the unsend itself waits for Kafka."""
    clock = FakeClock(NOON)
    async with Relay(pool, "ingest", MemoryTopics()) as relay:
        spool = PostgresSpool(pool, relay, limit=1_000_000)
        doors = Doors(Intake(OnlyTheSpool(spool), clock, load_config(None), pool))
        assert await post(doors, clock, text("4711", "himitsu")) == 200
        assert await post(doors, clock, text("47110", "kept")) == 200
        assert await post(doors, clock, {"type": "unsend", "unsend": {"messageId": "4711"}}) == 200
    values = [bytes(row["value"]) for row in await pool.fetch("SELECT value FROM outbox ORDER BY id")]
    assert len(values) == 2
    assert b"himitsu" not in b"".join(values)
    assert b"kept" in values[0]
    assert b"unsend" in values[1]
    size = await pool.fetchval("SELECT sum(octet_length(key) + octet_length(value)) FROM outbox")
    assert await pool.fetchval("SELECT bytes FROM spool_room") == size


async def test_an_unsend_is_taken_though_postgresql_cannot_be_asked(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    """LINE gets its 200, the topic the event, and an operator a line in the log."""
    clock, topics = FakeClock(NOON), MemoryTopics()
    doors = Doors(Intake(topics, clock, load_config(None), pool))
    await pool.execute("ALTER TABLE outbox RENAME TO gone")
    assert await post(doors, clock, {"type": "unsend", "unsend": {"messageId": "4711"}}) == 200
    assert len(topics.logs["line.events.v1"]) == 1
    assert "may lie in the spool" in caplog.text
