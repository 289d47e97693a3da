"""One run of a person through a campaign.

Rules
1. A step is done at its due time or later, never earlier.
2. A run has an end as soon as one is known: an exit, a goal, a newer run in its place, the end of the campaign. Once
   that instant has come nothing is done any more, not even a step that was due before it and is late: a cart reminder
   must not reach a buyer. An end at the very instant of a step comes before the step.
3. A wait counts from when the step before was due, so that lateness never adds up. A step that was held was due when it
   was let go.
4. In the holdout a run goes its way and does nothing that anybody notices.

`domain/stepping.py` has the table of transitions.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec.structs import replace

EnrolmentStatus = Literal["active", "ended", "done"]
EndReason = Literal["exit", "goal", "restarted", "over"]
"""`over`: the campaign's own `ends` has come."""


COUPON, ANSWERS, SPREAD = "coupon", "answers", "spread"
"""What a run's `notes` hold: the code it was given last, what was answered, the step that was held for being late."""


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """A run. `position` is the next instruction, due at `due_at` (an answer: at the latest then).

    `context` is what its cause carried for the messages, `notes` what the run has come by itself; `arms`: the way it
    took at each split. `holdout`: it is there to be compared with.
    """

    id: UUID
    campaign: str
    version: int
    shop: str
    person: UUID
    key: str
    started_at: datetime
    due_at: datetime
    position: int = 0
    status: EnrolmentStatus = "active"
    ends_at: datetime | None = None
    end_reason: EndReason | None = None
    context: dict[str, Any] = {}
    holdout: bool = False
    notes: dict[str, Any] = {}
    arms: dict[str, str] = {}

    def ending(self, at: datetime, reason: EndReason) -> "Enrolment":
        """The run with an end at `at`, if it had none before that."""
        if self.status != "active" or self.has_ended_by(at):
            return self
        return replace(self, ends_at=at, end_reason=reason)

    def at(self, position: int, due_at: datetime, status: EnrolmentStatus) -> "Enrolment":
        """The run once it has come there."""
        return replace(self, position=position, due_at=due_at, status=status)

    def noting(self, **notes: Any) -> "Enrolment":
        """The run with these notes."""
        return replace(self, notes={**self.notes, **notes})

    def has_ended_by(self, instant: datetime) -> bool:
        """Whether an end is known that comes no later than this."""
        return self.ends_at is not None and self.ends_at <= instant
