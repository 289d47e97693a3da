"""What is kept of a person's segments, beside their state."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from todoke_segmenter.domain.segments.questions import Question
from todoke_shared.people import PersonState

Since = dict[str, datetime]
"""By segment."""

_NEXT_INSTANT = timedelta(microseconds=1)
REMEMBERED = timedelta(days=40)
"""How long it is known when a segment was left: longer than a topic keeps an event that is late (30 days)."""


class Membership(msgspec.Struct):
    """`since`: the segments the person is in. `left`: those left lately. `revision`: of the rules last asked, or None.

    `checked_at`: the shop's time then; time never goes back for a person, whichever machine's clock looks.
    `next_check_at`: no answer changes before it without an event. It may be early, and is never late.
    `asked_of`: the state that the answers are about; None: they must all be asked again. `waiting`: what was asked, and
    not yet for its next change. `has_moved`: other segments are to be stored; `is_dirty`: anything is.
    """

    since: Since = {}
    left: Since = {}
    revision: int | None = None
    checked_at: datetime | None = None
    next_check_at: datetime | None = None
    asked_of: PersonState | None = None
    has_moved: bool = False
    is_dirty: bool = False
    waiting: set[Question] | None = None

    def move(self, segment: str, *, enters: bool, at: datetime) -> datetime:
        """Enter or leave a segment, and say when: `at`, or just after the last time it was entered or left."""
        here, there = (self.left, self.since) if enters else (self.since, self.left)
        last = here.pop(segment, None)
        if last is not None and last >= at:
            at = last + _NEXT_INSTANT
        there[segment] = at
        self.has_moved = self.is_dirty = True
        return at

    def is_due_before(self, instant: datetime | None) -> bool:
        """Whether the clock has to look before an instant (None: at no time)."""
        return self.next_check_at is not None and (instant is None or self.next_check_at < instant)

    def check_by(self, instant: datetime | None) -> None:
        """Look at this instant, if not before."""
        if instant is not None and (self.next_check_at is None or instant < self.next_check_at):
            self.next_check_at = instant
            self.is_dirty = True

    def forget_old(self, now: datetime) -> None:
        """What was left long ago needs no remembering."""
        if self.left and any(now - at > REMEMBERED for at in self.left.values()):
            self.left = {segment: at for segment, at in self.left.items() if now - at <= REMEMBERED}
            self.has_moved = True


def join(a: Membership, b: Membership) -> Membership:
    """Two people who are one are in whatever either was in, until they are asked again."""
    since = _both(a.since, b.since, first=True)
    left = {segment: at for segment, at in _both(a.left, b.left, first=False).items() if segment not in since}
    return Membership(
        since=since,
        left=left,
        revision=_oldest(a.revision, b.revision),
        checked_at=max(filter(None, (a.checked_at, b.checked_at)), default=None),
        next_check_at=min(filter(None, (a.next_check_at, b.next_check_at)), default=None),
        has_moved=True,
        is_dirty=True,
    )


def _both(a: Mapping[str, datetime], b: Mapping[str, datetime], *, first: bool) -> Since:
    choose = min if first else max
    return {**a, **b, **{segment: choose(a[segment], b[segment]) for segment in a.keys() & b.keys()}}


def _oldest(a: int | None, b: int | None) -> int | None:
    known = [revision for revision in (a, b) if revision is not None]
    return min(known, default=None)
