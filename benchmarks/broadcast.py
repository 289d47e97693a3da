"""A broadcast to everybody: planned by a scheduler process, and handed to the dispatcher until Kafka has it all.

Two floors, in the same run: a bare INSERT … SELECT of as many rows as long into a table like the outbox, and the relay
alone, publishing those. `--people` says how many; 1,000,000 take 6 GB of disk and two minutes to put there.
"""

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from math import ceil

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer

from benchmarks.figures import Bench, Figure, Stopwatch, all_of_postgres, cpu_of
from benchmarks.published import Published
from benchmarks.rooms import Pool, Server, open_database, open_server
from todoke_local.embedded import EmbeddedKafka
from todoke_scheduler.adapters.publishing import publish
from todoke_scheduler.domain.broadcasts import CHUNK as IDS_AT_ONCE
from todoke_shared.campaigns.model import Campaign
from todoke_shared.contracts.requests import LARGEST_CROWD
from todoke_shared.contracts.topics import REQUESTS_MARKETING
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.relay import Relay
from todoke_shared.postgres.pool import open_pool

CHUNK = 100_000
FLOOR_TOPIC = "benchmark.broadcast.floor"
TARGET_SECONDS, TARGET_PEOPLE = 60.0, 1_000_000
REQUEST_BYTES = 420
"""As long as one of the requests measured here."""

_PEOPLE = """
INSERT INTO segmenter.people (person_id, shop, state, facts)
SELECT md5('person' || i)::uuid, 'main', jsonb_build_object('last_visit_at', at, 'profile', jsonb_build_object(
           'gender', jsonb_build_object('at', at, 'value', 'female'),
           'note', jsonb_build_object('at', at, 'value', repeat(md5(i::text), 30)))), '{}'
  FROM generate_series($1::int, $2::int) AS i, (SELECT '2026-02-01T00:00:00Z' AS at) AS long_ago
"""
_FRIENDS = """
INSERT INTO segmenter.friend_status (account, user_id, shop, person_id, is_friend, changed_at)
SELECT 'main', 'U' || md5('user' || i), 'main', md5('person' || i)::uuid, true, now()
  FROM generate_series($1::int, $2::int) AS i
"""
_FLOOR = """
CREATE SCHEMA floor;
CREATE TABLE floor.outbox (LIKE scheduler.outbox INCLUDING ALL);
"""
_FILL = """
INSERT INTO floor.outbox (shard, topic, key, value, headers)
SELECT get_byte(uuid_send(p.person_id), 0) % 8, $1, convert_to(p.person_id::text, 'UTF8'), $2, '{}'
  FROM segmenter.people p JOIN segmenter.friend_status f USING (person_id)
"""
_TOOK = "SELECT extract(epoch FROM ended_at - started_at)::float8 FROM scheduler.broadcasts WHERE state = 'done'"


def a_broadcast(at: datetime) -> Campaign:
    """One message to every woman, now."""
    local = (at + timedelta(hours=9)).replace(tzinfo=None, second=0, microsecond=0)
    return Campaign.model_validate(
        {
            "campaign": "benchmark-broadcast",
            "class": "marketing",
            "enter": {"schedule": {"at": local.isoformat(" ", "minutes")}, "when": {"gender": "female"}},
            "steps": [{"send": "news"}],
            "messages": {"news": [{"type": "text", "text": "本日より春のセールです"}]},
        }
    )


def crowds_of(people: int) -> int:
    """How many records ask for so many messages: each chunk of ids is cut into crowds by itself."""
    return sum(ceil(min(IDS_AT_ONCE, people - first) / LARGEST_CROWD) for first in range(0, people, IDS_AT_ONCE))


async def run(bench: Bench) -> list[Figure]:
    """Everybody is a friend, and everybody is meant."""
    people = bench.people
    async with (
        open_database() as dsn,
        EmbeddedKafka() as kafka,
        await _admin(dsn) as admin,
        AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers) as consumer,
    ):
        await _populate(bench, admin, people)
        bare = await _bare_insert(admin, people)
        relay = await _bare_relay(bench, dsn, kafka.bootstrap_servers, people)
        published = Published(consumer, REQUESTS_MARKETING.name)
        async with _scheduler(dsn, kafka.bootstrap_servers) as server:
            handed, remark = await _broadcast(bench, dsn, server, published, people)
        planned = Stopwatch(items=people)
        planned.seconds = await admin.fetchval(_TOOK)
    target = TARGET_SECONDS * people / TARGET_PEOPLE
    return [
        bench.rates("everybody enters, requests in the outbox; to a bare INSERT … SELECT", "people/s", planned, bare),
        bench.rates("until Kafka has all requests; to the relay alone", "people/s", handed, relay, remark),
        Figure(bench.name, f"{people:,} people, to the target, at most", "s", handed.seconds, target),
    ]


async def _admin(dsn: str) -> Pool:
    """A connection whose calls may take minutes."""
    return await asyncpg.create_pool(dsn, min_size=1, max_size=1)


async def _populate(bench: Bench, admin: Pool, people: int) -> None:
    with bench.shown(f"{people:,} people", people) as done:
        for first in range(0, people, CHUNK):
            last = min(first + CHUNK, people) - 1
            await admin.execute(_PEOPLE, first, last)
            await admin.execute(_FRIENDS, first, last)
            done(last - first + 1)
        for statement in (
            "VACUUM (ANALYZE) segmenter.people",
            "VACUUM (ANALYZE) segmenter.friend_status",
            "CHECKPOINT",
        ):
            await admin.execute(statement)


async def _bare_insert(admin: Pool, people: int) -> Stopwatch:
    await admin.execute(_FLOOR)
    watch = Stopwatch(cpu_of(await admin.fetchval("SELECT pg_backend_pid()")), items=people)
    with watch.lap():
        await admin.execute(_FILL, FLOOR_TOPIC, b"x" * REQUEST_BYTES)
    return watch


async def _bare_relay(bench: Bench, dsn: str, bootstrap: str, people: int) -> Stopwatch:
    publisher = KafkaPublisher(bootstrap, client_id="benchmark")
    await publisher.start()
    watch = Stopwatch(items=people)
    try:
        async with await open_pool(dsn, application="benchmark", schema="floor", size=4) as pool:
            relay = Relay(pool, "floor", publisher)
            with bench.shown("the relay alone", people) as done, watch.lap():
                while moved := await relay.publish_some():
                    done(moved)
            await relay.release()
    finally:
        await publisher.stop()
    return watch


def _scheduler(dsn: str, bootstrap: str) -> AbstractAsyncContextManager[Server]:
    environment = {"TODOKE_POSTGRES_DSN": dsn, "TODOKE_KAFKA_BOOTSTRAP_SERVERS": bootstrap}
    return open_server(
        "todoke_local.service_process",
        "scheduler",
        port_setting="TODOKE_SCHEDULER_PORT",
        environment=environment,
        ready="/readyz",
    )


async def _broadcast(
    bench: Bench, dsn: str, server: Server, published: Published, people: int
) -> tuple[Stopwatch, str]:
    """From the publication of a campaign that is due until Kafka has its last request."""
    async with await open_pool(dsn, application="benchmark", schema="scheduler", size=1) as pool:
        return await _measured(bench, pool, server, published, people)


async def _measured(
    bench: Bench, pool: Pool, server: Server, published: Published, people: int
) -> tuple[Stopwatch, str]:
    postgres = all_of_postgres(await pool.fetchval("SELECT pg_backend_pid()"))
    process = psutil.Process(server.process_id)
    before = most = process.memory_info().rss
    watch, behind = Stopwatch(cpu_of(server.process_id), items=people), postgres()
    with bench.shown("broadcast", people) as done, watch.lap():

        def look(number: int) -> None:
            nonlocal most
            most = max(most, process.memory_info().rss)
            done(number)

        await publish(pool, [a_broadcast(datetime.now(UTC))])
        await published.until(crowds_of(people), lambda crowds: look(crowds * LARGEST_CROWD))
    behind = postgres() - behind
    remark = (
        f"PostgreSQL's CPU a person {behind / people * 1e6:,.0f} µs;"
        f" resident {before / 2**20:,.0f} MiB before, {most / 2**20:,.0f} MiB at most"
    )
    return watch, remark
