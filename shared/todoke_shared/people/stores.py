"""Which of the shop's physical stores a person came to, on which days, and when last."""

from datetime import datetime

import msgspec

MAX_STORES = 50
"""The longest not visited go."""
MAX_DAYS = 60
"""Days of one store that are told apart, the newest."""


class StoreVisits(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`days` by `date.toordinal()` of the shop's day: 1 on each with a visit, however often they came."""

    last_visit_at: datetime
    days: dict[int, int] = {}


Stores = dict[str, StoreVisits]


def visited(stores: Stores, store: str, day: int, at: datetime) -> Stores:
    """The stores once the person came to one of them."""
    return join(stores, {store: StoreVisits(at, {day: 1})})


def join(a: Stores, b: Stores) -> Stores:
    """The stores of two people who are one."""
    both = {**a, **b, **{store: _both(a[store], b[store]) for store in a.keys() & b.keys()}}
    if len(both) <= MAX_STORES:
        return both
    kept = sorted(both, key=lambda store: (both[store].last_visit_at, store))[-MAX_STORES:]
    return {store: both[store] for store in kept}


def _both(a: StoreVisits, b: StoreVisits) -> StoreVisits:
    days = {**a.days, **b.days}
    if len(days) > MAX_DAYS:
        days = {day: days[day] for day in sorted(days)[-MAX_DAYS:]}
    return StoreVisits(max(a.last_visit_at, b.last_visit_at), days)
