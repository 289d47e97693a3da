"""Segmenters as processes between their topics: what they take, what they give, and whose CPU that costs."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property

import aiohttp
import psutil
from aiokafka import AIOKafkaConsumer

from benchmarks.figures import CpuClock, Stopwatch, cpu_of
from benchmarks.rooms import Pool, Server, open_server
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.jsons import loads
from todoke_shared.kafka.consume import FETCH_HELD_MS
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing
from todoke_shared.kafka.topics import cluster_id, end_offsets
from todoke_shared.postgres.pool import open_pool

POLL_SECONDS, GIVE_UP_SECONDS = 0.02, 120.0
_JOINING_SECONDS, _SOME = 0.5, 200
_EVENTS_TAKEN = 'todoke_records_total{group="todoke-segmenter-ec"}'
_MEBIBYTE = 2**20
_HEADERS = {"todoke-service": "ingest"}
_TAKEN = "SELECT coalesce(sum(next_offset), 0)::bigint FROM consumed WHERE cluster = $1 AND topic = $2"
_EMPTY = "SELECT NOT EXISTS (SELECT FROM outbox WHERE shard >= 0)"
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'todoke-segmenter'"


@dataclass
class Costs:
    """CPU seconds of others: the segmenters' PostgreSQL backends, and the Kafka broker."""

    postgres: float = 0.0
    kafka: float = 0.0


@dataclass
class LiveSegmenter:
    """Give it events by `put`; `until_taken` returns when all they caused is in `customer.triggers.v1`.

    `servers`: its processes, which share the topic's partitions. `cluster` is the id of the Kafka that `bootstrap`
    leads to; `number`, how many events its topic has had.
    """

    servers: Sequence[Server]
    pool: Pool
    bootstrap: str
    cluster: str
    publisher: KafkaPublisher
    number: int
    _postgres: dict[int, float] = field(default_factory=dict)

    async def put(self, values: Sequence[bytes]) -> None:
        """Into `ec.events.v1`, as ingest writes them; back once Kafka has acknowledged."""
        records = [Outgoing(EC_EVENTS.name, subject_of(value), value, _HEADERS) for value in values]
        self.number += len(records)
        await self.publisher.publish(records)

    async def warm_up(self, values: Sequence[bytes]) -> None:
        """Put events, and some of them again until every process has partitions of its own and has taken from them."""
        await self.put(values)
        await self.until_taken()
        while not all([await _has_taken(server) for server in self.servers]):
            await asyncio.sleep(_JOINING_SECONDS)
            await self.put(values[:_SOME])
            await self.until_taken()

    async def lap(self, values: Sequence[bytes], watch: Stopwatch, costs: Costs) -> None:
        """Put events while all are held, let them loose, and time them until all is done."""
        self._signal(signal.SIGSTOP)
        try:
            await self.put(values)
            costs.postgres -= await self._postgres_cpu()
            costs.kafka -= self.kafka_cpu()
        except BaseException:
            self._signal(signal.SIGCONT)
            raise
        with watch.lap():
            self._signal(signal.SIGCONT)
            await self.until_taken()
        watch.items += len(values)
        costs.postgres += await self._postgres_cpu()
        costs.kafka += self.kafka_cpu()

    async def until_taken(self) -> None:
        """Positions at the end and the outbox empty. RuntimeError when it takes longer than two minutes."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while (taken := await self.pool.fetchval(_TAKEN, self.cluster, EC_EVENTS.name)) < self.number or not (
            await self.pool.fetchval(_EMPTY)
        ):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the segmenter has taken {taken:,} of {self.number:,} events and no more")
            await asyncio.sleep(POLL_SECONDS)

    @property
    def cpu(self) -> CpuClock:
        """Of its processes, together."""
        return cpu_of(*(server.process_id for server in self.servers))

    @cached_property
    def kafka_cpu(self) -> CpuClock:
        """Of the broker; it stands still when that is another machine's."""
        port = int(self.bootstrap.rpartition(":")[2])
        listening = (one for one in psutil.net_connections("tcp") if one.status == psutil.CONN_LISTEN)
        process_id = next((one.pid for one in listening if one.laddr and one.laddr.port == port), None)
        return cpu_of(process_id) if process_id else lambda: 0.0

    @property
    def mebibytes(self) -> float:
        """The resident memory of its largest process."""
        return max(psutil.Process(server.process_id).memory_info().rss for server in self.servers) / _MEBIBYTE

    def _signal(self, number: signal.Signals) -> None:
        for server in self.servers:
            os.kill(server.process_id, number)

    async def _postgres_cpu(self) -> float:
        """CPU seconds of its backends so far; of one that has gone, as of the last look."""
        for row in await self.pool.fetch(_BACKENDS):
            with suppress(psutil.NoSuchProcess):  # the pool closes what has long been idle
                self._postgres[row["pid"]] = cpu_of(row["pid"])()
        return sum(self._postgres.values())


class Arrivals:
    """When which key came out of a topic last (`time.perf_counter`). `key_of`: of a record's value."""

    def __init__(self, consumer: AIOKafkaConsumer, key_of: Callable[[bytes], object]) -> None:
        self._consumer = consumer
        self._key_of = key_of
        self.at: dict[object, float] = {}
        self.number = 0

    async def read(self) -> None:
        """Until cancelled."""
        while True:
            batches = await self._consumer.getmany(timeout_ms=FETCH_HELD_MS)
            now = time.perf_counter()
            for records in batches.values():
                self.number += len(records)
                self.at.update((self._key_of(record.value), now) for record in records)


@asynccontextmanager
async def arriving(bootstrap: str, topic: str, key_of: Callable[[bytes], object]) -> AsyncIterator[Arrivals]:
    """What comes into a topic from now on."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, fetch_max_wait_ms=FETCH_HELD_MS)
    await consumer.start()
    arrivals = Arrivals(consumer, key_of)
    reading = None
    try:
        await consumer.seek_to_end()
        for place in consumer.assignment():
            await consumer.position(place)
        reading = asyncio.create_task(arrivals.read())
        yield arrivals
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await consumer.stop()


@asynccontextmanager
async def open_live_segmenter(dsn: str, bootstrap: str, processes: int = 1) -> AsyncIterator[LiveSegmenter]:
    """On a database that is migrated and filled, and a Kafka that no other segmenter reads meanwhile."""
    async with AsyncExitStack() as stack:
        there = sum((await end_offsets(bootstrap, EC_EVENTS)).values())
        publisher = KafkaPublisher(bootstrap, client_id="benchmarks")
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        pool = await stack.enter_async_context(
            await open_pool(dsn, application="benchmarks", schema="segmenter", size=1)
        )
        environment = {"TODOKE_KAFKA_BOOTSTRAP_SERVERS": bootstrap, "TODOKE_POSTGRES_DSN": dsn}
        servers = [
            await stack.enter_async_context(
                open_server(
                    "todoke_local.service_process",
                    "segmenter",
                    port_setting="TODOKE_SEGMENTER_PORT",
                    environment=environment,
                    ready="/readyz",
                )
            )
            for _ in range(processes)
        ]
        yield LiveSegmenter(servers, pool, bootstrap, await cluster_id(bootstrap), publisher, there)


async def _has_taken(server: Server) -> bool:
    async with aiohttp.ClientSession(trust_env=False) as http, http.get(f"{server.url}/metrics") as answer:
        return any(line.startswith(_EVENTS_TAKEN) for line in (await answer.text()).splitlines())


def subject_of(value: bytes) -> bytes:
    """The key of an event's record."""
    subject: str = loads(value)["subject"]
    return subject.encode()
