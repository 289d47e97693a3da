"""What a campaign asks about people: found once a version, so that nothing is read that nobody asks for."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from todoke_scheduler.domain.enrolment import Enrolment
from todoke_scheduler.domain.variables import OF_STATE, variables_named
from todoke_shared.campaigns.program import Program
from todoke_shared.campaigns.steps import If, Send, Wait
from todoke_shared.campaigns.waits import OnDate
from todoke_shared.conditions.attributes import EVENT_PREFIX


@dataclass(frozen=True, slots=True)
class Asks:
    """`variables`: those that each message names. `state`: all that is known of the person; `consent`: that alone."""

    variables: dict[str, frozenset[str]]
    state: bool
    consent: bool

    @classmethod
    def of(cls, program: Program) -> "Asks":
        """What the runs of a version ask."""
        campaign = program.campaign
        variables = {name: variables_named(objects) for name, objects in campaign.messages.items()}
        says = any(named & OF_STATE for named in variables.values())
        steps = (instruction.step for instruction in program.instructions)
        return cls(variables, says or any(map(_asks, steps)), campaign.consent != "none")


def _asks(step: object) -> bool:
    match step:
        case If():
            return True
        case Send(when=when):
            return when is not None
        case Wait(wait=OnDate(date=name)):
            return not name.startswith(EVENT_PREFIX)
    return False


def comes_to_act(run: Enrolment, program: Program, now: datetime) -> bool:
    """Whether the run may come to more than plain waits when it moves on: nearly none that has just begun does."""
    position, due_at = run.position, run.due_at
    while due_at <= now:
        instruction = program.at(position)
        if instruction is None:
            return False
        if instruction.kind != "wait" or not isinstance(instruction.step, Wait):
            return True
        if not isinstance(instruction.step.wait, timedelta):
            return True
        position, due_at = instruction.next, due_at + instruction.step.wait
    return False
