"""POST /v1/collect: a browser may tell what it saw, and nothing that a stranger must not be able to claim."""

import hashlib
import hmac
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from tests.unit.ingest.stand_ins import NOW, CheckedTopics, Json, as_bytes
from todoke_ingest.answers import Answer, Problem, Taken
from todoke_ingest.domain.signature import is_signed
from todoke_ingest.doors import doors
from todoke_ingest.handlers.collect import LIMIT, take_collect, take_preflight
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.requests import Caller, DoorRequest
from todoke_ingest.settings import IngestSettings
from todoke_shared.accounts import Config, load_config
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import EC_EVENTS
from todoke_shared.shops import Shop

VISITOR = "5f0c2b3e-9a4d-4c1e-8f3b-0123456789ab"
SITE = "https://shop.example"
OLD, NEW = "old-identity-secret", "new-identity-secret"
NOW_MS = NOW.timestamp() * 1000
CALLER = Caller("tea", "browser", "pub1", (SITE, "https://www.shop.example"))
CONFIG = Config(accounts={}, shops={"tea": Shop(identity_secrets=(OLD, NEW)), "open": Shop()})


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def intake(topics: CheckedTopics) -> Intake:
    """What stands behind the door, at 2026-01-31T00:00:00Z."""
    return Intake(topics, FakeClock(NOW), CONFIG)


def told(number: int = 1, kind: str = "page.viewed", **changes: object) -> Json:
    """An event as the tag makes it, a second before it is sent."""
    good: Json = {"id": f"{number:036}", "type": kind, "time": NOW_MS - 1000, "data": {"url": f"{SITE}/"}}
    return {**good, **changes}


def body(*events: object, **changes: object) -> bytes:
    """A body of the tag, its browser's clock right."""
    return as_bytes({"visitor": VISITOR, "sent_at": NOW_MS, "events": list(events), **changes})


async def collect(intake: Intake, sent: bytes, *, caller: Caller | None = CALLER, origin: str | None = SITE) -> Answer:
    """Post as the tag does."""
    headers = {"content-type": "text/plain;charset=UTF-8", **({"origin": origin} if origin else {})}
    return await take_collect(intake, DoorRequest(sent, headers, caller=caller))


def refusals(answer: Answer) -> list[tuple[int | None, str, str]]:
    """Index, field and reason of what was not taken."""
    assert isinstance(answer.body, Problem | Taken)
    items = answer.body.errors if isinstance(answer.body, Problem) else answer.body.refused
    return [(item.index, item.field, item.reason) for item in items]


def signed(customer: str, secret: str) -> str:
    """The proof as docs/browser-tag.md tells a shop's server to make it."""
    return hmac.new(secret.encode(), customer.encode(), hashlib.sha256).hexdigest()


async def test_what_a_browser_saw_is_an_event_about_its_visitor(intake: Intake, topics: CheckedTopics) -> None:
    """202 with the id; the topic holds the shop of the key, the browser's id, and the visitor as subject."""
    product = {"product_id": "tea", "name": "煎茶", "price": 1200, "url": f"{SITE}/tea"}
    answer = await collect(intake, body(told(kind="product.viewed", data={"product": product})))
    assert (answer.status, json.loads(answer.content())) == (202, {"accepted": [f"{1:036}"], "refused": []})
    [record] = topics.records
    assert (record.topic, record.key) == (EC_EVENTS.name, f"visitor:{VISITOR}".encode())
    assert topics.values() == [
        {
            "specversion": "1.0",
            "id": f"{1:036}",
            "source": "browser:tea",
            "type": "product.viewed",
            "time": "2026-01-30T23:59:59+00:00",
            "subject": f"visitor:{VISITOR}",
            "shop": "tea",
            "datacontenttype": "application/json",
            "data": {"product": product},
        }
    ]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("products.searched", {"query": "茶"}),
        ("cart.updated", {"cart_id": "c1", "items": [{"product_id": "tea", "quantity": 2}]}),
        ("cart.item_added", {"item": {"product_id": "tea"}}),
        ("cart.item_removed", {"product_id": "tea"}),
        ("checkout.started", {"cart_id": "c1"}),
        ("custom.quiz.done", {"score": 3}),
        ("custom.診断", {}),
    ],
)
async def test_looking_and_carts_are_taken(intake: Intake, topics: CheckedTopics, kind: str, data: Json) -> None:
    """Whatever a visitor does before paying may come from a browser."""
    assert (await collect(intake, body(told(kind=kind, data=data)))).status == 202
    [value] = topics.values()
    assert (value["type"], value["data"], value["subject"]) == (kind, data, f"visitor:{VISITOR}")


@pytest.mark.parametrize(
    "kind",
    [
        "order.placed",
        "order.paid",
        "points.changed",
        "customer.registered",
        "customer.updated",
        "customer.deleted",
        "subscription.started",
        "product.updated",
        "friend.imported",
        "custom",
        "custom.",
        "custom.a b",
    ],
)
async def test_a_public_key_never_claims_an_order_or_points(intake: Intake, topics: CheckedTopics, kind: str) -> None:
    """What earns a coupon or changes a person is the backend's to tell."""
    data = {"order_id": "o1", "amount": 1, "points": 9, "product": {"product_id": "tea"}, "friend": True}
    answer = await collect(intake, body(told(kind=kind, data=data)))
    [(index, field, reason)] = refusals(answer)
    assert (answer.status, index, field, topics.records) == (400, 0, "type", [])
    assert "the rest is the backend's" in reason


async def test_a_browser_cannot_speak_for_another_person_or_shop(intake: Intake, topics: CheckedTopics) -> None:
    """Subject, shop, source and history of an event are ours to say, whatever it claims."""
    forged = told(subject="customer:1", shop="open", source="shopify:tea", history=True, specversion="9")
    assert (await collect(intake, body(forged))).status == 202
    [value] = topics.values()
    assert (value["subject"], value["shop"], value["source"]) == (f"visitor:{VISITOR}", "tea", "browser:tea")
    assert "history" not in value


async def test_some_of_a_batch_are_taken_and_the_others_named(intake: Intake, topics: CheckedTopics) -> None:
    """207 by index, field and reason; nothing becomes a dead letter."""
    worse = told(2, "product.viewed", data={"product": {"product_id": "tea", "price": -1}})
    answer = await collect(intake, body(told(1), worse, 7, told(4, id="short"), told(5)))
    assert answer.status == 207
    assert [(index, field) for index, field, _ in refusals(answer)] == [
        (1, "data.product.price"),
        (2, "(the whole record)"),
        (3, "id"),
    ]
    assert [(record.topic, value["id"]) for record, value in zip(topics.records, topics.values(), strict=True)] == [
        (EC_EVENTS.name, f"{1:036}"),
        (EC_EVENTS.name, f"{5:036}"),
    ]


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (b"{", "(the whole body)"),
        (b"[]", "(the whole record)"),
        (body(told(), visitor="short"), "visitor"),
        (body(told(), visitor="x" * 65), "visitor"),
        (body(told(), visitor=f"{VISITOR}\n"), "visitor"),
        (body(told(), visitor=None), "visitor"),
        (body(told(), sent_at="1769817600000"), "sent_at"),
        (body(told(), sent_at=True), "sent_at"),
        (body(told(), sent_at=float("nan")), "sent_at"),
        (body(told(), sent_at=1e15), "sent_at"),
        (body(told(), events={}), "events"),
        (body(*[told()] * 101), "events"),
    ],
)
async def test_a_body_that_is_no_tags_is_refused_whole(
    intake: Intake, topics: CheckedTopics, sent: bytes, field: str
) -> None:
    """400 names the field."""
    answer = await collect(intake, sent)
    assert (answer.status, topics.records) == (400, [])
    assert [field for _, field, _ in refusals(answer)] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time": None}, "time"),
        ({"time": "1769817600000"}, "time"),
        ({"time": float("inf")}, "time"),
        ({"time": NOW_MS - timedelta(days=7, seconds=1).total_seconds() * 1000}, "time"),
        ({"time": 0}, "time"),
        ({"data": [1]}, "data"),
        ({"data": {"a\x00": 1}}, "data"),
        ({"data": {"n": float("nan")}}, "data.n"),
        ({"type": 7}, "type"),
        ({"id": "spaces are no part of an id"}, "id"),
    ],
)
async def test_a_bad_event_is_told_field_and_reason(
    intake: Intake, topics: CheckedTopics, changes: Json, field: str
) -> None:
    """Whatever is wrong with an event, nothing is written and the answer names the field."""
    answer = await collect(intake, body({**told(), **changes}))
    assert (answer.status, topics.records) == (400, [])
    assert [field for _, field, _ in refusals(answer)] == [field]


@pytest.mark.parametrize("skew", [timedelta(0), timedelta(days=400), timedelta(days=-20_000)])
async def test_a_browsers_wrong_clock_does_not_matter(intake: Intake, topics: CheckedTopics, skew: timedelta) -> None:
    """An event is as long ago as it was before sent_at, whatever year the browser believes in."""
    shift = skew.total_seconds() * 1000
    sent = body(told(time=NOW_MS + shift - 90_000), sent_at=NOW_MS + shift)
    assert (await collect(intake, sent)).status == 202
    assert topics.values()[0]["time"] == "2026-01-30T23:58:30+00:00"


async def test_nothing_happens_in_the_future(intake: Intake, topics: CheckedTopics) -> None:
    """A time after sent_at is now."""
    assert (await collect(intake, body(told(time=NOW_MS + 3_600_000)))).status == 202
    assert topics.values()[0]["time"] == "2026-01-31T00:00:00+00:00"


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_a_proven_login_ties_the_visitor_to_the_member(
    intake: Intake, topics: CheckedTopics, secret: str
) -> None:
    """The subject is the member, also known by the visitor; the proof itself goes no further."""
    proof = {"customer_id": "会員42", "signature": signed("会員42", secret), "points": 1}
    assert (await collect(intake, body(told(kind="customer.identified", data=proof)))).status == 202
    [value] = topics.values()
    assert (value["subject"], value["data"]) == ("customer:会員42", {"identifiers": [f"visitor:{VISITOR}"]})


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"signature": None},
        {"signature": ""},
        {"signature": "é" * 64},
        {"signature": signed("43", NEW)},
        {"signature": signed("42", "")},
        {"signature": signed("42", "a stranger's")},
        {"signature": signed("42", NEW)[:-1]},
    ],
)
async def test_a_stranger_cannot_become_a_member(intake: Intake, topics: CheckedTopics, proof: Json) -> None:
    """Without the shop's proof a browser is tied to nobody's membership."""
    answer = await collect(intake, body(told(kind="customer.identified", data={"customer_id": "42", **proof})))
    assert (answer.status, topics.records) == (400, [])
    assert [field for _, field, _ in refusals(answer)] == ["data.signature"]


@pytest.mark.parametrize("page", ["docs/browser-tag.md", "docs/ja/browser-tag.md"])
def test_the_proof_shown_is_the_proof_taken(page: str) -> None:
    """Who follows the page to its example has a signature that the door believes, and Python's line makes it."""
    text = (Path(__file__).parents[3] / page).read_text(encoding="utf-8")
    [shown] = re.findall(r"`([0-9a-f]{64})`", text)
    [line] = re.findall(r"```python\nsignature = (.*)\n```", text)
    known = {"secret": "secret-of-the-example", "customer_id": "42", "hmac": hmac, "hashlib": hashlib}
    assert eval(line, known) == shown  # noqa: S307 - our own page
    assert is_signed(b"42", shown, ["secret-of-the-example"], "hex")


async def test_a_shop_that_cannot_prove_a_login_takes_none(intake: Intake, topics: CheckedTopics) -> None:
    """Without identity_secrets nobody could tell a member from a stranger; the answer names the setting."""
    answer = await collect(
        intake, body(told(kind="customer.identified", data={"customer_id": "42"})), caller=replace(CALLER, shop="open")
    )
    [(_, field, reason)] = refusals(answer)
    assert (field, topics.records) == ("data.signature", [])
    assert "identity_secrets" in reason


async def test_a_trial_needs_no_key_and_no_proof(topics: CheckedTopics) -> None:
    """On one machine, without a configuration, a newcomer sees a login work."""
    trial = Intake(topics, FakeClock(NOW), load_config(None))
    sent = body(told(kind="customer.identified", data={"customer_id": "42"}))
    assert (await collect(trial, sent, caller=None)).status == 202
    assert topics.values()[0]["subject"] == "customer:42"


async def test_without_a_key_several_shops_are_nobody(intake: Intake, topics: CheckedTopics) -> None:
    """401: which of them is meant only a key can say."""
    assert (await collect(intake, body(told()), caller=None)).status == 401
    assert topics.records == []


async def test_the_answer_may_be_read_by_the_keys_sites(intake: Intake) -> None:
    """The origin is echoed, never with credentials, and caches keep the answers of sites apart."""
    answer = await collect(intake, body(told()))
    assert answer.headers == {"Vary": "Origin", "Access-Control-Allow-Origin": SITE}
    for refused in (body(told(type="order.placed")), b"{"):
        assert (await collect(intake, refused)).headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://shop.example", f"{SITE}.evil.example", "null", None]
)
async def test_a_foreign_site_cannot_use_the_key(intake: Intake, topics: CheckedTopics, origin: str | None) -> None:
    """403, nothing taken, and no leave to read why."""
    answer = await collect(intake, body(told()), origin=origin)
    assert (answer.status, topics.records) == (403, [])
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize("origin", ["https://anybody.example", "null", None])
async def test_a_key_without_sites_is_for_any(intake: Intake, topics: CheckedTopics, origin: str | None) -> None:
    """No origins configured: every origin is echoed, and a client that has none is answered without."""
    answer = await collect(intake, body(told()), caller=replace(CALLER, origins=()), origin=origin)
    assert answer.status == 202
    assert answer.headers.get("Access-Control-Allow-Origin") == origin
    assert len(topics.records) == 1


async def test_a_browser_that_asks_first_is_told(intake: Intake) -> None:
    """OPTIONS: 204, empty, to be remembered; 403 to a foreign site."""
    asked = DoorRequest(headers={"origin": SITE}, method="OPTIONS", caller=CALLER)
    answer = await take_preflight(intake, asked)
    assert (answer.status, answer.content()) == (204, b"")
    assert answer.headers == {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": SITE,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "content-type",
        "Access-Control-Max-Age": "86400",
    }
    foreign = await take_preflight(intake, structs.replace(asked, headers={"origin": "https://evil.example"}))
    assert (foreign.status, "Access-Control-Allow-Origin" in foreign.headers) == (403, False)


async def test_nothing_is_claimed_while_kafka_is_away(intake: Intake, topics: CheckedTopics) -> None:
    """503 that the page can read, so that the tag keeps its events; the same body is taken afterwards."""
    topics.away = True
    answer = await collect(intake, body(told(1), told(2, type="order.placed")))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    topics.away = False
    assert (await collect(intake, body(told(1), told(2, type="order.placed")))).status == 207


async def test_pages_are_kept_without_secrets_in_their_addresses(intake: Intake, topics: CheckedTopics) -> None:
    """Fragments, reset links, sessions and addresses stay out of the topic; of a referrer, site and path are kept."""
    data: Json = {
        "url": f"{SITE}/tea?id=7&reset_token=abc&Email=taro%40example.jp#access_token=xyz",
        "referrer": "https://search.example/find?q=secret+illness",
        "title": "茶" * 400,
        "product": {"product_id": "tea", "url": "https://taro:pw@shop.example/tea?PHPSESSID=1"},
    }
    assert (await collect(intake, body(told(kind="custom.look", data=data)))).status == 202
    assert topics.values()[0]["data"] == {
        "url": f"{SITE}/tea?id=7",
        "referrer": "https://search.example/find",
        "title": "茶" * 300,
        "product": {"product_id": "tea", "url": "https://shop.example/tea"},
    }


def test_the_doors_ask_for_a_browsers_key_and_bound_the_body() -> None:
    """The table of doors has both methods of /v1/collect behind a browser's key, and the tag behind none."""
    settings = IngestSettings(kafka_bootstrap_servers="127.0.0.1:1", postgres_dsn="postgresql://nowhere")
    found = {(door.method, door.path): (door.limit, door.purpose) for door in doors(settings)}
    assert found["POST", "/v1/collect"] == (LIMIT, "browser")
    assert found["OPTIONS", "/v1/collect"] == (0, "browser")
    assert found["GET", "/tag.js"] == (0, None)


async def test_the_shops_clock_is_the_one_that_counts(topics: CheckedTopics) -> None:
    """In a simulation an event happens in the simulation's time, as long ago as the browser says."""
    then = datetime(2030, 5, 1, tzinfo=UTC)
    simulated = Intake(topics, FakeClock(then), CONFIG)
    assert (await collect(simulated, body(told()))).status == 202
    assert topics.values()[0]["time"] == "2030-04-30T23:59:59+00:00"
