"""The relay on a real PostgreSQL: whatever is in an outbox reaches its topic, in order, and nothing holds it up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TypeAlias

import asyncpg
import pytest

from tests.support.memory_topics import MemoryTopics
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka import relay as relaying
from todoke_shared.kafka.publish import MAX_RECORD_BYTES, size_of
from todoke_shared.kafka.records import Outgoing
from todoke_shared.kafka.relay import BATCH_BYTES, Relay
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.stream import OUTBOX_SHARDS, put_outbox
from todoke_shared.telemetry import metrics

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TOPIC = "relayed.v1"
PEOPLE = 12
"""More than there are shards."""
OWNERS = """
SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_database d ON d.oid = l.database
 WHERE d.datname = current_database() AND l.locktype = 'advisory'
"""
"""The sessions that own shards, as PostgreSQL sees it."""


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """A room with an outbox."""
    pool = await open_pool(postgres_dsn, application="relay-test", schema="scheduler")
    yield pool
    await pool.close()


class WatchedTopics(MemoryTopics):
    """Notes the size of every batch in bytes, and dies as often as told once all is written."""

    def __init__(self, deaths: int = 0) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.deaths = deaths

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Publish, and then perhaps let nobody know."""
        await super().publish(records)
        self.batches.append(sum(map(size_of, records)))
        if self.deaths:
            self.deaths -= 1
            raise ConnectionResetError("died between the acknowledgement and the delete")


class DeafKafka:
    """Takes nothing: refuses, or never answers."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Never succeed."""
        if self._silent:
            await asyncio.Event().wait()
        raise SlowDownError("Kafka did not acknowledge")


def numbered(start: int, end: int) -> list[Outgoing]:
    """Records that tell their own order, of many people in turn."""
    return [Outgoing(TOPIC, f"person-{n % PEOPLE}".encode(), str(n).encode(), {"n": str(n)}) for n in range(start, end)]


async def put(pool: Pool, records: Sequence[Outgoing]) -> None:
    """Into the outbox, committed."""
    async with pool.acquire() as connection, connection.transaction():
        await put_outbox(connection, records)


def read(topics: MemoryTopics) -> list[tuple[bytes | None, bytes | None]]:
    """What was published, key and value, in order."""
    return [(record.key, record.value) for record in topics.logs[TOPIC]]


def as_written(records: Sequence[Outgoing]) -> list[tuple[bytes | None, bytes | None]]:
    """The same of what went into the outbox."""
    return [(record.key, record.value) for record in records]


async def publish_all(relay: Relay) -> int:
    """Publish until the outbox has nothing more for this relay; gives how many records were seen to."""
    total = 0
    while some := await relay.publish_some():
        total += some
    return total


async def until_free(pool: Pool) -> None:
    """Return once PostgreSQL has noticed that the owner hung up, and nobody owns a shard."""
    async with asyncio.timeout(5):
        while await pool.fetch(OWNERS):
            await asyncio.sleep(0.005)


async def left(pool: Pool) -> list[int]:
    """The shards of what is still in the outbox."""
    return [row["shard"] for row in await pool.fetch("SELECT shard FROM outbox ORDER BY id")]


async def test_a_record_that_kafka_never_takes_is_set_aside_and_all_others_are_published_once_in_order(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays where a person can find it, is counted and told once, and holds up nobody, its own person neither."""
    before, after = numbered(0, 30), numbered(30, 60)
    too_large = [Outgoing(TOPIC, b"person-3", b"x" * (MAX_RECORD_BYTES + 1)), Outgoing(TOPIC, None, b"y" * 2_000_000)]
    counted = metrics.SET_ASIDE.labels(TOPIC)._value.get()
    await put(pool, [*before, *too_large, *after])
    topics = MemoryTopics()
    async with Relay(pool, "scheduler", topics) as relay:
        assert await publish_all(relay) == 62
    await until_free(pool)
    async with Relay(pool, "scheduler", topics) as relay:
        assert await publish_all(relay) == 0
    assert read(topics) == as_written([*before, *after])
    rows = await pool.fetch("SELECT shard, value FROM outbox ORDER BY id")
    assert [(row["shard"], row["value"]) for row in rows] == [(-1, record.value) for record in too_large]
    assert metrics.SET_ASIDE.labels(TOPIC)._value.get() - counted == 2
    told = [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"]
    assert len(told) == 2
    assert all("scheduler.outbox" in text and TOPIC in text and "xxx" not in text for text in told)


async def test_the_headers_of_a_record_count_too(pool: Pool) -> None:
    """A value just below the limit with headers that carry it over is set aside, and not tried for ever."""
    await put(pool, [Outgoing(TOPIC, b"k", b"x" * (MAX_RECORD_BYTES - 10), {"todoke-reason": "r" * 10})])
    await put(pool, numbered(0, 1))
    topics = MemoryTopics()
    async with Relay(pool, "scheduler", topics) as relay:
        await publish_all(relay)
    assert read(topics) == as_written(numbered(0, 1))
    assert await left(pool) == [-1]


async def test_a_relay_whose_session_ended_owns_nothing_until_it_is_given_shards_again(pool: Pool) -> None:
    """Another publishes the rest; the first finds out before it publishes, and takes part again later."""
    topics = MemoryTopics()
    first, second = Relay(pool, "scheduler", topics), Relay(pool, "scheduler", topics)
    await put(pool, numbered(0, 40))
    assert await publish_all(first) == 40
    assert await publish_all(second) == 0
    [pid] = [row["pid"] for row in await pool.fetch(OWNERS)]
    await pool.fetchval("SELECT pg_terminate_backend($1, 2000)", pid)
    await put(pool, numbered(40, 80))
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await first.publish_some()
    assert len(await left(pool)) == 40
    assert await publish_all(second) == 40
    await put(pool, numbered(80, 120))
    assert await publish_all(first) == 0
    await second.release()
    await until_free(pool)
    assert await publish_all(first) == 40
    await first.release()
    assert read(topics) == as_written(numbered(0, 120))


async def test_a_relay_that_sleeps_loses_its_shards_to_whoever_is_awake(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL itself ends the session of an owner that says nothing; other sessions may be idle as long as ever."""
    topics = MemoryTopics()
    async with Relay(pool, "scheduler", topics) as usual:
        assert usual._owner is not None
        assert await usual._owner.fetchval("SHOW idle_session_timeout") == relaying.OWNER_LIFE == "8s"
        assert await pool.fetchval("SHOW idle_session_timeout") == "0"
    await until_free(pool)
    monkeypatch.setattr(relaying, "OWNER_LIFE", "200ms")
    sleeper, awake = Relay(pool, "scheduler", topics), Relay(pool, "scheduler", topics)
    await put(pool, numbered(0, 10))
    assert await sleeper.publish_some() == 10
    await put(pool, numbered(10, 20))
    async with asyncio.timeout(5):
        while not await awake.publish_some():
            await asyncio.sleep(0.02)
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await sleeper.publish_some()
    await sleeper.release()
    await awake.release()
    assert read(topics) == as_written(numbered(0, 20))


class SlowKafka(MemoryTopics):
    """Takes its time."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Half a second."""
        await asyncio.sleep(0.5)
        await super().publish(records)


async def test_a_relay_that_waits_for_kafka_keeps_its_shards(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so to PostgreSQL again and again: a slow Kafka is no reason for another to publish the same."""
    monkeypatch.setattr(relaying, "OWNER_LIFE", "200ms")
    monkeypatch.setattr(relaying, "SIGN_SECONDS", 0.05)
    topics = SlowKafka()
    await put(pool, numbered(0, 10))
    async with Relay(pool, "scheduler", topics) as waiting, Relay(pool, "scheduler", topics) as other:
        publishing = asyncio.create_task(waiting.publish_some())
        while not publishing.done():
            assert await other.publish_some() == 0
            await asyncio.sleep(0.02)
        assert await publishing == 10
        assert await waiting.publish_some() == 0
    assert read(topics) == as_written(numbered(0, 10))


class SlowToStop:
    """Never answers, and takes a moment to be told to stop."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Never succeed."""
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)


async def test_a_relay_that_is_stopped_while_it_waits_for_kafka_leaves_nothing_running(pool: Pool) -> None:
    """What was not acknowledged stays in the outbox for the next."""
    await put(pool, numbered(0, 10))
    async with Relay(pool, "scheduler", SlowToStop()) as relay:
        publishing = asyncio.create_task(relay.publish_some())
        await asyncio.sleep(0.1)
        before = asyncio.all_tasks()
        publishing.cancel()
        async with asyncio.timeout(relaying.PUBLISH_SECONDS / 3):
            await asyncio.wait([publishing])
        assert asyncio.all_tasks() < before - {publishing}
    assert len(await left(pool)) == 10


async def test_a_relay_whose_session_ended_can_be_stopped(pool: Pool) -> None:
    """A service that stops while PostgreSQL is restarted stops in order, and its pool has every place again."""
    async with Relay(pool, "scheduler", MemoryTopics()):
        [pid] = [row["pid"] for row in await pool.fetch(OWNERS)]
        await pool.fetchval("SELECT pg_terminate_backend($1, 2000)", pid)
        await asyncio.sleep(0.05)
    async with AsyncExitStack() as stack, asyncio.timeout(5):
        for _ in range(pool.get_max_size()):
            connection = await stack.enter_async_context(pool.acquire())
            assert await connection.fetchval("SELECT 1") == 1


async def test_relays_that_come_and_go_publish_each_record_once_and_in_order(pool: Pool) -> None:
    """Shards change hands while records come in; nobody dies between the acknowledgement and the delete."""
    topics = MemoryTopics()
    relays = [Relay(pool, "scheduler", topics) for _ in range(3)]

    async def come_and_go(relay: Relay, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await relay.publish_some()
            await relay.release()
            await asyncio.sleep(0)

    stop = asyncio.Event()
    tasks = [asyncio.create_task(come_and_go(relay, stop)) for relay in relays]
    for start in range(0, 400, 20):
        await put(pool, numbered(start, start + 20))
    async with asyncio.timeout(10):
        while await left(pool):
            await asyncio.sleep(0.01)
    stop.set()
    await asyncio.gather(*tasks)
    for person in range(PEOPLE):
        key = f"person-{person}".encode()
        assert [value for k, value in read(topics) if k == key] == [b"%d" % n for n in range(person, 400, PEOPLE)]
    assert len(read(topics)) == 400


async def test_a_relay_that_dies_before_the_delete_repeats_and_loses_nothing(pool: Pool) -> None:
    """Each record at least once, and a repeated batch comes whole and in its order."""
    topics = WatchedTopics(deaths=2)
    await put(pool, numbered(0, 50))
    relay = Relay(pool, "scheduler", topics)
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await relay.publish_some()
        await relay.release()
        await until_free(pool)
        assert len(await left(pool)) == 50
    assert await publish_all(relay) == 50
    await relay.release()
    assert read(topics) == as_written(numbered(0, 50)) * 3
    assert await left(pool) == []


async def test_large_records_are_read_in_parts(pool: Pool) -> None:
    """A thousand of them at once would not arrive within the pool's call timeout."""
    records = [Outgoing(TOPIC, f"p{n}".encode(), bytes([65 + n]) * 900_000) for n in range(20)]
    for start in (0, 10):
        await put(pool, records[start : start + 10])
    topics = WatchedTopics()
    async with Relay(pool, "scheduler", topics) as relay:
        assert await publish_all(relay) == 20
    assert read(topics) == as_written(records)
    assert len(topics.batches) == 3
    assert max(topics.batches) <= BATCH_BYTES + MAX_RECORD_BYTES


@pytest.mark.parametrize("silent", [False, True], ids=["refuses", "never answers"])
async def test_what_kafka_does_not_acknowledge_stays_in_the_outbox(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    """The relay says so instead of waiting for ever, and once Kafka is back everything arrives, once."""
    monkeypatch.setattr(relaying, "PUBLISH_SECONDS", 0.2)
    await put(pool, numbered(0, 25))
    async with Relay(pool, "scheduler", DeafKafka(silent=silent)) as relay, asyncio.timeout(5):
        with pytest.raises(SlowDownError):
            await relay.publish_some()
    await until_free(pool)
    shards = await left(pool)
    assert len(shards) == 25
    assert all(0 <= shard < OUTBOX_SHARDS for shard in shards)
    topics = MemoryTopics()
    async with Relay(pool, "scheduler", topics) as relay:
        assert await publish_all(relay) == 25
    assert read(topics) == as_written(numbered(0, 25))


class HalfDeafKafka(MemoryTopics):
    """Takes every topic but one."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """SlowDownError for the one."""
        if any(record.topic == "forbidden.v1" for record in records):
            raise SlowDownError("there is no such topic")
        await super().publish(records)


async def test_a_topic_that_takes_nothing_holds_up_no_other(pool: Pool) -> None:
    """However many of its records are the oldest, the others' leave; its own are kept."""
    topics = HalfDeafKafka()
    stuck = [Outgoing("forbidden.v1", b"k", b"v")] * (relaying.BATCH + 1)
    async with pool.acquire() as connection:
        await put_outbox(connection, stuck)
        await put_outbox(connection, numbered(0, 3))
    async with Relay(pool, "scheduler", topics) as relay:
        for _ in range(3):
            with suppress(SlowDownError):
                await relay.publish_some()
    assert len(topics.read(TOPIC, "test")) == 3
    assert await pool.fetchval("SELECT count(*) FROM outbox") == len(stuck)


async def test_a_relay_without_a_way_lets_another_try(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some rounds in which nothing went well its shards are free, and another relay brings the records."""
    monkeypatch.setattr(relaying, "REST_SECONDS", 0.0)
    async with pool.acquire() as connection:
        await put_outbox(connection, numbered(0, 3))
    topics = MemoryTopics()
    async with Relay(pool, "scheduler", DeafKafka(silent=False)) as deaf, Relay(pool, "scheduler", topics) as able:
        for _ in range(relaying.FAILURES_TO_RELEASE):
            with pytest.raises(SlowDownError):
                await deaf.publish_some()
        async with asyncio.timeout(10):  # PostgreSQL frees them once it has noticed that their session is gone
            while not (published := await able.publish_some()):
                await asyncio.sleep(0.01)
        assert published == 3
