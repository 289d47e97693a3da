"""Ingest over HTTP (in memory): limits, errors, health and the pages people read."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from prometheus_client import REGISTRY

from tests.unit.ingest.stand_ins import (
    SECRET,
    USER,
    CheckedTopics,
    as_bytes,
    delivery,
    event,
    line_event,
    new_door,
    opener,
    sign,
)
from todoke_ingest.app import OpenIntake, build_app
from todoke_ingest.domain.cloudevents import BATCH, SINGLE
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.openapi import openapi
from todoke_ingest.settings import IngestSettings

SETTINGS = IngestSettings(kafka_bootstrap_servers="127.0.0.1:1", postgres_dsn="postgresql://nowhere")


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
async def client(topics: CheckedTopics) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at the running app."""
    async with client_of(opener(new_door(topics))) as client:
        yield client


@asynccontextmanager
async def client_of(open_intake: OpenIntake) -> AsyncIterator[httpx.AsyncClient]:
    """A client that sees what a real one would: our answer to an error, not the error."""
    app = build_app(SETTINGS, open_intake)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.pages.router.lifespan_context(app.pages),
        httpx.AsyncClient(transport=transport, base_url="http://in") as client,
    ):
        await asyncio.sleep(0)  # the door opens beside the app
        yield client


async def in_two(whole: bytes) -> AsyncIterator[bytes]:
    """A body in chunks, its length not declared."""
    yield whole[:9]
    yield whole[9:]


def counted(name: str, **labels: str) -> float:
    """A counter's value, 0 before its first use."""
    return REGISTRY.get_sample_value(f"todoke_{name}_total", labels) or 0.0


async def test_an_event_goes_through_the_app(client: httpx.AsyncClient, topics: CheckedTopics) -> None:
    """202 with the ids, as JSON, and it is counted."""
    before = counted("events_accepted", door="events")
    answer = await client.post("/v1/events", content=as_bytes(event()), headers={"content-type": SINGLE})
    assert (answer.status_code, answer.json()) == (202, {"accepted": ["1"], "refused": []})
    assert answer.headers["content-type"] == "application/json"
    assert counted("events_accepted", door="events") == before + 1
    assert len(topics.records) == 1


async def test_binary_mode_goes_through_the_app(client: httpx.AsyncClient, topics: CheckedTopics) -> None:
    """Header names are whatever case the producer writes."""
    headers = {
        "CE-SpecVersion": "1.0",
        "Ce-Id": "9",
        "ce-source": "pos",
        "ce-type": "custom.x",
        "ce-subject": "visitor:1",
    }
    answer = await client.post("/v1/events", json={"a": 1}, headers=headers)
    assert answer.status_code == 202
    assert topics.values()[0]["data"] == {"a": 1}


async def test_a_bad_event_is_a_problem_naming_field_and_reason(client: httpx.AsyncClient) -> None:
    """RFC 9457's members and media type, and the refusal is counted."""
    before = counted("events_refused", door="events", status="400")
    answer = await client.post("/v1/events", content=as_bytes(event(id=None)), headers={"content-type": SINGLE})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "No event was taken; put right what errors names and send again",
        "errors": [{"field": "id", "reason": "Field required"}],
    }
    assert counted("events_refused", door="events", status="400") == before + 1


async def test_a_webhook_goes_through_the_app(client: httpx.AsyncClient, topics: CheckedTopics) -> None:
    """The signature is over the raw bytes, whitespace and all."""
    body = delivery(line_event()).replace(b": ", b" :\t")
    answer = await client.post("/webhooks/line/main", content=body, headers={"x-line-signature": sign(body)})
    assert (answer.status_code, answer.content) == (200, b"{}")
    assert len(topics.records) == 1


async def test_a_missing_or_strange_signature_header_is_unauthorized(client: httpx.AsyncClient) -> None:
    """No header, or one that is not ASCII, is 401 and never 500."""
    body = delivery(line_event())
    assert (await client.post("/webhooks/line/main", content=body)).status_code == 401
    strange = [(b"x-line-signature", b"\xff\xfe")]
    assert (await client.post("/webhooks/line/main", content=body, headers=strange)).status_code == 401


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize(("path", "limit"), [("/v1/events", 1024 * 1024), ("/webhooks/line/main", 2 * 1024 * 1024)])
async def test_a_body_over_the_limit_is_refused(
    client: httpx.AsyncClient, path: str, limit: int, *, chunked: bool
) -> None:
    """One byte too many is 413, declared or not; a body of the limit's size is read."""

    async def status(size: int) -> int:
        whole = b" " * size
        headers = {"content-type": SINGLE, "x-line-signature": sign(whole)}
        answer = await client.post(path, content=in_two(whole) if chunked else whole, headers=headers)
        return answer.status_code

    assert await status(limit + 1) == 413
    assert await status(limit) == 400


async def test_a_body_declared_too_large_is_not_even_read(client: httpx.AsyncClient) -> None:
    """Who announces more than the limit is told so before the first byte is taken."""
    read: list[bool] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(True)
        yield b"{}"

    headers = {"content-type": SINGLE, "content-length": str(1024 * 1024 + 1)}
    answer = await client.post("/v1/events", content=body(), headers=headers)
    assert (answer.status_code, read) == (413, [])


async def test_kafka_away_is_503_with_retry_after(client: httpx.AsyncClient, topics: CheckedTopics) -> None:
    """Nothing is claimed, and the client is told when to come again."""
    topics.away = True
    answer = await client.post("/v1/events", content=as_bytes([event()]), headers={"content-type": BATCH})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_ingest_lives_while_kafka_and_postgresql_are_away() -> None:
    """Alive, not ready, and every request is told to come again."""
    tries: list[int] = []

    @asynccontextmanager
    async def open_nothing() -> AsyncIterator[Intake]:
        tries.append(1)
        raise OSError("connection refused")
        yield

    async with client_of(open_nothing) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        assert (
            await client.post("/v1/events", content=as_bytes(event()), headers={"content-type": SINGLE})
        ).status_code == 503
        body = delivery(line_event())
        signed = {"x-line-signature": sign(body)}
        assert (await client.post("/webhooks/line/main", content=body, headers=signed)).status_code == 503
    assert tries


async def test_readiness_follows_the_door(topics: CheckedTopics) -> None:
    """Ready once the door is open; when the app stops, the door is closed."""
    closed: list[bool] = []

    @asynccontextmanager
    async def open_once() -> AsyncIterator[Intake]:
        yield new_door(topics).intake

    @asynccontextmanager
    async def open_and_tell() -> AsyncIterator[Intake]:
        async with open_once() as door:
            try:
                yield door
            finally:
                closed.append(True)

    async with client_of(open_and_tell) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert closed == []
    assert closed == [True]


async def test_an_error_of_ours_is_a_problem_that_tells_nothing(topics: CheckedTopics) -> None:
    """500 in the same form, without the error's text."""

    class Broken(CheckedTopics):
        async def publish(self, records: object) -> None:
            raise LookupError("inner life")

    async with client_of(opener(new_door(Broken()))) as client:
        answer = await client.post("/v1/events", content=as_bytes(event()), headers={"content-type": SINGLE})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "inner life" not in answer.text


async def test_wrong_doors_are_problems_that_name_the_docs(client: httpx.AsyncClient) -> None:
    """404 and 405 tell where the doors are listed."""
    missing, wrong = await client.post("/v1/event"), await client.get("/v1/events")
    assert (missing.status_code, wrong.status_code, wrong.headers["allow"]) == (404, 405, "POST")
    assert "/docs" in missing.json()["detail"]
    assert "/docs" in wrong.json()["detail"]
    assert "/docs" in (await client.get("/")).text


async def test_the_tag_answers_head(client: httpx.AsyncClient) -> None:
    """As monitors and link checkers ask, with GET's headers."""
    head, got = await client.head("/tag.js"), await client.get("/tag.js")
    assert (head.status_code, head.headers["etag"]) == (200, got.headers["etag"])


async def test_examples_leave_the_shop_to_the_key(client: httpx.AsyncClient) -> None:
    """Pasted with a key of another shop, they would be refused."""
    page = (await client.get("/docs")).text
    assert "cart.item_added" in page
    assert "&#34;shop&#34;: &#34;main&#34;" not in page


async def test_docs_show_every_door_and_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    """The page names each path of the document and holds no script, image or foreign stylesheet."""
    page = await client.get("/docs")
    document = (await client.get("/openapi.json")).json()
    assert document == json.loads(json.dumps(openapi()))
    assert all(path in page.text for path in document["paths"])
    assert all(f"<code>{name}</code>" in page.text for name in document["components"]["schemas"])
    assert not any(word in page.text for word in ("<script", "<link", "<img", "src="))
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


async def test_metrics_are_served(client: httpx.AsyncClient) -> None:
    """Prometheus finds the doors' counters."""
    await client.post("/v1/events", content=as_bytes(event()), headers={"content-type": SINGLE})
    assert 'todoke_events_accepted_total{door="events"}' in (await client.get("/metrics")).text


async def test_nothing_personal_is_logged(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever comes in, good or bad, neither bodies nor ids nor secrets reach a log of ours."""
    with caplog.at_level(logging.DEBUG, logger="todoke"):
        body = delivery(line_event(), line_event(timestamp=0))
        await client.post("/webhooks/line/main", content=body, headers={"x-line-signature": sign(body)})
        await client.post("/v1/events", content=as_bytes(event(id=None)), headers={"content-type": SINGLE})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("todoke")]
    assert not any(word in line for line in ours for word in (USER, SECRET, "customer:1", sign(body)))
