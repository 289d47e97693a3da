"""orders/*, fulfillments/*, fulfillment_events/* and refunds/create: from the order to its delivery, or its return.

Fulfillments and refunds name no customer. So an order's own deliveries say whose it is (`OrderClaim`), and that is
remembered; a delivery that comes before them makes a guess, which the order's then puts right by a link.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from todoke_ingest.domain.shopify.delivery import HISTORY_AFTER, Delivery
from todoke_ingest.domain.shopify.people import (
    also,
    cart_token,
    cart_visitor,
    customer_of,
    email_visitor,
    order_visitor,
    shop_itself,
    tag_visitor,
)
from todoke_ingest.domain.shopify.values import (
    Json,
    combined_items,
    harmless,
    identifier,
    instant,
    known,
    mapping,
    mappings,
    number,
    text,
)

_REMEMBERED = timedelta(days=30)
"""Readers know an event's id again for 35 days. An order that is edited later must not tell of its parcels anew."""

ORDER_GROUPS = frozenset({"orders", "fulfillments", "fulfillment_events", "refunds"})


@dataclass(frozen=True, slots=True)
class OrderClaim:
    """Whose an order is, as a delivery has it. Not `sure`: the delivery names nobody, and any better word counts."""

    order_id: str
    subject: str
    sure: bool


@dataclass(frozen=True, slots=True)
class OrderOwner:
    """Whose an order is, as far as all deliveries tell. `was_guessed`: events have gone out under `order_visitor`."""

    subject: str
    was_guessed: bool = False


def order_claim(delivery: Delivery) -> OrderClaim | None:
    """Which order a delivery is about, and whose it says that is. None when it names no order."""
    payload = delivery.payload
    if delivery.group == "orders":
        order_id = identifier(payload, "id") or identifier(mapping(payload, "order_edit"), "order_id")
        subject = customer_of(payload) or email_visitor(text(payload, "email") or text(payload, "contact_email"))
    else:
        order_id, subject = identifier(payload, "order_id"), None
    if order_id is None:
        return None
    return OrderClaim(order_id, subject or order_visitor(order_id), sure=subject is not None)


def order_events(delivery: Delivery, order_id: str | None, owner: OrderOwner) -> list[Json]:
    """The events of one delivery about an order, the word on whose it is before all others."""
    tell = _TOPICS.get(delivery.topic, _others)
    links = _links(delivery, order_id, owner) if delivery.group == "orders" and order_id is not None else []
    return [*links, *tell(delivery, owner.subject)]


def nobodys(delivery: Delivery) -> OrderOwner:
    """The owner of an order that a delivery does not even name."""
    return OrderOwner(shop_itself(delivery.shop))


def _links(delivery: Delivery, order_id: str, owner: OrderOwner) -> list[Json]:
    payload = delivery.payload
    guess = order_visitor(order_id) if owner.was_guessed else None
    others = also(owner.subject, cart_visitor(cart_token(payload, "cart_token")), tag_visitor(payload), guess)
    if not others:
        return []
    fact = f"order/{order_id}/is/{'/'.join((owner.subject, *others))}"
    return [delivery.fact("customer.identified", owner.subject, {"identifiers": others}, fact[:500])]


def _placed(delivery: Delivery, subject: str) -> list[Json]:
    data = known(**_order_data(delivery.payload), financial_status=text(delivery.payload, "financial_status"))
    return [delivery.fact("order.placed", subject, data, _once(delivery, "placed"), _imported(delivery.payload))]


def _paid(delivery: Delivery, subject: str) -> list[Json]:
    return [
        delivery.fact(
            "order.paid",
            subject,
            _order_data(delivery.payload),
            _once(delivery, "paid"),
            _imported(delivery.payload),
        )
    ]


def _cancelled(delivery: Delivery, subject: str) -> list[Json]:
    data = known(**_order_data(delivery.payload), reason=text(delivery.payload, "cancel_reason"))
    return [delivery.fact("order.cancelled", subject, data, _once(delivery, "cancelled"))]


def _once(delivery: Delivery, what: str) -> str:
    """An order is placed, paid and cancelled once, however many subscriptions tell of it."""
    order_id = identifier(delivery.payload, "id")
    return f"order/{order_id}/{what}" if order_id else delivery.id


def _imported(order: Json) -> datetime | None:
    # An order that Shopify got days after it was placed came from another system, and its buyer waits for nothing.
    processed, created = (instant(order.get(name)) for name in ("processed_at", "created_at"))
    return processed if processed and created and created - processed > HISTORY_AFTER else None


def _refunded(delivery: Delivery, subject: str) -> list[Json]:
    payload = delivery.payload
    repaid = [
        number(transaction, "amount") or 0
        for transaction in mappings(payload, "transactions")
        if text(transaction, "kind") == "refund" and text(transaction, "status") in (None, "success")
    ]
    currencies = (text(transaction, "currency") for transaction in mappings(payload, "transactions"))
    lines = [
        {**mapping(line, "line_item"), "quantity": line.get("quantity")}
        for line in mappings(payload, "refund_line_items")
    ]
    data = known(
        order_id=identifier(payload, "order_id"),
        refund_id=identifier(payload, "id"),
        amount=sum(repaid),
        currency=next((currency for currency in currencies if currency), None),
        items=combined_items(lines),
    )
    return [delivery.event("order.refunded", subject, data)]


def _fulfilled(delivery: Delivery, subject: str) -> list[Json]:
    """An order names all its parcels each time; each is one fact, whichever delivery tells of it first."""
    told = _parcels_of_order(delivery, subject, first_hand=True)
    return told or [delivery.event("order.shipped", subject, _order_data(delivery.payload))]


def _updated(delivery: Delivery, subject: str) -> list[Json]:
    return [*_parcels_of_order(delivery, subject, first_hand=False), *_others(delivery, subject)]


def _parcels_of_order(delivery: Delivery, subject: str, *, first_hand: bool) -> list[Json]:
    order_id = identifier(delivery.payload, "id")
    parcels = mappings(delivery.payload, "fulfillments")
    return [event for parcel in parcels for event in _parcel(delivery, subject, parcel, order_id, first_hand)]


def _one_parcel(delivery: Delivery, subject: str) -> list[Json]:
    order_id, is_new = identifier(delivery.payload, "order_id"), delivery.topic == "fulfillments/create"
    told = _parcel(delivery, subject, delivery.payload, order_id, is_new)
    state = text(delivery.payload, "shipment_status")
    on_its_way = state is not None and state not in ("delivered", "label_printed", "label_purchased", "confirmed")
    return [*told, *_others(delivery, subject)] if on_its_way or not told else told


def _on_the_way(delivery: Delivery, subject: str) -> list[Json]:
    parcel = identifier(delivery.payload, "fulfillment_id")
    if text(delivery.payload, "status") != "delivered" or parcel is None:
        return _others(delivery, subject)
    data = known(order_id=identifier(delivery.payload, "order_id"), fulfillment_id=parcel)
    at = instant(delivery.payload.get("happened_at"))
    return [delivery.fact("order.delivered", subject, data, f"fulfillment/{parcel}/delivered", at)]


def _parcel(delivery: Delivery, subject: str, parcel: Json, order_id: str | None, first_hand: bool) -> list[Json]:
    parcel_id = identifier(parcel, "id")
    if parcel_id is None or text(parcel, "status") not in (None, "success"):
        return []
    data = known(
        order_id=order_id,
        fulfillment_id=parcel_id,
        carrier=text(parcel, "tracking_company"),
        tracking_number=text(parcel, "tracking_number") or _first(parcel.get("tracking_numbers")),
        tracking_url=text(parcel, "tracking_url") or _first(parcel.get("tracking_urls")),
        items=combined_items(mappings(parcel, "line_items")),
    )
    shipped_at = None if first_hand else instant(parcel.get("created_at"))
    arrived_at = None if delivery.group == "fulfillments" else instant(parcel.get("updated_at"))
    told = [("shipped", shipped_at)]
    if text(parcel, "shipment_status") == "delivered":
        told.append(("delivered", arrived_at))
    return [
        delivery.fact(f"order.{what}", subject, data, f"fulfillment/{parcel_id}/{what}", at)
        for what, at in told
        if at is None or delivery.at - at < _REMEMBERED
    ]


def _others(delivery: Delivery, subject: str) -> list[Json]:
    kind = "custom.shopify." + delivery.topic.replace("/", "_")
    payload = delivery.payload
    own_id = identifier(payload, "id") if delivery.group == "orders" else None
    order_id = identifier(payload, "order_id") or own_id or identifier(mapping(payload, "order_edit"), "order_id")
    return [delivery.event(kind, subject, {**harmless(payload), **known(order_id=order_id)})]


def _order_data(order: Json) -> Json:
    codes = [code for discount in mappings(order, "discount_codes") if (code := text(discount, "code"))]
    return known(
        order_id=identifier(order, "id"),
        order_number=text(order, "name"),
        cart_id=cart_token(order, "cart_token"),
        items=combined_items(mappings(order, "line_items")),
        amount=number(order, "total_price"),
        currency=text(order, "currency"),
        coupons=codes or None,
        test=True if order.get("test") is True else None,
    )


def _first(values: object) -> str | None:
    return text({"first": values[0]}, "first") if isinstance(values, list) and values else None


_TOPICS: dict[str, Callable[[Delivery, str], list[Json]]] = {
    "orders/create": _placed,
    "orders/paid": _paid,
    "orders/cancelled": _cancelled,
    "orders/fulfilled": _fulfilled,
    "orders/partially_fulfilled": _fulfilled,
    "orders/updated": _updated,
    "fulfillments/create": _one_parcel,
    "fulfillments/update": _one_parcel,
    "fulfillment_events/create": _on_the_way,
    "refunds/create": _refunded,
}
