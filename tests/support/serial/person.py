"""What is known of a person: their events, one after the other as they happened, and nothing cleverer than that.

The words are docs/events.md, docs/conditions.md and the segmenter's README. Days are Tokyo's; money is in yen.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.serial.told import Told

TOKYO = ZoneInfo("Asia/Tokyo")
KEPT_DAYS = 400
"""Days before the newest are added up in one, where visits count no more."""
_VISITS = frozenset({"page.viewed", "product.viewed", "products.searched", "store.visited"})
_COUNTED = {
    "product.viewed": "product_views",
    "products.searched": "searches",
    "custom.link.clicked": "clicks",
    "order.placed": "orders",
    "order.refunded": "returns",
}
_LASTS = {"order.placed": "order", "order.refunded": "return", "custom.link.clicked": "click"}
_FRIENDSHIP = {"line.follow": True, "line.unfollow": False}
_TOLD_BY_THE_SHOP = frozenset(
    {"customer.registered", "customer.updated", "customer.identified", "customer.unidentified"}
)
_APART = frozenset({"tags", "consents", "points", "identifiers"})


@dataclass
class Known:
    """A person. `carts` by cart id: product -> quantity. `cart`: the open one that was changed last."""

    days: dict[date, dict[str, float]] = field(default_factory=dict)
    before: dict[str, float] = field(default_factory=dict)
    instants: dict[str, datetime] = field(default_factory=dict)
    viewed: dict[str, Counter[date]] = field(default_factory=lambda: defaultdict(Counter))
    bought: dict[str, Counter[date]] = field(default_factory=lambda: defaultdict(Counter))
    carts: dict[str, dict[str, int]] = field(default_factory=dict)
    cart: dict[str, int] = field(default_factory=dict)
    cart_changed_at: datetime | None = None
    profile: dict[str, tuple[Any, datetime]] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    consents: dict[str, bool] = field(default_factory=dict)
    points: int | None = None
    expiring: dict[str, int] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)
    coupons: dict[str, tuple[datetime | None, datetime | None, datetime | None]] = field(default_factory=dict)
    subscriptions: dict[str, tuple[str, datetime | None]] = field(default_factory=dict)
    friends: dict[str, tuple[bool, datetime]] = field(default_factory=dict)


def know(events: Iterable[Told], friendships: Iterable[Told] = ()) -> Known:
    """A person by their events, and by those of the LINE users who are theirs now."""
    reader = _Reader()
    for told in sorted(events, key=lambda told: told.at):
        reader.read(told)
    # In one instant "no friend" has the last word.
    for told in sorted(friendships, key=lambda told: (told.at, not is_friend(told))):
        reader.known.friends[told.subject.removeprefix("line:")] = (is_friend(told), told.at)
    return reader.done()


def is_about_friendship(told: Told) -> bool:
    """Whether it says that a LINE user is a friend, or is none."""
    return told.type in _FRIENDSHIP or told.type == "friend.imported"


def is_friend(told: Told) -> bool:
    """What it says."""
    return _FRIENDSHIP.get(told.type, told.data.get("friend") is True)


class _Reader:
    def __init__(self) -> None:
        self.known = Known()
        self._changed: dict[str, datetime] = {}  # open carts, by the instant of their last change

    def read(self, told: Told) -> None:
        if is_about_friendship(told):
            return
        if not (told.history and told.type in _TOLD_BY_THE_SHOP):
            self._note("seen", told.at)
        self._count(told)
        kind, _, _ = told.type.partition(".")
        match told.type, kind:
            case "product.viewed", _:
                self.known.viewed[told.data["product"]["product_id"]][day_of(told.at)] += 1
                self._last("viewed " + told.data["product"]["product_id"], told.at)
            case "order.placed", _:
                self._order(told)
            case _, "cart":
                self._cart(told)
            case (("customer.registered" | "customer.updated"), _):
                self._customer(told)
            case _, "points":
                self._points(told)
            case _, "subscription":
                self._subscription(told)
            case _, "custom":
                self._custom(told)

    def done(self) -> Known:
        known = self.known
        known.carts = {cart_id: lines for cart_id, lines in known.carts.items() if lines}
        if self._changed:
            newest = max(self._changed, key=lambda cart_id: self._changed[cart_id])
            known.cart, known.cart_changed_at = known.carts.get(newest, {}), self._changed[newest]
        for day in sorted(known.days):
            if day <= max(known.days) - timedelta(days=KEPT_DAYS):
                for name, number in known.days.pop(day).items():
                    if name != "visits":
                        known.before[name] = known.before.get(name, 0) + number
        return known

    def _note(self, what: str, at: datetime) -> None:
        self.known.instants.setdefault(f"first {what}", at)
        self.known.instants[f"last {what}"] = at

    def _last(self, what: str, at: datetime) -> None:
        self.known.instants[f"last {what}"] = at

    def _count(self, told: Told) -> None:
        if told.type in _VISITS:
            self._day(told)["visits"] = 1
            self._last("visit", told.at)
        if counter := _COUNTED.get(told.type):
            self._day(told)[counter] = self._day(told).get(counter, 0) + 1
        if last := _LASTS.get(told.type):
            self._last(last, told.at)

    def _day(self, told: Told) -> dict[str, float]:
        return self.known.days.setdefault(day_of(told.at), {})

    def _order(self, told: Told) -> None:
        known, data = self.known, told.data
        known.instants.setdefault("first order", told.at)
        if data.get("amount"):
            self._day(told)["amount"] = self._day(told).get("amount", 0) + data["amount"]
        for product in dict.fromkeys(item["product_id"] for item in data.get("items", ())):
            known.bought[product][day_of(told.at)] += 1
            self._last(f"bought {product}", told.at)
        for code in data.get("coupons", ()):
            issued, expires, redeemed = known.coupons.get(code, (None, None, None))
            known.coupons[code] = (issued, expires, redeemed or told.at)
        for cart_id in ("", data["cart_id"]) if data.get("cart_id") else tuple({*known.carts, *self._changed}):
            known.carts.pop(cart_id, None)
            self._changed.pop(cart_id, None)

    def _cart(self, told: Told) -> None:
        cart_id = told.data.get("cart_id", "")
        lines = self.known.carts.setdefault(cart_id, {})
        self._changed[cart_id] = told.at
        if told.type == "cart.updated":
            lines.clear()
            lines |= {item["product_id"]: item["quantity"] for item in told.data["items"]}
        elif told.type == "cart.item_added":
            lines[told.data["item"]["product_id"]] = told.data["item"]["quantity"]
        else:
            lines.pop(told.data["product_id"], None)

    def _customer(self, told: Told) -> None:
        known, data = self.known, told.data
        known.profile |= {name: (value, told.at) for name, value in data.items() if name not in _APART}
        if "tags" in data:
            known.tags = set(data["tags"])
        known.consents |= data.get("consents", {})
        if "accepts_marketing" in data:
            known.consents["marketing"] = data["accepts_marketing"]
        known.points = data.get("points", known.points)
        if told.type == "customer.registered":
            known.instants.setdefault("registered", told.at)

    def _points(self, told: Told) -> None:
        self.known.points = told.data.get("balance", self.known.points)
        if "expires_on" in told.data:
            self.known.expiring[told.data["expires_on"]] = told.data["points"]

    def _subscription(self, told: Told) -> None:
        is_over = told.type == "subscription.cancelled"
        renews_at = None if is_over else _read(told.data.get("renews_at"))
        self.known.subscriptions[told.data["subscription_id"]] = ("cancelled" if is_over else "active", renews_at)

    def _custom(self, told: Told) -> None:
        known, data = self.known, told.data
        match told.type:
            case "custom.tag.added":
                known.tags.add(data["tag"])
            case "custom.tag.removed":
                known.tags.discard(data["tag"])
            case "custom.survey.answered":
                known.answers[data["question"]] = data["answer"]
            case "custom.coupon.issued":
                issued, _, redeemed = known.coupons.get(data["code"], (None, None, None))
                known.coupons[data["code"]] = (issued or told.at, _read(data.get("expires_at")), redeemed)


def day_of(at: datetime) -> date:
    """The shop's day."""
    return at.astimezone(TOKYO).date()


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
