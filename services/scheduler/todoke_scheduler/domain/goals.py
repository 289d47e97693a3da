"""What a campaign has brought about: a goal that comes soon enough after a run has started is counted for it.

| the run                                    | the goal comes | decision |
|--------------------------------------------|----------------|----------|
| any                                        | by its start, or more than `within` after it | not counted |
| a newer run had taken its place by then    | in time | not counted: the newer one counts it |
| any other: under way, over, in the holdout | in time | counted, once for the run and the trigger |
| under way, and the goal says `ends`        | in time | counted, and the run ends here |
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.campaigns.entering import Goal
from todoke_shared.contracts.triggers import Trigger


@dataclass(frozen=True, slots=True)
class Conversion:
    """A goal reached; (`enrolment`, `trigger`) is its identity. `amount`: of the order, in yen; None: not told."""

    enrolment: UUID
    trigger: UUID
    at: datetime
    amount: float | None
    is_holdout: bool


def goal_reached(run: Enrolment, goal: Goal, trigger: Trigger) -> Conversion | None:
    """What a goal's trigger counts for a run; None when nothing."""
    if not run.started_at < trigger.at <= run.started_at + goal.within:
        return None
    if run.end_reason == "restarted" and run.has_ended_by(trigger.at):
        return None
    return Conversion(run.id, trigger.id, trigger.at, _amount(trigger), run.holdout)


def ended_by(run: Enrolment, goal: Goal, trigger: Trigger) -> Enrolment:
    """The run once that goal is counted for it."""
    return run.ending(trigger.at, "goal") if goal.ends else run


def _amount(trigger: Trigger) -> float | None:
    event: Any = trigger.context.get("event")
    amount = event.get("amount") if isinstance(event, dict) else None
    return float(amount) if isinstance(amount, int | float) and not isinstance(amount, bool) else None
