"""What follows from a verdict for its delivery or its multicast: pure, so that a property test can walk every path."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from todoke_dispatcher.domain.delivery import KEY_LIFE, Delivery, Event
from todoke_dispatcher.domain.multicast import Multicast
from todoke_dispatcher.domain.verdict import (
    Accepted,
    ChannelStopped,
    MonthlyLimit,
    NotSent,
    Refused,
    TooFast,
    Unclear,
    Verdict,
)

Sent = TypeVar("Sent", Delivery, Multicast)
"""What goes out in one request: one answer means the same for both."""

FIRST_BACKOFF = timedelta(seconds=1)
LONGEST_BACKOFF = timedelta(minutes=10)
"""Half of each step is jitter: at most 11 attempts in the first ten minutes (fault test 11 allows 12)."""
CHANNEL_PAUSE = timedelta(seconds=1)
"""After a 429 for rate. One second refills LINE's bucket, and the channel is back within 2 s (fault test 12)."""
STANDSTILL = timedelta(minutes=1)
"""How soon a message that LINE may have looks again whether its stopped channel sends again."""


def backoff(attempts: int, jitter: float) -> timedelta:
    """The pause after that many attempts (1, 2, …), doubling; `jitter` in [0, 1) spreads it over its second half."""
    step = min(FIRST_BACKOFF * (1 << min(attempts - 1, 20)), LONGEST_BACKOFF)
    return step * (0.5 + jitter / 2)


def conclude(before: Sent, sent: Sent, verdict: Verdict, *, wall: datetime, jitter: float) -> Sent:
    """The delivery or multicast after an attempt. `before`: as it was claimed; `sent`: as it was stored for it.

    Its quota is given back exactly when LINE has definitively not taken it and it will not be tried again soon.
    """
    attempts = sent.attempts + (not isinstance(verdict, NotSent))
    asked = sent.line_request_id if isinstance(verdict, NotSent) else verdict.line_request_id
    sent = replace(sent, attempts=attempts, next_attempt_at=None, line_request_id=asked)
    match verdict:
        case Accepted():
            return replace(sent, state=sent.apply(Event.ACCEPT), ambiguous=False, reason=verdict.reason)
        case Refused(reason):
            return replace(sent, state=sent.apply(Event.FAIL), ambiguous=False, reason=reason, quota_month=None)
        case Unclear(reason):
            return _again(sent, wall + backoff(attempts, jitter), reason)
        case NotSent(reason):
            return _again(replace(sent, ambiguous=before.ambiguous), wall, reason)
        case TooFast(reason):
            pause = max(CHANNEL_PAUSE, backoff(attempts, jitter))  # it may be about this one person alone
            return _again(replace(sent, ambiguous=before.ambiguous), wall + pause, reason)
        case ChannelStopped(reason=reason) | MonthlyLimit(reason):
            return stand_still(replace(sent, ambiguous=before.ambiguous), wall, reason)


def stand_still(sent: Sent, wall: datetime, reason: str) -> Sent:
    """Its channel may not send: held (a multicast is dissolved: its messages are).

    When LINE may have it, it is looked at again until its key's life is over.
    """
    if sent.ambiguous:
        return _again(sent, wall + STANDSTILL, reason)
    since = sent.next_attempt_at or wall  # held messages keep their order of age
    return replace(sent, state=sent.apply(Event.HOLD), reason=reason, quota_month=None, next_attempt_at=since)


def _again(sent: Sent, instant: datetime, reason: str) -> Sent:
    if sent.ambiguous and sent.first_attempt_at is not None:
        instant = min(instant, sent.first_attempt_at + KEY_LIFE)  # so that it is listed as unknown in time
    return replace(sent, state=sent.apply(Event.RETRY), next_attempt_at=instant, reason=reason)
