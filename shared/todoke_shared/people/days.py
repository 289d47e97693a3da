"""What a person did, counted by day of the shop's calendar.

A day is `date.toordinal()`. Counters are sums, since each event is folded once; a visit is a day, however often they
came. Days further back than `DAYS` from the newest are added up in one, where visits no longer count: of a day that is
not kept, nobody knows whether it had one.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

DAYS = 400
"""A year and a month: whoever asks about "this month last year" finds it."""
_UNITS = 100
_MOST_YEN = 10**10
"""Of one order; a mistyped amount stays within what every database adds up."""


class Day(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`visits` is 0 or 1, `amount` in 1/100 yen: whole, so that sums do not depend on order."""

    visits: int = 0
    product_views: int = 0
    searches: int = 0
    clicks: int = 0
    orders: int = 0
    returns: int = 0
    amount: int = 0


Days = dict[int, Day]


def ordinal(at: datetime, zone: ZoneInfo) -> int:
    """The day of an instant, as the shop's calendar has it."""
    return at.astimezone(zone).toordinal()


def money(yen: float | None) -> int:
    """An amount in 1/100 yen; 0 when it is not known."""
    return 0 if yen is None else round(min(yen, _MOST_YEN) * _UNITS)


def count(days: Days, before: Day, day: int, done: Day) -> tuple[Days, Day]:
    """The days once `done` was done on one of them, and the sum of those before."""
    known = days.get(day)
    if known is not None:
        return {**days, day: add(known, done)}, before
    return _bounded({**days, day: done}, before)


def join(a: Days, a_before: Day, b: Days, b_before: Day) -> tuple[Days, Day]:
    """The days of two people who are one."""
    both = {**a, **b, **{day: add(a[day], b[day]) for day in a.keys() & b.keys()}}
    return _bounded(both, add(a_before, b_before))


def add(a: Day, b: Day) -> Day:
    """Both counts of one day."""
    return Day(
        max(a.visits, b.visits),
        a.product_views + b.product_views,
        a.searches + b.searches,
        a.clicks + b.clicks,
        a.orders + b.orders,
        a.returns + b.returns,
        a.amount + b.amount,
    )


def _bounded(days: Days, before: Day) -> tuple[Days, Day]:
    if not days:
        return days, before
    last_gone = max(days) - DAYS
    gone = [day for day in days if day <= last_gone]
    if not gone:
        return days, before
    for day in gone:
        before = add(before, msgspec.structs.replace(days[day], visits=0))
    return {day: done for day, done in days.items() if day > last_gone}, before
