"""Ingest as it runs: a real HTTP server, PostgreSQL's clock, and a Kafka that the accepted event is read back from."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest
import uvicorn
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from tests.support.apache_kafka import ApacheKafka
from tests.support.brokers import BrokerKind, choose_broker_kind
from tests.unit.ingest.stand_ins import Json, delivery, event, line_event, sign
from todoke_ingest.main import create_app
from todoke_ingest.settings import IngestSettings
from todoke_local.ports import free_port
from todoke_shared.accounts import SIMULATOR_SECRET
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS
from todoke_shared.kafka.topics import create_topics
from todoke_shared.postgres.migrate import migrate
from todoke_shared.postgres.platform import MIGRATIONS

WITHIN_SECONDS = 30.0


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Return once `true` is; TimeoutError after a while."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while True:
            if await true():
                return
            await asyncio.sleep(0.05)


@asynccontextmanager
async def serving(settings: IngestSettings) -> AsyncIterator[httpx.AsyncClient]:
    """The app behind uvicorn in this process, on a port of its own."""
    config = uvicorn.Config(
        create_app(settings),
        host="127.0.0.1",
        port=settings.ingest_port,
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.ingest_port}", trust_env=False) as client:

            async def started() -> bool:
                return server.started

            await until(started)
            yield client
    finally:
        server.should_exit = True
        await task


@pytest.fixture
async def client(kafka_bootstrap: str, postgres_dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at an ingest that is ready."""
    await migrate(postgres_dsn, [MIGRATIONS])
    if choose_broker_kind() is not BrokerKind.EMBEDDED:  # which makes topics by itself, and not when asked to
        await create_topics(kafka_bootstrap)
    settings = IngestSettings(
        kafka_bootstrap_servers=kafka_bootstrap, postgres_dsn=postgres_dsn, ingest_port=free_port()
    )
    async with serving(settings) as client:

        async def ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await until(ready)
        yield client


async def connections(dsn: str) -> int:
    """How many connections ingest has to this test's database."""
    connection = await asyncpg.connect(dsn)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'todoke-ingest'"
            )
        )
    finally:
        await connection.close()


async def first_record(bootstrap: str, topic: str, key: str) -> ConsumerRecord:
    """The first record under a key that no other test uses."""
    async with (
        asyncio.timeout(WITHIN_SECONDS),
        AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer,
    ):
        while (record := await consumer.getone()).key != key.encode():
            continue
        return record


async def test_an_accepted_event_is_in_kafka(client: httpx.AsyncClient, kafka_bootstrap: str) -> None:
    """After 202, the topic holds the event under its subject, timed by PostgreSQL's clock where it had no time."""
    person = f"customer:{uuid.uuid4()}"
    answer = await client.post("/v1/events", json=event(subject=person, time=None))
    assert (answer.status_code, answer.json()) == (202, {"accepted": ["1"], "refused": []})
    record = await first_record(kafka_bootstrap, EC_EVENTS.name, person)
    value: Json = json.loads(record.value)
    assert value["data"] == event()["data"]
    assert abs(datetime.fromisoformat(str(value["time"])) - datetime.now(UTC)) < timedelta(minutes=1)
    assert dict(record.headers)["content-type"] == b"application/cloudevents+json; charset=UTF-8"


async def test_only_a_signed_delivery_is_in_kafka(client: httpx.AsyncClient, kafka_bootstrap: str) -> None:
    """After 200, the LINE topic holds the event under its user; one sent unsigned before it is 401 and not there."""
    user = "U" + uuid.uuid4().hex
    source = {"type": "user", "userId": user}
    forged = delivery(line_event(source=source, webhookEventId="forged"))
    assert (await client.post("/webhooks/line/main", content=forged)).status_code == 401
    body = delivery(line_event(source=source, webhookEventId="signed"))
    headers = {"x-line-signature": sign(body, SIMULATOR_SECRET)}
    assert (await client.post("/webhooks/line/main", content=body, headers=headers)).status_code == 200
    record = await first_record(kafka_bootstrap, LINE_EVENTS.name, f"line:main:{user}")
    assert LineEvent.from_json(record.value).webhook_event_id == "signed"


async def test_ingest_lives_and_says_503_where_kafka_and_postgresql_are_not_there() -> None:
    """Started before the others, it is alive, not ready, and asks to come again."""
    nowhere = free_port()
    settings = IngestSettings(
        kafka_bootstrap_servers=f"127.0.0.1:{nowhere}",
        postgres_dsn=f"postgresql://todoke@127.0.0.1:{nowhere}/todoke",
        ingest_port=free_port(),
    )
    async with serving(settings) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        answer = await client.post("/v1/events", json=event())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_ingest_waits_for_kafka_when_postgresql_is_there(postgres_dsn: str) -> None:
    """A door that opens half is closed again: no connection to PostgreSQL is left behind by the tries."""
    await migrate(postgres_dsn, [MIGRATIONS])
    settings = IngestSettings(
        kafka_bootstrap_servers=f"127.0.0.1:{free_port()}", postgres_dsn=postgres_dsn, ingest_port=free_port()
    )
    async with serving(settings) as client:
        await asyncio.sleep(1)  # time for some tries
        assert (await client.get("/readyz")).status_code == 503
        assert await connections(postgres_dsn) <= 1
    assert await connections(postgres_dsn) == 0


@pytest.mark.apache_kafka
async def test_a_killed_broker_costs_503_and_no_accepted_event(tmp_path: Path, postgres_dsn: str) -> None:
    """While the broker is gone every answer is 503, in time; once it is back, events are taken and all are there."""
    await migrate(postgres_dsn, [MIGRATIONS])
    async with ApacheKafka(tmp_path) as kafka:
        await create_topics(kafka.bootstrap_servers)
        settings = IngestSettings(
            kafka_bootstrap_servers=kafka.bootstrap_servers,
            postgres_dsn=postgres_dsn,
            ingest_port=free_port(),
            acknowledge_seconds=1,
        )
        accepted: list[str] = []

        async with serving(settings) as sender:

            async def post() -> int:
                name = str(uuid.uuid4())
                answer = await sender.post("/v1/events", json=event(id=name))
                accepted.extend(answer.json().get("accepted", []))
                return answer.status_code

            async def taken() -> bool:
                return await post() == 202

            await until(taken)
            await kafka.kill()
            async with asyncio.timeout(10):
                assert [await post() for _ in range(3)] == [503] * 3
            await kafka.restart()
            await until(taken)
            assert [await post() for _ in range(20)] == [202] * 20
        written: set[str] = set()
        async with (
            asyncio.timeout(WITHIN_SECONDS),
            AIOKafkaConsumer(
                EC_EVENTS.name, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
            ) as consumer,
        ):
            while not written.issuperset(accepted):
                written.add(json.loads((await consumer.getone()).value)["id"])
    assert len(accepted) == len(set(accepted)) >= 22
