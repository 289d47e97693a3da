"""Which events a delivery becomes, where nothing needs to be remembered for it: the table of topics."""

from collections.abc import Callable

from todoke_ingest.domain.shopify.carts import cart_events, checkout_events
from todoke_ingest.domain.shopify.delivery import Delivery
from todoke_ingest.domain.shopify.people import consent_events, customer_events, customer_of, shop_itself
from todoke_ingest.domain.shopify.values import Json, harmless

TOPICS: dict[str, Callable[[Delivery], list[Json]]] = {
    "carts/create": cart_events,
    "carts/update": cart_events,
    "checkouts/create": checkout_events,
    "checkouts/update": checkout_events,
    "customers/create": customer_events,
    "customers/update": customer_events,
    "customers/enable": customer_events,
    "customers/disable": customer_events,
    "customers/delete": customer_events,
    "customers_email_marketing_consent/update": consent_events,
    "customers_marketing_consent/update": consent_events,
}


def translate(delivery: Delivery) -> list[Json]:
    """The events of a delivery; a topic that has no words here is `custom.shopify.*`, with nothing personal in it."""
    return TOPICS.get(delivery.topic, _custom)(delivery)


def _custom(delivery: Delivery) -> list[Json]:
    kind = "custom.shopify." + delivery.topic.replace("/", "_")
    subject = customer_of(delivery.payload) or shop_itself(delivery.shop)
    return [delivery.event(kind, subject, harmless(delivery.payload))]
