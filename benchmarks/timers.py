"""Timers by the million: a scheduler process fires them, end to end, until Kafka has the last request.

Beside it in the same run: pgqueuer and procrastinate firing jobs that do nothing (`benchmarks.queues`), with as many
pending but never more than a million, and a bare DELETE of the same rows, which is the floor. `--pending` says how many
timers wait; 10,000,000 of them need 15 GB of disk and some ten minutes.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.figures import Bench, CpuClock, Figure, Stopwatch, all_of_postgres, alternate, cpu_of
from benchmarks.published import Published
from benchmarks.queues import time_pgqueuer, time_procrastinate
from benchmarks.rooms import Pool, Server, open_database, open_server
from benchmarks.timer_rows import PEOPLE, TimerRows, timers_size
from todoke_local.embedded import EmbeddedKafka
from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.handlers import Scheduler
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, REQUESTS_TRANSACTIONAL
from todoke_shared.contracts.triggers import Trigger
from todoke_shared.kafka.records import Record
from todoke_shared.postgres.fleet_clock import open_clock
from todoke_shared.postgres.pool import open_pool

DUE = 200_000
RIVALS_PENDING, RIVALS_DUE = 1_000_000, 50_000
STEADY, ADDED_A_SECOND = 500, 20_000
"""Timers due a second; how fast they can be put there before the first is due, at the least."""
TRIGGERS, BATCH = 20_000, 500
DELETE_LIMIT = 2_000
LATENESS, CLAIM = "todoke_timer_lateness_seconds", "todoke_timer_claim_seconds"
CAMPAIGN = Campaign.model_validate(
    {
        "campaign": "benchmark",
        "class": "transactional",  # at any hour, to anybody
        "enter": {"on": "cart.changed", "again": "restart"},
        "steps": [{"wait": "1h"}, {"send": "first"}, {"wait": "24h"}, {"send": "second"}],
        "messages": {name: [{"type": "text", "text": "お忘れものはありませんか"}] for name in ("first", "second")},
    }
)
ENROLLING = CAMPAIGN.model_copy(update={"campaign": "enrolling"})
_DELETE = """
DELETE FROM floor_timers WHERE ctid = any(ARRAY(
    SELECT ctid FROM floor_timers WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)) RETURNING due_at, enrolment, position
"""
_FLOOR = """
CREATE TABLE floor_timers (LIKE scheduler.timers INCLUDING ALL);
INSERT INTO floor_timers SELECT now() - i * interval '1 ms', md5(i::text)::uuid, 1 FROM generate_series(1, 200000) AS i;
INSERT INTO floor_timers SELECT now() + i * interval '1 s', md5(i::text)::uuid, 1 FROM generate_series(1, 800000) AS i;
ANALYZE floor_timers;
"""


@dataclass
class Stage:
    """A scheduler process at work, seen from outside."""

    bench: Bench
    rows: TimerRows
    published: Published
    server: Server
    postgres: CpuClock

    async def fire(self, what: str, number: int, commit: Awaitable[object]) -> tuple[Stopwatch, str]:
        """From the commit of so many due timers until Kafka has all their requests; and whose CPU that took."""
        before = await self.published.count()
        watch, behind = Stopwatch(cpu_of(self.server.process_id)), self.postgres()
        with self.bench.shown(what, number) as done, watch.lap():
            await commit
            await self.published.until(before + number, done)
        watch.items = number
        return watch, f"PostgreSQL's CPU a timer {(self.postgres() - behind) / number * 1e6:,.0f} µs"

    async def metric(self, name: str) -> dict[float, float]:
        """A histogram of the scheduler: how many lay at or below each bound."""
        async with aiohttp.ClientSession(trust_env=False) as http, http.get(f"{self.server.url}/metrics") as answer:
            text = await answer.text()
        return {
            float(sample.labels["le"]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"{name}_bucket"
        }

    async def steady(self) -> tuple[float, float]:
        """Seconds below which 99% of lateness, and of claims, lay while 500 timers a second came due."""
        number = int(STEADY * self.bench.seconds)
        before = {name: await self.metric(name) for name in (LATENESS, CLAIM)}
        published = await self.published.count()
        start = timedelta(seconds=3 + number / ADDED_A_SECOND)
        await self.rows.add(number, start=start, step=timedelta(seconds=1) / STEADY)
        with self.bench.shown("500 due a second", number) as done:
            await self.published.until(published + number, done)
        late, claims = [_p99(before[name], await self.metric(name)) for name in (LATENESS, CLAIM)]
        return late, claims


def _p99(before: Mapping[float, float], after: Mapping[float, float]) -> float:
    counts = {bound: after[bound] - before.get(bound, 0) for bound in sorted(after)}
    return next(bound for bound, number in counts.items() if number >= 0.99 * counts[float("inf")])


async def run(bench: Bench) -> list[Figure]:
    """Fire what is due with the rest pending: of rows put there first, and put there last; steadily; and enrol."""
    async with open_database() as dsn, EmbeddedKafka() as kafka:
        rivals = {oldest: await _rivals(bench, dsn, oldest=oldest) for oldest in (True, False)}
        async with await open_pool(dsn, application="benchmark", schema="scheduler", size=1) as pool:
            await publish(pool, [CAMPAIGN, ENROLLING])
            bare = await _bare_deletes(bench, dsn)
            async with _stage(bench, dsn, kafka.bootstrap_servers) as (stage, commit):
                oldest, cpu = await stage.fire("due rows are the oldest", DUE, commit)
                newest, newest_cpu = await stage.fire("due rows are the newest", DUE, await _unseen_due(stage.rows))
                late, claim = await stage.steady()
            heap, index = await timers_size(pool)
            enrolled = await _enrol(bench, pool, stage.rows)
    pending = f"{bench.pending:,} pending"
    better = {order: max(watches, key=lambda watch: watch.rate) for order, watches in rivals.items()}
    return [
        bench.rates(f"{pending}, oldest due, to the better queue", "timers/s", oldest, better[True], cpu),
        bench.rates(f"{pending}, newest due, to the better queue", "timers/s", newest, better[False], newest_cpu),
        *(
            bench.rates(f"pgqueuer, procrastinate, {order} due", "jobs/s", *rivals[is_oldest])
            for is_oldest, order in ((True, "oldest"), (False, "newest"))
        ),
        bench.rates(f"to a bare DELETE of {DELETE_LIMIT:,}", "timers/s", oldest, bare, f"{heap} and index {index}"),
        Figure(bench.name, f"{STEADY} due/s: lateness p99 to its target, at most", "ms", late * 1000, 1000.0),
        Figure(bench.name, f"{STEADY} due/s: claim p99 to its target, at most", "ms", claim * 1000, 50.0),
        Figure(bench.name, "enrolling, to its target", "triggers/s", enrolled.rate, 5000.0, enrolled.cpu_us),
    ]


async def _rivals(bench: Bench, dsn: str, *, oldest: bool) -> tuple[Stopwatch, Stopwatch]:
    pending = min(bench.pending, RIVALS_PENDING)
    due = min(RIVALS_DUE, pending)
    with bench.shown(f"pgqueuer and procrastinate, {'oldest' if oldest else 'newest'} due", 2) as done:
        pgqueuer = await time_pgqueuer(dsn, pending, due, oldest=oldest, seconds=bench.seconds)
        done(1)
        return pgqueuer, await time_procrastinate(dsn, pending, due, oldest=oldest, seconds=bench.seconds)


async def _bare_deletes(bench: Bench, dsn: str) -> Stopwatch:
    """The floor: the rows of as many timers, deleted by the claim's own limit."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(_FLOOR)
    watch = Stopwatch()

    async def delete(_: int) -> int:
        return len(await connection.fetch(_DELETE, DELETE_LIMIT))

    await alternate(bench, "bare deletes", DUE // DELETE_LIMIT, [(watch, delete)])
    await connection.execute("DROP TABLE floor_timers")
    await connection.close()
    return watch


@asynccontextmanager
async def _stage(bench: Bench, dsn: str, bootstrap: str) -> AsyncIterator[tuple[Stage, Awaitable[object]]]:
    """A scheduler that waits, and what is to be awaited to let it see its timers: the due ones were put there first."""
    admin = await asyncpg.connect(dsn, server_settings={"search_path": "scheduler"})
    rows = TimerRows(admin, min(PEOPLE, max(bench.pending // 10, 1000)))
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    transaction = admin.transaction()
    await transaction.start()
    with bench.shown("preparing", 1):
        await rows.add_people()
        await rows.add(DUE, start=timedelta(minutes=-10), step=timedelta(milliseconds=1))
        await rows.add(bench.pending, start=timedelta(hours=1), step=timedelta(days=30) / bench.pending)
        await admin.execute("ANALYZE")
    environment = {"TODOKE_POSTGRES_DSN": dsn, "TODOKE_KAFKA_BOOTSTRAP_SERVERS": bootstrap}
    try:
        async with open_server(
            "todoke_local.service_process",
            "scheduler",
            port_setting="TODOKE_SCHEDULER_PORT",
            environment=environment,
            ready="/readyz",
        ) as server:
            postgres = all_of_postgres(await admin.fetchval("SELECT pg_backend_pid()"))
            yield (
                Stage(bench, rows, Published(consumer, REQUESTS_TRANSACTIONAL.name), server, postgres),
                transaction.commit(),
            )
    finally:
        await consumer.stop()
        await admin.close()


async def _unseen_due(rows: TimerRows) -> Awaitable[object]:
    """More that are due, behind all that are pending; what is given lets them be seen."""
    transaction = rows.connection.transaction()
    await transaction.start()
    await rows.add(DUE, start=timedelta(minutes=-5), step=timedelta(milliseconds=1))
    return transaction.commit()


async def _enrol(bench: Bench, pool: Pool, rows: TimerRows) -> Stopwatch:
    """Carts that change: each starts a run with its first timer, on top of what is pending."""
    catalogue = CampaignCatalogue(pool)
    await catalogue.refresh()
    scheduler = Scheduler(pool, await open_clock(pool), catalogue, cluster="benchmark", wake=lambda: None)
    at = datetime.now(UTC)
    people = rows.people_ids(TRIGGERS)
    triggers = [
        Trigger(id=person, kind="enter", campaign=ENROLLING.campaign, person=person, at=at) for person in people
    ]
    records = [
        Record(CUSTOMER_TRIGGERS.name, 0, offset, None, trigger.to_json()) for offset, trigger in enumerate(triggers)
    ]
    watch = Stopwatch()

    async def take(number: int) -> int:
        batch = records[number * BATCH : (number + 1) * BATCH]
        await scheduler.take_triggers(batch)
        return len(batch)

    await alternate(bench, "enrolling", TRIGGERS // BATCH, [(watch, take)])
    return watch
