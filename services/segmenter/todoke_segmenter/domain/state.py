"""Who a customer is: a join of all that happened to them (DESIGN: state that cannot be wrong about order)."""

from collections.abc import Callable
from datetime import datetime
from functools import reduce
from typing import Any

import msgspec

from todoke_segmenter.domain import cart as carts
from todoke_segmenter.domain.cart import Cart, CartLine, latest
from todoke_segmenter.domain.happening import Happening
from todoke_shared.contracts.ec_events import CartItem, CartItemAdded, CartItemRemoved, CartUpdated, FriendImported
from todoke_shared.contracts.subjects import line_user


class Friendship(msgspec.Struct, frozen=True):
    """Whether a LINE user is a friend of an account, and since when we know (LINE's time, not arrival)."""

    at: datetime
    friend: bool


class PersonState(msgspec.Struct, frozen=True, omit_defaults=True):
    """`friendships` by `account:userId`: one person may be known to several accounts."""

    cart: Cart = Cart()
    friendships: dict[str, Friendship] = {}
    first_order_at: datetime | None = None
    last_order_at: datetime | None = None
    last_seen_at: datetime | None = None

    def is_friend(self, account: str) -> bool | None:
        """Whether the person is a friend of the account; None when we have never heard."""
        known = [status.friend for key, status in self.friendships.items() if key.partition(":")[0] == account]
        return any(known) if known else None


def join(a: PersonState, b: PersonState) -> PersonState:
    """The person that two halves turn out to be; also how one event is added to a person."""
    friendships = dict(a.friendships)
    for key, status in b.friendships.items():
        other = friendships.get(key)
        # In one instant, "no friend" wins: a message too few is better than one to somebody who has left.
        friendships[key] = status if other is None else max(status, other, key=lambda s: (s.at, not s.friend))
    return PersonState(
        cart=carts.join(a.cart, b.cart),
        friendships=friendships,
        first_order_at=min((t for t in (a.first_order_at, b.first_order_at) if t is not None), default=None),
        last_order_at=latest(a.last_order_at, b.last_order_at),
        last_seen_at=latest(a.last_seen_at, b.last_seen_at),
    )


def fold(state: PersonState, happening: Happening) -> PersonState:
    """The state once it has seen what happened. In any order, any number of times: the same state."""
    return join(state, _CHANGES.get(happening.type, _seen)(happening))


def fold_all(happenings: list[Happening]) -> PersonState:
    """A person from their whole history."""
    return reduce(fold, happenings, PersonState())


MOST_PUBLISHED = 100
"""Items of a cart that others see: far more than a message can name, and few enough for the records that carry them."""


def published_facts(state: PersonState) -> dict[str, Any]:
    """What other rooms may read of a person (the view `segmenter.published_people`)."""
    return {
        "cart": [
            {"product_id": product, "name": line.name or product, "quantity": line.quantity, "price": line.price}
            for product, line in state.cart.items()[:MOST_PUBLISHED]
        ],
        "last_order_at": state.last_order_at,
    }


def _seen(happening: Happening) -> PersonState:
    return PersonState(last_seen_at=happening.at)


def _cart_updated(happening: Happening) -> PersonState:
    data = happening.data
    assert isinstance(data, CartUpdated)  # noqa: S101 - check_event chose the model by the type
    lines = [_line(happening.at, item) for item in data.items]
    return PersonState(cart=carts.changed(happening.at, lines, whole=True), last_seen_at=happening.at)


def _item_added(happening: Happening) -> PersonState:
    data = happening.data
    assert isinstance(data, CartItemAdded)  # noqa: S101
    return PersonState(cart=carts.changed(happening.at, [_line(happening.at, data.item)]), last_seen_at=happening.at)


def _item_removed(happening: Happening) -> PersonState:
    data = happening.data
    assert isinstance(data, CartItemRemoved)  # noqa: S101
    gone = CartLine(at=happening.at, quantity=0)
    return PersonState(cart=carts.changed(happening.at, [(data.product_id, gone)]), last_seen_at=happening.at)


def _order_placed(happening: Happening) -> PersonState:
    at = happening.at
    return PersonState(cart=carts.closed(at), first_order_at=at, last_order_at=at, last_seen_at=at)


def _friendship(happening: Happening, *, friend: bool) -> PersonState:
    user = line_user(happening.subject)
    if user is None:
        return _seen(happening)
    return PersonState(friendships={f"{user.account}:{user.user_id}": Friendship(happening.at, friend)})


def _friend_imported(happening: Happening) -> PersonState:
    data = happening.data
    assert isinstance(data, FriendImported)  # noqa: S101
    return _friendship(happening, friend=data.friend)


def _told(happening: Happening) -> PersonState:
    """A shop's record of a customer: an export says what the shop knew, not that anybody came by."""
    return PersonState() if happening.history else _seen(happening)


def _line(at: datetime, item: CartItem) -> tuple[str, CartLine]:
    return item.product_id, CartLine(at=at, quantity=item.quantity, name=item.name, price=item.price)


_CHANGES: dict[str, Callable[[Happening], PersonState]] = {
    "cart.updated": _cart_updated,
    "cart.item_added": _item_added,
    "cart.item_removed": _item_removed,
    "order.placed": _order_placed,
    "customer.updated": _told,
    "customer.identified": _told,
    "friend.imported": _friend_imported,
    "line.follow": lambda happening: _friendship(happening, friend=True),
    "line.unfollow": lambda happening: _friendship(happening, friend=False),
}
