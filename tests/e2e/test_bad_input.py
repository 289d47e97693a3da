"""Bad input gets a clear answer or a dead letter with its reason; the rest flows on."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer

from tests.support.line_webhooks import signed_webhook
from tests.support.running import Running
from tests.support.shop_events import event
from todoke_shared.contracts.topics import (
    CUSTOMER_TRIGGERS,
    EC_EVENTS,
    LINE_EVENTS,
    REQUESTS_MARKETING,
    REQUESTS_TRANSACTIONAL,
    Topic,
)
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.records import Outgoing

READ_TOPICS = (EC_EVENTS, LINE_EVENTS, CUSTOMER_TRIGGERS, REQUESTS_TRANSACTIONAL, REQUESTS_MARKETING)
NOT_JSON = b"\xff\xfe{ this is not JSON"
PROBLEM = "application/problem+json"
JSON = {"content-type": "application/cloudevents+json"}


async def answer_to(running: Running, path: str, body: bytes, **headers: str) -> tuple[int, str, dict[str, Any]]:
    """Status, media type and body of the answer to a raw request."""
    url = running.fleet.url("ingest") + path
    async with running.session.post(url, data=body, headers=headers) as response:
        return response.status, response.content_type, await response.json(content_type=None)


async def dead_letters(running: Running, topics: tuple[Topic, ...], *, seconds: float = 60) -> dict[str, Any]:
    """The first dead letter of each topic: its value and its headers."""
    names = [topic.dead_letters for topic in topics]
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=running.bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[str, Any] = {}
    try:
        async with asyncio.timeout(seconds):
            while len(found) < len(names):
                record = await consumer.getone()
                headers = {name: value.decode() for name, value in record.headers}
                found.setdefault(record.topic, (record.value, headers))
    finally:
        await consumer.stop()
    return found


async def test_bad_input_is_answered_or_dead_lettered_and_the_rest_flows_on(running: Running) -> None:
    """Malformed JSON, an unknown type, a wrong signature, a wrong clock; and garbage written straight to each topic."""
    user_ids = await running.befriend("hana")
    await running.until_accepted(1)
    hana = f"line:main:{user_ids['hana']}"
    now = datetime.now(UTC)

    status, media, body = await answer_to(running, "/v1/events", b'{"specversion": "1.0",', **JSON)
    assert (status, media) == (400, PROBLEM)
    assert "JSON" in body["detail"]

    unknown = json.dumps(event("cart.exploded", hana, now, {})).encode()
    status, media, body = await answer_to(running, "/v1/events", unknown, **JSON)
    assert (status, media) == (400, PROBLEM)
    assert body["errors"][0]["field"] == "type"
    assert "unknown event type" in body["errors"][0]["reason"]

    ahead = json.dumps(event("order.placed", hana, now + timedelta(hours=1), {"order_id": "tomorrow's"})).encode()
    status, media, body = await answer_to(running, "/v1/events", ahead, **JSON)
    assert (status, media) == (400, PROBLEM)
    assert body["errors"][0]["field"] == "time"

    webhook, signature = signed_webhook("follow", "mallory", now, "not the channel's secret")
    status, media, _ = await answer_to(running, "/webhooks/line/main", webhook, **{"x-line-signature": signature})
    assert (status, media) == (401, PROBLEM)

    publisher = KafkaPublisher(running.bootstrap_servers, client_id="mallory")
    await publisher.start()
    await publisher.publish([Outgoing(topic.name, b"someone", NOT_JSON) for topic in READ_TOPICS])
    await publisher.stop()
    letters = await dead_letters(running, READ_TOPICS)
    for topic in READ_TOPICS:
        value, headers = letters[topic.dead_letters]
        assert value == NOT_JSON, "the record is untouched"
        assert "JSON" in headers["todoke-reason"]
        assert headers["todoke-origin"].startswith(topic.name)

    status, answer = await running.post(
        event("order.placed", hana, now, {"order_id": "after-all-that"}), event("cart.exploded", hana, now, {})
    )
    assert status == 207
    assert [refused["index"] for refused in answer["refused"]] == [1]
    await running.until_accepted(2)
    assert "after-all-that" in (await running.texts())[-1]


async def test_a_stopped_service_leaves_nothing_undone(running: Running) -> None:
    """SIGTERM of each in turn while orders go on coming, start again: each order is confirmed once."""
    user_ids = await running.befriend("hana")
    await running.until_accepted(1)
    numbers: list[str] = []
    for service in ("segmenter", "scheduler", "dispatcher"):
        enough = asyncio.Event()
        ordering = asyncio.create_task(order(running, f"line:main:{user_ids['hana']}", numbers, enough))
        await running.until_accepted(1 + len(numbers) + 50)
        await running.fleet.stop_one(service)
        enough.set()
        await ordering
        await running.fleet.start(service)
        await running.until_accepted(1 + len(numbers))
    texts = [text for text in await running.texts() if "ご注文番号" in text]
    assert sorted(texts) == sorted(f"ご注文ありがとうございます。\nご注文番号 {number}" for number in numbers)


async def order(running: Running, subject: str, numbers: list[str], enough: asyncio.Event) -> None:
    """Ten orders at a time until there are enough; their numbers are added to those that there are."""
    while not enough.is_set():
        some = [str(len(numbers) + index) for index in range(10)]
        now = datetime.now(UTC)
        await running.post_until_taken(*(event("order.placed", subject, now, {"order_id": each}) for each in some))
        numbers += some
        await asyncio.sleep(0.05)
