"""Raw bodies at every door of an ingest with two shops, by somebody who has the keys of the first one alone."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.unit.ingest.asgi_client import Told, ask, running
from tests.unit.ingest.stand_ins import NOW, SECRET, CheckedTopics, sign
from todoke_ingest.adapters.keys import KeyRing, LiveKey
from todoke_ingest.app import Doorway
from todoke_ingest.domain.cloudevents import SINGLE
from todoke_ingest.domain.keys import DEFAULT_LIMITS, hash_of
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import Caller, Purpose
from todoke_shared.accounts import Account, Config
from todoke_shared.clock import FakeClock
from todoke_shared.shops import Shop, Shopify

KEYS: dict[str, Purpose] = {"backend-key": "events", "segment-key": "segment", "browser-key": "browser"}


@asynccontextmanager
async def two_shops(topics: CheckedTopics) -> AsyncIterator[Doorway]:
    """Ingest with two shops, and keys of the first one alone."""
    config = Config(
        accounts={"main": Account(channel_secrets=(SECRET,), access_token="token")},
        shops={"main": Shop(shopify=Shopify(webhook_secrets=(SECRET,))), "other": Shop()},
    )
    live = {hash_of(key): LiveKey(Caller("main", use, key), DEFAULT_LIMITS[use]) for key, use in KEYS.items()}
    async with running(Intake(topics, FakeClock(NOW), config, keys=KeyRing(live))) as app:
        yield app


async def to_events(app: Doorway, body: bytes, media: str = SINGLE, **headers: str) -> Told:
    """POST /v1/events with the first shop's key."""
    more = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    given = [(b"authorization", b"Bearer backend-key"), (b"content-type", media.encode()), *more]
    return await ask(app, "/v1/events", body, given)


async def to_segment(app: Doorway, body: bytes, call: str = "batch", *, zipped: bool = False) -> Told:
    """POST /v1/{call} with the first shop's write key."""
    headers = [(b"authorization", b"Bearer segment-key"), (b"content-type", b"application/json")]
    return await ask(app, f"/v1/{call}", body, [*headers, *([(b"content-encoding", b"gzip")] if zipped else [])])


async def to_line(app: Doorway, body: bytes) -> Told:
    """POST /webhooks/line/main, signed."""
    return await ask(app, "/webhooks/line/main", body, [(b"x-line-signature", sign(body).encode())])


async def to_shopify(app: Doorway, body: bytes) -> Told:
    """POST /webhooks/shopify/main, signed, of a cart."""
    headers = [(b"x-shopify-topic", b"carts/update"), (b"x-shopify-hmac-sha256", sign(body).encode())]
    return await ask(app, "/webhooks/shopify/main", body, headers)


async def to_collect(app: Doorway, body: bytes) -> Told:
    """POST /v1/collect with the first shop's public key."""
    return await ask(app, "/v1/collect", body, query=b"key=browser-key")


Knock = Callable[[Doorway, bytes], Awaitable[Told]]
JSON_DOORS: dict[str, Knock] = {
    "events": to_events,
    "segment": to_segment,
    "line": to_line,
    "shopify": to_shopify,
    "collect": to_collect,
}
