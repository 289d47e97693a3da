"""A million people under 200 segments: events, `todoke segments count` and `list`, and the segmenter's memory.

Floors: of events and of memory our own with 100,000 people in the same run; of a count `SELECT count(*)` of the same
table; of a list a bare cursor over the same rows.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psutil

from benchmarks.figures import Bench, Figure, Stopwatch, alternate
from benchmarks.live_segmenter import Costs, open_live_segmenter
from benchmarks.population import open_segmenter, populate
from benchmarks.rooms import Pool, one_connection, open_database
from benchmarks.segmenter import BATCH, FLOOR_TABLES, BareBatches, taking
from benchmarks.segments import segments
from benchmarks.shop_events import shop_events
from todoke_local.embedded import EmbeddedKafka
from todoke_segmenter.adapters.audiences import count_holding, count_members, list_members
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.kafka.records import Record
from todoke_shared.people import TOKYO
from todoke_shared.postgres.fleet_clock import open_clock

FEW, MANY, EVENTS, WARM, LAP, KINDS = 100_000, 1_000_000, 22_000, 2_000, 5_000, 12
LISTED, RARE = "segment-0010", "segment-0008"
"""A segment of many, and one of few: friends with ten points, and those with one tag of two hundred."""
_LONG = 600.0
_MEBIBYTE = 2**20
_BARE_LIST = "SELECT person_id, segments->>$1 AS since FROM people WHERE segments ? $1 AND merged_into IS NULL"


@dataclass(frozen=True)
class Side:
    """A database with so many people, a segmenter in this process, and the floor of its batches."""

    dsn: str
    people: int
    pool: Pool
    take: Callable[[int], Awaitable[int]]
    bare: BareBatches
    events: Sequence[bytes]


@asynccontextmanager
async def open_side(bench: Bench, people: int) -> AsyncIterator[Side]:
    """Filled, and a few batches in, so that nothing is done for the first time."""
    values = shop_events(WARM + 2 * EVENTS, people)
    async with (
        open_database() as dsn,
        one_connection(dsn, "segmenter") as (pool, _),
        one_connection(dsn, "floor") as (floor_pool, _),
    ):
        await populate(bench, dsn, people)
        await floor_pool.execute(FLOOR_TABLES)
        bare = BareBatches(floor_pool, people)
        await bare.prepare()
        await floor_pool.execute("VACUUM (ANALYZE) floor.people", timeout=_LONG)
        headers = (("todoke-service", b"ingest"),)
        records = [Record(EC_EVENTS.name, 0, number, None, value, headers) for number, value in enumerate(values)]
        segmenter = await open_segmenter(pool)
        warm, measured = records[:WARM], records[WARM : WARM + EVENTS]
        for number in range(WARM // BATCH):
            await taking(segmenter, warm, BATCH)(number)
            await bare.take(number)
        yield Side(dsn, people, pool, taking(segmenter, measured, BATCH), bare, values[WARM + EVENTS :])


async def throughput(bench: Bench, many: Side, few: Side) -> list[Figure]:
    """Batches of either in turns; then the floor's own, which says how much of it is PostgreSQL's."""
    watches = [Stopwatch() for _ in range(4)]
    ours, ours_few, bare, bare_few = watches
    rounds = EVENTS // BATCH
    await alternate(bench, "events", rounds, [(ours, many.take), (ours_few, few.take)])
    await alternate(bench, "bare batches", rounds, [(bare, many.bare.take), (bare_few, few.bare.take)])
    triggers = await many.pool.fetchval("SELECT count(*) FROM outbox")
    disk = await many.pool.fetchval("SELECT pg_database_size(current_database())") / _MEBIBYTE
    remark = f"{triggers:,} triggers of the former; {disk:,.0f} MiB on disk, the floor's too"
    return [
        bench.rates("events, 1,000,000 people to 100,000", "events/s", ours, ours_few, remark),
        bench.rates("bare batches, likewise", "events/s", bare, bare_few, "how much of that is PostgreSQL's"),
    ]


async def counts(bench: Bench, side: Side) -> list[Figure]:
    """How long each of a dozen counts takes, by name and by condition; the slowest is the figure."""
    now = (await open_clock(side.pool)).now()
    floor = await _seconds(side.pool.fetchval("SELECT count(*) FROM people", timeout=_LONG))
    by_name, by_condition = {}, {}
    with bench.shown("counts", 2 * KINDS) as done:
        for one in segments(KINDS):
            by_name[one.segment] = await _seconds(count_members(side.pool, [one.segment]))
            by_condition[one.segment] = await _seconds(count_holding(side.pool, one.condition, now, TOKYO))
            done(2)
    command = await _seconds(_by_command(side, "count", LISTED))
    remark = "the floor is the same count without the command's start"
    return [
        _slowest(bench, "count of a segment, slowest of 12", by_name, floor),
        _slowest(bench, "count of a condition, slowest of 12", by_condition, floor),
        Figure(bench.name, "count by the command", "ms", command * 1000, by_name[LISTED] * 1000, remark=remark),
    ]


def _slowest(bench: Bench, what: str, seconds: dict[str, float], floor: float) -> Figure:
    slowest = max(seconds, key=seconds.__getitem__)
    middle = sorted(seconds.values())[len(seconds) // 2]
    remark = f"{slowest}; in the middle {middle * 1000:,.0f} ms"
    return Figure(bench.name, what, "ms", seconds[slowest] * 1000, floor * 1000, remark=remark)


async def _seconds(job: Awaitable[object]) -> float:
    started = time.perf_counter()
    await job
    return time.perf_counter() - started


@dataclass
class Listing:
    """What came out of a list: rows, and seconds and MiB (of the process that lists) at the first and at the last."""

    rows: int = 0
    first: float = 0.0
    last: float = 0.0
    mebibytes: float = 0.0
    most_mebibytes: float = 0.0


async def _by_command(side: Side, *words: str) -> Listing:
    """`todoke segments WORDS`, its lines counted and thrown away."""
    listing, started = Listing(), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "todoke_local", "segments", *words),
        env={**os.environ, "TODOKE_POSTGRES_DSN": side.dsn},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None  # noqa: S101 - for the type checker
    while part := await process.stdout.read(2**16):
        listing.rows += part.count(b"\n")
        listing.first = listing.first or time.perf_counter() - started
        with suppress(psutil.NoSuchProcess):  # it may end before its last lines are read
            memory = psutil.Process(process.pid).memory_info().rss / _MEBIBYTE
            listing.mebibytes = listing.mebibytes or memory
            listing.most_mebibytes = max(listing.most_mebibytes, memory)
    if await process.wait():
        raise RuntimeError(f"`todoke segments {' '.join(words)}` failed; its reason is above")
    listing.last = time.perf_counter() - started
    return listing


async def _read(members: AsyncIterable[object]) -> Listing:
    """The same in this process."""
    listing, started = Listing(), time.perf_counter()
    async for _ in members:
        listing.rows += 1
        listing.first = listing.first or time.perf_counter() - started
    listing.last = time.perf_counter() - started
    return listing


async def lists(bench: Bench, side: Side) -> list[Figure]:
    """A list of many by the command, and one of few by its query: the first row of it is found late."""
    with bench.shown("lists", 4) as done:
        command = await _by_command(side, "list", LISTED)
        done(1)
        async with side.pool.acquire() as connection:
            ours, few = [await _read(list_members(connection, segment)) for segment in (LISTED, RARE)]
            done(2)
            async with connection.transaction():
                await connection.execute("SET LOCAL statement_timeout = 0")
                bare = await _read(connection.cursor(_BARE_LIST, LISTED, prefetch=1000, timeout=_LONG))
                bare_few = await _read(connection.cursor(_BARE_LIST, RARE, prefetch=1000, timeout=_LONG))
            done(1)
    memory = f"resident {command.mebibytes:,.0f} MiB at the first row, {command.most_mebibytes:,.0f} at most"
    return [
        Figure(
            bench.name,
            "list of a segment of many",
            "rows/s",
            command.rows / command.last,
            bare.rows / bare.last,
            remark=f"{command.rows:,} rows by the command, its first after {command.first * 1000:,.0f} ms; {memory}",
        ),
        Figure(bench.name, "the same, first row, without the command", "ms", ours.first * 1000, bare.first * 1000),
        Figure(
            bench.name,
            "list of a segment of few, all of it",
            "ms",
            few.last * 1000,
            bare_few.last * 1000,
            remark=f"{few.rows:,} rows, the first after {few.first * 1000:,.0f} ms",
        ),
    ]


async def processes(bench: Bench, many: Side, few: Side) -> list[Figure]:
    """A segmenter as a process on each database, with a Kafka each, in turns; and their memory after that."""
    async with (
        EmbeddedKafka() as kafka,
        EmbeddedKafka() as kafka_of_few,
        open_live_segmenter(many.dsn, kafka.bootstrap_servers) as live,
        open_live_segmenter(few.dsn, kafka_of_few.bootstrap_servers) as live_of_few,
    ):
        sides = [(one, side, Stopwatch(one.cpu)) for one, side in ((live, many), (live_of_few, few))]
        for one, side, _ in sides:
            await one.put(side.events[:WARM])
            await one.until_taken()
        with bench.shown("topic to topic", EVENTS - WARM) as done:
            for start in range(WARM, EVENTS, LAP):
                for one, side, watch in sides:
                    await one.lap(side.events[start : start + LAP], watch, Costs())
                done(LAP)
        ours, floor = (watch for *_, watch in sides)
        return [
            bench.rates("topic to topic, likewise", "events/s", ours, floor),
            Figure(
                bench.name, "resident memory of the process, likewise", "MiB", live.mebibytes, live_of_few.mebibytes
            ),
        ]


async def run(bench: Bench) -> list[Figure]:
    """Fill both, then measure one thing after the other."""
    async with open_side(bench, FEW) as few, open_side(bench, MANY) as many:
        return [
            *await throughput(bench, many, few),
            *await processes(bench, many, few),
            *await counts(bench, many),
            *await lists(bench, many),
        ]
