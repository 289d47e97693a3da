"""What ingest's tests put in the place of Kafka and PostgreSQL, and the requests they make."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime

from tests.support.doors import Doors
from todoke_ingest.adapters.keys import KeyRing
from todoke_ingest.app import OpenIntake
from todoke_ingest.handlers.intake import Intake
from todoke_shared.accounts import Account, Config
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import EC_EVENTS, LINE_EVENTS, TOPICS
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.publish import MAX_RECORD_BYTES
from todoke_shared.kafka.records import Outgoing

NOW = datetime(2026, 1, 31, 0, 0, tzinfo=UTC)
OLD_SECRET, SECRET = "old-secret", "new-secret"
USER = "U" + "0123456789abcdef" * 2
BOT = "U" + "b" * 32

Json = dict[str, object]


class CheckedTopics:
    """A publisher that keeps what it is given, all or nothing, and blows up on what Kafka would not take."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.away = False

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """SlowDownError while `away`."""
        if self.away:
            raise SlowDownError("Kafka is away")
        known = {topic.name for topic in TOPICS} | {topic.dead_letters for topic in TOPICS}
        for record in records:
            assert record.topic in known
            assert len(record.value or b"") + len(record.key or b"") < MAX_RECORD_BYTES
            if record.topic == EC_EVENTS.name:
                EC_EVENTS.model.from_json(record.value)
            if record.topic == LINE_EVENTS.name:
                LINE_EVENTS.model.from_json(record.value)
        self.records += records

    def values(self) -> list[Json]:
        """The values written so far, parsed."""
        return [json.loads(record.value or b"null") for record in self.records]


def config(*, destination: str | None = None) -> Config:
    """One account, `main`, in the middle of a change of its secret."""
    account = Account(channel_secrets=(OLD_SECRET, SECRET), access_token="token", destination=destination)
    return Config(accounts={"main": account})


def new_door(topics: CheckedTopics, *, destination: str | None = None) -> Doors:
    """The doors at NOW, open to all as in a trial."""
    return Doors(Intake(topics, FakeClock(NOW), config(destination=destination), keys=KeyRing(required=False)))


def opener(door: Doors) -> OpenIntake:
    """Opens `door` at once."""

    @asynccontextmanager
    async def open_it() -> AsyncIterator[Intake]:
        yield door.intake

    def open_intake() -> AbstractAsyncContextManager[Intake]:
        return open_it()

    return open_intake


def event(**changes: object) -> Json:
    """A good event, with changes; a change to None takes the attribute away."""
    good: Json = {
        "specversion": "1.0",
        "id": "1",
        "source": "shop.example",
        "type": "cart.item_added",
        "time": "2026-01-31T08:59:00+09:00",
        "subject": "customer:1",
        "data": {"item": {"product_id": "tea", "quantity": 1}},
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def line_event(**changes: object) -> Json:
    """A good LINE event, with changes; a change to None takes the field away."""
    good: Json = {
        "type": "follow",
        "mode": "active",
        "timestamp": 1769817540000,
        "source": {"type": "user", "userId": USER},
        "webhookEventId": "01KG8Q9V7ZJ3V8C1S6T4R2M0XA",
        "deliveryContext": {"isRedelivery": False},
        "follow": {"isUnblocked": False},
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def delivery(*events: object, **more: object) -> bytes:
    """A webhook body."""
    return as_bytes({"destination": BOT, "events": list(events), **more})


def as_bytes(value: object) -> bytes:
    """JSON as a producer sends it."""
    return json.dumps(value).encode()


def sign(body: bytes, secret: str = SECRET) -> str:
    """LINE's signature, written from LINE's page and not from our verifier."""
    mac = hmac.new(key=secret.encode("utf-8"), msg=body, digestmod=hashlib.sha256)
    return base64.b64encode(mac.digest()).decode("ascii")
