"""Segmenters as processes, from `ec.events.v1` to `customer.triggers.v1`: 100,000 people, 200 segments, 20 campaigns.

One alone; then two, one a core, on a Kafka of your own: the embedded one refuses most second members of a group.
Floors: of the rate that of `benchmarks.segmenter` with as many people, without any Kafka; of the times a bare relay
over two topics of the same Kafka, which passes on orders.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from aiokafka import AIOKafkaConsumer

from benchmarks.figures import Bench, CpuClock, Figure, Stopwatch, percentile
from benchmarks.ingest import open_kafka
from benchmarks.live_segmenter import Arrivals, Costs, LiveSegmenter, arriving, open_live_segmenter, subject_of
from benchmarks.population import populate
from benchmarks.rooms import one_connection, open_database
from benchmarks.segmenter import BATCH, FLOOR_TABLES, BareBatches
from benchmarks.shop_events import shop_events
from todoke_local.settings import LocalSettings
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, REQUESTS_MARKETING, REQUESTS_TRANSACTIONAL
from todoke_shared.ids import event_key
from todoke_shared.jsons import loads
from todoke_shared.kafka.consume import FETCH_HELD_MS, FETCH_WAIT_MS
from todoke_shared.kafka.dealing import MAX_BATCH
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing

PROCESSES = (1, 2)
PEOPLE, LAPS, EVENTS, WARM = 100_000, 3, 20_000, 4_000
"""A lap's events must lie in the topic at once: the embedded broker keeps 5 MiB a partition, some 40,000 of them."""
RATE_SHARE, WARM_SECONDS, TICK_SECONDS = 0.25, 1.0, 0.02
"""What is due within a tick is put together: of a partition the embedded broker gives out one produced batch a fetch,
however many wait, so that single events would be taken four at a time by whoever is behind."""
BARE_TOPICS = (REQUESTS_TRANSACTIONAL.name, REQUESTS_MARKETING.name)
"""Such as are there, and nobody here reads."""
_ORDER = b'"order.placed"'
_REST_SECONDS = 0.5

Put = Callable[[Sequence[bytes]], Coroutine[None, None, None]]


async def on_time(bench: Bench, what: str, put: Put, values: Sequence[bytes], rate: float) -> dict[UUID, float]:
    """Put events at set instants, `rate` a second, whatever becomes of them; when each was due, by its key.

    Those of the first second are not told: producers, brokers and readers have yet to come into their stride.
    """
    due: dict[UUID, float] = {}
    started, sent = time.perf_counter(), 0
    with bench.shown(what, len(values)) as done:
        while sent < len(values):
            await asyncio.sleep(max(0.0, started + sent / rate + TICK_SECONDS - time.perf_counter()))
            until = min(len(values), int((time.perf_counter() - started) * rate) + 1)
            for number in range(sent, until):
                if number >= rate * WARM_SECONDS:
                    due[key_of_event(values[number])] = started + number / rate
            await put(values[sent:until])
            done(until - sent)
            sent = until
    return due


def times_ms(due: dict[UUID, float], arrivals: Arrivals, values: Sequence[bytes]) -> list[float]:
    """From when an event was due to its last trigger. RuntimeError when an order has none: each makes at least one."""
    orders = {key_of_event(value) for value in values if _ORDER in value}
    if missing := len(orders - arrivals.at.keys()):
        raise RuntimeError(f"{missing} of {len(orders)} orders made no trigger")
    return [(arrivals.at[key] - at) * 1000 for key, at in due.items() if key in arrivals.at]


def key_of_event(value: bytes) -> UUID:
    """What a trigger names as its cause."""
    event = loads(value)
    return event_key("main", event["source"], event["id"])


def key_of_trigger(value: bytes) -> UUID | None:
    """The cause of a trigger."""
    cause = loads(value)["cause"]
    return UUID(cause["key"]) if cause else None


@asynccontextmanager
async def bare_relay(bootstrap: str, publisher: KafkaPublisher) -> AsyncIterator[Put]:
    """The same two hops with nothing between: orders that are put into the first topic come out of the second."""
    consumer = AIOKafkaConsumer(BARE_TOPICS[0], bootstrap_servers=bootstrap, fetch_max_wait_ms=FETCH_HELD_MS)

    async def put(values: Sequence[bytes], topic: str = BARE_TOPICS[0]) -> None:
        await publisher.publish([Outgoing(topic, subject_of(value), value) for value in values])

    async def relay() -> None:
        while True:
            batches = await consumer.getmany(timeout_ms=FETCH_WAIT_MS, max_records=MAX_BATCH)
            orders = [r.value for records in batches.values() for r in records if _ORDER in r.value]
            if orders:
                await put(orders, BARE_TOPICS[1])

    async with consumer:
        await consumer.seek_to_end()
        relaying = asyncio.create_task(relay())
        try:
            yield put
        finally:
            relaying.cancel()
            await asyncio.gather(relaying, return_exceptions=True)


async def latencies(
    bench: Bench, live: LiveSegmenter, values: Sequence[bytes], rate: float
) -> tuple[list[float], list[float]]:
    """Milliseconds from event to trigger, the segmenter's and the bare relay's, one after the other."""
    async with arriving(live.bootstrap, CUSTOMER_TRIGGERS.name, key_of_trigger) as triggers:
        due = await on_time(bench, f"{rate:,.0f} events a second", live.put, values, rate)
        await live.until_taken()
        await asyncio.sleep(_REST_SECONDS)  # what is in the topic has yet to be read
        ours = times_ms(due, triggers, values)
    async with (
        bare_relay(live.bootstrap, live.publisher) as put,
        arriving(live.bootstrap, BARE_TOPICS[1], key_of_event) as arrivals,
    ):
        due = await on_time(bench, f"bare: {rate:,.0f} events a second", put, values, rate)
        await asyncio.sleep(_REST_SECONDS)
        floor = times_ms(due, arrivals, values)
    return ours, floor


@dataclass
class Floor:
    """Bare batches with as many people on the same PostgreSQL, and its clock there."""

    bare: BareBatches
    postgres_cpu: CpuClock


async def highest_rate(bench: Bench, live: LiveSegmenter, floor: Floor, values: Sequence[bytes]) -> Figure:
    """What lies in the topic, and the floor over as many, in turns."""
    ours, bare, costs = Stopwatch(live.cpu), Stopwatch(), Costs()
    behind, processes = floor.postgres_cpu(), len(live.servers)
    with bench.shown(f"highest rate, {processes} of them", LAPS) as done:
        for number in range(LAPS):
            await live.lap(values[number * EVENTS : (number + 1) * EVENTS], ours, costs)
            with bare.lap():
                for _ in range(EVENTS // BATCH):
                    bare.items += await floor.bare.take(number)
            done(1)
            if ours.seconds > bench.seconds:
                break
    behind = floor.postgres_cpu() - behind
    remark = (
        f"PostgreSQL's CPU an event {costs.postgres / ours.items * 1e6:,.0f} µs ({behind / bare.items * 1e6:,.0f}),"
        f" Kafka's {costs.kafka / ours.items * 1e6:,.0f} µs; resident {live.mebibytes:,.0f} MiB"
    )
    what = f"events in topic to triggers in topic, {processes} process{'es' if processes > 1 else ''}"
    return bench.rates(what, "events/s", ours, bare, remark)


async def steady(bench: Bench, live: LiveSegmenter, values: Sequence[bytes], rate: float) -> list[Figure]:
    """Times at a quarter of the highest rate."""
    rate *= RATE_SHARE
    seconds = bench.seconds + WARM_SECONDS
    ours, floor = await latencies(bench, live, values[: int(rate * seconds)], rate)
    remark = f"at a quarter of that rate: {rate:,.0f} events/s, of which {len(ours) / rate / bench.seconds:.0%} trigger"
    return [
        Figure(
            bench.name,
            f"event to trigger, p{share * 100:.0f}",
            "ms",
            percentile(ours, share),
            percentile(floor, share),
            remark=remark,
        )
        for share in (0.5, 0.99)
    ]


async def run(bench: Bench) -> list[Figure]:
    """The highest rates, then the times at a quarter of the higher."""
    values = iter(shop_events(WARM + (len(PROCESSES) + 1) * LAPS * EVENTS, PEOPLE))
    figures = []
    async with (
        open_kafka() as (bootstrap, _),
        open_database() as dsn,
        one_connection(dsn, "floor") as (floor_pool, floor_postgres_cpu),
    ):
        await populate(bench, dsn, PEOPLE)
        await floor_pool.execute(FLOOR_TABLES)
        floor = Floor(BareBatches(floor_pool, PEOPLE), floor_postgres_cpu)
        await floor.bare.prepare()
        warm = list(islice(values, WARM))
        several = PROCESSES if LocalSettings().kafka_bootstrap_servers else PROCESSES[:1]
        for processes in several:
            async with open_live_segmenter(dsn, bootstrap, processes) as live:
                await live.warm_up(warm)
                figures.append(await highest_rate(bench, live, floor, list(islice(values, LAPS * EVENTS))))
                if processes == several[-1]:
                    figures += await steady(bench, live, list(values), figures[-1].measured)
    return figures
