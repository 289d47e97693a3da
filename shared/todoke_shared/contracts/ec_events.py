"""`ec.events.v1`: what happens in a shop, in one vocabulary.

The types are DESIGN.md's. Each type whose `data` a room reads has a model here; the others carry any object.
Anything else a shop wants to tell is `custom.*`.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from todoke_shared.contracts.envelope import CloudEvent, bad_message
from todoke_shared.contracts.subjects import check_subject, line_user
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
        "friend.imported",
    }
)

HISTORY_TYPES = frozenset({"friend.imported"})
"""These are history whether they say so or not: no campaign can listen to them (docs/adr/0015)."""

CART_CHANGES = frozenset({"cart.updated", "cart.item_added", "cart.item_removed"})

CATALOGUE_TYPES = frozenset({"product.updated", "product.restocked", "product.price_dropped"})
"""These are about a product, not a person: they need no subject."""

ProductId = Annotated[str, StringConstraints(min_length=1, max_length=255)]


RunKey = Annotated[str, StringConstraints(max_length=255)]
"""Campaigns that run `per: order` or `per: cart` keep their runs apart by it."""


class EventData(BaseModel):
    """The `data` of an event; what we do not know is carried. Any event may name the order or cart it is about."""

    model_config = ConfigDict(frozen=True, extra="allow")

    order_id: RunKey | None = None
    cart_id: RunKey | None = None


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


class AboutProduct(EventData):
    """product.updated, product.restocked, product.price_dropped: `data.product`."""

    product: Product


class CartItemAdded(EventData):
    """cart.item_added: the item added."""

    item: CartItem


class CartItemRemoved(EventData):
    """cart.item_removed: the product no longer in the cart."""

    product_id: ProductId


class CartUpdated(EventData):
    """cart.updated: the whole cart, as it now is."""

    items: tuple[CartItem, ...] = Field(max_length=500)


class OrderPlaced(EventData):
    """order.placed. `amount` in yen, absent when the producer does not know it."""

    order_id: str = Field(min_length=1, max_length=255)
    items: tuple[CartItem, ...] = Field(default=(), max_length=500)
    amount: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class CustomerIdentified(EventData):
    """customer.identified: the subject is also the person known by each of `identifiers` (subjects too)."""

    identifiers: tuple[str, ...] = Field(min_length=1, max_length=20)


class FriendImported(EventData):
    """friend.imported: the LINE user that the subject names was a friend of the account at `time`, or was none.

    `customer_id`: the shop's member who the LINE user is, where that is known.
    """

    friend: bool
    customer_id: str | None = Field(default=None, min_length=1, max_length=255)


DATA_MODELS: dict[str, type[EventData]] = {
    "product.viewed": ProductViewed,
    "cart.item_added": CartItemAdded,
    "cart.item_removed": CartItemRemoved,
    "cart.updated": CartUpdated,
    "order.placed": OrderPlaced,
    "customer.identified": CustomerIdentified,
    "friend.imported": FriendImported,
    **dict.fromkeys(CATALOGUE_TYPES, AboutProduct),
}


class EcEvent(CloudEvent):
    """A shop event as the topic holds it. `check_event` holds its type and data against the vocabulary."""


def check_event(event: CloudEvent) -> EventData:
    """Hold an event against the vocabulary and give its typed data. BadMessageError names field and reason."""
    if event.type not in EVENT_TYPES and not event.type.startswith("custom."):
        raise BadMessageError(
            f"unknown event type; use one of {', '.join(sorted(EVENT_TYPES))} or custom.*", field="type"
        )
    if event.type not in CATALOGUE_TYPES or event.subject is not None:
        check_subject(event.subject)
    data = read_data(DATA_MODELS.get(event.type, EventData), event.data, "data")
    if isinstance(data, CustomerIdentified):
        for index, identifier in enumerate(data.identifiers):
            check_subject(identifier, field=f"data.identifiers[{index}]")
    if isinstance(data, FriendImported) and line_user(event.subject or "") is None:
        raise BadMessageError("must be line:{account}:{userId}; a shop's member is no friend", field="subject")
    return data


def read_data(model: type[EventData], data: dict[str, Any], field: str) -> EventData:
    """What an event tells, as `model`. BadMessageError names the field, which lies below `field`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        complaint = bad_message(error)
        raise BadMessageError(complaint.reason, field=f"{field}.{complaint.field}") from None
