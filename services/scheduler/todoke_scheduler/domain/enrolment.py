"""One run of a person through a campaign, and how it moves on.

Rules
1. A step is done at its due time or later, never earlier.
2. A run has an end as soon as one is known: an exit, or a newer run in its place. Once that instant has come nothing is
   done any more, not even a step that was due before it and is late: a cart reminder must not reach a buyer.
   An end at the very instant of a step comes before the step.
3. A wait counts from when the step before was due, so that lateness never adds up.

| state  | what happens            | next   |
|--------|-------------------------|--------|
| active | the end has come, or comes no later than the next step | ended |
| active | the next step is not due | active |
| active | a due `wait`            | active, due later |
| active | a due `send`            | active, the message is owed |
| active | no step is left         | done   |
| ended, done | anything           | unchanged |
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from todoke_shared.campaigns.model import Campaign, Send, Wait

EnrolmentStatus = Literal["active", "ended", "done"]
EndReason = Literal["exit", "restarted"]


@dataclass(frozen=True)
class Enrolment:
    """A run. `position` is the next step, due at `due_at`; `context` is what its cause carried for the messages."""

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
    context: dict[str, Any] = field(default_factory=dict)

    def ending(self, at: datetime, reason: EndReason) -> "Enrolment":
        """The run with an end at `at`, if it had none before that."""
        if self.status != "active" or (self.ends_at is not None and self.ends_at <= at):
            return self
        return replace(self, ends_at=at, end_reason=reason)


@dataclass(frozen=True)
class OwedMessage:
    """A message that the person is owed since `due_at`. `step` tells it from every other of the run."""

    message: str
    step: str
    due_at: datetime


def advance(enrolment: Enrolment, campaign: Campaign, now: datetime) -> tuple[Enrolment, list[OwedMessage]]:
    """Do what is due by `now`. The run as it then stands (active: wake it at its `due_at`), and the messages owed."""
    owed: list[OwedMessage] = []
    run = enrolment
    while run.status == "active":
        if run.ends_at is not None and run.ends_at <= max(now, run.due_at):
            run = replace(run, status="ended")
        elif run.due_at > now:
            break
        elif run.position == len(campaign.steps):
            run = replace(run, status="done")
        else:
            match campaign.steps[run.position]:
                case Wait(wait=duration):
                    run = replace(run, position=run.position + 1, due_at=run.due_at + duration)
                case Send(send=message):
                    owed.append(OwedMessage(message, f"{run.position}:{message}", run.due_at))
                    run = replace(run, position=run.position + 1)
    return run, owed
