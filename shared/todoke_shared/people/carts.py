"""A person's carts as a join: the same changes in any order, any number of times, give the same carts.

Each product's line is a last-writer-wins register by event time; a snapshot hides the lines older than it. An order
that names its cart closes the lines of that one up to its own instant, and those of the cart without an id; an order
that names none closes all of the person's. What is hidden for ever is dropped, so that carts stay as small as they
look.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import reduce

import msgspec

from todoke_shared.people.instants import latest

NO_ID = ""
"""The cart of a producer that has one per person and names it never."""
MAX_CARTS = 20
"""The longest untouched go."""
MAX_LINES = 500
"""Of all carts together: as many as one cart.updated may carry. Beyond it the oldest lines go."""


class CartLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A product in the cart since `at`; `quantity` 0 says it was taken out. `price` in yen."""

    at: datetime
    quantity: int
    name: str | None = None
    price: float | None = None


class Cart(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`snapshot_at`: the last whole picture; `closed_at`: its last order; `changed_at`: the last change of any kind.

    Of these, what lies no later than an order that closed all carts is None.
    """

    lines: dict[str, CartLine] = {}
    snapshot_at: datetime | None = None
    closed_at: datetime | None = None
    changed_at: datetime | None = None

    def items(self) -> list[tuple[str, CartLine]]:
        """What lies in the cart, oldest first."""
        return sorted(
            ((product, line) for product, line in self.lines.items() if line.quantity > 0),
            key=lambda item: (item[1].at, item[0]),
        )

    @property
    def is_open(self) -> bool:
        """Whether it was changed after its last order; it may be empty."""
        return self.changed_at is not None and (self.closed_at is None or self.changed_at > self.closed_at)

    @property
    def touched_at(self) -> datetime | None:
        """When anything was last heard of it."""
        return latest(self.changed_at, self.closed_at)


Carts = dict[str, Cart]
"""By cart id."""


def changed(at: datetime, lines: Iterable[tuple[str, CartLine]], *, whole: bool = False) -> Cart:
    """One change, as a cart to join: some lines, or (`whole`) the whole picture at `at`."""
    return Cart(lines=dict(lines), snapshot_at=at if whole else None, changed_at=at)


def change(carts: Carts, cart_id: str, cart: Cart, all_closed_at: datetime | None) -> Carts:
    """The carts once one of them has seen a change or an order."""
    known = carts.get(cart_id)
    after = _visible(cart if known is None else join(known, cart), all_closed_at)
    if after == known or (after is None and known is None):
        return carts
    rest = {**carts}
    if after is None:
        del rest[cart_id]
    else:
        rest[cart_id] = after
    return _bounded(rest)


def order(carts: Carts, cart_id: str, at: datetime, all_closed_at: datetime | None) -> Carts:
    """The carts once an order that names its cart has closed it."""
    closed = Cart(closed_at=at)
    return change(change(carts, cart_id, closed, all_closed_at), NO_ID, closed, all_closed_at)


def close_all(carts: Carts, at: datetime) -> Carts:
    """The carts once an order that names none has closed them all."""
    left = {cart_id: _visible(cart, at) for cart_id, cart in carts.items()}
    return {cart_id: cart for cart_id, cart in left.items() if cart is not None}


def join_all(a: Carts, b: Carts, all_closed_at: datetime | None) -> Carts:
    """The carts of a person who turns out to be two. `all_closed_at`: the last order of either that named no cart."""
    both = {**a, **b, **{cart_id: join(a[cart_id], b[cart_id]) for cart_id in a.keys() & b.keys()}}
    left = {cart_id: _visible(cart, all_closed_at) for cart_id, cart in both.items()}
    return _bounded({cart_id: cart for cart_id, cart in left.items() if cart is not None})


def current(carts: Carts) -> Cart:
    """The open cart that was changed last (several of one instant are one), or an empty one."""
    found = [cart for cart in carts.values() if cart.is_open]
    if len(found) > 1:
        last = latest_change(found)
        found = [cart for cart in found if cart.changed_at == last]
    return reduce(join, found) if found else _NONE


def latest_change(carts: Iterable[Cart]) -> datetime | None:
    """When any of them was last changed."""
    return reduce(latest, (cart.changed_at for cart in carts), None)


def join(a: Cart, b: Cart) -> Cart:
    """The cart that has seen what either has seen."""
    lines = dict(a.lines)
    for product, line in b.lines.items():
        other = lines.get(product)
        lines[product] = line if other is None else max(line, other, key=_order)
    snapshot_at = latest(a.snapshot_at, b.snapshot_at)
    closed_at = latest(a.closed_at, b.closed_at)
    return Cart(
        lines=_kept(lines, snapshot_at, closed_at),
        snapshot_at=snapshot_at,
        closed_at=closed_at,
        changed_at=latest(a.changed_at, b.changed_at),
    )


_NONE = Cart()


def _visible(cart: Cart, all_closed_at: datetime | None) -> Cart | None:
    """What an order for all carts leaves of this one; None where that is nothing."""
    if all_closed_at is None:
        return cart
    instants = [
        instant if instant is not None and instant > all_closed_at else None
        for instant in (cart.snapshot_at, cart.closed_at, cart.changed_at)
    ]
    lines = _kept(cart.lines, cart.snapshot_at, latest(cart.closed_at, all_closed_at))
    left = Cart(lines, *instants)
    return left if left != _NONE else None


def _order(line: CartLine) -> tuple[datetime, int, str, float]:
    # In one and the same instant any rule will do, as long as it does not depend on who came first.
    return (line.at, line.quantity, line.name or "", line.price if line.price is not None else -1.0)


def _kept(lines: dict[str, CartLine], snapshot_at: datetime | None, closed_at: datetime | None) -> dict[str, CartLine]:
    kept = {
        product: line
        for product, line in lines.items()
        if (snapshot_at is None or line.at >= snapshot_at) and (closed_at is None or line.at > closed_at)
    }
    if len(kept) <= MAX_LINES:
        return kept
    newest = sorted(kept, key=lambda product: (kept[product].at, product))[-MAX_LINES:]
    return {product: kept[product] for product in newest}


def _bounded(carts: Carts) -> Carts:
    if len(carts) > MAX_CARTS:
        newest = sorted(carts, key=lambda cart_id: (carts[cart_id].touched_at, cart_id))[-MAX_CARTS:]
        carts = {cart_id: carts[cart_id] for cart_id in newest}
    if len(carts) == 1 or sum(len(cart.lines) for cart in carts.values()) <= MAX_LINES:
        return carts
    places = [(line.at, cart_id, product) for cart_id, cart in carts.items() for product, line in cart.lines.items()]
    kept = {(cart_id, product) for _, cart_id, product in sorted(places)[-MAX_LINES:]}
    return {cart_id: _only(cart, {p for c, p in kept if c == cart_id}) for cart_id, cart in carts.items()}


def _only(cart: Cart, products: set[str]) -> Cart:
    lines = {product: line for product, line in cart.lines.items() if product in products}
    return Cart(lines, cart.snapshot_at, cart.closed_at, cart.changed_at)
