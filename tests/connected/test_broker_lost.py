"""Apache Kafka is killed under load: every 2xx reaches the topic, each customer's events in their order."""

import asyncio
import itertools
import json
import os
import time
from collections import defaultdict
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer

from tests.support.apache_kafka import ApacheKafka
from tests.support.ingest_server import ready_ingest, spooled
from tests.unit.ingest.stand_ins import event
from todoke_shared.contracts.topics import EC_EVENTS

LONG = os.environ.get("TODOKE_TEST_LONG") == "1"
AWAY_SECONDS = 30.0 if LONG else 4.0
CUSTOMERS = 16
pytestmark = pytest.mark.apache_kafka


async def customer(client: httpx.AsyncClient, name: str, accepted: list[str], stop: asyncio.Event) -> list[int]:
    """Somebody who does one thing after the other, and again what was answered 503. Gives the statuses."""
    statuses: list[int] = []
    for number in itertools.count():
        body = event(id=f"{name}/{number}", subject=f"customer:{name}")
        while True:
            answer = await client.post("/v1/events", json=body, timeout=20)
            statuses.append(answer.status_code)
            if answer.status_code == 202:
                accepted.append(f"{name}/{number}")
                break
            await asyncio.sleep(0.2)
        if stop.is_set():
            return statuses
        await asyncio.sleep(0.02)
    raise AssertionError("count() has no end")


async def read_ids(bootstrap: str, until_there: set[str]) -> list[str]:
    """The ids in the topic, in its order within each partition, until all of these have been seen."""
    ids: list[str] = []
    missing = set(until_there)
    async with AIOKafkaConsumer(EC_EVENTS.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(60):
            while missing:
                name = json.loads((await consumer.getone()).value)["id"]
                ids.append(name)
                missing.discard(name)
    return ids


async def test_every_2xx_reaches_the_topic_when_the_broker_is_lost(tmp_path: Path, postgres_dsn: str) -> None:
    """The doors stay open while the broker is dead, the spool empties when it is back, and nothing is out of order."""
    async with ApacheKafka(tmp_path) as kafka:
        async with ready_ingest(kafka.bootstrap_servers, postgres_dsn) as client:
            accepted: list[str] = []
            stop = asyncio.Event()
            load = [asyncio.create_task(customer(client, str(n), accepted, stop)) for n in range(CUSTOMERS)]
            await asyncio.sleep(1)
            await kafka.kill()
            before = len(accepted)
            await asyncio.sleep(AWAY_SECONDS)
            taken_meanwhile = len(accepted) - before
            assert await spooled(client) > 0
            await kafka.restart()
            back = time.monotonic()
            while await spooled(client) > 0:
                assert time.monotonic() - back < 60, "the spool does not empty"
                await asyncio.sleep(0.1)
            await asyncio.sleep(1)  # and directly again
            stop.set()
            statuses = [status for each in await asyncio.gather(*load) for status in each]
        ids = await read_ids(kafka.bootstrap_servers, set(accepted))
    assert set(statuses) == {202}
    assert taken_meanwhile > CUSTOMERS * AWAY_SECONDS  # far more than what waited for one deadline
    assert len(accepted) == len(set(accepted))
    seen: dict[str, list[int]] = defaultdict(list)
    for name, number in (each.split("/") for each in dict.fromkeys(ids)):
        seen[name].append(int(number))
    assert all(numbers == sorted(numbers) for numbers in seen.values())


async def test_a_full_spool_is_503_and_no_accepted_event_is_lost(tmp_path: Path, postgres_dsn: str) -> None:
    """With no room for more, senders are told when to come again; what was taken before is there in the end."""
    async with ApacheKafka(tmp_path) as kafka:
        async with ready_ingest(kafka.bootstrap_servers, postgres_dsn, spool_bytes=2000) as client:
            await kafka.kill()
            answers = [await client.post("/v1/events", json=event(id=str(n)), timeout=20) for n in range(20)]
            accepted = {str(n) for n, answer in enumerate(answers) if answer.status_code == 202}
            refused = [answer for answer in answers if answer.status_code != 202]
            assert {(answer.status_code, answer.headers["retry-after"]) for answer in refused} == {(503, "5")}
            await kafka.restart()
            while await spooled(client) > 0:
                await asyncio.sleep(0.1)
        ids = await read_ids(kafka.bootstrap_servers, accepted)
    assert 5 <= len(accepted) <= 10
    assert set(ids) == accepted
