"""Segmenter processes of one group, to be killed, frozen and added to; and what they have made of a story on Kafka."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import asyncpg

from tests.support.instances import Instances
from tests.support.kafka_groups import dismiss, members_of
from tests.support.serial.judging import Rules, in_one_batch
from tests.support.serial.told import Told
from tests.support.waiting import PATIENCE, until
from todoke_scheduler.adapters.publishing import publish as publish_campaigns
from todoke_segmenter.adapters.publishing import publish as publish_segments
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.topics import end_offsets
from todoke_shared.postgres.fleet_clock import keep_simulated_clock, set_simulated_clock
from todoke_shared.postgres.pool import open_pool

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
GROUPS = ("todoke-segmenter-ec", "todoke-segmenter-line")
A_MOMENT = timedelta(minutes=5)
"""From a story's end to the shop's time when it is handled: after every event."""
TAKEN = "SELECT coalesce(sum(next_offset), 0) FROM consumed"


@dataclass(kw_only=True)
class Segmenters(Instances):
    """The processes by name. `pool`: the segmenter's schema."""

    service: str = "segmenter"
    pool: Pool

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

    async def until_taken(self, number: int, *, seconds: float = PATIENCE) -> None:
        """Return once so many records have been taken."""
        wanted = f"{number} records are taken"
        await until(self.taken, lambda taken: taken >= number, wanted, seconds=seconds, pause=0.02)

    async def until_done(self) -> None:
        """Return once everything has been taken and every trigger has been published."""
        ends = [sum((await end_offsets(self.bootstrap_servers, topic)).values()) for topic in (EC_EVENTS, LINE_EVENTS)]
        await self.until_taken(sum(ends), seconds=120)
        left = "SELECT count(*) FROM outbox"
        await until(lambda: self.pool.fetchval(left), lambda number: number == 0, "every trigger is published")

    async def records_handled(self, name: str) -> int:
        """How many records a process has given to its handlers with success: what came twice is counted twice."""
        return await self.counted(name, "todoke_records_total")


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
        try:
            async with Segmenters(
                dsn=dsn, bootstrap_servers=bootstrap_servers, directory=directory, pool=pool
            ) as segmenters:
                yield segmenters
        finally:
            keeping.cancel()


async def _keep_clock(pool: Pool) -> None:
    while True:
        await asyncio.sleep(5)
        await keep_simulated_clock(pool)


async def produce(
    bootstrap_servers: str, sends: Sequence[Told], *, seconds: float, last_after: asyncio.Event | None = None
) -> None:
    """Write these in order, spread over some time; the last of them once `last_after` has come, if it is given."""
    publisher = KafkaPublisher(bootstrap_servers, client_id="test-shop")
    await publisher.start()
    try:
        began, size = time.monotonic(), 200
        for start in range(0, len(sends), size):
            if last_after is not None and start + size >= len(sends):
                await last_after.wait()
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
