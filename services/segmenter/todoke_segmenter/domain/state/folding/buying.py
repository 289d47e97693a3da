"""Carts, orders, and what came back."""

from datetime import datetime

from todoke_segmenter.domain.state.folding.seen import Change, Seen, counted, was_seen
from todoke_shared.contracts.ec_events import CartItem, CartItemAdded, CartItemRemoved, CartUpdated, OrderPlaced
from todoke_shared.people import carts, coupons, days, products
from todoke_shared.people.carts import NO_ID, Cart, CartLine
from todoke_shared.people.coupons import Coupon
from todoke_shared.people.days import Day
from todoke_shared.people.instants import earliest, latest
from todoke_shared.people.person import PersonState

_RETURN = Day(returns=1)


def cart_updated(state: PersonState, seen: Seen) -> Change:
    """cart.updated: the whole cart."""
    data = seen.happening.data
    assert isinstance(data, CartUpdated)  # noqa: S101
    return _cart(state, seen, carts.changed(seen.at, [_line(seen.at, item) for item in data.items], whole=True))


def item_added(state: PersonState, seen: Seen) -> Change:
    """cart.item_added: one line of the cart."""
    data = seen.happening.data
    assert isinstance(data, CartItemAdded)  # noqa: S101
    return _cart(state, seen, carts.changed(seen.at, [_line(seen.at, data.item)]))


def item_removed(state: PersonState, seen: Seen) -> Change:
    """cart.item_removed: a line that is gone."""
    data = seen.happening.data
    assert isinstance(data, CartItemRemoved)  # noqa: S101
    gone = CartLine(at=seen.at, quantity=0)
    return _cart(state, seen, carts.changed(seen.at, [(data.product_id, gone)]))


def ordered(state: PersonState, seen: Seen) -> Change:
    """order.placed: counts, closes carts, uses coupons."""
    data, at = seen.happening.data, seen.at
    assert isinstance(data, OrderPlaced)  # noqa: S101
    change = counted(state, seen, Day(orders=1, amount=days.money(data.amount)))
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


def refunded(state: PersonState, seen: Seen) -> Change:
    """order.refunded: a return."""
    return {**counted(state, seen, _RETURN), "last_return_at": latest(state.last_return_at, seen.at)}


def _cart(state: PersonState, seen: Seen, change: Cart) -> Change:
    cart_id = seen.happening.data.cart_id or NO_ID
    return {**was_seen(state, seen), "carts": carts.change(state.carts, cart_id, change, state.carts_closed_at)}


def _line(at: datetime, item: CartItem) -> tuple[str, CartLine]:
    return item.product_id, CartLine(at=at, quantity=item.quantity, name=item.name, price=item.price)
