"""`ec.events.v1`: what happens in a shop, in one vocabulary.

The types are DESIGN.md's. Each type whose `data` a room reads has a model, in `ec_data` or `ec_identity`; the others
carry any object.
Anything else a shop wants to tell is `custom.*`.
"""

from typing import Any, Protocol, TypeVar

from pydantic import ConfigDict, ValidationError
from pydantic.config import JsonDict

from todoke_shared.contracts.ec_data import (
    MAX_CONTEXT_BYTES,
    AboutProduct,
    CampaignRequested,
    CartItem,
    CartItemAdded,
    CartItemRemoved,
    CartUpdated,
    CatalogueProduct,
    CouponIssued,
    CustomerTold,
    EventData,
    OrderPlaced,
    PointsChanged,
    PointsExpiring,
    Product,
    ProductId,
    ProductViewed,
    RunKey,
    StoreVisited,
    SubscriptionTold,
    SurveyAnswered,
    TagTold,
)
from todoke_shared.contracts.ec_identity import (
    AboutIdentity,
    CustomerIdentified,
    CustomerUnidentified,
    FriendImported,
    LinkIssued,
    check_identity,
)
from todoke_shared.contracts.envelope import CloudEvent, bad_message
from todoke_shared.contracts.rules import given
from todoke_shared.contracts.subjects import SUBJECT, check_subject
from todoke_shared.errors import BadMessageError

__all__ = [
    "CAMPAIGN_REQUESTS",
    "CART_CHANGES",
    "CATALOGUE_TYPES",
    "DATA_MODELS",
    "EVENT_TYPES",
    "HISTORY_TYPES",
    "IDENTITY_TYPES",
    "MAX_CONTEXT_BYTES",
    "AboutIdentity",
    "AboutProduct",
    "CampaignRequested",
    "CartItem",
    "CartItemAdded",
    "CartItemRemoved",
    "CartUpdated",
    "CatalogueProduct",
    "CouponIssued",
    "CustomerIdentified",
    "CustomerTold",
    "CustomerUnidentified",
    "Data",
    "EcEvent",
    "EventData",
    "FriendImported",
    "LinkIssued",
    "OrderPlaced",
    "PointsChanged",
    "PointsExpiring",
    "Product",
    "ProductId",
    "ProductViewed",
    "RunKey",
    "StoreVisited",
    "SubscriptionTold",
    "SurveyAnswered",
    "TagTold",
    "Told",
    "check_event",
    "read_data",
]

Data = TypeVar("Data", bound=EventData)

EVENT_TYPES = frozenset(
    {
        *("page.viewed", "product.viewed", "products.searched", "store.visited"),
        *("cart.updated", "cart.item_added", "cart.item_removed", "checkout.started"),
        *("order.placed", "order.paid", "order.shipped", "order.delivered", "order.cancelled", "order.refunded"),
        *("customer.registered", "customer.updated", "customer.deleted"),
        *("customer.identified", "customer.unidentified", "customer.link_issued"),
        *("points.changed", "points.expiring", "sample.requested"),
        *("reservation.booked", "reservation.changed", "reservation.cancelled"),
        *("subscription.started", "subscription.renewed", "subscription.cancelled", "review.posted"),
        *("product.updated", "product.restocked", "product.price_dropped"),
        *("campaign.start_requested", "campaign.stop_requested"),
        "friend.imported",
    }
)

HISTORY_TYPES = frozenset({"friend.imported"})
"""These are history whether they say so or not: no campaign can listen to them (docs/adr/0015)."""

CART_CHANGES = frozenset({"cart.updated", "cart.item_added", "cart.item_removed"})

CAMPAIGN_REQUESTS = frozenset({"campaign.start_requested", "campaign.stop_requested"})
"""Another system's word that a campaign starts, or stops, for a person: no sign of life of theirs, and none of its
listeners' business."""

CATALOGUE_TYPES = frozenset({"product.updated", "product.restocked", "product.price_dropped"})
"""These are about a product, not a person: they need no subject."""

DATA_MODELS: dict[str, type[EventData]] = {
    "product.viewed": ProductViewed,
    "store.visited": StoreVisited,
    "cart.item_added": CartItemAdded,
    "cart.item_removed": CartItemRemoved,
    "cart.updated": CartUpdated,
    "order.placed": OrderPlaced,
    "customer.registered": CustomerTold,
    "customer.updated": CustomerTold,
    "customer.identified": CustomerIdentified,
    "customer.unidentified": CustomerUnidentified,
    "customer.link_issued": LinkIssued,
    "points.changed": PointsChanged,
    "points.expiring": PointsExpiring,
    "subscription.started": SubscriptionTold,
    "subscription.renewed": SubscriptionTold,
    "subscription.cancelled": SubscriptionTold,
    "friend.imported": FriendImported,
    **dict.fromkeys(CAMPAIGN_REQUESTS, CampaignRequested),
    **dict.fromkeys(CATALOGUE_TYPES, AboutProduct),
    "custom.survey.answered": SurveyAnswered,
    "custom.coupon.issued": CouponIssued,
    "custom.tag.added": TagTold,
    "custom.tag.removed": TagTold,
}


IDENTITY_TYPES = frozenset(type_ for type_, model in DATA_MODELS.items() if issubclass(model, AboutIdentity))
"""To ask for the type costs nothing; to ask whether data is of a pydantic model that it is not, 0.3 µs."""


_ANY_TYPE: JsonDict = {"anyOf": [{"enum": [*sorted(EVENT_TYPES)]}, {"pattern": r"^custom\."}]}
_ABOUT_A_PRODUCT: JsonDict = {"properties": {"type": {"enum": [*sorted(CATALOGUE_TYPES)]}}}
_SOMEBODY: JsonDict = {"anyOf": [{"pattern": f"^({SUBJECT})$"}, {"type": "null"}]}


class EcEvent(CloudEvent):
    """A shop event as the topic holds it. `check_event` holds its type and data against the vocabulary."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"properties": {"type": _ANY_TYPE, "subject": _SOMEBODY}},
                {"anyOf": [_ABOUT_A_PRODUCT, given("subject")]},
            ]
        }
    )


class Told(Protocol):
    """What the vocabulary is about, in any reading of an event."""

    @property
    def type(self) -> str: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def data(self) -> dict[str, Any]: ...


def check_event(event: Told) -> EventData:
    """Hold an event against the vocabulary and give its typed data. BadMessageError names field and reason."""
    if event.type not in EVENT_TYPES and not event.type.startswith("custom."):
        raise BadMessageError(
            f"unknown event type; use one of {', '.join(sorted(EVENT_TYPES))} or custom.*", field="type"
        )
    if event.type not in CATALOGUE_TYPES or event.subject is not None:
        check_subject(event.subject)
    data = read_data(DATA_MODELS.get(event.type, EventData), event.data, "data")
    if event.type in IDENTITY_TYPES:
        check_identity(event, data)
    return data


def read_data(model: type[Data], data: dict[str, Any], field: str) -> Data:
    """What an event tells, as `model`. BadMessageError names the field, which lies below `field`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        complaint = bad_message(error)
        raise BadMessageError(complaint.reason, field=f"{field}.{complaint.field}") from None
