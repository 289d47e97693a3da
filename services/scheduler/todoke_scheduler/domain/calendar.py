"""Local times -> instants, by the zone's own calendar.

What clocks leave out, or show twice, is as in `todoke_shared.local_times`. Whoever was born on February 29 has a
birthday on March 1 in common years, as in conditions (docs/conditions.md). What lies beyond the calendar that Python
can write is LAST.
"""

from calendar import isleap, monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Literal
from zoneinfo import ZoneInfo

from todoke_shared import local_times

at_local = local_times.at_local
"""The instant (UTC) at which clocks in the zone show a naive time; the segmenter asks the very same."""

_FIRST_DAY, _LAST_DAY = date(2, 1, 1).toordinal(), date(9999, 1, 2).toordinal()
"""Far enough from either end for a day around them to be written; the last one begins after LAST in every zone."""
LAST = datetime(9998, 12, 31, tzinfo=UTC)
"""No instant of ours is later."""


def later(instant: datetime, duration: timedelta) -> datetime:
    """The instant so much later."""
    return instant + duration if duration < LAST - instant else LAST


def on_day(day: date, offset_days: int, at: time, zone: ZoneInfo) -> datetime:
    """The instant of a time of the day that lies so many days after `day` (before it, where negative)."""
    return min(at_local(datetime.combine(_moved(day, offset_days), at), zone), LAST)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The date that the calendar of the zone shows."""
    return instant.astimezone(zone).date()


def next_time(after: datetime, at: time, zone: ZoneInfo) -> datetime:
    """When it is this time of day next; never `after` itself."""
    return _first(_days(local_day(after, zone), 1), at, zone, after)


def last_time(now: datetime, at: time, zone: ZoneInfo) -> datetime:
    """When it was this time of day last; `now` itself, if it is."""
    found = (on_day(local_day(now, zone), -days, at, zone) for days in count())
    return next(instant for instant in found if instant <= now)


def next_weekday(after: datetime, weekday: int, at: time, zone: ZoneInfo) -> datetime:
    """When it is this time of this weekday (Monday is 0) next; never `after` itself."""
    today = local_day(after, zone)
    return _first(_days(_moved(today, (weekday - today.weekday()) % 7), 7), at, zone, after)


def next_day_of_month(after: datetime, on: int | Literal["last"], at: time, zone: ZoneInfo) -> datetime:
    """When it is this time of this day of a month next; a day that a month lacks is its last."""
    today = local_day(after, zone)
    months = (divmod(today.year * 12 + today.month - 1 + ahead, 12) for ahead in count())
    days = (_day_of_month(year, month + 1, 31 if on == "last" else on) for year, month in months)
    return _first(days, at, zone, after)


def birthday_in(born: date, year: int) -> date:
    """The day in a year on which somebody has a birthday."""
    if (born.month, born.day) == (2, 29) and not isleap(year):
        return date(year, 3, 1)
    return born.replace(year=year)


def coming_birthday(born: date, today: date) -> date:
    """The next birthday: today's, if it is today."""
    this_year = birthday_in(born, today.year)
    return this_year if this_year >= today else birthday_in(born, today.year + 1)


def _first(days: Iterator[date], at: time, zone: ZoneInfo, after: datetime) -> datetime:
    return LAST if after >= LAST else next(found for day in days if (found := on_day(day, 0, at, zone)) > after)


def _days(first: date, step: int) -> Iterator[date]:
    return (date.fromordinal(first.toordinal() + step * number) for number in count())


def _moved(day: date, days: int) -> date:
    return date.fromordinal(min(max(day.toordinal() + days, _FIRST_DAY), _LAST_DAY))


def _day_of_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
