"""What orders, parcels and refunds of Shopify's become, and whose they are."""

from datetime import timedelta

import pytest

from tests.support.shopify import (
    EMAIL,
    NOW,
    TOKEN,
    KeptInMemory,
    ShopifyShop,
    customer,
    order,
    parcel,
    refund,
    shopify_config,
)
from tests.unit.ingest.shopify_telling import brief, data_of, told
from tests.unit.ingest.stand_ins import CheckedTopics
from todoke_ingest.handlers.intake import Intake
from todoke_shared.clock import FakeClock
from todoke_shared.contracts.contacts import email_sha256

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


async def test_an_order_is_placed_by_the_cart_owner(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """The link comes before the order, so that the cart is the customer's when the order closes it."""
    events = await told(shop, topics, "orders/create", order())
    assert [(event["type"], event["subject"]) for event in events] == [
        ("customer.identified", "customer:5001"),
        ("order.placed", "customer:5001"),
    ]
    assert data_of(events[0]) == {"identifiers": [CART_VISITOR]}
    placed = events[1]
    assert (placed["id"], placed["time"], placed.get("history")) == ("order/8001/placed", NOW.isoformat(), None)
    data = data_of(placed)
    assert {name: data[name] for name in data if name != "items"} == {
        "order_id": "8001",
        "order_number": "#1001",
        "cart_id": TOKEN,
        "amount": 3840,
        "currency": "JPY",
        "coupons": ["WINTER"],
        "financial_status": "paid",
    }


async def test_an_order_brought_in_from_elsewhere_is_history(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """A shop that moves to Shopify must not thank everybody for last year's orders."""
    moved = order(processed_at="2025-01-31T09:00:00+09:00", cart_token=None)
    [event] = await told(shop, topics, "orders/create", moved)
    assert (event["history"], event["time"]) == (True, "2025-01-31T09:00:00+09:00")


async def test_a_guest_is_known_by_the_hash_of_the_address(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """A guest is a visitor, not a member; one without an address is whoever placed that order."""
    guest = f"visitor:email:{email_sha256(EMAIL)}"
    events = await told(shop, topics, "orders/create", order(customer=None))
    assert {event["subject"] for event in events} == {guest}
    nameless = order(id=8002, customer=None, email=None, contact_email=None, cart_token=None)
    [event] = await told(shop, topics, "orders/create", nameless, webhook_id="w2")
    assert event["subject"] == "visitor:shopify-order:8002"


async def test_a_guest_who_becomes_a_member_keeps_the_orders(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """Linked by the address, but only where Shopify has made sure that it is theirs."""
    events = await told(shop, topics, "customers/create", customer())
    assert brief(events) == [
        ("webhook", "customer.registered", "customer:5001"),
        ("webhook/2", "customer.identified", "customer:5001"),
    ]
    assert data_of(events[1]) == {"identifiers": [f"visitor:email:{email_sha256(EMAIL)}"]}
    unsure = await told(shop, topics, "customers/create", customer(verified_email=False))
    assert [event["type"] for event in unsure] == ["customer.registered"]


@pytest.mark.parametrize(("topic", "kind"), [("orders/paid", "order.paid"), ("orders/cancelled", "order.cancelled")])
async def test_what_becomes_of_an_order_is_told(
    shop: ShopifyShop, topics: CheckedTopics, topic: str, kind: str
) -> None:
    """Payment and cancellation, with the order's own facts."""
    events = await told(shop, topics, topic, order(cancel_reason="customer"))
    assert (events[-1]["type"], events[-1]["id"]) == (kind, f"order/8001/{kind.removeprefix('order.')}")
    assert data_of(events[-1])["amount"] == 3840
    assert data_of(events[-1]).get("reason") == ("customer" if kind == "order.cancelled" else None)


async def test_a_parcel_is_shipped_once_whoever_tells_of_it(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """Three topics tell of the same parcel; its id is its own, and it is the customer's though it names nobody."""
    await told(shop, topics, "orders/create", order())
    first = await told(shop, topics, "fulfillments/create", parcel(), webhook_id="w2")
    second = await told(shop, topics, "orders/fulfilled", order(fulfillments=[parcel()]), webhook_id="w3")
    third = await told(shop, topics, "orders/updated", order(fulfillments=[parcel()]), webhook_id="w4")
    shipped = ("fulfillment/9001/shipped", "order.shipped", "customer:5001")
    assert brief(first) == [shipped]
    assert shipped in brief(second)
    assert shipped in brief(third)
    assert data_of(first[0]) == {
        "order_id": "8001",
        "fulfillment_id": "9001",
        "carrier": "ヤマト運輸",
        "tracking_number": "400000000001",
        "tracking_url": "https://track.example/400000000001",
        "items": data_of(first[0])["items"],
    }


async def test_a_parcel_is_delivered_once(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """By a fulfillment's update or by a fulfillment event, under the same id; on its way it is a custom event."""
    arrived = await told(shop, topics, "fulfillments/update", parcel(shipment_status="delivered"))
    assert [event["type"] for event in arrived] == ["order.shipped", "order.delivered"]
    [again] = await told(
        shop,
        topics,
        "fulfillment_events/create",
        {"id": 1, "fulfillment_id": 9001, "order_id": 8001, "status": "delivered"},
    )
    assert again["id"] == arrived[1]["id"] == "fulfillment/9001/delivered"
    out = await told(shop, topics, "fulfillments/update", parcel(shipment_status="out_for_delivery"))
    assert out[-1]["type"] == "custom.shopify.fulfillments_update"
    assert data_of(out[-1])["shipment_status"] == "out_for_delivery"
    assert data_of(out[-1])["order_id"] == "8001"


async def test_a_parcel_that_failed_is_not_shipped(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """A cancelled fulfillment never left."""
    events = await told(shop, topics, "fulfillments/update", parcel(status="cancelled"))
    assert [event["type"] for event in events] == ["custom.shopify.fulfillments_update"]


async def test_an_old_parcel_in_an_edited_order_starts_nothing(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """orders/updated names all parcels for ever: days later they are history, after a month not even that."""
    late = (NOW + timedelta(days=10)).isoformat()
    events = await told(shop, topics, "orders/updated", order(fulfillments=[parcel()]), triggered_at=late)
    [shipped] = [event for event in events if event["type"] == "order.shipped"]
    assert (shipped["history"], shipped["time"]) == (True, "2026-01-31T09:00:00+09:00")
    later = (NOW + timedelta(days=40)).isoformat()
    events = await told(shop, topics, "orders/updated", order(fulfillments=[parcel()]), triggered_at=later)
    assert "order.shipped" not in [event["type"] for event in events]


async def test_an_order_fulfilled_without_parcels_is_shipped(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """Some apps mark an order as fulfilled and name no parcel."""
    events = await told(shop, topics, "orders/fulfilled", order())
    assert brief(events[1:]) == [("webhook", "order.shipped", "customer:5001")]


async def test_a_refund_is_its_buyers(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """A refund names an order only; failed repayments are no money."""
    await told(shop, topics, "orders/create", order())
    [event] = await told(shop, topics, "refunds/create", refund(), webhook_id="w2")
    assert brief([event]) == [("w2", "order.refunded", "customer:5001")]
    data = data_of(event)
    assert (data["order_id"], data["amount"], data["currency"]) == ("8001", 1280, "JPY")
    assert data["items"] == [
        {
            "product_id": "6001",
            "name": "宇治抹茶",
            "price": 1280,
            "quantity": 1,
            "variants": [{"variant_id": "7001", "quantity": 1, "price": 1280}],
        }
    ]


async def test_a_parcel_that_overtakes_its_order_is_linked(shop: ShopifyShop, topics: CheckedTopics) -> None:
    """A register sells and hands over in one moment: what was told of nobody turns out to be the customer's."""
    [early] = await told(shop, topics, "fulfillments/create", parcel(), webhook_id="w1")
    assert early["subject"] == "visitor:shopify-order:8001"
    for attempt in ("w2", "w2"):
        link, _ = await told(shop, topics, "orders/create", order(), webhook_id=attempt)
        assert data_of(link) == {"identifiers": [CART_VISITOR, "visitor:shopify-order:8001"]}
    [late] = await told(shop, topics, "refunds/create", refund(), webhook_id="w3")
    assert late["subject"] == "customer:5001"
