"""A broadcast of one content: requests into the ledger, and out to the simulator's process as multicasts of 500.

Floor (issue "Dispatcher: at LINE's own limit"): the same client library sending as many fixed multicasts, as many at a
time, with nothing read, decided, rendered or stored; at LINE's rate it keeps that rate.
Where the CPU goes is measured a second time, one part after the other: a crowd is taken into the ledger, becomes a
multicast, leaves, is recorded, and each of its messages is told of. `TODOKE_BENCH_RECIPIENTS`: other than 100,000.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

import aiohttp

from benchmarks.figures import Bench, CpuClock, Figure, Stopwatch, cpu_of
from benchmarks.rooms import Pool, befriend, open_database, open_simulator
from todoke_dispatcher.adapters.deliveries import count_unsettled
from todoke_dispatcher.adapters.line import MULTICAST_PATH, open_line
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.domain.grouping import LARGEST_GROUP
from todoke_dispatcher.pump import RECORD_AT_ONCE, pumping
from todoke_dispatcher.settings import HTTP_TIMEOUT_SECONDS, DispatcherSettings
from todoke_shared.accounts import SIMULATOR_TOKEN, load_config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.contracts.requests import LARGEST_CROWD, OwnCrowd, OwnRecipient, OwnTemplateRef
from todoke_shared.contracts.topics import REQUESTS_MARKETING
from todoke_shared.ids import crowd_id
from todoke_shared.jsons import dumps
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.postgres.pool import open_pool

RECIPIENTS = int(os.environ.get("TODOKE_BENCH_RECIPIENTS", "100000"))
PARTS_OF = 20_000
BATCH, POOL = 40, 8
"""Records at a time: what one fetch brings of so large ones."""
LINE_RATE, NO_LIMIT = 200, 1_000_000
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


async def multicast_bare(bench: Bench, url: str, friends: Sequence[str], rate: int, concurrency: int) -> Stopwatch:
    """The floor: as many requests with fixed bodies, each with a key of its own, at most `rate` a second."""
    text = {"type": "text", "text": "友だち追加ありがとうございます！" * 3}
    body = dumps({"to": friends[:LARGEST_GROUP], "messages": [text]})
    watch, requests_ = Stopwatch(), len(friends) // LARGEST_GROUP
    next_number = iter(range(requests_))
    with bench.shown("bare multicasts", requests_) as done:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=concurrency), cookie_jar=aiohttp.DummyCookieJar()
        ) as http:
            started = time.perf_counter()

            async def send_some() -> None:
                for number in next_number:
                    await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
                    headers = {
                        "Authorization": f"Bearer {SIMULATOR_TOKEN}",
                        "Content-Type": "application/json",
                        "X-Line-Retry-Key": str(uuid4()),
                    }
                    async with http.post(url + MULTICAST_PATH, data=body, headers=headers) as answer:
                        await answer.read()
                        answer.raise_for_status()
                    watch.items += LARGEST_GROUP

            with watch.lap():
                await asyncio.gather(*(send_some() for _ in range(concurrency)))
        done(requests_)
    return watch


async def pump_all(bench: Bench, dispatcher: Dispatcher, pool: Pool, number: int, in_flight: int) -> Stopwatch:
    """Pump until nothing waits, or the time is up."""
    watch, left = Stopwatch(), number
    with bench.shown("recipients", number) as done:
        started = time.perf_counter()
        with watch.lap():
            async with pumping(dispatcher, in_flight):
                while left and time.perf_counter() - started < bench.seconds:
                    await asyncio.sleep(0.2)
                    async with pool.acquire() as connection:
                        now_left = sum((await count_unsettled(connection)).values())
                    done(left - now_left)
                    left = now_left
        async with pool.acquire() as connection:
            watch.items = number - sum((await count_unsettled(connection)).values())
    return watch


class Parts:
    """CPU of this process and of PostgreSQL's backends, part by part."""

    def __init__(self, database: CpuClock) -> None:
        self.ours = {name: Stopwatch() for name in ("take", "claim", "send", "record", "tell")}
        self.database = {name: Stopwatch(database) for name in self.ours}

    async def run(self, dispatcher: Dispatcher, records: Sequence[Record]) -> None:
        """Every record through every part, each part by itself."""
        take = dispatcher.take_requests("marketing")
        with self.ours["take"].lap(), self.database["take"].lap():
            for start in range(0, len(records), BATCH):
                await take(records[start : start + BATCH])
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
    config = load_config(None)
    settings = DispatcherSettings(
        postgres_dsn="postgresql://unused",
        kafka_bootstrap_servers="unused",
        multicast_rate=rate,
        push_rate=min(10 * rate, NO_LIMIT),
    )
    tokens = {name: account.access_token for name, account in config.accounts.items()}
    async with (
        await open_pool(dsn, application="multicast", schema="dispatcher", size=POOL) as pool,
        open_line(url, tokens, connections=settings.max_in_flight, timeout_seconds=HTTP_TIMEOUT_SECONDS) as line,
    ):
        connections = [await pool.acquire() for _ in range(POOL)]
        pids = [await connection.fetchval("SELECT pg_backend_pid()") for connection in connections]
        for connection in connections:
            await pool.release(connection)
        dispatcher = Dispatcher(
            pool,
            await open_clock(pool),
            cluster="benchmark",
            catalogue=CampaignCatalogue(pool),
            line=line,
            config=config,
            settings=settings,
            wake_relay=lambda: None,
        )
        yield dispatcher, pool, cpu_of(*pids)


async def run(bench: Bench) -> list[Figure]:
    """At LINE's rate, as fast as it goes, and part by part."""
    figures = []
    async with open_simulator() as simulator, aiohttp.ClientSession() as http, open_database() as dsn:
        friends = await befriend(http, simulator.url, RECIPIENTS)
        first = 0
        for rate, words in ((LINE_RATE, "limit 200/s"), (NO_LIMIT, "no limit")):
            floor = await multicast_bare(bench, simulator.url, friends, rate, 200)
            async with _dispatcher(dsn, simulator.url, rate) as (dispatcher, pool, database):
                take, records = dispatcher.take_requests("marketing"), requests(friends, first)
                for start in range(0, len(records), BATCH):
                    await take(records[start : start + BATCH])
                first += len(friends)
                before = database()
                ours = await pump_all(bench, dispatcher, pool, len(friends), 200)
                spent = (database() - before) / max(1, ours.items) * 1e6
                remark = f"{ours.items:,}; {ours.rate / LARGEST_GROUP:.0f} multicasts/s; PostgreSQL {spent:.1f} µs"
                figures.append(bench.rates(f"recipients, {words}", "recipients/s", ours, floor, remark))
        async with _dispatcher(dsn, simulator.url, NO_LIMIT) as (dispatcher, _, database):
            parts, some = Parts(database), requests(friends[:PARTS_OF], first)
            await parts.run(dispatcher, some)
            spent = sum(watch.cpu_seconds for each in (parts.ours, parts.database) for watch in each.values())
            remark = parts.remark(PARTS_OF)
        figures.append(
            Figure(bench.name, "CPU a recipient, all parts", "µs", spent / PARTS_OF * 1e6, 0.0, remark=remark)
        )
    return figures
