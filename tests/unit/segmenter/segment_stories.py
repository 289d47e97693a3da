"""Segments, and a person who lives through events and time: as the segmenter follows them, without a database."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from todoke_segmenter.domain.happening import Happening
from todoke_segmenter.domain.segments import Change, LiveSegments, Membership, SegmentRules
from todoke_segmenter.domain.state import fold
from todoke_shared.conditions import resolve
from todoke_shared.people import TOKYO, PersonState
from todoke_shared.people.conditions import Moment, compile_condition
from todoke_shared.segments.model import Segment
from todoke_shared.segments.published import PublishedSegment

When = dict[str, Any]


def published(segments: Iterable[Segment], first_revision: int = 1) -> list[PublishedSegment]:
    """Each in its first version."""
    return [PublishedSegment(1, revision, segment) for revision, segment in enumerate(segments, first_revision)]


def rules_of(**whens: When) -> SegmentRules:
    """Segments by their names, with - for _."""
    named = [Segment(segment=name.replace("_", "-"), when=when) for name, when in whens.items()]
    return SegmentRules(published(named))


def members_from_scratch(rules: SegmentRules, state: PersonState, now: datetime) -> set[str]:
    """The segments whose conditions hold: no memory, no index, no clock kept."""
    moment = Moment.at(now, TOKYO)
    return {
        name
        for name, condition in rules.conditions.items()
        if compile_condition(resolve(condition, rules.conditions)).holds(state, moment)
    }


class Person:
    """One person. `told`: every change that was told, in order."""

    def __init__(self, rules: SegmentRules, person: UUID) -> None:
        self.rules = rules
        self.person = person
        self.state = PersonState()
        self.membership = Membership()
        self.told: list[Change] = []

    def hear(self, happening: Happening, now: datetime) -> list[Change]:
        """An event, handled at `now`."""
        live = LiveSegments(self.rules, now)
        changes = live.catch_up(self.person, self.membership, self.state)
        self.state = fold(self.state, happening)
        changes += live.follow(self.membership, self.state, happening.at, happening.key, silent=happening.history)
        live.look_ahead(self.membership)
        return self._told(changes)

    def wait_until(self, now: datetime) -> list[Change]:
        """The clock looks at `now`, if it has to."""
        due = self.membership.next_check_at
        outdated = (self.membership.revision or 0) < self.rules.revision
        if (due is None or due > now) and not outdated:
            return []
        return self._told(LiveSegments(self.rules, now).catch_up(self.person, self.membership, self.state))

    @property
    def segments(self) -> set[str]:
        """Those the person is in."""
        return set(self.membership.since)

    def _told(self, changes: list[Change]) -> list[Change]:
        self.told += changes
        return changes
