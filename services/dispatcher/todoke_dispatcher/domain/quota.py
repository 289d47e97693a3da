"""The month's messages of an account: LINE counts recipients, and its month is Asia/Tokyo's (LINE-API.md: quota)."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from math import ceil
from typing import Literal, Self

from todoke_dispatcher.domain.delivery import Delivery
from todoke_shared.contracts.requests import Lane

TOKYO = timezone(timedelta(hours=9))
"""Asia/Tokyo has had no summer time since 1951; a fixed offset needs no time zone files in a slim image."""

Parked = Literal["marketing", "all"]


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

    def admits(self, lane: Lane) -> bool:
        """Whether one more message of this lane fits."""
        room = self.room(lane)
        return room is None or room > 0

    def holds(self, delivery: Delivery) -> bool:
        """Whether the delivery has its place in this month already."""
        return delivery.quota_month == self.month

    def with_one(self, lane: Lane) -> Self:
        """The book with one more message of this lane."""
        if lane == "transactional":
            return replace(self, transactional=self.transactional + 1)
        return replace(self, marketing=self.marketing + 1)


def parked_by(lane: Lane) -> Parked:
    """What stands still when LINE refuses a message of this lane for the monthly limit.

    A refused transactional message means that there is no reserve left either.
    """
    return "all" if lane == "transactional" else "marketing"
