"""What carts, checkouts, customers, products and requests of Shopify's become in the shop's vocabulary."""

from datetime import timedelta

import pytest

from tests.support.shopify import (
    DOMAIN,
    EMAIL,
    NOW,
    PHONE,
    TOKEN,
    VISITOR,
    WHISK,
    Json,
    KeptInMemory,
    ShopifyShop,
    cart,
    customer,
    level,
    line,
    order,
    product,
    shopify_config,
    variant,
)
from tests.unit.ingest.shopify_telling import brief, data_of, told
from tests.unit.ingest.stand_ins import CheckedTopics
from todoke_ingest.handlers.intake import Intake
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.contacts import email_sha256, phone_sha256

CART_VISITOR = f"visitor:shopify-cart:{TOKEN}"


@pytest.fixture
def topics() -> CheckedTopics:
    """Kafka's stand-in."""
    return CheckedTopics()


@pytest.fixture
def shop(topics: CheckedTopics) -> ShopifyShop:
    """The shop `main`, a month on, so that nothing below lies in the future."""
    clock = FakeClock(NOW + timedelta(days=60))
    return ShopifyShop(Intake(topics, clock, shopify_config()), KeptInMemory())


async def test_a_cart_is_told_whole(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """cart.updated under the cart's own visitor, variants of a product as one item, money as numbers."""
    lines = (line(), line(variant=7002, quantity=2, price="2480.50"), line(WHISK, 7003))
    [event] = await told(shop, topics, "carts/update", cart(*lines))
    assert {name: event.get(name) for name in ("id", "source", "type", "subject", "shop")} == {
        "id": "webhook",
        "source": "shopify:main",
        "type": "cart.updated",
        "subject": CART_VISITOR,
        "shop": "main",
    }
    assert event["time"] == NOW.isoformat()
    assert data_of(event) == {
        "cart_id": TOKEN,
        "items": [
            {
                "product_id": "6001",
                "name": "宇治抹茶",
                "price": 1280,
                "quantity": 3,
                "variants": [
                    {"variant_id": "7001", "quantity": 1, "price": 1280},
                    {"variant_id": "7002", "quantity": 2, "price": 2480.5},
                ],
            },
            {
                "product_id": "6002",
                "name": "茶筅",
                "price": 1280,
                "quantity": 1,
                "variants": [{"variant_id": "7003", "quantity": 1, "price": 1280}],
            },
        ],
    }


async def test_an_emptied_cart_is_empty(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """The snapshot that stops a reminder."""
    [event] = await told(shop, topics, "carts/update", cart())
    assert data_of(event)["items"] == []


@pytest.mark.parametrize(
    "written",
    [
        {"note_attributes": [{"name": "gift", "value": "no"}, {"name": "todoke_visitor", "value": VISITOR}]},
        {"attributes": {"todoke_visitor": VISITOR}},
        {"attributes": [{"key": "todoke_visitor", "value": VISITOR}]},
    ],
)
async def test_a_cart_attribute_links_the_browsers_visitor(
    shop: ShopifyShop, topics: CheckedTopics, written: Json
) -> None:
    """What the browser tag saw and what lies in the cart are one person's; the link is one fact for all updates."""
    first = await told(shop, topics, "carts/update", {**cart(line()), **written})
    again = await told(shop, topics, "carts/update", {**cart(), **written}, webhook_id="another")
    assert [(event["type"], event["subject"]) for event in first] == [
        ("customer.identified", f"visitor:{VISITOR}"),
        ("cart.updated", f"visitor:{VISITOR}"),
    ]
    assert data_of(first[0]) == {"identifiers": [CART_VISITOR]}
    assert (again[0]["id"], again[1]["id"]) == (first[0]["id"], "another")


@pytest.mark.parametrize("forged", ["shopify-cart:other-token", "customer:1", "short", "", 5, None, {"a": 1}])
async def test_a_cart_attribute_names_nobody_else(shop: ShopifyShop, topics: CheckedTopics, forged: object) -> None:
    """Anybody may write a cart attribute: what is no tag's visitor is not believed."""
    [event] = await told(shop, topics, "carts/update", cart(line(), attributes={"todoke_visitor": forged}))
    assert event["subject"] == CART_VISITOR


async def test_a_checkout_starts_once_and_tells_whose_the_cart_is(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """Each update has the id of the first; the cart's visitor is the customer as soon as the checkout knows."""
    checkout: Json = {
        "id": 1,
        "token": "chk",
        "cart_token": f"{TOKEN}?key=f00",
        "total_price": "1280.00",
        "currency": "JPY",
        "abandoned_checkout_url": "https://uji-tea.example/1/checkouts/chk/recover",
        "line_items": [line()],
        "email": EMAIL,
    }
    [started] = await told(shop, topics, "checkouts/create", checkout)
    assert brief([started]) == [("checkout/chk/started", "checkout.started", CART_VISITOR)]
    assert data_of(started)["cart_id"] == TOKEN
    assert data_of(started)["checkout_url"] == "https://uji-tea.example/1/checkouts/chk/recover"
    assert data_of(started)["amount"] == 1280
    known = await told(shop, topics, "checkouts/update", {**checkout, "customer": customer()}, webhook_id="w2")
    assert [(event["type"], event["subject"]) for event in known] == [
        ("customer.identified", "customer:5001"),
        ("checkout.started", "customer:5001"),
    ]
    assert data_of(known[0]) == {"identifiers": [CART_VISITOR]}
    assert known[1]["id"] == started["id"]
    done = await told(shop, topics, "checkouts/update", {**checkout, "completed_at": NOW.isoformat()})
    assert done == []


async def test_a_checkout_without_cart_is_a_cart_of_its_own(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """A buy-now button leaves no cart token."""
    [event] = await told(shop, topics, "checkouts/create", {"id": 1, "token": "chk", "line_items": [line()]})
    assert (event["subject"], data_of(event)["cart_id"]) == ("visitor:shopify-cart:chk", "chk")


async def test_a_member_is_told_with_hashes_alone(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """The name as Japanese write it, the prefecture in full, tags as a list; no address and no number."""
    [event] = await told(shop, topics, "customers/update", customer())
    assert event["type"] == "customer.updated"
    assert data_of(event) == {
        "name": "佐藤 花子",
        "email_sha256": email_sha256(EMAIL),
        "phone_sha256": phone_sha256(PHONE),
        "prefecture": "京都府",
        "city": "宇治市",
        "tags": ["VIP", "抹茶"],
        "accepts_marketing": True,
        "registered_at": "2025-12-01T10:00:00+09:00",
        "account": "enabled",
    }
    abroad = customer(first_name="Ada", last_name="Byron", default_address={"country_code": "US", "province": "Oregon"})
    [event] = await told(shop, topics, "customers/update", {**abroad, "tags": ""})
    assert (data_of(event)["name"], data_of(event).get("prefecture")) == ("Ada Byron", None)


async def test_a_member_who_leaves_is_deleted(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """customers/delete holds little more than the id."""
    assert brief(await told(shop, topics, "customers/delete", {"id": 5001})) == [
        ("webhook", "customer.deleted", "customer:5001")
    ]


async def test_consent_is_an_attribute(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """A withdrawal counts at once, by whichever topic it comes."""
    payload: Json = {
        "customer_id": 5001,
        "email_address": EMAIL,
        "email_marketing_consent": {"state": "unsubscribed"},
    }
    [event] = await told(shop, topics, "customers_email_marketing_consent/update", payload)
    assert brief([event]) == [("webhook", "customer.updated", "customer:5001")]
    assert data_of(event) == {"accepts_marketing": False}


async def test_a_product_is_told_whole(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """Lowest price, stock over all variants, a link; nobody's event."""
    [event] = await told(shop, topics, "products/update", product(variant(), variant(4002, -2, "880.00")))
    assert brief([event]) == [("webhook", "product.updated", None)]
    assert data_of(event) == {
        "product": {
            "product_id": "6001",
            "name": "宇治抹茶",
            "url": f"https://{DOMAIN}/products/uji-matcha",
            "image_url": "https://cdn.example/matcha.jpg",
            "category": "お茶",
            "status": "active",
            "price": 880,
            "stock": 5,
        }
    }


async def test_a_deleted_product_is_out_of_stock(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """Nobody may be recommended what is gone."""
    await told(shop, topics, "products/create", product())
    [event] = await told(shop, topics, "products/delete", {"id": 6001}, webhook_id="w2")
    assert data_of(event) == {"product": {"product_id": "6001", "stock": 0, "deleted": True}}


async def test_a_level_of_an_unknown_item_is_carried(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """Until a product names the item, nobody knows which product it is."""
    [event] = await told(shop, topics, "inventory_levels/update", level(3))
    assert brief([event]) == [("webhook", "custom.shopify.inventory_level_updated", "visitor:shopify-shop:main")]
    assert data_of(event) == {"inventory_item_id": "4001", "location_id": "1", "available": 3}


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("orders/edited", "custom.shopify.orders_edited"),
        ("orders/updated", "custom.shopify.orders_updated"),
        ("draft_orders/create", "custom.shopify.draft_orders_create"),
        ("customer.tags_added", "custom.shopify.customer.tags_added"),
        ("checkouts/delete", "custom.shopify.checkouts_delete"),
    ],
)
async def test_a_topic_without_words_is_custom(shop: ShopifyShop, topics: CheckedTopics, topic: str, kind: str) -> None:
    """Its ids, states and amounts are carried, under the customer where it names one."""
    events = await told(shop, topics, topic, order())
    assert (events[-1]["type"], events[-1]["subject"], events[-1]["id"]) == (kind, "customer:5001", "webhook")
    data = data_of(events[-1])
    assert (data["id"], data["financial_status"], data["total_price"]) == ("8001", "paid", "3840.00")
    assert "note_attributes" not in data


async def test_times_are_shopifys(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """The trigger's instant; without it the payload's; a clock that is ahead is not believed."""
    nanoseconds = await told(shop, topics, "carts/update", cart(), triggered_at="2026-01-31T00:00:00.123456789Z")
    payload = cart(updated_at="2026-01-30T12:00:00.000Z")
    without = await told(shop, topics, "carts/update", payload, triggered_at=None)
    ahead = await told(shop, topics, "carts/update", payload, triggered_at="2030-01-01T00:00:00Z")
    assert [events[0]["time"] for events in (nanoseconds, without, ahead)] == [
        "2026-01-31T00:00:00.123456+00:00",
        "2026-01-30T12:00:00+00:00",
        "2026-01-30T12:00:00+00:00",
    ]


async def test_a_request_to_be_forgotten_deletes_the_customer(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """customer.deleted goes out in the same delivery; a repeated delivery is the same request."""
    await told(shop, topics, "orders/create", order())
    payload: Json = {"customer": {"id": 5001, "email": EMAIL, "phone": PHONE}, "orders_to_redact": [8001]}
    for _ in range(2):
        events = await told(shop, topics, "customers/redact", payload, webhook_id="w2")
        assert brief(events) == [("w2", "customer.deleted", "customer:5001")]
    memory = shop.memory
    assert isinstance(memory, KeptInMemory)
    [request] = memory.requests.values()
    assert (request.kind, request.subject, request.orders) == ("customers/redact", "customer:5001", ("8001",))
    assert memory.orders == {}


async def test_requests_that_only_a_person_can_fulfil_are_kept(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """To see one's data, and a whole shop's erasure: no event, but a row. An address is kept as its hash."""
    await told(shop, topics, "products/create", product())
    asked = await told(shop, topics, "customers/data_request", {"customer": {"email": EMAIL}}, webhook_id="w2")
    left = await told(shop, topics, "shop/redact", {"shop_id": 1, "shop_domain": DOMAIN}, webhook_id="w3")
    memory = shop.memory
    assert isinstance(memory, KeptInMemory)
    assert asked + left == []
    assert [(request.kind, request.subject) for request in memory.requests.values()] == [
        ("customers/data_request", f"visitor:email:{email_sha256(EMAIL)}"),
        ("shop/redact", None),
    ]
    assert memory.products == {}
