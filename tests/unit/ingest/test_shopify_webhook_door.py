"""POST /webhooks/shopify/{shop}: only the shop gets in, nothing is confirmed that is not durable, and soon."""

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.shopify import (
    DOMAIN,
    EMAIL,
    NOW,
    OLD_SECRET,
    PHONE,
    SECRET,
    KeptInMemory,
    ShopifyShop,
    cart,
    customer,
    headers,
    level,
    line,
    order,
    parcel,
    product,
    refund,
    shopify_config,
    sign,
)
from tests.unit.ingest.signature_mutations import mutated_signatures
from tests.unit.ingest.stand_ins import CheckedTopics
from todoke_ingest.answers import Answer, Problem
from todoke_ingest.domain.shopify.orders import OrderClaim, OrderOwner
from todoke_ingest.domain.shopify.translate import TOPICS
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.handlers.shopify import ANSWER_SECONDS, take_shopify_webhook
from todoke_ingest.requests import DoorRequest
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.topics import EC_EVENTS

CART = json.dumps(cart(line())).encode()
PAYLOADS: dict[str, dict[str, object]] = {
    "carts/update": cart(line()),
    "checkouts/update": cart(line(), customer=customer(), email=EMAIL, phone=PHONE),
    "customers/update": customer(),
    "orders/create": order(),
    "orders/updated": order(fulfillments=[parcel()]),
    "fulfillments/update": parcel(shipment_status="delivered"),
    "refunds/create": refund(),
    "products/update": product(),
    "inventory_levels/update": level(3),
    "customers/redact": {"customer": {"id": 5001, "email": EMAIL, "phone": PHONE}, "orders_to_redact": [8001]},
    "customers/data_request": {"customer": {"email": EMAIL}, "orders_requested": [8001]},
    "draft_orders/create": order(),
}


def new_shop(topics: CheckedTopics, *, domain: str | None = DOMAIN) -> ShopifyShop:
    """A shop with an empty memory, at NOW."""
    return ShopifyShop(Intake(topics, FakeClock(NOW), shopify_config(domain=domain)), KeptInMemory())


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def shop(topics: CheckedTopics) -> ShopifyShop:
    """The shop `main`."""
    return new_shop(topics)


def field_of(answer: Answer) -> str:
    """The field that a problem names."""
    assert isinstance(answer.body, Problem)
    [error] = answer.body.errors
    return error.field


@pytest.mark.parametrize("secret", [OLD_SECRET, SECRET])
async def test_both_secrets_open_while_one_is_replaced(shop: ShopifyShop, topics: CheckedTopics, secret: str) -> None:
    """A secret can be rotated without a lost delivery: Shopify may sign with the old one for an hour."""
    answer = await shop.send(CART, headers(CART, "carts/update", hmac_sha256=sign(CART, secret)))
    assert (answer.status, answer.content(), len(topics.records)) == (200, b"{}", 1)


async def test_ten_thousand_wrong_signatures_open_nothing(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """Missing, cut, shuffled, foreign: 401 each, and nothing in any topic."""
    statuses = [
        (await shop.send(CART, headers(CART, "carts/update", hmac_sha256=signature))).status
        for signature in mutated_signatures(sign(CART), 10_000)
    ]
    assert (len(statuses), set(statuses), topics.records) == (10_000, {401}, [])


async def test_another_body_or_secret_opens_nothing(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """A true signature is of no use over another body, and a guessed secret over the same."""
    other = await shop.send(CART + b" ", headers(CART, "carts/update"))
    guessed = await shop.send(CART, headers(CART, "carts/update", hmac_sha256=sign(CART, "guessed")))
    assert {(answer.status, field_of(answer)) for answer in (other, guessed)} == {(401, "x-shopify-hmac-sha256")}
    assert topics.records == []


@pytest.mark.parametrize("name", ["other", "plain", ""])
async def test_a_shop_without_shopify_is_not_found(shop: ShopifyShop, name: str) -> None:
    """404 for a shop that is unknown, and for one that is on another platform."""
    answer = await shop.send(CART, headers(CART, "carts/update"), shop=name)
    assert (answer.status, field_of(answer)) == (404, "shop")


async def test_another_shops_delivery_is_refused(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """A webhook entered at the wrong shop is 400 and says what to check; without a configured domain, any is right."""
    given = headers(CART, "carts/update", shop_domain="other.myshopify.com")
    answer = await shop.send(CART, given)
    assert (answer.status, field_of(answer), topics.records) == (400, "x-shopify-shop-domain", [])
    assert isinstance(answer.body, Problem)
    assert "shopify.domain in TODOKE_CONFIG" in answer.body.detail
    missing = await shop.send(CART, headers(CART, "carts/update", shop_domain=None))
    assert missing.status == 400
    assert (await shop.send(CART, headers(CART, "carts/update", shop_domain=DOMAIN.upper()))).status == 200
    assert (await new_shop(topics, domain=None).send(CART, given)).status == 200


@pytest.mark.parametrize(
    ("body", "topic", "field"),
    [
        (CART, None, "x-shopify-topic"),
        (CART, "carts create", "x-shopify-topic"),
        (b"<cart/>", "carts/create", "(the whole body)"),
        (b"[]", "carts/create", "(the whole body)"),
    ],
)
async def test_what_is_no_delivery_is_refused(shop: ShopifyShop, body: bytes, topic: str | None, field: str) -> None:
    """Even signed, 400 names what is wrong."""
    answer = await shop.send(body, headers(body, topic))
    assert (answer.status, field_of(answer)) == (400, field)


async def test_a_test_notification_is_answered_and_not_kept(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """The admin's test button sends somebody's invented order: it must not become revenue."""
    answer = await shop.deliver("orders/create", order(), test="true")
    assert (answer.status, topics.records) == (200, [])
    unsigned = await shop.deliver("orders/create", order(), test="true", hmac_sha256="x")
    assert unsigned.status == 401


async def test_a_delivery_without_id_is_known_again(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """The id is made of topic and body where the header is missing or no id."""
    for header in (None, "", "\xe9", "x" * 500):
        await shop.deliver("carts/update", cart(line()), webhook_id=header)
    await shop.deliver("carts/update", cart(), webhook_id=None)
    ids = [value["id"] for value in topics.values()]
    assert len(set(ids[:4])) == 1
    assert str(ids[0]).startswith("sha256:")
    assert ids[4] != ids[0]


@pytest.mark.parametrize("topic", sorted(PAYLOADS))
async def test_no_delivery_is_confirmed_while_kafka_is_away(
    shop: ShopifyShop, topics: CheckedTopics, topic: str
) -> None:
    """503, Retry-After, and the same delivery gives the same events once Kafka is back."""
    topics.away = True
    answer = await shop.deliver(topic, PAYLOADS[topic], webhook_id="w")
    if topic == "customers/data_request":  # it makes no event: the request itself is what is kept
        assert answer.status == 200
        return
    assert (answer.status, answer.headers) == (503, {"Retry-After": "5"})
    topics.away = False
    assert (await shop.deliver(topic, PAYLOADS[topic], webhook_id="w")).status == 200
    again, fresh = topics.values(), CheckedTopics()
    await new_shop(fresh).deliver(topic, PAYLOADS[topic], webhook_id="w")
    assert again == fresh.values() != []


class HangingMemory(KeptInMemory):
    """PostgreSQL behind a dead network."""

    async def claim_order(self, shop: str, claim: OrderClaim, at: datetime) -> OrderOwner:
        """Never."""
        await asyncio.Event().wait()
        raise AssertionError


async def test_the_answer_comes_within_a_second_whatever_happens(
    topics: CheckedTopics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shopify takes a subscription away from who keeps it waiting; 503 in time makes it try again."""
    assert ANSWER_SECONDS < 1
    monkeypatch.setattr("todoke_ingest.handlers.shopify.ANSWER_SECONDS", 0.05)
    shop = ShopifyShop(new_shop(topics).intake, HangingMemory())
    async with asyncio.timeout(10):
        answer = await shop.deliver("orders/create", order())
    assert (answer.status, topics.records) == (503, [])


async def test_carts_need_no_postgresql(topics: CheckedTopics) -> None:
    """What nothing must be remembered for goes through without a pool; and the unsigned never reach one."""
    intake = new_shop(topics).intake
    good = DoorRequest(CART, headers(CART, "carts/update"), {"shop": "main"})
    assert (await take_shopify_webhook(intake, good)).status == 200
    forged = DoorRequest(CART, headers(CART, "orders/create", hmac_sha256="x"), {"shop": "main"})
    assert (await take_shopify_webhook(intake, forged)).status == 401
    unsigned = await take_shopify_webhook(intake, DoorRequest(CART, {}, {"shop": "main"}))
    assert (unsigned.status, b'"is missing"' in unsigned.content()) == (401, True)


async def test_what_is_out_of_the_vocabulary_is_a_dead_letter(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """An order without an id cannot be put right by a retry: 200, and the reason in the dead letter's headers."""
    answer = await shop.deliver("orders/create", order(id=None))
    assert answer.status == 200
    [letter] = [record for record in topics.records if record.topic == EC_EVENTS.dead_letters]
    assert letter.headers["todoke-field"] == "data.order_id"
    assert letter.headers["todoke-origin"] == "POST /webhooks/shopify/main"


@pytest.mark.parametrize("topic", sorted(PAYLOADS))
async def test_nothing_personal_leaves_the_door(shop: ShopifyShop, topics: CheckedTopics, topic: str) -> None:
    """No address, number, street or IP address in any record, nor in what is remembered."""
    await shop.deliver(topic, PAYLOADS[topic])
    written = json.dumps(topics.values(), ensure_ascii=False) + repr(shop.memory)
    for personal in (EMAIL, EMAIL.lower(), PHONE, "0774", "宇治1-2-3", "203.0.113.9", "611-0000"):
        assert personal not in written


async def test_an_address_in_the_wrong_place_does_not_leave_either(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """People type their address where a name belongs, and shops put it into tags and titles."""
    careless = customer(first_name=EMAIL, last_name=None, tags=f"VIP, {EMAIL}", state=EMAIL)
    await shop.deliver("customers/update", careless)
    await shop.deliver("carts/update", cart({**line(), "title": f"名入れ {EMAIL}"}))
    await shop.deliver("orders/cancelled", order(cancel_reason=EMAIL, discount_codes=[{"code": EMAIL}]))
    await shop.deliver("draft_orders/create", order(status=f"by {EMAIL}"))
    written = json.dumps(topics.values())
    assert len(topics.records) == 5
    assert EMAIL not in written
    assert EMAIL.lower() not in written


NASTY: list[object] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        10**40,
        1.5,
        float("nan"),
        float("inf"),
        "",
        "\x00",
        "a\x00b",
        " ",
        "NaN",
        "1e999",
        "-5",
    ),
    *([], {}, [[]], [None], {"id": 1}, [{"id": []}], [{"name": "todoke_visitor", "value": []}], "x" * 600, "９", "茶"),
    *("2026-01-31T09:00:00+09:00", "2026-01-31", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59-23:59", "customer:1"),
]
ANYTHING = st.sampled_from(NASTY) | st.text(max_size=9) | st.integers()


def _fields(payload: object) -> set[str]:
    if isinstance(payload, dict):
        return set(payload) | {name for value in payload.values() for name in _fields(value)}
    return {name for value in payload for name in _fields(value)} if isinstance(payload, list) else set()


def _changed(payload: object, changes: Mapping[str, object]) -> object:
    if isinstance(payload, dict):
        return {name: changes.get(name, _changed(value, changes)) for name, value in payload.items()}
    return [_changed(value, changes) for value in payload] if isinstance(payload, list) else payload


@given(st.data(), st.sampled_from(sorted({*PAYLOADS, *TOPICS, "shop/redact", "themes/publish", "orders/edited"})))
@settings(max_examples=300, deadline=None)
async def test_any_signed_payload_is_taken(data: st.DataObject, topic: str) -> None:
    """Whatever stands in whichever field: 200, and every event is good or a dead letter, never a retry for ever."""
    payload = PAYLOADS.get(topic, order())
    changes = data.draw(st.dictionaries(st.sampled_from(sorted(_fields(payload))), ANYTHING, max_size=3))
    topics = CheckedTopics()
    shop = new_shop(topics)
    await shop.deliver("products/create", product())
    answer = await shop.deliver(topic, _changed(payload, changes))
    assert answer.status == 200
