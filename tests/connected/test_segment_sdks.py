"""Segment's and RudderStack's own libraries for Python against a real ingest: unchanged but for their host."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

import httpx
import pytest
import rudderstack.analytics.request as rudder_request
import segment.analytics.request as segment_request
from aiokafka import AIOKafkaConsumer
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from tests.support.ingest_server import WITHIN_SECONDS, ready_ingest
from tests.unit.ingest.stand_ins import Json
from todoke_shared.contracts.contacts import email_sha256
from todoke_shared.contracts.topics import EC_EVENTS

WRITE_KEY = "any key opens a trial"
EMAIL = "hanako@shop.example"


class Client(Protocol):
    """What both libraries offer; neither tells its types."""

    def page(self, *given: object, **options: object) -> object: ...
    def screen(self, *given: object, **options: object) -> object: ...
    def identify(self, *given: object, **options: object) -> object: ...
    def track(self, *given: object, **options: object) -> object: ...
    def group(self, *given: object, **options: object) -> object: ...
    def alias(self, *given: object, **options: object) -> object: ...
    def shutdown(self) -> None: ...


OpenClient = Callable[..., Client]


@pytest.fixture
async def ingest(kafka_bootstrap: str, postgres_dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at an ingest that is ready."""
    async with ready_ingest(kafka_bootstrap, postgres_dsn) as client:
        yield client


@pytest.fixture(
    params=[(SegmentClient, False), (SegmentClient, True), (RudderClient, False), (RudderClient, True)],
    ids=["segment", "segment-gzip", "rudderstack", "rudderstack-gzip"],
)
def new_client(
    request: pytest.FixtureRequest, ingest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OpenClient]:
    """Opens the library's client on this ingest, with and without gzip."""
    library, gzip = request.param
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def open_it(**options: object) -> Client:
        client: Client = library(WRITE_KEY, host=str(ingest.base_url), gzip=gzip, upload_interval=0.2, **options)
        return client

    yield open_it
    for session in (segment_request._session, rudder_request._session):
        session.close()


async def events_of(bootstrap: str, subjects: set[str], count: int) -> list[Json]:
    """The first events of people whom no other test knows, in the order of their ids' places in the topic."""
    found: list[Json] = []
    async with (
        asyncio.timeout(WITHIN_SECONDS),
        AIOKafkaConsumer(EC_EVENTS.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer,
    ):
        while len(found) < count:
            record = await consumer.getone()
            if (record.key or b"").decode() in subjects:
                found.append(json.loads(record.value))
    return found


async def test_every_call_of_the_library_is_in_kafka(new_client: OpenClient, kafka_bootstrap: str) -> None:
    """Queued, sent as one batch, answered 200; each call is its event, the contacts hashed, the time its own."""
    person, visitor = uuid.uuid4().hex, uuid.uuid4().hex
    happened = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    failures: list[object] = []
    client = new_client(on_error=lambda error, _: failures.append(error))
    client.page(anonymous_id=visitor, name="Home", properties={"url": "https://shop.example/"})
    client.identify(person, {"email": EMAIL, "firstName": "花子"}, anonymous_id=visitor)
    client.track(person, "Product Added", {"cart_id": "c", "product_id": "tea", "quantity": 2}, message_id="added")
    client.track(person, "Order Completed", {"order_id": "o", "total": 1980, "currency": "JPY"}, timestamp=happened)
    client.track(person, "カートを見た", {"from": EMAIL})
    client.screen(person, name="Basket")
    client.group(person, "club")
    client.alias(visitor, person)
    await asyncio.to_thread(client.shutdown)
    assert failures == []

    events = await events_of(kafka_bootstrap, {f"customer:{person}", f"visitor:{visitor}"}, 9)
    told = {str(event["type"]): event for event in events}
    assert sorted(str(event["type"]) for event in events) == [
        "cart.item_added",
        "custom.group",
        "custom.カートを見た",
        "customer.identified",
        "customer.identified",
        "customer.updated",
        "order.placed",
        "page.viewed",
        "page.viewed",
    ]
    assert {event["source"] for event in events} == {"segment:main"}
    assert told["customer.updated"]["data"] == {"email_sha256": email_sha256(EMAIL), "name": "花子"}
    assert told["cart.item_added"]["id"] == "added"
    assert told["cart.item_added"]["data"] == {"cart_id": "c", "item": {"product_id": "tea", "quantity": 2}}
    order = told["order.placed"]
    assert order["data"] == {"order_id": "o", "total": 1980, "currency": "JPY", "amount": 1980}
    assert abs(datetime.fromisoformat(str(order["time"])) - happened) < timedelta(seconds=30)
    assert EMAIL not in json.dumps(events)


async def test_the_library_tells_of_a_message_that_nobody_can_take(new_client: OpenClient) -> None:
    """400 reaches on_error at once with its reason; it is not sent again in vain."""
    failures: list[Exception] = []
    client = new_client(on_error=lambda error, _: failures.append(error), max_retries=3)
    client.track("x" * 300, "Opened")
    await asyncio.to_thread(client.shutdown)
    [failure] = failures
    assert getattr(failure, "status", None) == 400
    assert "userId must be an id of 1 to 255 characters" in str(failure)
