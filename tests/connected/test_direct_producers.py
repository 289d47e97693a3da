"""A shop's backend writes to `ec.events.v1` itself, by a client that is not ours, and makes every mistake there is."""

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from tests.support.direct_producers import Written, binary, poison, structured
from todoke_segmenter.main import create_app
from todoke_segmenter.settings import SegmenterSettings
from todoke_shared.contracts.topics import EC_EVENTS

WITHIN_SECONDS = 60.0
GOOD_FOR_EACH_BAD = 99
PAGE = Path(__file__).parents[2] / "docs" / "kafka-producers.md"
NAME = "x-name"
FOLDED = """
SELECT count(*) FROM segmenter.identities JOIN segmenter.people USING (person_id)
 WHERE identifier LIKE 'customer:good-%' AND state::jsonb ? 'last_seen_at'
"""
ORDERED = """
SELECT state::jsonb ? 'last_order_at' FROM segmenter.identities JOIN segmenter.people USING (person_id)
 WHERE identifier = $1
"""


def write(bootstrap: str, records: list[Written]) -> None:
    """As a careful backend does: idempotent, keyed by the person, every record acknowledged."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5})
    failed: list[object] = []

    def told(error: object, _: Message) -> None:
        if error is not None:
            failed.append(error)

    for record in records:
        headers: list[tuple[str, str | bytes | None]] = [*record.headers, (NAME, record.name.encode())]
        key = f"customer:{record.name}".encode()
        producer.produce(EC_EVENTS.name, record.value, key, headers=headers, on_delivery=told)
        producer.poll(0)
    assert producer.flush(WITHIN_SECONDS) == 0
    assert failed == []


def read_all(bootstrap: str, topic: str) -> list[Message]:
    """Everything that a topic holds now."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.auto.commit": False})
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        left = 0
        for partition in partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            left += high - low
        consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
        found: list[Message] = []
        while len(found) < left:
            message = consumer.poll(WITHIN_SECONDS)
            if message is None or message.error():
                raise KafkaException(message and message.error())
            found.append(message)
        return found
    finally:
        consumer.close()


def headers_of(message: Message) -> dict[str, bytes]:
    """A letter's headers; all of ours have values."""
    return {name: value for name, value in dict(message.headers() or []).items() if isinstance(value, bytes)}


def named(message: Message) -> str:
    """Which record a dead letter is of."""
    return headers_of(message)[NAME].decode()


async def test_the_documentations_own_producer_is_understood(
    own_kafka: str, postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python of docs/kafka-producers.md, run as it stands, makes an order that the segmenter knows."""
    [program] = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.setenv("KAFKA", own_kafka)
    await asyncio.to_thread(exec, compile(program, PAGE.name, "exec"), {})
    app = create_app(SegmenterSettings(kafka_bootstrap_servers=own_kafka, postgres_dsn=postgres_dsn))
    connection = await asyncpg.connect(postgres_dsn)
    try:
        async with app.router.lifespan_context(app), asyncio.timeout(WITHIN_SECONDS):
            while not await connection.fetchval(ORDERED, "customer:4711"):
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def test_good_events_are_folded_and_each_bad_one_is_a_dead_letter_once(own_kafka: str, postgres_dsn: str) -> None:
    """1% poison of every kind among events of both modes: all the good ones count, nothing stops, and every bad one
    lies untouched in the dead-letter topic, its own headers and the reason beside it."""
    at = datetime.now(UTC)
    bad = list(poison("bad", at).values())
    records: list[Written] = []
    for number, one in enumerate(bad):
        good = range(number * GOOD_FOR_EACH_BAD, (number + 1) * GOOD_FOR_EACH_BAD)
        records += [(binary if index % 2 else structured)(f"good-{index}", at) for index in good]
        records.append(one)
    await asyncio.to_thread(write, own_kafka, records)
    settings = SegmenterSettings(kafka_bootstrap_servers=own_kafka, postgres_dsn=postgres_dsn)
    app = create_app(settings)
    connection = await asyncpg.connect(postgres_dsn)
    try:
        async with app.router.lifespan_context(app), asyncio.timeout(WITHIN_SECONDS):
            while await connection.fetchval(FOLDED) < len(records) - len(bad):
                await asyncio.sleep(0.1)
            taken = "SELECT coalesce(sum(next_offset), 0) FROM segmenter.consumed WHERE topic = $1"
            while await connection.fetchval(taken, EC_EVENTS.name) < len(records):
                await asyncio.sleep(0.1)
            while await connection.fetchval("SELECT count(*) FROM segmenter.outbox"):
                await asyncio.sleep(0.1)
    finally:
        await connection.close()
    letters = {named(letter): letter for letter in await asyncio.to_thread(read_all, own_kafka, EC_EVENTS.dead_letters)}
    assert Counter(map(named, await asyncio.to_thread(read_all, own_kafka, EC_EVENTS.dead_letters))) == Counter(
        one.name for one in bad
    )
    for one in bad:
        headers = headers_of(letters[one.name])
        assert (letters[one.name].value() or None) == one.value
        assert headers["todoke-service"] == b"segmenter"
        assert headers["todoke-reason"]
        assert headers["todoke-origin"].startswith(EC_EVENTS.name.encode())
        assert {name for name, _ in one.headers} <= set(headers)
