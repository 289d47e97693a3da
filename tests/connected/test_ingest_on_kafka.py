"""Ingest as it runs: a real HTTP server, PostgreSQL's clock, and a Kafka that the accepted event is read back from."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from tests.support.ingest_server import WITHIN_SECONDS, connections, ready_ingest, serving, settings_for, spooled, until
from tests.unit.ingest.stand_ins import Json, delivery, event, line_event, sign
from todoke_ingest.settings import IngestSettings
from todoke_local.ports import free_port
from todoke_shared.accounts import SIMULATOR_SECRET
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS


@pytest.fixture
async def client(kafka_bootstrap: str, postgres_dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at an ingest that is ready."""
    async with ready_ingest(kafka_bootstrap, postgres_dsn) as client:
        yield client


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


async def test_ingest_started_without_kafka_keeps_what_it_takes(postgres_dsn: str) -> None:
    """Ready on PostgreSQL alone: events wait in the spool, and a stop leaves no connection behind."""
    nowhere = f"127.0.0.1:{free_port()}"
    async with serving(settings_for(nowhere, postgres_dsn)) as client:

        async def taken() -> bool:
            return (await client.post("/v1/events", json=event())).status_code == 202

        await until(taken)
        assert await spooled(client) > 0
    assert await connections(postgres_dsn) == 0
