"""A broadcast of one content: requests into the ledger, and out to the simulator's process as multicasts of 500.

Floor (issue "Dispatcher: at LINE's own limit"): the same client library sending as many fixed multicasts, as many at a
time, with nothing read, decided, rendered or stored; at LINE's rate it keeps that rate.
Where the CPU goes is measured a second time, one part after the other: a crowd is taken into the ledger, becomes a
multicast, leaves, is recorded, and each of its messages is told of. `TODOKE_BENCH_RECIPIENTS`: other than 100,000.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid5

import aiohttp

from benchmarks.figures import Bench, CpuClock, Figure, Stopwatch, cpu_of
from benchmarks.rooms import Pool, befriend, open_database, open_simulator
from benchmarks.to_line import NO_LIMIT, BareLine, open_dispatcher, pump_all, take_all
from todoke_dispatcher.adapters.line import MULTICAST_PATH
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.domain.grouping import LARGEST_GROUP
from todoke_dispatcher.pump import RECORD_AT_ONCE
from todoke_shared.contracts.requests import LARGEST_CROWD, OwnCrowd, OwnRecipient, OwnTemplateRef
from todoke_shared.contracts.topics import REQUESTS_MARKETING
from todoke_shared.ids import crowd_id
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.pool import open_pool

RECIPIENTS = int(os.environ.get("TODOKE_BENCH_RECIPIENTS", "100000"))
PARTS_OF = 20_000
POOL = 8
LINE_RATE = 200
_NAMES = UUID("5f0c1c1e-0000-4000-8000-00000000ca57")


def requests(friends: Sequence[str], first: int) -> list[Record]:
    """A message for each friend, as a broadcast asks for them: 500 in a record."""
    records = []
    for start in range(0, len(friends), LARGEST_CROWD):
        recipients = [
            OwnRecipient(
                uuid5(_NAMES, str(first + number)),
                friend,
                uuid5(_NAMES, friend),
                uuid5(_NAMES, f"run {first + number}"),
            )
            for number, friend in enumerate(friends[start : start + LARGEST_CROWD], start)
        ]
        crowd = OwnCrowd(
            schema_version=1,
            id=crowd_id(recipients[0].id),
            shop="main",
            account="main",
            recipients=recipients,
            campaign="welcome",
            step="welcome",
            due_at=datetime.now(UTC),
            template=OwnTemplateRef("welcome", 1, "welcome", {}),
        )
        records.append(Record(REQUESTS_MARKETING.name, 0, first + start, None, crowd.to_json()))
    return records


class Parts:
    """CPU of this process and of PostgreSQL's backends, part by part."""

    def __init__(self, database: CpuClock) -> None:
        self.ours = {name: Stopwatch() for name in ("take", "claim", "send", "record", "tell")}
        self.database = {name: Stopwatch(database) for name in self.ours}

    async def run(self, dispatcher: Dispatcher, records: Sequence[Record]) -> None:
        """Every record through every part, each part by itself."""
        with self.ours["take"].lap(), self.database["take"].lap():
            await take_all(dispatcher, records)
        while True:
            with self.ours["claim"].lap(), self.database["claim"].lap():
                claimed = await dispatcher.claim(200)
            if not claimed.attempts and not claimed.formed:
                break
            with self.ours["send"].lap(), self.database["send"].lap():
                results = await asyncio.gather(*(dispatcher.send(attempt) for attempt in claimed.attempts))
            with self.ours["record"].lap(), self.database["record"].lap():
                at_once = max(1, RECORD_AT_ONCE // LARGEST_GROUP)
                for start in range(0, len(results), at_once):
                    await dispatcher.record(results[start : start + at_once])
        with self.ours["tell"].lap(), self.database["tell"].lap():
            while await dispatcher.tell():
                pass

    def remark(self, recipients: int) -> str:
        """Microseconds of CPU a recipient, ours + PostgreSQL's."""
        return "; ".join(
            f"{name} {self.ours[name].cpu_seconds / recipients * 1e6:.1f}"
            f" + {self.database[name].cpu_seconds / recipients * 1e6:.1f}"
            for name in self.ours
        )


@asynccontextmanager
async def _dispatcher(dsn: str, url: str, rate: int) -> AsyncIterator[tuple[Dispatcher, Pool, CpuClock]]:
    async with (
        await open_pool(dsn, application="multicast", schema="dispatcher", size=POOL) as pool,
        open_dispatcher(pool, url, multicast_rate=rate, push_rate=min(10 * rate, NO_LIMIT)) as dispatcher,
    ):
        connections = [await pool.acquire() for _ in range(POOL)]
        pids = [await connection.fetchval("SELECT pg_backend_pid()") for connection in connections]
        for connection in connections:
            await pool.release(connection)
        yield dispatcher, pool, cpu_of(*pids)


async def _floor(bench: Bench, url: str, friends: Sequence[str], rate: int) -> Stopwatch:
    """As many requests for as many recipients, in a multicast's fixed body."""
    text = {"type": "text", "text": "友だち追加ありがとうございます！" * 3}
    body = dumps({"to": friends[:LARGEST_GROUP], "messages": [text]})
    bare = BareLine(url + MULTICAST_PATH, rate)
    watch = await bare.send(bench, "bare multicasts", body, len(friends) // LARGEST_GROUP)
    watch.items *= LARGEST_GROUP
    return watch


async def _ours(  # noqa: PLR0913, PLR0917 - what is measured
    bench: Bench, dsn: str, url: str, rate: int, friends: Sequence[str], first: int
) -> tuple[Stopwatch, str]:
    """A message out to each of these, and what there is to say of it."""
    async with _dispatcher(dsn, url, rate) as (dispatcher, pool, database):
        await take_all(dispatcher, requests(friends, first))
        before = database()
        ours = await pump_all(bench, "recipients", [dispatcher], pool, len(friends))
        spent = (database() - before) / max(1, ours.items) * 1e6
    return ours, f"{ours.items:,}; {ours.rate / LARGEST_GROUP:.0f} multicasts/s; PostgreSQL {spent:.1f} µs"


async def _part_by_part(bench: Bench, dsn: str, url: str, records: Sequence[Record]) -> Figure:
    async with _dispatcher(dsn, url, NO_LIMIT) as (dispatcher, _, database):
        parts = Parts(database)
        await parts.run(dispatcher, records)
    spent = sum(watch.cpu_seconds for each in (parts.ours, parts.database) for watch in each.values())
    return Figure(
        *(bench.name, "CPU a recipient, all parts", "µs", spent / PARTS_OF * 1e6, 0.0), remark=parts.remark(PARTS_OF)
    )


async def run(bench: Bench) -> list[Figure]:
    """At LINE's rate, as fast as it goes, and part by part."""
    figures, first = [], 0
    async with open_simulator() as simulator, aiohttp.ClientSession() as http, open_database() as dsn:
        friends = await befriend(http, simulator.url, RECIPIENTS)
        for rate, words in ((LINE_RATE, "limit 200/s"), (NO_LIMIT, "no limit")):
            floor = await _floor(bench, simulator.url, friends, rate)
            ours, remark = await _ours(bench, dsn, simulator.url, rate, friends, first)
            first += len(friends)
            figures.append(bench.rates(f"recipients, {words}", "recipients/s", ours, floor, remark))
        figures.append(await _part_by_part(bench, dsn, simulator.url, requests(friends[:PARTS_OF], first)))
    return figures
