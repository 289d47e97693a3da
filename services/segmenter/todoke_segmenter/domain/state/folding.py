"""Which event changes what of a person. In any order of the events: the same state (docs/adr/0004).

A function per type gives the fields that change, and no others: a person's state may be large, an event touches little.
Each event is folded once; the inbox sees to that, and counters rely on it.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time
from functools import reduce
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.state import carts, coupons, days, products, profile, registers, tags
from todoke_segmenter.domain.state.carts import NO_ID, Cart, CartLine
from todoke_segmenter.domain.state.coupons import Coupon
from todoke_segmenter.domain.state.days import Day
from todoke_segmenter.domain.state.instants import earliest, latest
from todoke_segmenter.domain.state.joining import join_friendships, newer_points
from todoke_segmenter.domain.state.person import (
    MAX_ANSWERS,
    MAX_ATTRIBUTES,
    MAX_CONSENTS,
    MAX_EXPIRIES,
    MAX_SUBSCRIPTIONS,
    TOKYO,
    Friendship,
    PersonState,
)
from todoke_segmenter.domain.state.registers import Register, Subscription
from todoke_shared.contracts.ec_events import (
    CartItem,
    CartItemAdded,
    CartItemRemoved,
    CartUpdated,
    CouponIssued,
    CustomerTold,
    FriendImported,
    OrderPlaced,
    PointsChanged,
    PointsExpiring,
    ProductViewed,
    SubscriptionTold,
    SurveyAnswered,
    TagTold,
)
from todoke_shared.contracts.subjects import line_user

Change = dict[str, Any]
"""Fields of PersonState and what they are now."""


class Seen(NamedTuple):
    """A happening and its instant in UTC, as the shop's calendar `zone` has it."""

    happening: Happening
    at: datetime
    zone: ZoneInfo

    @property
    def day(self) -> int:
        """The shop's day."""
        return days.ordinal(self.at, self.zone)

    @property
    def source(self) -> str:
        """Who told it, as registers name them."""
        return self.happening.source[: profile.LONGEST_NAME]


def fold(state: PersonState, happening: Happening, zone: ZoneInfo = TOKYO) -> PersonState:
    """The state once it has seen what happened."""
    seen = Seen(happening, happening.at.astimezone(UTC), zone)
    change = _CHANGES.get(happening.type, _seen)(state, seen)
    return replace(state, **change) if change else state


def fold_all(happenings: Iterable[Happening], zone: ZoneInfo = TOKYO) -> PersonState:
    """A person from their whole history."""
    return reduce(lambda state, happening: fold(state, happening, zone), happenings, PersonState())


def _seen(state: PersonState, seen: Seen) -> Change:
    at, change = seen.at, Change()
    if state.last_seen_at is None or at > state.last_seen_at:
        change["last_seen_at"] = at
    if state.first_seen_at is None or at < state.first_seen_at:
        change["first_seen_at"] = at
    return change


def _counted(state: PersonState, seen: Seen, done: Day) -> Change:
    by_day, before = days.count(state.days, state.before, seen.day, done)
    return {**_seen(state, seen), "days": by_day, "before": before}


_VISIT = Day(visits=1)
_VIEW = Day(visits=1, product_views=1)
_SEARCH = Day(visits=1, searches=1)
_CLICK = Day(clicks=1)
_RETURN = Day(returns=1)


def _visited(state: PersonState, seen: Seen, done: Day = _VISIT) -> Change:
    return {**_counted(state, seen, done), "last_visit_at": latest(state.last_visit_at, seen.at)}


def _searched(state: PersonState, seen: Seen) -> Change:
    return _visited(state, seen, _SEARCH)


def _viewed(state: PersonState, seen: Seen) -> Change:
    data = seen.happening.data
    assert isinstance(data, ProductViewed)  # noqa: S101 - check_event chose the model by the type
    touched = products.viewed(state.products, data.product.product_id, seen.day, seen.at)
    return {**_visited(state, seen, _VIEW), "products": touched}


def _clicked(state: PersonState, seen: Seen) -> Change:
    return {**_counted(state, seen, _CLICK), "last_click_at": latest(state.last_click_at, seen.at)}


def _refunded(state: PersonState, seen: Seen) -> Change:
    return {**_counted(state, seen, _RETURN), "last_return_at": latest(state.last_return_at, seen.at)}


def _cart(state: PersonState, seen: Seen, change: Cart) -> Change:
    cart_id = seen.happening.data.cart_id or NO_ID
    return {**_seen(state, seen), "carts": carts.change(state.carts, cart_id, change, state.carts_closed_at)}


def _cart_updated(state: PersonState, seen: Seen) -> Change:
    data = seen.happening.data
    assert isinstance(data, CartUpdated)  # noqa: S101
    return _cart(state, seen, carts.changed(seen.at, [_line(seen.at, item) for item in data.items], whole=True))


def _item_added(state: PersonState, seen: Seen) -> Change:
    data = seen.happening.data
    assert isinstance(data, CartItemAdded)  # noqa: S101
    return _cart(state, seen, carts.changed(seen.at, [_line(seen.at, data.item)]))


def _item_removed(state: PersonState, seen: Seen) -> Change:
    data = seen.happening.data
    assert isinstance(data, CartItemRemoved)  # noqa: S101
    gone = CartLine(at=seen.at, quantity=0)
    return _cart(state, seen, carts.changed(seen.at, [(data.product_id, gone)]))


def _line(at: datetime, item: CartItem) -> tuple[str, CartLine]:
    return item.product_id, CartLine(at=at, quantity=item.quantity, name=item.name, price=item.price)


def _ordered(state: PersonState, seen: Seen) -> Change:
    data, at = seen.happening.data, seen.at
    assert isinstance(data, OrderPlaced)  # noqa: S101
    change = _counted(state, seen, Day(orders=1, amount=days.money(data.amount)))
    if data.cart_id:
        change["carts"] = carts.order(state.carts, data.cart_id, at, state.carts_closed_at)
    elif state.carts_closed_at is None or at > state.carts_closed_at:
        change["carts"], change["carts_closed_at"] = carts.close_all(state.carts, at), at
    if data.items:
        change["products"] = products.bought(state.products, (item.product_id for item in data.items), seen.day, at)
    if data.coupons:
        change["coupons"] = coupons.join(state.coupons, {code: Coupon(redeemed_at=at) for code in data.coupons})
    change["first_order_at"] = earliest(state.first_order_at, at)
    change["last_order_at"] = latest(state.last_order_at, at)
    return change


def _told(state: PersonState, seen: Seen) -> Change:
    """A shop's record of a customer: an export says what the shop knew, not that anybody came by."""
    return {} if seen.happening.history else _seen(state, seen)


def _customer_told(state: PersonState, seen: Seen) -> Change:
    data, at, source = seen.happening.data, seen.at, seen.source
    assert isinstance(data, CustomerTold)  # noqa: S101
    change = _told(state, seen)
    if told := profile.attributes(data, seen.happening.raw, at, source):
        change["profile"] = registers.put(state.profile, told, MAX_ATTRIBUTES)
    if agreed := profile.consents(data, at, source):
        change["consents"] = registers.put(state.consents, agreed, MAX_CONSENTS)
    if data.tags is not None:
        whole_at = latest(state.tags_at, at)
        change |= {"tags_at": whole_at, "tags": tags.told(state.tags, whole_at, data.tags, at, source)}
    if data.registered_at is not None:
        change["registered_at"] = earliest(state.registered_at, data.registered_at.astimezone(UTC))
    return change | _balance(state, seen, data.points)


def _registered(state: PersonState, seen: Seen) -> Change:
    change = _customer_told(state, seen)
    return change | {"registered_at": earliest(change.get("registered_at", state.registered_at), seen.at)}


def _balance(state: PersonState, seen: Seen, balance: int | None) -> Change:
    if balance is None:
        return {}
    return {"points": newer_points(state.points, Register(seen.at, balance, seen.source))}


def _points_changed(state: PersonState, seen: Seen) -> Change:
    data = seen.happening.data
    assert isinstance(data, PointsChanged)  # noqa: S101
    return _seen(state, seen) | _balance(state, seen, data.balance)


def _points_expiring(state: PersonState, seen: Seen) -> Change:
    data = seen.happening.data
    assert isinstance(data, PointsExpiring)  # noqa: S101
    change = _seen(state, seen) | _balance(state, seen, data.balance)
    points = data.expiring if data.points is None else data.points
    if data.expires_on is not None and points is not None:
        told = {data.expires_on: Register(seen.at, points, seen.source)}
        change["expiring"] = registers.put(state.expiring, told, MAX_EXPIRIES)
    return change


def _subscription(state: PersonState, seen: Seen) -> Change:
    data = seen.happening.data
    assert isinstance(data, SubscriptionTold)  # noqa: S101
    is_over = seen.happening.type == "subscription.cancelled"
    renews_at = None if is_over else _renewal(data, seen.zone)
    told = Subscription(seen.at, "cancelled" if is_over else "active", seen.source, renews_at)
    known = registers.put(state.subscriptions, {data.subscription_id or "": told}, MAX_SUBSCRIPTIONS)
    return {**_seen(state, seen), "subscriptions": known}


def _renewal(data: SubscriptionTold, zone: ZoneInfo) -> datetime | None:
    if data.renews_at is not None:
        return data.renews_at.astimezone(UTC)
    if data.next_on is None:
        return None
    return datetime.combine(date.fromisoformat(data.next_on), time(), zone).astimezone(UTC)


def _answered(state: PersonState, seen: Seen) -> Change:
    data, change = seen.happening.data, _seen(state, seen)
    assert isinstance(data, SurveyAnswered)  # noqa: S101
    answer = seen.happening.raw.get("answer")
    if data.question is not None and answer is not None and profile.is_value(answer):
        told = {data.question[: profile.LONGEST_NAME]: Register(seen.at, profile.cut(answer), seen.source)}
        change["answers"] = registers.put(state.answers, told, MAX_ANSWERS)
    return change


def _coupon_issued(state: PersonState, seen: Seen) -> Change:
    data, change = seen.happening.data, _seen(state, seen)
    assert isinstance(data, CouponIssued)  # noqa: S101
    if data.code is not None:
        expires_at = None if data.expires_at is None else data.expires_at.astimezone(UTC)
        change["coupons"] = coupons.join(state.coupons, {data.code: Coupon(seen.at, expires_at)})
    return change


def _tagged(state: PersonState, seen: Seen) -> Change:
    data, change = seen.happening.data, _seen(state, seen)
    assert isinstance(data, TagTold)  # noqa: S101
    if data.tag is not None:
        told = Register(seen.at, seen.happening.type == "custom.tag.added", seen.source)
        change["tags"] = tags.set_some(state.tags, state.tags_at, {data.tag: told})
    return change


def _followed(state: PersonState, seen: Seen) -> Change:
    return _friendship(state, seen, friend=True)


def _unfollowed(state: PersonState, seen: Seen) -> Change:
    return _friendship(state, seen, friend=False)


def _friend_imported(state: PersonState, seen: Seen) -> Change:
    data = seen.happening.data
    assert isinstance(data, FriendImported)  # noqa: S101
    return _friendship(state, seen, friend=data.friend)


def _friendship(state: PersonState, seen: Seen, *, friend: bool) -> Change:
    user = line_user(seen.happening.subject)
    if user is None:
        return _seen(state, seen)
    told = {f"{user.account}:{user.user_id}": Friendship(seen.at, friend)}
    return {"friendships": join_friendships(state.friendships, told)}


_CHANGES: dict[str, Callable[[PersonState, Seen], Change]] = {
    "page.viewed": _visited,
    "product.viewed": _viewed,
    "products.searched": _searched,
    "store.visited": _visited,
    "cart.updated": _cart_updated,
    "cart.item_added": _item_added,
    "cart.item_removed": _item_removed,
    "order.placed": _ordered,
    "order.refunded": _refunded,
    "customer.registered": _registered,
    "customer.updated": _customer_told,
    "customer.identified": _told,
    "customer.unidentified": _told,
    "points.changed": _points_changed,
    "points.expiring": _points_expiring,
    "subscription.started": _subscription,
    "subscription.renewed": _subscription,
    "subscription.cancelled": _subscription,
    "custom.link.clicked": _clicked,
    "custom.survey.answered": _answered,
    "custom.coupon.issued": _coupon_issued,
    "custom.tag.added": _tagged,
    "custom.tag.removed": _tagged,
    "friend.imported": _friend_imported,
    "line.follow": _followed,
    "line.unfollow": _unfollowed,
}
"""Any other event says that the person was seen."""
