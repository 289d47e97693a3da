"""What any event changes: that the person was seen, and what they did that day."""

from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.state import profile
from todoke_shared.people import days
from todoke_shared.people.days import Day
from todoke_shared.people.person import PersonState

Change = dict[str, Any]
"""Fields of PersonState and what they are now."""


class Seen(NamedTuple):
    """A happening and its instant in UTC, as the shop's calendar `zone` has it."""

    happening: Happening
    at: datetime
    zone: ZoneInfo

    @property
    def day(self) -> int:
        """The shop's day."""
        return days.ordinal(self.at, self.zone)

    @property
    def source(self) -> str:
        """Who told it, as registers name them."""
        return self.happening.source[: profile.LONGEST_NAME]


def was_seen(state: PersonState, seen: Seen) -> Change:
    """The first and the last time that anything was heard of the person."""
    at, change = seen.at, Change()
    if state.last_seen_at is None or at > state.last_seen_at:
        change["last_seen_at"] = at
    if state.first_seen_at is None or at < state.first_seen_at:
        change["first_seen_at"] = at
    return change


def counted(state: PersonState, seen: Seen, done: Day) -> Change:
    """What the person did, added to the day on which they did it."""
    by_day, before = days.count(state.days, state.before, seen.day, done)
    return {**was_seen(state, seen), "days": by_day, "before": before}


def was_told(state: PersonState, seen: Seen) -> Change:
    """A shop's record of a customer: an export says what the shop knew, not that anybody came by."""
    return {} if seen.happening.history else was_seen(state, seen)
