"""Which products a person looked at and bought, how often on which days, and when last."""

from collections.abc import Iterable
from datetime import UTC, datetime
from heapq import nsmallest

import msgspec

from todoke_shared.people.instants import latest

MAX_PRODUCTS = 200
"""The longest untouched go, with what was counted of them."""
MAX_DAYS = 60
"""Days of one product that are told apart, the newest."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)

Counts = dict[int, int]
"""By day: how many views, or how many orders that held the product."""


class ProductUse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`viewed` and `bought` by `date.toordinal()` of the shop's day."""

    viewed: Counts = {}
    bought: Counts = {}
    last_viewed_at: datetime | None = None
    last_bought_at: datetime | None = None


Products = dict[str, ProductUse]
_UNTOUCHED = ProductUse()


def viewed(products: Products, product: str, day: int, at: datetime) -> Products:
    """The products once one of them was looked at."""
    use = products.get(product, _UNTOUCHED)
    seen = ProductUse(_counted(use.viewed, day), use.bought, latest(use.last_viewed_at, at), use.last_bought_at)
    return _bounded({**products, product: seen})


def bought(products: Products, ordered: Iterable[str], day: int, at: datetime) -> Products:
    """The products once an order held these."""
    after = {**products}
    for product in dict.fromkeys(ordered):
        use = after.get(product, _UNTOUCHED)
        after[product] = ProductUse(
            use.viewed, _counted(use.bought, day), use.last_viewed_at, latest(use.last_bought_at, at)
        )
    return _bounded(after)


def join(a: Products, b: Products) -> Products:
    """The products of two people who are one."""
    return _bounded({**a, **b, **{product: _both(a[product], b[product]) for product in a.keys() & b.keys()}})


def _both(a: ProductUse, b: ProductUse) -> ProductUse:
    return ProductUse(
        _sum(a.viewed, b.viewed),
        _sum(a.bought, b.bought),
        latest(a.last_viewed_at, b.last_viewed_at),
        latest(a.last_bought_at, b.last_bought_at),
    )


def _counted(counts: Counts, day: int) -> Counts:
    return _newest({**counts, day: counts.get(day, 0) + 1})


def _sum(a: Counts, b: Counts) -> Counts:
    return _newest({day: a.get(day, 0) + b.get(day, 0) for day in a.keys() | b.keys()})


def _newest(counts: Counts) -> Counts:
    if len(counts) <= MAX_DAYS:
        return counts
    return {day: counts[day] for day in sorted(counts)[-MAX_DAYS:]}


def _bounded(products: Products) -> Products:
    if len(products) <= MAX_PRODUCTS:
        return products
    for product in nsmallest(len(products) - MAX_PRODUCTS, products, key=lambda p: (_touched_at(products[p]), p)):
        del products[product]
    return products


def _touched_at(use: ProductUse) -> datetime:
    return latest(use.last_viewed_at, use.last_bought_at) or _LONG_AGO
