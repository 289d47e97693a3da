"""The month's messages of an account: LINE counts recipients, and its month is Asia/Tokyo's (LINE-API.md: quota).

Rules (docs/quota.md, docs/adr/0026)
1. A message takes its place in the month before its first attempt, and leaves it only when LINE has not taken it.
2. Both lanes together stay within the limit: the configured one or LINE's own, whichever is lower.
3. What LINE counts beyond us was sent elsewhere: it makes our room smaller. What it counts less makes it no larger.
4. Marketing leaves a reserve to the transactional lane.
5. A campaign stays within its budget, whatever its lane; with a place in the month goes one in its budget.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from math import ceil
from types import MappingProxyType
from typing import Literal, Protocol, Self, TypeAlias

from todoke_shared.contracts.requests import Lane

TOKYO = timezone(timedelta(hours=9))
"""Asia/Tokyo has had no summer time since 1951; a fixed offset needs no time zone files in a slim image."""

Parked = Literal["marketing", "all"]
Places: TypeAlias = "Counter[tuple[Lane, str | None]]"
"""How many messages of a month, by lane and campaign (None: of no campaign)."""


class Counted(Protocol):
    """What LINE counts: a delivery, or a group of them. `quota_month` is the month in which it has its place."""

    @property
    def ambiguous(self) -> bool:
        """Whether LINE may have it."""

    @property
    def quota_month(self) -> date | None:
        """The first day of the month, or None."""

    @property
    def campaign(self) -> str | None:
        """The campaign that owes it, or None."""


def day_of(wall: datetime) -> date:
    """The day, as LINE has it."""
    return wall.astimezone(TOKYO).date()


def month_of(wall: datetime) -> date:
    """The first day of LINE's month."""
    return day_of(wall).replace(day=1)


def month_after(month: date) -> date:
    """The first day of the next month."""
    return (month + timedelta(days=31)).replace(day=1)


def lower_of(one: int | None, other: int | None) -> int | None:
    """The lower of two limits, None being no limit."""
    return min((limit for limit in (one, other) if limit is not None), default=None)


@dataclass(frozen=True, slots=True)
class CampaignBook:
    """What a campaign has reserved of a month, in all accounts, and what its budget allows; None: it has none."""

    used: int = 0
    limit: int | None = None

    @property
    def room(self) -> int | None:
        """How many more messages it may send this month; None = no limit."""
        return None if self.limit is None else max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class QuotaBook:
    """What an account has reserved of a month. `limit` None = no limit; `reserve` is a share between 0 and 1.

    `elsewhere`: what LINE counted beyond us when it was last asked. `parked`: LINE itself said that the month is used
    up, to a marketing message or to any. `campaigns`: those in hand; one that is not there has no budget.
    """

    month: date
    limit: int | None
    reserve: float = 0.0
    transactional: int = 0
    marketing: int = 0
    elsewhere: int = 0
    parked: Parked | None = None
    campaigns: Mapping[str, CampaignBook] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def used(self) -> int:
        """Our messages and those sent elsewhere."""
        return self.transactional + self.marketing + self.elsewhere

    def room(self, lane: Lane) -> int | None:
        """How many more this lane may send this month; None = no limit.

        Marketing leaves the reserve to the transactional lane, or what that lane has used when it is more.
        """
        if self.parks(lane):
            return 0
        if self.limit is None:
            return None
        if lane == "transactional":
            return max(0, self.limit - self.used)
        kept = max(ceil(self.limit * self.reserve), self.transactional)
        return max(0, self.limit - kept - self.marketing - self.elsewhere)

    def parks(self, lane: Lane) -> bool:
        """Whether LINE's own word stops this lane until the month ends or an operator has seen to it."""
        return self.parked in {"all", lane}

    def admits(self, lane: Lane, messages: int = 1) -> bool:
        """Whether so many more messages of this lane fit."""
        room = self.room(lane)
        return room is None or room >= messages

    def affords(self, campaign: str | None, messages: int = 1) -> bool:
        """Whether so many more messages fit into the campaign's budget."""
        book = None if campaign is None else self.campaigns.get(campaign)
        return book is None or book.room is None or book.room >= messages

    def refuses(self, sent: Counted, lane: Lane, messages: int = 1) -> str | None:
        """Why what is to be sent must wait, or None. With its place in the month already it waits for LINE alone."""
        if self.parks(lane):
            return MONTHLY_LIMIT
        if self.holds(sent):
            return None
        if not self.admits(lane, messages):
            return MONTHLY_LIMIT
        return None if self.affords(sent.campaign, messages) else f"budget of {sent.campaign}"

    def holds(self, sent: Counted) -> bool:
        """Whether the delivery, or each of the group, has its place in this month already."""
        return sent.quota_month == self.month

    def with_campaigns(self, campaigns: Mapping[str, CampaignBook]) -> Self:
        """The book with the books of these campaigns."""
        return replace(self, campaigns=campaigns)

    def with_more(self, lane: Lane, messages: int = 1, campaign: str | None = None) -> Self:
        """The book with so many more messages of this lane and campaign."""
        campaigns = self.campaigns
        if campaign is not None and (book := campaigns.get(campaign)) is not None:
            campaigns = {**campaigns, campaign: replace(book, used=book.used + messages)}
        if lane == "transactional":
            return replace(self, transactional=self.transactional + messages, campaigns=campaigns)
        return replace(self, marketing=self.marketing + messages, campaigns=campaigns)


MONTHLY_LIMIT = "monthly limit"


def parked_by(lane: Lane) -> Parked:
    """What stands still when LINE refuses a message of this lane for the monthly limit.

    A refused transactional message means that there is no reserve left either.
    """
    return "all" if lane == "transactional" else "marketing"
