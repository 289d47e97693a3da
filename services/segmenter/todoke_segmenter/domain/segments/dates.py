"""Who is where a campaign's `enter.date` asks for: a segment that nobody published, and that is shown to nobody.

A person is in it from the campaign's time of day, so many days before or after their date, to the end of that day, by
the calendar of the campaign's zone. So the clock brings people in to the instant, a date that is told late on the day
itself brings its person in at once, and one that is changed before its time has come brings in nobody.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

import msgspec

from todoke_shared.campaigns.model import Campaign
from todoke_shared.conditions.attributes import DATE_PREFIX
from todoke_shared.local_times import at_local
from todoke_shared.people import PersonState
from todoke_shared.people.conditions import Moment
from todoke_shared.people.conditions.dates import birthday_in, date_of

HIDDEN = "campaign:"
"""Before a campaign's name it names its segment. No segment that a shop publishes has a colon in its name."""

_BIRTHDAY = "birthday"
_DAY = timedelta(days=1)
_FIRST, _LAST = date(2, 1, 1).toordinal(), date(9998, 12, 30).toordinal()
"""Days whose beginning and end can be written in every zone."""


def is_hidden(segment: str) -> bool:
    """Whether a segment is a campaign's own."""
    return segment.startswith(HIDDEN)


class Coming(NamedTuple):
    """A date of a person, and the instant at which it brings them in."""

    date: date
    at: datetime


class DateEntry(msgspec.Struct, frozen=True, dict=True):
    """`of_date`: `birthday`, which comes every year, or `date.NAME`; so many days after it (negative: before), `at`."""

    campaign: str
    of_date: str
    offset_days: int
    at: time
    zone: str

    @classmethod
    def of(cls, campaign: Campaign) -> Self | None:
        """A campaign's, None for one that is entered otherwise."""
        enter = campaign.enter
        if enter.date is None or enter.at is None:
            return None
        return cls(campaign.campaign, enter.date, enter.offset_days or 0, enter.at, campaign.zone)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """As it was kept. msgspec.ValidationError for what another release has written."""
        return msgspec.convert(document, cls)

    def to_document(self) -> dict[str, Any]:
        """As JSON values."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document

    @property
    def segment(self) -> str:
        """What the segment is called."""
        return HIDDEN + self.campaign

    @cached_property
    def attribute(self) -> str:
        """The attribute of the profile that holds the date."""
        return self.of_date.removeprefix(DATE_PREFIX)

    def holds(self, state: PersonState, moment: Moment) -> bool:
        """Whether the day has come, and the time of day."""
        told = self._told(state)
        if told is None:
            return False
        day = moment.now.astimezone(self._tz).date()
        return next(self._days(told, day), None) == day and self._begins(day) <= moment.now

    def next_change(self, state: PersonState, moment: Moment) -> datetime | None:
        """When that will next be otherwise, if nobody tells another date."""
        told = self._told(state)
        if told is None:
            return None
        days = self._days(told, moment.now.astimezone(self._tz).date())
        instants = (instant for day in days for instant in (self._begins(day), self._ends(day)))
        return next((instant for instant in instants if instant > moment.now), None)

    def coming(self, state: PersonState, since: datetime) -> Coming | None:
        """The date that brings the person in on the day of `since`, or next after it."""
        told = self._told(state)
        day = None if told is None else next(self._days(told, since.astimezone(self._tz).date()), None)
        return None if day is None else Coming(day - self.offset_days * _DAY, self._begins(day))

    def _told(self, state: PersonState) -> date | None:
        register = state.profile.get(self.attribute)
        return None if register is None else date_of(register.value)

    def _days(self, told: date, first: date) -> Iterator[date]:
        """The days that the date stands for, from `first` on."""
        if self.of_date != _BIRTHDAY:
            day = told.toordinal() + self.offset_days
            return iter((date.fromordinal(day),) if max(_FIRST, first.toordinal()) <= day <= _LAST else ())
        year = date.fromordinal(first.toordinal() - self.offset_days).year
        days = (birthday_in(told, year + number) + self.offset_days * _DAY for number in range(3))
        return (day for day in days if day >= first)

    def _begins(self, day: date) -> datetime:
        return at_local(datetime.combine(day, self.at), self._tz)

    def _ends(self, day: date) -> datetime:
        return at_local(datetime.combine(day + _DAY, time()), self._tz)

    @cached_property
    def _tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)
