"""Positions and turns: what comes again changes nothing, what is new is never mistaken for old, rivals wait."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

import asyncpg
import pytest

from tests.support.locks import until_waiting as until_a_lock_is_waited_for
from tests.support.pipeline import CLUSTER, Pipeline, open_pipeline
from tests.support.shop_events import added, line_subject, ordered
from todoke_scheduler.adapters import journeys
from todoke_segmenter.handlers import Segmenter
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.ids import person_id
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool
from todoke_shared.postgres.stream import Connection, Positions, move_positions

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 4, 1, 3, 0, tzinfo=UTC)
HANA = line_subject("hana")
LETTERS = EC_EVENTS.name + ".dlq"
MEMORY_OF_A_ROOM = {
    "consumed": "SELECT cluster, topic, partition, next_offset FROM consumed ORDER BY cluster, topic, partition",
    "inbox": "SELECT * FROM inbox ORDER BY key",
    "outbox": "SELECT * FROM outbox ORDER BY id",
    "people": "SELECT * FROM people ORDER BY person_id",
}


@pytest.fixture
async def pool(postgres_dsn: str) -> AsyncIterator[Pool]:
    """The segmenter's own database schema."""
    pool = await open_pool(postgres_dsn, application="positions-test", schema="segmenter")
    yield pool
    await pool.close()


@pytest.fixture
async def pipeline(postgres_dsn: str) -> AsyncIterator[Pipeline]:
    """The shipped campaigns, with Hana as a friend."""
    async with open_pipeline(postgres_dsn, NOON) as opened:
        await opened.follow("hana")
        opened.sent.clear()
        yield opened


async def segmenter_on(pool: Pool) -> Segmenter:
    """A segmenter as a restart makes it: it knows what the database knows."""
    catalogue = CampaignCatalogue(pool)
    await catalogue.refresh()
    return Segmenter(pool, catalogue, FakeClock(NOON), cluster=CLUSTER, wake=lambda: None)


def shop_records(*values: object, start: int = 0, partition: int = 0) -> list[Record]:
    """Records of the shop's topic, in order; bytes stay as they are."""
    raw = [value if isinstance(value, bytes) else dumps(value) for value in values]
    return [Record(EC_EVENTS.name, partition, start + n, b"k", value) for n, value in enumerate(raw)]


async def memory_of(pool: Pool) -> dict[str, list[asyncpg.Record]]:
    """All that a room remembers."""
    return {table: await pool.fetch(query) for table, query in MEMORY_OF_A_ROOM.items()}


async def until_waiting(pool: Pool, rival: "asyncio.Task[object]") -> None:
    """Return once the rival waits for a lock; AssertionError when it gets through instead."""
    waiting = asyncio.create_task(until_a_lock_is_waited_for(pool))
    await asyncio.wait([waiting, rival], return_when=asyncio.FIRST_COMPLETED)
    assert not rival.done(), "the rival did not wait for its turn"
    await waiting


async def test_a_batch_that_comes_again_changes_nothing(pool: Pool) -> None:
    """Neither the same batch to a restarted segmenter, nor one that overlaps it; a bad record has one letter."""
    order = ordered("customer:1", NOON, "A-1", "抹茶")
    batch = shop_records(b"{not JSON", *added("customer:1", NOON, "抹茶"), b"\xff", order)
    await (await segmenter_on(pool)).take_ec_events(batch)
    first = await memory_of(pool)
    assert [row["value"] for row in first["outbox"] if row["topic"] == LETTERS] == [b"{not JSON", b"\xff"]
    again = await segmenter_on(pool)
    for part in (batch, batch[:2], batch[2:], batch):
        await again.take_ec_events(part)
    assert await memory_of(pool) == first


async def test_only_what_is_new_in_an_overlapping_batch_counts(pool: Pool) -> None:
    """A rebalance hands over in the middle: the known letter is not written again, the new one is."""
    segmenter = await segmenter_on(pool)
    known = shop_records(b"first bad", *added("customer:1", NOON, "抹茶"))
    await segmenter.take_ec_events(known)
    await segmenter.take_ec_events([*known, *shop_records(b"second bad", start=2)])
    await segmenter.take_ec_events(shop_records(b"third bad", partition=1))
    letters = await pool.fetch("SELECT value FROM outbox WHERE topic = $1 ORDER BY id", LETTERS)
    assert [row["value"] for row in letters] == [b"first bad", b"second bad", b"third bad"]
    assert [row["next_offset"] for row in (await memory_of(pool))["consumed"]] == [3, 1]


async def test_a_topic_made_again_loses_nothing(pipeline: Pipeline, postgres_dsn: str) -> None:
    """Offsets begin at 0 with other content: it is new by identity, and what was known before is not done again."""
    old = [ordered(HANA, NOON + timedelta(minutes=n), f"old-{n}", "抹茶") for n in range(3)]
    pipeline.clock.move_to(NOON + timedelta(minutes=5))
    await pipeline.post(*old)
    new = [ordered(HANA, NOON + timedelta(minutes=n), f"new-{n}", "煎茶") for n in range(2)]
    pool = await open_pool(postgres_dsn, application="segmenter", schema="segmenter", size=2)
    restarted = await segmenter_on(pool)
    await restarted.take_ec_events(shop_records(new[0], old[1], new[1]))
    await pool.close()
    await pipeline.settle()
    confirmed = [text.split("ご注文番号 ")[1].split()[0] for text in pipeline.sent_to("hana")]
    assert sorted(confirmed) == ["new-0", "new-1", "old-0", "old-1", "old-2"]


async def test_a_position_never_goes_back(pool: Pool) -> None:
    """A zombie's old batch, or a topic made again, leaves the highest place; another cluster has places of its own."""
    async with pool.acquire() as connection:
        for cluster, values in (("a", 5), ("a", 2), ("b", 1)):
            await move_positions(connection, cluster, shop_records(*[b"{}"] * values))
    rows = await pool.fetch("SELECT cluster, next_offset FROM consumed ORDER BY cluster")
    assert [tuple(row) for row in rows] == [("a", 5), ("b", 1)]


async def take(pool: Pool, records: Sequence[Record]) -> None:
    """Move past these, committed."""
    async with pool.acquire() as connection:
        await move_positions(connection, CLUSTER, records)


async def take_turns(pool: Pool, first: Sequence[Record], second: Sequence[Record]) -> tuple[int, int]:
    """Two connections with one partition at once: where it stood for each of them."""
    place = (EC_EVENTS.name, 0)
    async with pool.acquire() as one, pool.acquire() as two:
        transaction = one.transaction()
        await transaction.start()
        before_one = (await move_positions(one, CLUSTER, first)).before[place]
        rival = asyncio.create_task(_move(two, second))
        await until_waiting(pool, rival)
        await transaction.commit()
        return before_one, (await rival).before[place]


async def _move(connection: Connection, records: Sequence[Record]) -> Positions:
    async with connection.transaction():
        return await move_positions(connection, CLUSTER, records)


async def test_rivals_for_a_partition_take_turns(pool: Pool) -> None:
    """The second waits until the first has committed, and then sees where the first has brought it."""
    await take(pool, shop_records(b"{}"))
    assert await take_turns(pool, shop_records(*[b"{}"] * 5), shop_records(*[b"{}"] * 3)) == (1, 5)


async def test_rivals_for_a_partition_that_nobody_has_read_take_turns(pool: Pool) -> None:
    """Its very first batch too, when there is no position yet."""
    assert await take_turns(pool, shop_records(*[b"{}"] * 5), shop_records(*[b"{}"] * 3)) == (0, 5)


async def test_whoever_is_second_with_a_bad_record_writes_no_letter(pool: Pool) -> None:
    """A rebalance while a batch is in hand: two segmenters take it at once, and there is one letter."""
    batch = shop_records(b"bad", *added("customer:1", NOON, "抹茶"))
    rivals = [await segmenter_on(pool) for _ in range(4)]
    await asyncio.gather(*(rival.take_ec_events(batch) for rival in rivals))
    assert await pool.fetchval("SELECT count(*) FROM outbox WHERE topic = $1", LETTERS) == 1


async def test_who_decides_for_one_person_waits_for_the_other(postgres_dsn: str) -> None:
    """Triggers of one person may lie in two partitions; other people's go on meanwhile."""
    pool = await open_pool(postgres_dsn, application="turns-test", schema="scheduler")
    hana, taro = (person_id("main", f"customer:{name}") for name in ("hana", "taro"))

    async def decide(*people: UUID) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await journeys.take_turns(connection, people)

    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await journeys.take_turns(connection, [hana])
        await asyncio.wait_for(decide(taro), 4)
        rival = asyncio.create_task(decide(taro, hana))
        await until_waiting(pool, rival)
        await transaction.commit()
        await asyncio.wait_for(rival, 4)
    await pool.close()
