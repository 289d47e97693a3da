"""The instant at which conditions are asked, and the shop's calendar around it.

A day is one of the shop's local dates, as `date.toordinal()`. It begins at the first instant of that date in the shop's
time zone: at midnight, or where summer time leaves midnight out, at the instant it is left out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache
from typing import Any, Self

_LAST_DAY = date.max.toordinal() - 1
"""The last day whose beginning can be written in UTC everywhere."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Made once for an event, or for a batch, and shared by all conditions: the calendar costs more than a comparison.

    `event` is the data that `event.…` asks about; without one, none of it is known.
    """

    now: datetime
    zone: tzinfo
    date: date
    today: int
    event: Mapping[str, Any] | None = None

    @classmethod
    def at(cls, now: datetime, zone: tzinfo, event: Mapping[str, Any] | None = None) -> Self:
        """`now` with an offset; `zone` is the shop's."""
        local = now.astimezone(zone).date()
        return cls(now, zone, local, local.toordinal(), event)

    def start_of(self, day: int | None) -> datetime | None:
        """The instant (UTC) at which a day begins; None for no day, and for one beyond the calendar."""
        return None if day is None or not 0 < day <= _LAST_DAY else _midnight(day, self.zone)


@lru_cache(4096)  # nearly everybody waits for one of the coming days
def _midnight(day: int, zone: tzinfo) -> datetime:
    return datetime.combine(date.fromordinal(day), time.min, zone).astimezone(UTC)


def first_day(answer: Callable[[int], bool], days: Iterable[int], today: int) -> int | None:
    """The first of `days`, which ascend, after today on which the answer is another than today's."""
    answer_today = answer(today)
    return next((day for day in days if today < day <= _LAST_DAY and answer(day) is not answer_today), None)
