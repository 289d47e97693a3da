"""What the events of `ec.events.v1` say: a model for each `data` that a room reads. The vocabulary is `ec_events`."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import to_json

from todoke_shared.contracts.envelope import Name
from todoke_shared.contracts.lenient import Count, Day, Moment, Text, Texts, Truth, Truths

MAX_CONTEXT_BYTES = 16 * 1024
"""What a message says is short; a trigger and a stored run repeat it."""

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
