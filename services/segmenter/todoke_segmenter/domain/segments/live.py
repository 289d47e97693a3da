"""How memberships follow events and the clock.

| what happens                   | what is asked                           | what is told                           |
|--------------------------------|-----------------------------------------|----------------------------------------|
| an instant comes               | the rules of the clock, at that instant | the change, at that instant            |
| an event changes the state     | the rules that read what it changed     | the change, when it happened           |
| an event that is history       | the same                                | nothing                                |
| a person is first heard of     | every rule, after their first event     | the segments they enter by it          |
| two people turn out to be one  | every rule                              | what neither was in, and what they left |
| a segment is published, or changed | that segment's rule                 | nothing: whoever is in it is in it     |
| a segment is withdrawn         | nothing                                 | that whoever was in it has left it     |

Rules
1. First the clock, then the news: what was due before an event is decided on the state before it.
2. A person enters and leaves a segment by turns, each time later than the last.
"""

from collections.abc import Iterable
from datetime import datetime, tzinfo
from uuid import UUID

import msgspec

from todoke_segmenter.domain.segments.membership import Membership
from todoke_segmenter.domain.segments.parts import parts_changed
from todoke_segmenter.domain.segments.questions import Moved, Question
from todoke_segmenter.domain.segments.rules import SegmentRules
from todoke_shared.ids import segment_change_id
from todoke_shared.people import TOKYO, PersonState
from todoke_shared.people.conditions import Moment


class Change(msgspec.Struct, frozen=True):
    """A person entered or left a segment. `cause`: the event that did it, or the coming of the instant `at`."""

    segment: str
    entered: bool
    at: datetime
    cause: UUID
    by_clock: bool

    @property
    def type(self) -> str:
        """As campaigns name it."""
        return "segment.entered" if self.entered else "segment.left"


class LiveSegments:
    """Asks the rules for a batch of people. `now` is the shop's time."""

    def __init__(self, rules: SegmentRules, now: datetime, zone: tzinfo = TOKYO) -> None:
        self._rules = rules
        self._now = now
        self._zone = zone
        self._moment = Moment.at(now, zone)

    def catch_up(self, person: UUID, membership: Membership, state: PersonState) -> list[Change]:
        """What time alone has changed by now; then what was withdrawn, and in silence what was published, since they
        were last asked."""
        if membership.revision is None:
            return []
        changes: list[Change] = []
        if membership.next_check_at is not None and membership.next_check_at <= self._now:
            changes = self._follow_clock(person, membership, state)
        if membership.revision < self._rules.revision:
            changes += self._leave_withdrawn(person, membership)
            self._learn(membership, state)
        return changes

    def follow(
        self, membership: Membership, state: PersonState, at: datetime, cause: UUID, *, silent: bool
    ) -> list[Change]:
        """What an event has changed that happened `at`. Call `look_ahead` once all events are through."""
        asked_of = membership.asked_of
        if asked_of is state:
            return []
        if asked_of is None:
            questions: Iterable[Question] = self._rules.questions
            membership.revision, membership.is_dirty = self._rules.revision, True
        else:
            questions = self._rules.reading(parts_changed(asked_of, state))
        membership.asked_of = state
        moved = self._ask(questions, membership, state, self._moment_of(membership))
        changes = [
            Change(segment, enters, membership.move(segment, enters=enters, at=at), cause, by_clock=False)
            for segment, enters in moved
        ]
        membership.waiting = {*questions, *(membership.waiting or ())}
        return [] if silent else changes

    def look_ahead(self, membership: Membership) -> None:
        """When the clock has to look at whoever was asked."""
        state = membership.asked_of
        if state is None or membership.waiting is None:
            return
        moment = self._moment_of(membership)
        membership.check_by(_earliest(membership.waiting, state, moment))
        membership.waiting = None
        membership.checked_at = moment.now
        membership.forget_old(moment.now)

    def _follow_clock(self, person: UUID, membership: Membership, state: PersonState) -> list[Change]:
        changes: list[Change] = []
        known = membership.revision or 0
        rules = [rule for rule in self._rules.by_clock if rule.revision <= known]
        due = membership.next_check_at
        while due is not None and due <= self._now:
            moment = Moment.at(due, self._zone)
            for segment, enters in self._ask(rules, membership, state, moment):
                at = membership.move(segment, enters=enters, at=due)
                changes.append(Change(segment, enters, at, segment_change_id(segment, person, at), by_clock=True))
            due = _earliest(rules, state, moment)
        membership.next_check_at, membership.is_dirty = due, True
        membership.checked_at = max(self._now, membership.checked_at or self._now)
        return changes

    def _leave_withdrawn(self, person: UUID, membership: Membership) -> list[Change]:
        """Out of what was withdrawn since they were last asked, now; one that is in force again they enter anew."""
        known, now = membership.revision or 0, self._moment_of(membership).now
        changes: list[Change] = []
        for name in sorted(name for name in membership.since if self._rules.withdrawn.get(name, 0) > known):
            at = membership.move(name, enters=False, at=now)
            changes.append(Change(name, False, at, segment_change_id(name, person, at), by_clock=True))
        return changes

    def _learn(self, membership: Membership, state: PersonState) -> None:
        known = membership.revision or 0
        rules = [rule for rule in self._rules.all if rule.revision > known]
        moment = self._moment_of(membership)
        for segment, enters in self._ask(rules, membership, state, moment):
            membership.move(segment, enters=enters, at=moment.now)
        membership.check_by(_earliest(rules, state, moment))
        membership.revision, membership.checked_at, membership.is_dirty = self._rules.revision, moment.now, True

    def _ask(self, questions: Iterable[Question], membership: Membership, state: PersonState, moment: Moment) -> Moved:
        """The segments whose answer is a new one. Leaving comes before entering; names keep the order."""
        since = membership.since
        moved = [one for question in questions for one in question.moved(since, state, moment)]
        return sorted(moved, key=_leaving_first) if len(moved) > 1 else moved

    def _moment_of(self, membership: Membership) -> Moment:
        checked_at = membership.checked_at
        return self._moment if checked_at is None or checked_at <= self._now else Moment.at(checked_at, self._zone)


def _leaving_first(moved: tuple[str, bool]) -> tuple[bool, str]:
    return moved[1], moved[0]


def _earliest(questions: Iterable[Question], state: PersonState, moment: Moment) -> datetime | None:
    changes = [question.next_change(state, moment) for question in questions if question.next_change is not None]
    return min([change for change in changes if change is not None], default=None)
