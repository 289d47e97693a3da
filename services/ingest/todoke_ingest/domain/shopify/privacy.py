"""What Shopify asks in a customer's or a shop's name, to be done within 30 days.

Source: https://shopify.dev/docs/apps/build/compliance/privacy-law-compliance
"""

from dataclasses import dataclass
from datetime import timedelta

from todoke_ingest.domain.shopify.delivery import Delivery
from todoke_ingest.domain.shopify.people import customer_of, email_visitor
from todoke_ingest.domain.shopify.values import Json, mapping, text

PRIVACY_TOPICS = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
DUE_AFTER = timedelta(days=30)

_MOST_ORDERS = 10_000


@dataclass(frozen=True, slots=True)
class PrivacyRequest:
    """A request as it is kept: `subject` as in the topics, never an address; None where it is about the whole shop."""

    shop: str
    id: str
    kind: str
    subject: str | None
    orders: tuple[str, ...]


def privacy_request(delivery: Delivery) -> PrivacyRequest:
    """The request of a delivery. Where Shopify names a customer by address alone, the subject is the address's hash."""
    payload = delivery.payload
    subject = customer_of(payload) or email_visitor(text(mapping(payload, "customer"), "email"))
    orders = _ids(payload.get("orders_to_redact")) or _ids(payload.get("orders_requested"))
    return PrivacyRequest(delivery.shop, delivery.id, delivery.topic, subject, orders)


def privacy_events(delivery: Delivery, request: PrivacyRequest) -> list[Json]:
    """A customer who is to be forgotten is deleted at once; the rest is for a person to do."""
    if request.kind != "customers/redact" or request.subject is None:
        return []
    return [delivery.event("customer.deleted", request.subject, {})]


def _ids(values: object) -> tuple[str, ...]:
    found = [text({"id": value}, "id") for value in values[:_MOST_ORDERS]] if isinstance(values, list) else []
    return tuple(one for one in found if one is not None and len(one) <= 255)
