"""Paths, methods and headers that no honest client sends: each is answered, at no other door, and never by a 500."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence

import pytest
from starlette.types import Message

from tests.unit.ingest.asgi_client import RawHeaders, ask, running
from tests.unit.ingest.stand_ins import NOW, SECRET, CheckedTopics, as_bytes, delivery, event, line_event, sign
from todoke_ingest import http
from todoke_ingest.adapters.clicks import Clicks
from todoke_ingest.adapters.keys import KeyRing, LiveKey
from todoke_ingest.adapters.links import Links
from todoke_ingest.adapters.redirects import Redirects
from todoke_ingest.app import Doorway
from todoke_ingest.domain.clicks import Link
from todoke_ingest.domain.cloudevents import PLAIN, SINGLE
from todoke_ingest.domain.keys import DEFAULT_LIMITS, hash_of
from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import Caller
from todoke_shared.accounts import Account, Config
from todoke_shared.clock import FakeClock
from todoke_shared.kafka.records import Outgoing
from todoke_shared.shops import Shop

TOKEN = "a" * 22
ADDRESS = "hanako@shop.example"
KEY = (b"authorization", b"Bearer the-key")


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


def intake_of(topics: CheckedTopics) -> Intake:
    """A shop, an account, a key for the events' door, and one link."""

    async def look_up(tokens: Sequence[str]) -> Iterable[Link]:
        return [Link(TOKEN, "https://shop.example/tea", "main", None, None, None, None)] if TOKEN in tokens else []

    config = Config(accounts={"main": Account(channel_secrets=(SECRET,), access_token="token")}, shops={"main": Shop()})
    keys = {hash_of("the-key"): LiveKey(Caller("main", "events", "hint"), DEFAULT_LIMITS["events"])}
    redirects = Redirects(Links(look_up), Clicks(topics))
    return Intake(topics, FakeClock(NOW), config, keys=KeyRing(keys), redirects=redirects)


@pytest.fixture
async def app(topics: CheckedTopics) -> AsyncIterator[Doorway]:
    """Ingest, asking for keys."""
    async with running(intake_of(topics)) as app:
        yield app


LINE = "/webhooks/line"


@pytest.mark.parametrize(
    "path",
    [
        *("//", "//v1/events", "/v1/events/", "/v1/events//", "/v1//events", "/v1/events/..", "/v1/./events"),
        *("/V1/events", "/v1/events\x00", "/v1/events ", "/v1/events;x", "/v1/events%20", "/v1\\events", "\x00"),
        *(f"{LINE}/", LINE, f"{LINE}//", f"{LINE}/\x00", f"{LINE}/main/", f"{LINE}/main\x00", f"{LINE}/../line/main"),
        *(f"{LINE}/{{account}}", f"{LINE}/main\n", f"{LINE}/\ufffd", f"{LINE}/{'a' * 100_000}", f"{LINE}/__class__"),
        *("/r/", "/r", "/r/../v1/events", "/r/..", "/r//evil.example", f"/r/{TOKEN}/", f"/r/{TOKEN}\n", f"/r/ {TOKEN}"),
        *("/r/https://evil.example", "/r/\\evil.example", "/tag.js/..", "/webhooks/shopify/", "/webhooks/eccube/\x00"),
        *("/docs/../v1/events", "http://evil.example/v1/events", "*", "/r/" + "é" * 22, "/r/" + "ａ" * 22),
    ],
)
async def test_a_strange_path_leads_nowhere(app: Doorway, topics: CheckedTopics, path: str) -> None:
    """404 (or 405 at a door for another method), whatever is sent there and however it is signed; never elsewhere."""
    body = delivery(line_event())
    headers = [KEY, (b"x-line-signature", sign(body).encode()), (b"content-type", SINGLE.encode())]
    for method, sent in (("POST", body), ("POST", as_bytes(event())), ("GET", b""), ("HEAD", b"")):
        told = await ask(app, path, sent, headers, method=method)
        assert told.status in (404, 405)
        assert "location" not in told.headers
    assert topics.records == []


@pytest.mark.parametrize(
    "method", ["HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "post", "get", "Post", "", "\x00"]
)
async def test_another_method_is_none(app: Doorway, topics: CheckedTopics, method: str) -> None:
    """405 names those there are, and repeats nothing of the request (TRACE would show a proxy's headers)."""
    for path in ("/v1/events", "/v1/track", f"{LINE}/main", "/webhooks/shopify/main", "/webhooks/eccube/main"):
        told = await ask(app, path, as_bytes(event()), [KEY], method=method)
        assert (told.status, told.headers["allow"]) == (405, "POST")
        assert b"the-key" not in told.body
    assert topics.records == []


@pytest.mark.parametrize("path", ["/healthz/", "/docs/", "/metrics/", "/openapi.json/", "//evil.example/docs/"])
async def test_nobody_is_sent_to_a_host_that_the_sender_names(app: Doorway, path: str) -> None:
    """A slash too many is 404 and no redirect to whatever the Host header says."""
    told = await ask(app, path, headers=[(b"host", b"evil.example")], method="GET")
    assert (told.status, "location" in told.headers) == (404, False)


@pytest.mark.parametrize("query", [b"url=https://evil.example", b"to=//evil.example", b"\xff", b"&&&=", b"key=" * 9999])
async def test_a_link_leads_where_it_was_stored_to_lead(app: Doorway, query: bytes) -> None:
    """Nothing of the request is part of it."""
    headers = [
        (b"host", b"evil.example"),
        (b"x-forwarded-host", b"evil.example"),
        (b"referer", b"https://evil.example"),
    ]
    told = await ask(app, f"/r/{TOKEN}", headers=headers, method="GET", query=query)
    assert (told.status, told.headers["location"]) == (302, "https://shop.example/tea")


HEADERS = (
    *("authorization", "x-api-key", "content-type", "content-length", "content-encoding", "idempotency-key", "origin"),
    *("ce-id", "ce-type", "ce-time", "ce-shop", "ce-source", "ce-subject", "ce-specversion", "ce-data", "ce-"),
    *("x-line-signature", "x-shopify-topic", "user-agent", "cookie", "host", "if-none-match", "expect", "purpose"),
)
VALUES = {
    "nothing": b"",
    "no UTF-8": b"\xff\xfe\x80",
    "UTF-8": "署名".encode(),
    "zero bytes": b"\0\0",
    "line ends": b"a\r\nx-evil: 1\r\n\r\n",
    "8 KiB and more": b"a" * 9000,
    "a MiB": b"a" * 1_048_576,
    "base64 of rubbish": b"Basic " + b"/" * 400,
    "half of base64": b"Basic =",
    "percent": b"%ff %00%",
    "commas": b"," * 5000,
}
PATHS = ("/v1/events", "/v1/batch", "/v1/collect", f"{LINE}/main", "/webhooks/shopify/main", f"/r/{TOKEN}", "/tag.js")


@pytest.mark.parametrize("name", VALUES)
async def test_a_strange_header_is_never_an_error_of_ours(app: Doorway, name: str) -> None:
    """Any value in any header, before and behind a good one, at any door: no 5xx, no header of the sender's making."""
    for header in HEADERS:
        strange = (header.encode(), VALUES[name])
        for path in PATHS:
            for headers in ([strange], [strange, KEY], [KEY, (b"content-type", PLAIN.encode()), strange]):
                for method in ("POST", "GET", "OPTIONS"):
                    told = await ask(app, path, as_bytes(event()), headers, method=method, query=VALUES[name])
                    assert told.status < 500, (header, path)
                    assert "x-evil" not in told.headers


async def test_headers_without_number_are_read_once(app: Doorway, topics: CheckedTopics) -> None:
    """20,000 of them beside good ones change nothing; 20,000 attributes of an event are too large for it."""
    noise = [(b"x-%d" % number, b"a" * 50) for number in range(20_000)]
    told = await ask(app, "/v1/events", as_bytes(event()), [*noise, KEY, (b"content-type", SINGLE.encode())])
    assert told.status == 202
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "s",
        "ce-type": "custom.x",
        "ce-subject": "visitor:1",
    }
    named: RawHeaders = [(name.encode(), value.encode()) for name, value in attributes.items()]
    extensions = [(b"ce-x%d" % number, b"a" * 50) for number in range(20_000)]
    binary = [*named, *extensions, KEY, (b"content-type", PLAIN.encode())]
    assert (await ask(app, "/v1/events", b"{}", binary)).status == 400
    assert len(topics.records) == 1


async def test_an_error_of_ours_is_logged_without_what_it_says(caplog: pytest.LogCaptureFixture) -> None:
    """A library's text may repeat a value, and so a person: the log tells its kind and where it happened."""

    class Broken(CheckedTopics):
        async def publish(self, records: Sequence[Outgoing]) -> None:
            raise LookupError(f"Key (address)=({ADDRESS}) is wrong")

    async with running(intake_of(Broken())) as app:
        told = await ask(app, "/v1/events", as_bytes(event()), [KEY, (b"content-type", SINGLE.encode())])
    assert told.status == 500
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    logged = logging.Formatter("%(message)s").format(record)
    assert ADDRESS not in logged + told.body.decode()
    assert "LookupError" in logged
    assert "test_hostile_heads.py" in logged


async def test_all_bodies_under_way_together_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it, a large one is told to come again, a small one is taken; what has been read or given up is let go."""
    monkeypatch.setattr(http, "MOST_HELD_BYTES", 250)
    monkeypatch.setattr(http, "SMALL_BYTES", 55)
    bodies, more = http.Bodies(), asyncio.Event()

    async def read(*chunks: bytes, then_wait: bool = False) -> bytes:
        left = list(chunks)

        async def receive() -> Message:
            if not left:
                await more.wait()
            return {"type": "http.request", "body": left.pop(0) if left else b"", "more_body": bool(left) or then_wait}

        return await bodies.read(receive, 1000)

    slow = [asyncio.create_task(read(b"x" * 100, then_wait=True)) for _ in range(2)]
    await asyncio.sleep(0)
    for _ in range(9):
        assert await read(b"x" * 55) == b"x" * 55
    with pytest.raises(RequestRefusedError) as refused:
        await read(b"x" * 30, b"x" * 30)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "5")
    slow[0].cancel()
    await asyncio.gather(slow[0], return_exceptions=True)
    assert await read(b"x" * 60, b"x" * 60) == b"x" * 120
    slow[1].cancel()
    await asyncio.gather(slow[1], return_exceptions=True)
