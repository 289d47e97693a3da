"""Segmenter processes of one group, to be killed, frozen and added to; and what they have made of a story on Kafka."""

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.support.kafka_groups import dismiss, members_of
from tests.support.serial.judging import Rules, in_one_batch
from tests.support.serial.told import Told
from todoke_local.fleet import Fleet, free_ports
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_segmenter.adapters.publishing import publish as publish_segments
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS, LINE_EVENTS
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Record
from todoke_shared.kafka.topics import end_offsets
from todoke_shared.postgres.fleet_clock import keep_simulated_clock, set_simulated_clock
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
GROUPS = ("todoke-segmenter-ec", "todoke-segmenter-line")
TAKEN = "SELECT coalesce(sum(next_offset), 0) FROM consumed"


@dataclass
class Segmenters:
    """The processes by name. `pool`: the segmenter's schema."""

    dsn: str
    bootstrap_servers: str
    directory: Path
    pool: Pool
    fleets: dict[str, Fleet] = field(default_factory=dict)

    async def start(self, name: str) -> None:
        """Start one and return once it is there; it joins the group by itself."""
        if name not in self.fleets:
            logs = self.directory / name
            logs.mkdir(parents=True)
            self.fleets[name] = Fleet(self.dsn, self.bootstrap_servers, logs, free_ports(), simulator=False)
        await self.fleets[name].start("segmenter")

    async def until_ready(self, name: str, *, seconds: float = 60) -> None:
        """Return once it says that it takes records."""
        deadline = time.monotonic() + seconds
        async with aiohttp.ClientSession(trust_env=False) as session:
            while not await _is_ready(session, f"{self.fleets[name].url('segmenter')}/readyz"):
                assert time.monotonic() < deadline, f"{name} was not ready within {seconds} s"
                await asyncio.sleep(0.1)

    async def kill(self, name: str) -> None:
        """kill -9."""
        await self.fleets[name].kill("segmenter")

    def signal(self, name: str, number: signal.Signals) -> None:
        """SIGSTOP, SIGCONT."""
        os.kill(self.fleets[name].process_id("segmenter"), number)

    async def members(self) -> dict[str, set[str]]:
        """Who is in which group."""
        return {group: await members_of(self.bootstrap_servers, group) for group in GROUPS}

    async def dismiss(self, members: dict[str, set[str]]) -> None:
        """Spare the test the ten seconds after which Kafka gives up whoever is dead or frozen."""
        for group, ids in members.items():
            if ids:
                await dismiss(self.bootstrap_servers, group, ids)

    async def taken(self) -> int:
        """How many records have been taken, of both topics."""
        number: int = await self.pool.fetchval(TAKEN)
        return number

    async def until_taken(self, number: int, *, seconds: float = 60) -> None:
        """Return once so many records have been taken."""
        deadline = time.monotonic() + seconds
        while (taken := await self.taken()) < number:
            assert time.monotonic() < deadline, f"{taken} of {number} records were taken within {seconds} s"
            await asyncio.sleep(0.02)

    async def until_done(self, *, seconds: float) -> None:
        """Return once everything has been taken and every trigger has been published."""
        ends = [sum((await end_offsets(self.bootstrap_servers, topic)).values()) for topic in (EC_EVENTS, LINE_EVENTS)]
        await self.until_taken(sum(ends), seconds=seconds)
        deadline = time.monotonic() + seconds
        while left := await self.pool.fetchval("SELECT count(*) FROM outbox"):
            assert time.monotonic() < deadline, f"{left} triggers were not published within {seconds} s"
            await asyncio.sleep(0.05)

    async def records_handled(self, name: str) -> int:
        """How many records a process has given to its handlers with success: what came twice is counted twice."""
        url = f"{self.fleets[name].url('segmenter')}/metrics"
        async with aiohttp.ClientSession(trust_env=False) as session, session.get(url) as response:
            lines = (await response.text()).splitlines()
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith("todoke_records_total{"))

    async def stop(self) -> None:
        """All that run, in peace."""
        for fleet in self.fleets.values():
            await fleet.stop()


@asynccontextmanager
async def open_segmenters(
    dsn: str, bootstrap_servers: str, directory: Path, rules: Rules, now: datetime
) -> AsyncIterator[Segmenters]:
    """None running yet, in a shop where it is `now` and time passes as it does."""
    async with (
        await open_pool(dsn, application="test", schema="segmenter", size=3) as pool,
        await open_pool(dsn, application="test", schema="scheduler", size=1) as scheduler,
    ):
        await publish_segments(pool, rules.segments())
        await publish_campaigns(scheduler, rules.campaigns())
        await set_simulated_clock(pool, now, 1.0)
        keeping = asyncio.create_task(_keep_clock(pool))
        segmenters = Segmenters(dsn, bootstrap_servers, directory, pool)
        try:
            yield segmenters
        finally:
            keeping.cancel()
            await segmenters.stop()


async def _keep_clock(pool: Pool) -> None:
    while True:
        await asyncio.sleep(5)
        await keep_simulated_clock(pool)


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def produce(bootstrap_servers: str, sends: Sequence[Told], *, seconds: float) -> None:
    """Write these in order, spread over some time."""
    publisher = KafkaPublisher(bootstrap_servers, client_id="test-shop")
    await publisher.start()
    try:
        began, size = time.monotonic(), 200
        for start in range(0, len(sends), size):
            await publisher.publish([told.record for told in sends[start : start + size]])
            due = began + seconds * (start + size) / len(sends)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    finally:
        await publisher.stop()


async def handled(pool: Pool, load: Iterable[Told], now: datetime) -> list[tuple[datetime, list[Told]]]:
    """What was new in each batch, in order: what was admitted to the inbox in one transaction."""
    events = {told.key: told for told in load}
    batches: defaultdict[datetime, list[Told]] = defaultdict(list)
    for row in await pool.fetch("SELECT key, received_at FROM inbox WHERE key = any($1)", list(events)):
        batches[row["received_at"]].append(events[row["key"]])
    return [(now, in_one_batch(batches[at])) for at in sorted(batches)]


async def read_topic(bootstrap_servers: str, topic: str = CUSTOMER_TRIGGERS.name) -> list[Record]:
    """Everything that lies in a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        ends = await end_offsets(bootstrap_servers, CUSTOMER_TRIGGERS)
        places = [TopicPartition(topic, number) for number, end in ends.items() if end > 0]
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        found: list[Record] = []
        while len(found) < sum(ends.values()):
            for lot in (await consumer.getmany(timeout_ms=200)).values():
                found += [Record(one.topic, one.partition, one.offset, one.key, one.value) for one in lot]
        return found
    finally:
        await consumer.stop()


def without_repeats(records: Iterable[Record], ids: Sequence[UUID]) -> tuple[list[Record], int]:
    """Each trigger once, and how many were told again. AssertionError where one says something else the second time."""
    first: dict[UUID, Record] = {}
    times = Counter(ids)
    for id_, record in zip(ids, records, strict=True):
        assert first.setdefault(id_, record).value == record.value, f"trigger {id_} is told in two ways"
    return list(first.values()), sum(times.values()) - len(times)


A_MOMENT = timedelta(minutes=5)
"""From a story's end to the shop's time when it is handled: after every event."""
