"""The month's messages of an account: LINE counts recipients, and its month is Asia/Tokyo's (LINE-API.md: quota)."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from math import ceil
from typing import Literal, Protocol, Self

from todoke_shared.contracts.requests import Lane

TOKYO = timezone(timedelta(hours=9))
"""Asia/Tokyo has had no summer time since 1951; a fixed offset needs no time zone files in a slim image."""

Parked = Literal["marketing", "all"]


class Counted(Protocol):
    """What LINE counts: a delivery, or a group of them. `quota_month` is the month in which it has its place."""

    @property
    def quota_month(self) -> date | None:
        """The first day of the month, or None."""


def month_of(wall: datetime) -> date:
    """The first day of LINE's month."""
    return wall.astimezone(TOKYO).date().replace(day=1)


@dataclass(frozen=True, slots=True)
class QuotaBook:
    """What an account has reserved of a month. `limit` None = no limit; `reserve` is a share between 0 and 1.

    `parked`: LINE itself said that the month is used up, to a marketing message or to any.
    """

    month: date
    limit: int | None
    reserve: float = 0.0
    transactional: int = 0
    marketing: int = 0
    parked: Parked | None = None

    def room(self, lane: Lane) -> int | None:
        """How many more this lane may send this month; None = no limit.

        Marketing leaves the reserve to the transactional lane, or what that lane has used when it is more.
        """
        if self.parks(lane):
            return 0
        if self.limit is None:
            return None
        if lane == "transactional":
            return max(0, self.limit - self.marketing - self.transactional)
        kept = max(ceil(self.limit * self.reserve), self.transactional)
        return max(0, self.limit - kept - self.marketing)

    def parks(self, lane: Lane) -> bool:
        """Whether LINE's own word stops this lane until the month ends or an operator has seen to it."""
        return self.parked in {"all", lane}

    def admits(self, lane: Lane, messages: int = 1) -> bool:
        """Whether so many more messages of this lane fit."""
        room = self.room(lane)
        return room is None or room >= messages

    def holds(self, sent: Counted) -> bool:
        """Whether the delivery, or each of the group, has its place in this month already."""
        return sent.quota_month == self.month

    def with_more(self, lane: Lane, messages: int = 1) -> Self:
        """The book with so many more messages of this lane."""
        if lane == "transactional":
            return replace(self, transactional=self.transactional + messages)
        return replace(self, marketing=self.marketing + messages)


def parked_by(lane: Lane) -> Parked:
    """What stands still when LINE refuses a message of this lane for the monthly limit.

    A refused transactional message means that there is no reserve left either.
    """
    return "all" if lane == "transactional" else "marketing"
