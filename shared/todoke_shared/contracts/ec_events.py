"""`ec.events.v1`: what happens in a shop, in one vocabulary.

The types are DESIGN.md's. Each type whose `data` a room reads has a model here; the others carry any object.
Anything else a shop wants to tell is `custom.*`.
"""

from typing import Annotated, Any, Protocol, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import to_json

from todoke_shared.contracts.envelope import CloudEvent, Name, bad_message
from todoke_shared.contracts.lenient import Count, Day, Moment, Text, Texts, Truth, Truths
from todoke_shared.contracts.subjects import check_subject, line_user
from todoke_shared.errors import BadMessageError

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
MAX_CONTEXT_BYTES = 16 * 1024
"""What a message says is short; a trigger and a stored run repeat it."""

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


Data = TypeVar("Data", bound=EventData)


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


class StoreVisited(EventData):
    """store.visited: the person came to a physical store; `store_id` says to which, where that is known."""

    store_id: Text = None


class CatalogueProduct(Product):
    """A product as the shop's catalogue has it now; a field that is not told stays as it is, null is no longer known.

    `stock`: how many can be sold. `use_up_days`: how long one lasts whoever bought it. `deleted`: it is sold no more.
    """

    category: Text = None
    stock: Count = None
    use_up_days: Count = None
    deleted: Truth = None


class AboutProduct(EventData):
    """product.updated, product.restocked, product.price_dropped: `data.product`; its `stock` may stand beside it."""

    product: CatalogueProduct
    stock: Count = None


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
    """order.placed. `amount` in yen, absent when the producer does not know it. `coupons`: the codes redeemed by it."""

    order_id: str = Field(min_length=1, max_length=255)
    items: tuple[CartItem, ...] = Field(default=(), max_length=500)
    amount: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    coupons: Texts = None


class CustomerTold(EventData):
    """customer.registered, customer.updated: what the shop knows of a customer; a field that is not told stays as it
    is.

    Any other field that is a text, a number, true or false or a list of texts is an attribute of the person too; null
    says that it is no longer known. `tags` are all the tags as of then. `accepts_marketing` is consent to the purpose
    `marketing`.
    """

    birthday: Day = None
    tags: Texts = None
    consents: Truths = None
    accepts_marketing: Truth = None
    points: Count = None
    registered_at: Moment = None


class PointsChanged(EventData):
    """points.changed: the balance as of then."""

    balance: Count = None


class PointsExpiring(EventData):
    """points.expiring: so many `points` (or `expiring`) run out at the end of the day `expires_on`."""

    balance: Count = None
    points: Count = None
    expiring: Count = None
    expires_on: Day = None


class SubscriptionTold(EventData):
    """subscription.*: it goes on at `renews_at`, or on the day `next_on`."""

    subscription_id: Text = None
    renews_at: Moment = None
    next_on: Day = None


class SurveyAnswered(EventData):
    """custom.survey.answered: `answer` is a text, a number, true or false, or a list of texts."""

    question: Text = None


class CouponIssued(EventData):
    """custom.coupon.issued: the person holds this coupon, until `expires_at` where it ends."""

    code: Text = None
    expires_at: Moment = None


class TagTold(EventData):
    """custom.tag.added, custom.tag.removed: one tag; the others stay."""

    tag: Text = None


def _small(context: dict[str, Any] | None) -> dict[str, Any] | None:
    if context is not None and len(to_json(context)) > MAX_CONTEXT_BYTES:
        raise ValueError(
            f"is larger than {MAX_CONTEXT_BYTES // 1024} KiB as JSON; send what the messages name, no more"
        )
    return context


class CampaignRequested(EventData):
    """campaign.start_requested, campaign.stop_requested: another system starts, or stops, a campaign for the subject.

    A start asks the campaign's own `when`, as any entry does. `context` is what its messages say as `event.…`, at most
    16 KiB. `key` names the run, where several may go on side by side; without it a start finds it in the context, as in
    an event's data, and a stop means every run of the person.
    """

    campaign: Name
    key: RunKey | None = None
    context: Annotated[dict[str, Any] | None, AfterValidator(_small)] = None


class AboutIdentity(EventData):
    """What says who is who."""


class CustomerIdentified(AboutIdentity):
    """customer.identified: the subject is also the person known by each of `identifiers` (subjects too)."""

    identifiers: tuple[str, ...] = Field(min_length=1, max_length=20)


class CustomerUnidentified(AboutIdentity):
    """customer.unidentified: from `time` on, visitors and LINE users among `identifiers` are the subject no more.

    Each is a person of its own again. What was known until then stays with the subject, and so do members' own ids.
    Where the subject itself is a visitor or a LINE user, it leaves the customers that `identifiers` name.
    """

    identifiers: tuple[str, ...] = Field(min_length=1, max_length=20)


class LinkIssued(AboutIdentity):
    """customer.link_issued: the shop has given the customer, who is logged in, a nonce for LINE's account link.

    `nonce_sha256`: the nonce's SHA-256 in hexadecimal digits; the nonce itself is a secret, and stays with the shop
    (https://developers.line.biz/en/docs/messaging-api/linking-accounts/).
    """

    nonce_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class FriendImported(AboutIdentity):
    """friend.imported: the LINE user that the subject names was a friend of the account at `time`, or was none.

    `customer_id`: the shop's member who the LINE user is, where that is known.
    """

    friend: bool
    customer_id: str | None = Field(default=None, min_length=1, max_length=255)


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


class EcEvent(CloudEvent):
    """A shop event as the topic holds it. `check_event` holds its type and data against the vocabulary."""


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
        _check_identity(event, data)
    return data


def _check_identity(event: Told, data: EventData) -> None:
    if isinstance(data, CustomerIdentified | CustomerUnidentified):
        for index, identifier in enumerate(data.identifiers):
            check_subject(identifier, field=f"data.identifiers[{index}]")
    if isinstance(data, LinkIssued):
        _check_link(event)
    if isinstance(data, FriendImported) and line_user(event.subject or "") is None:
        raise BadMessageError("must be line:{account}:{userId}; a shop's member is no friend", field="subject")


def _check_link(event: Told) -> None:
    if not (event.subject or "").startswith("customer:"):
        raise BadMessageError("must be customer:{id}; a nonce is given to a member who is logged in", field="subject")
    if "nonce" in event.data:
        raise BadMessageError("is a secret; keep it, and send nonce_sha256 alone", field="data.nonce")


def read_data(model: type[Data], data: dict[str, Any], field: str) -> Data:
    """What an event tells, as `model`. BadMessageError names the field, which lies below `field`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        complaint = bad_message(error)
        raise BadMessageError(complaint.reason, field=f"{field}.{complaint.field}") from None
