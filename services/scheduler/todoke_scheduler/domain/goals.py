"""What a campaign has brought about: a goal that comes soon enough after a run has started is counted for it.

| the run                                    | the goal comes | decision |
|--------------------------------------------|----------------|----------|
| any                                        | by its start, or more than `within` after it | not counted |
| a newer run had taken its place by then    | in time | not counted: the newer one counts it |
| any other: under way, over, in the holdout | in time | counted, once for the run and the trigger |
| under way, and the goal says `ends`        | in time | counted, and the run ends here |

A goal is remembered for a while: an entry that is heard of after it, and happened before it, is a run like any other.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.campaigns.entering import Goal
from todoke_shared.contracts.triggers import Trigger

_PLACES = 2**31


@dataclass(frozen=True, slots=True)
class Heard:
    """A goal's trigger. `goal`: its place in the campaign's list. `key`: which runs are meant; "" means all."""

    id: UUID
    campaign: str
    person: UUID
    key: str
    goal: int
    at: datetime
    amount: float | None

    @classmethod
    def of(cls, trigger: Trigger) -> "Heard | None":
        """What a goal's trigger tells; None where it names no place."""
        place = trigger.context.get("goal", 0)
        if type(place) is not int or not 0 <= place < _PLACES:
            return None
        return cls(trigger.id, trigger.campaign, trigger.person, trigger.key, place, trigger.at, _amount(trigger))


@dataclass(frozen=True, slots=True)
class Conversion:
    """A goal reached; (`enrolment`, `trigger`) is its identity. `amount`: of the order, in yen; None: not told."""

    enrolment: UUID
    trigger: UUID
    at: datetime
    amount: float | None
    is_holdout: bool


def goal_reached(run: Enrolment, goal: Goal, heard: Heard) -> Conversion | None:
    """What a goal that was heard of counts for a run; None when nothing."""
    if heard.key not in ("", run.key) or not run.started_at < heard.at <= run.started_at + goal.within:
        return None
    if run.end_reason == "restarted" and run.has_ended_by(heard.at):
        return None
    return Conversion(run.id, heard.id, heard.at, heard.amount, run.holdout)


def ended_by(run: Enrolment, goal: Goal, heard: Heard) -> Enrolment:
    """The run once that goal is counted for it."""
    return run.ending(heard.at, "goal") if goal.ends else run


def _amount(trigger: Trigger) -> float | None:
    event: Any = trigger.context.get("event")
    amount = event.get("amount") if isinstance(event, dict) else None
    return float(amount) if isinstance(amount, int | float) and not isinstance(amount, bool) else None
