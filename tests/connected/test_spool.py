"""The spool on PostgreSQL: what was taken while Kafka was away is kept within its limit, and leaves in order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack

import asyncpg
import pytest

from todoke_ingest.adapters.spool import PostgresSpool
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka import relay as relaying
from todoke_shared.kafka.records import Outgoing
from todoke_shared.kafka.relay import Relay
from todoke_shared.postgres.pool import open_pool


class Kafka:
    """Keeps what it is given, unless `away`."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.away = False

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """SlowDownError while away."""
        if self.away:
            raise SlowDownError("Kafka is away")
        self.records += records


@pytest.fixture
def kafka() -> Kafka:
    """Where the spool drains to."""
    return Kafka()


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """Ingest's tables."""
    async with await open_pool(postgres_dsn, application="ingest", schema="ingest", size=6) as pool:
        yield pool


def record(number: int, *, key: bytes = b"customer:1", size: int = 90) -> Outgoing:
    """A record of `size` bytes of value."""
    return Outgoing(EC_EVENTS.name, key, b"%0*d" % (size, number), {"content-type": "application/json"})


async def test_records_leave_in_order_and_make_room(pool: "asyncpg.Pool[asyncpg.Record]", kafka: Kafka) -> None:
    """One customer's records reach Kafka as they came; an empty spool is as large as a new one."""
    async with Relay(pool, "ingest", kafka) as relay:
        spool = PostgresSpool(pool, relay, limit=1000)
        assert not await spool.waiting()
        await spool.put([record(number) for number in range(6)])
        await spool.put([record(number) for number in range(6, 10)])
        assert await spool.waiting() == {EC_EVENTS.name}
        assert await spool.drain_some() == 10
        assert [int(one.value or b"") for one in kafka.records] == list(range(10))
        assert kafka.records[0] == record(0)
        assert not await spool.waiting()
        await spool.put([record(number) for number in range(10)])  # 1,000 bytes again, to the last


async def test_a_full_spool_takes_nothing_more(pool: "asyncpg.Pool[asyncpg.Record]", kafka: Kafka) -> None:
    """However many ingests fill it at once, it never holds more than its limit."""
    async with AsyncExitStack() as stack:
        relays = [await stack.enter_async_context(Relay(pool, "ingest", kafka)) for _ in range(2)]
        spools = [PostgresSpool(pool, relay, limit=1000) for relay in relays]
        puts = [spools[n % 2].put([record(n)]) for n in range(25)]
        results = await asyncio.gather(*puts, return_exceptions=True)
    kept = await pool.fetchval("SELECT sum(octet_length(key) + octet_length(value)) FROM outbox")
    assert (kept, results.count(None)) == (1000, 10)
    assert all(isinstance(result, SlowDownError) for result in results if result is not None)


async def test_nothing_leaves_while_kafka_is_away(
    pool: "asyncpg.Pool[asyncpg.Record]", kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed try changes nothing; the next one brings all of it."""
    monkeypatch.setattr(relaying, "REST_SECONDS", 0.0)
    kafka.away = True
    async with Relay(pool, "ingest", kafka) as relay:
        spool = PostgresSpool(pool, relay, limit=1000)
        await spool.put([record(1)])
        with pytest.raises(SlowDownError):
            await spool.drain_some()
        kafka.away = False
        assert (await spool.drain_some(), await spool.drain_some()) == (1, 0)


async def test_postgresql_away_too_is_told(pool: "asyncpg.Pool[asyncpg.Record]", kafka: Kafka) -> None:
    """Nowhere to keep it: the sender must come again."""
    spool = PostgresSpool(pool, Relay(pool, "ingest", kafka), limit=1000)
    await pool.close()
    with pytest.raises(SlowDownError, match="so is PostgreSQL"):
        await spool.put([record(1)])
