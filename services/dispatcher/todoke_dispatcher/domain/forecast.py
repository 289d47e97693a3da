"""How many messages a month will have had when it ends, what they cost, and which shares of a limit are passed.

The forecast (docs/quota.md): what is used, and waits; the median of the last seven days for every day to come, and for
what is left of today; and the broadcasts that are planned. The median, since a day with a broadcast is not every day:
so broadcasts are counted by their plan, except daily ones, which the median has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from statistics import median

from todoke_dispatcher.domain.quota import day_of, month_after, month_of

LOOKS_BACK = timedelta(days=7)
THRESHOLDS = (70, 90, 100)
"""Percent of a limit at which somebody is told."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One that is planned or under way: `left` messages are still to come of it, and `messages` each further time.

    `due_at`: LINE's time. `every`: day, month, a weekday, or None: once.
    """

    due_at: datetime
    left: int
    messages: int
    every: str | None = None


def forecast(
    used: int, by_day: Mapping[date, int], waiting: int, broadcasts: Iterable[Broadcast], wall: datetime
) -> int:
    """The month's messages at its end, if nothing stops them. `by_day`: what each of the last days has added.

    Days before the first that is there are unknown, and left out; a day between that is not there had none.
    """
    today, end = day_of(wall), month_after(month_of(wall))
    daily = daily_messages(by_day, today)
    rest_of_today = max(0, daily - max(0, by_day.get(today, 0)))
    days_left = (end - today).days - 1
    return used + waiting + rest_of_today + daily * days_left + sum(still_to_come(one, end) for one in broadcasts)


def daily_messages(by_day: Mapping[date, int], today: date) -> int:
    """What a usual day adds: the median of the whole days among the last seven."""
    known = [day for day in by_day if today - LOOKS_BACK <= day < today]
    if not known:
        return 0
    first = min(known)
    days = (first + timedelta(days=number) for number in range((today - first).days))
    return round(median(max(0, by_day.get(day, 0)) for day in days))


def still_to_come(broadcast: Broadcast, end: date) -> int:
    """How many messages of a broadcast fall before the day `end`."""
    due = day_of(broadcast.due_at)
    if due >= end or broadcast.every == "day":
        return 0
    if broadcast.every is None or broadcast.every == "month":
        return broadcast.left
    return broadcast.left + broadcast.messages * (((end - due).days - 1) // 7)


def yen(messages: int, *, included: int, price: Decimal | None) -> Decimal | None:
    """What so many messages of a month cost beyond the plan's fee, which covers `included`; None: no price is known."""
    return None if price is None else max(0, messages - included) * price


def passed(used: int, limit: int | None, told: int) -> tuple[int, ...]:
    """Which thresholds are passed and were not told; `told`: the highest that was."""
    if not limit:
        return ()
    return tuple(percent for percent in THRESHOLDS if percent > told and used * 100 >= limit * percent)
