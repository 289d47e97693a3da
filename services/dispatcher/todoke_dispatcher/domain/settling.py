"""What an operator may decide about a message that is unknown: LINE may have it, and its retry key's life is over.

Rules (RELIABILITY: dispatcher; docs/adr/0029):
- No program decides. Each decision is written down, with who took it and why.
- The place in the month stays counted, whatever is decided: LINE may have counted it. A message that is sent again
  takes a second one.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from todoke_dispatcher.domain.delivery import Delivery, Event, resend


class Decision(StrEnum):
    """What became of it, or is to become of it."""

    ACCEPTED = "accepted"
    """LINE took it: the person says so, or LINE's manager shows it."""
    RESEND = "resend"
    """It goes out again, as a new, paid message: the person may get it twice."""
    DROP = "drop"
    """It is left at that: nothing is sent."""


EVENTS: dict[Decision, Event] = {
    Decision.ACCEPTED: Event.CONFIRM,
    Decision.RESEND: Event.RESEND,
    Decision.DROP: Event.LET_GO,
}


def decide(unknown: Delivery, decision: Decision, *, by: str, reason: str, wall: datetime) -> Delivery:
    """The delivery after the decision. TransitionError when it is not unknown."""
    if decision is Decision.RESEND:
        return resend(unknown, wall)
    told = f"{by}: {reason}"
    return replace(unknown, state=unknown.apply(EVENTS[decision]), ambiguous=False, next_attempt_at=None, reason=told)
