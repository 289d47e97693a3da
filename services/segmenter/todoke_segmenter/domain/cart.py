"""A person's cart as a join: the same changes in any order, any number of times, give the same cart.

Each product's line is a last-writer-wins register by event time; a snapshot hides the lines older than it; an order
closes the lines up to its own instant. What is hidden for ever is dropped, so a cart stays as small as it looks.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

MAX_LINES = 500
"""As many as one cart.updated may carry; beyond it the oldest lines go."""


class CartLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A product in the cart since `at`; `quantity` 0 says it was taken out. `price` in yen."""

    at: datetime
    quantity: int
    name: str | None = None
    price: float | None = None


class Cart(msgspec.Struct, frozen=True, omit_defaults=True):
    """`snapshot_at`: the last whole picture; `closed_at`: the last order; `changed_at`: the last change of any kind."""

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


def join(a: Cart, b: Cart) -> Cart:
    """The cart that has seen what either has seen."""
    lines = dict(a.lines)
    for product, line in b.lines.items():
        other = lines.get(product)
        lines[product] = line if other is None else max(line, other, key=_order)
    snapshot_at = latest(a.snapshot_at, b.snapshot_at)
    closed_at = latest(a.closed_at, b.closed_at)
    return Cart(
        lines=_visible(lines, snapshot_at, closed_at),
        snapshot_at=snapshot_at,
        closed_at=closed_at,
        changed_at=latest(a.changed_at, b.changed_at),
    )


def changed(at: datetime, lines: Iterable[tuple[str, CartLine]], *, whole: bool = False) -> Cart:
    """One change, as a cart to join: some lines, or (`whole`) the whole picture at `at`."""
    return Cart(lines=dict(lines), snapshot_at=at if whole else None, changed_at=at)


def closed(at: datetime) -> Cart:
    """An order, as a cart to join."""
    return Cart(closed_at=at)


def latest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The later of two instants, either of which may be unknown."""
    return max((instant for instant in (a, b) if instant is not None), default=None)


def _order(line: CartLine) -> tuple[datetime, int, str, float]:
    # In one and the same instant any rule will do, as long as it does not depend on who came first.
    return (line.at, line.quantity, line.name or "", line.price if line.price is not None else -1.0)


def _visible(
    lines: dict[str, CartLine], snapshot_at: datetime | None, closed_at: datetime | None
) -> dict[str, CartLine]:
    kept = {
        product: line
        for product, line in lines.items()
        if (snapshot_at is None or line.at >= snapshot_at) and (closed_at is None or line.at > closed_at)
    }
    if len(kept) <= MAX_LINES:
        return kept
    newest = sorted(kept, key=lambda product: (kept[product].at, product))[-MAX_LINES:]
    return {product: kept[product] for product in newest}
