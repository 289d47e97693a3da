"""Who a payload is about.

A member is `customer:{id}`. Somebody without a member's id is a visitor, since a visitor may turn out to be any member
and two members are never one: of a cart (`visitor:shopify-cart:{token}`), of an order
(`visitor:shopify-order:{id}`), or of an order's e-mail address (`visitor:email:{sha256}`). Where the shop's
theme writes the browser tag's visitor into the cart (docs/shopify.md), that visitor it is.
"""

import re

from todoke_ingest.domain.shopify.delivery import Delivery
from todoke_ingest.domain.shopify.values import Json, identifier, instant, known, mapping, mappings, text
from todoke_shared.conditions.regions import prefecture
from todoke_shared.contracts.contacts import email_sha256, phone_sha256

VISITOR_ATTRIBUTE = "todoke_visitor"
"""The cart attribute, and the cookie of the browser tag, that hold the visitor."""

_TAG_VISITOR = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
"""As the tag makes them. Anybody may write a cart attribute; nobody can guess another's visitor."""

_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def customer_of(payload: Json) -> str | None:
    """The member that a payload names."""
    found = identifier(mapping(payload, "customer"), "id") or identifier(payload, "customer_id")
    return f"customer:{found}" if found else None


def cart_token(payload: Json, name: str) -> str | None:
    """A cart's token without the `?key=` that newer ones carry in some places and not in others."""
    return ((text(payload, name) or "").partition("?")[0])[:200] or None


def cart_visitor(token: str | None) -> str | None:
    """Whoever fills that cart."""
    return f"visitor:shopify-cart:{token}" if token else None


def order_visitor(order_id: str) -> str:
    """Whoever placed that order."""
    return f"visitor:shopify-order:{order_id}"


def email_visitor(address: str | None) -> str | None:
    """Whoever buys under that address without being a member."""
    hashed = email_sha256(address or "")
    return f"visitor:email:{hashed}" if hashed else None


def shop_itself(shop: str) -> str:
    """Whom an event is about that is about nobody: every event outside the catalogue needs a subject."""
    return f"visitor:shopify-shop:{shop}"


def tag_visitor(payload: Json) -> str | None:
    """The browser tag's visitor, from the cart attribute (a list in checkouts and orders, an object in carts)."""
    written: object = mapping(payload, "attributes").get(VISITOR_ATTRIBUTE)
    for attribute in (*mappings(payload, "note_attributes"), *mappings(payload, "attributes")):
        if VISITOR_ATTRIBUTE in (attribute.get("name"), attribute.get("key")):
            written = attribute.get("value")
    return f"visitor:{written}" if isinstance(written, str) and _TAG_VISITOR.fullmatch(written) else None


def also(subject: str, *others: str | None) -> list[str]:
    """The other identifiers of the same person, each once."""
    return [other for other in dict.fromkeys(others) if other is not None and other != subject]


def customer_events(delivery: Delivery) -> list[Json]:
    """customers/*: what the shop knows of a member. E-mail and telephone as hashes alone."""
    found = identifier(delivery.payload, "id")
    subject = f"customer:{found}" if found else None
    match delivery.topic:
        case "customers/delete":
            return [delivery.event("customer.deleted", subject, {})]
        case "customers/create":
            told = [delivery.event("customer.registered", subject, customer_data(delivery.payload))]
        case _:
            told = [delivery.event("customer.updated", subject, customer_data(delivery.payload))]
    return [*told, *_guest_of(delivery, subject)]


def consent_events(delivery: Delivery) -> list[Json]:
    """A change of consent to marketing by e-mail (by SMS, it tells nothing of e-mail and is left to custom events)."""
    data = known(accepts_marketing=_accepts(delivery.payload))
    return [delivery.event("customer.updated", customer_of(delivery.payload), data)]


def customer_data(customer: Json) -> Json:
    """A customer as customer.registered and customer.updated tell it. `account`: Shopify's state of the login."""
    address = mapping(customer, "default_address")
    registered = instant(customer.get("created_at"))
    tags = text(customer, "tags")
    return known(
        name=_name(customer),
        email_sha256=email_sha256(text(customer, "email") or ""),
        phone_sha256=phone_sha256(text(customer, "phone") or text(address, "phone") or ""),
        prefecture=_prefecture(address),
        city=(text(address, "city") or "")[:100] or None,
        tags=[tag for part in tags.split(",") if (tag := part.strip())] if tags is not None else None,
        accepts_marketing=_accepts(customer),
        registered_at=registered.isoformat() if registered else None,
        account=text(customer, "state"),
    )


def _guest_of(delivery: Delivery, subject: str | None) -> list[Json]:
    """Who bought as a guest under this address was the member, if Shopify has made sure that the address is theirs."""
    guest = email_visitor(text(delivery.payload, "email"))
    if guest is None or delivery.payload.get("verified_email") is not True or delivery.topic == "customers/update":
        return []
    return [delivery.event("customer.identified", subject, {"identifiers": [guest]}, part=2)]


def _name(customer: Json) -> str | None:
    first, last = text(customer, "first_name"), text(customer, "last_name")
    japanese = _JAPANESE.search(f"{first or ''}{last or ''}")
    parts = (last, first) if japanese else (first, last)
    return " ".join(part for part in parts if part)[:200] or None


def _prefecture(address: Json) -> str | None:
    if text(address, "country_code") not in (None, "JP"):
        return None
    return prefecture(text(address, "province_code") or "") or prefecture(text(address, "province") or "")


def _accepts(customer: Json) -> bool | None:
    state = text(mapping(customer, "email_marketing_consent"), "state")
    if state is not None:
        return state == "subscribed"
    older = customer.get("accepts_marketing")
    return older if isinstance(older, bool) else None
