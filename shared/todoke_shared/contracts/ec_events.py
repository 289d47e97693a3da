"""`ec.events.v1`: what happens in a shop, in one vocabulary.

The types are DESIGN.md's. Each type whose `data` a room reads has a model here; the others carry any object.
Anything else a shop wants to tell is `custom.*`.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from todoke_shared.contracts.envelope import CloudEvent, bad_message
from todoke_shared.contracts.subjects import check_subject
from todoke_shared.errors import BadMessageError

EVENT_TYPES = frozenset(
    {
        *("page.viewed", "product.viewed", "products.searched", "store.visited"),
        *("cart.updated", "cart.item_added", "cart.item_removed", "checkout.started"),
        *("order.placed", "order.paid", "order.shipped", "order.delivered", "order.cancelled", "order.refunded"),
        *("customer.registered", "customer.updated", "customer.deleted", "customer.identified"),
        *("points.changed", "points.expiring", "sample.requested"),
        *("reservation.booked", "reservation.changed", "reservation.cancelled"),
        *("subscription.started", "subscription.renewed", "subscription.cancelled", "review.posted"),
        *("product.updated", "product.restocked", "product.price_dropped"),
    }
)

CART_CHANGES = frozenset({"cart.updated", "cart.item_added", "cart.item_removed"})

CATALOGUE_TYPES = frozenset({"product.updated", "product.restocked", "product.price_dropped"})
"""These are about a product, not a person: they need no subject."""

ProductId = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class EventData(BaseModel):
    """The `data` of an event; what we do not know is carried."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Product(EventData):
    """A product as an event names it. `price` in yen."""

    product_id: ProductId
    name: str | None = Field(default=None, max_length=500)
    price: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    url: str | None = Field(default=None, max_length=1000)
    image_url: str | None = Field(default=None, max_length=1000)


class CartItem(Product):
    """A product in a cart."""

    quantity: int = Field(default=1, ge=1, le=100_000)


class ProductViewed(EventData):
    """product.viewed: `data.product`."""

    product: Product


class CartItemAdded(EventData):
    """cart.item_added: the item added."""

    item: CartItem
    cart_id: str | None = None


class CartItemRemoved(EventData):
    """cart.item_removed: the product no longer in the cart."""

    product_id: ProductId
    cart_id: str | None = None


class CartUpdated(EventData):
    """cart.updated: the whole cart, as it now is."""

    items: tuple[CartItem, ...] = Field(max_length=500)
    cart_id: str | None = None


class OrderPlaced(EventData):
    """order.placed. `amount` in yen, absent when the producer does not know it."""

    order_id: str = Field(min_length=1, max_length=255)
    items: tuple[CartItem, ...] = Field(default=(), max_length=500)
    amount: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cart_id: str | None = None


class CustomerIdentified(EventData):
    """customer.identified: the subject is also the person known by each of `identifiers` (subjects too)."""

    identifiers: tuple[str, ...] = Field(min_length=1, max_length=20)


DATA_MODELS: dict[str, type[EventData]] = {
    "product.viewed": ProductViewed,
    "cart.item_added": CartItemAdded,
    "cart.item_removed": CartItemRemoved,
    "cart.updated": CartUpdated,
    "order.placed": OrderPlaced,
    "customer.identified": CustomerIdentified,
}


class EcEvent(CloudEvent):
    """A shop event that is sure to be in the vocabulary. Build it by `check_event`, or from a topic by `from_json`."""


def check_event(event: CloudEvent) -> EventData:
    """Hold an event against the vocabulary and give its typed data. BadMessageError names field and reason."""
    if event.type not in EVENT_TYPES and not event.type.startswith("custom."):
        raise BadMessageError(
            f"unknown event type; use one of {', '.join(sorted(EVENT_TYPES))} or custom.*", field="type"
        )
    if event.type not in CATALOGUE_TYPES:
        check_subject(event.subject)
    model = DATA_MODELS.get(event.type, EventData)
    try:
        data = model.model_validate(event.data)
    except ValidationError as error:
        complaint = bad_message(error)
        raise BadMessageError(complaint.reason, field=f"data.{complaint.field}") from None
    if isinstance(data, CustomerIdentified):
        for identifier in data.identifiers:
            check_subject(identifier)
    return data
