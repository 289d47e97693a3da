"""How a run moves on; the rules are on top of `domain/enrolment.py`. Everything that is due is done in one go.

| state  | what happens                                              | next |
|--------|-----------------------------------------------------------|------|
| active | the end has come                                          | ended |
| active | the end comes no later than the next step, unless that is an answer: it may come any time | ended |
| active | the next step is not due                                  | active |
| active | no step is left                                           | done |
| active | a due `wait`                                              | active, due later; noted if it does not wait |
| active | a due `send` whose condition does not hold                | active, behind it; noted |
| active | a due `send`, let go                                      | active, behind it; the message is owed |
| active | a due `ask`, let go                                       | active, at its answer; the message is owed |
| active | a due `send` or `ask`, left out                           | active, behind it and its answer; noted |
| active | a due `send` or `ask`, held                               | active, at it, due when it is let go; noted |
| active | an answer to the question, in time (`answered`)           | active, behind it, due when the answer came |
| active | no answer in time                                         | active, behind it; noted |
| active | a due `if` or `split`                                     | active, on the way that it takes; noted |
| active | a due `coupon`, `tag`, `set`, `rich_menu`, `emit`, let go | active, behind it; the effect |
| active | the same, left out                                        | active, behind it; noted |
| active | any of these that does something, of a paused campaign    | active, as it was; to be looked at again |
| active | a due `stop`                                              | done |
| active | a new version, and it moves (`domain/moving.py`)          | active, at the same step |
| ended, done | anything                                             | unchanged |
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from msgspec.structs import replace

from todoke_scheduler.domain import words
from todoke_scheduler.domain.actions import action_of
from todoke_scheduler.domain.calendar import later
from todoke_scheduler.domain.effects import Action, Effect, LookAgain, Noted
from todoke_scheduler.domain.enrolment import SPREAD, Enrolment
from todoke_scheduler.domain.people import Person
from todoke_scheduler.domain.sharing import arm
from todoke_scheduler.domain.verdicts import Decide, Go, Hold, Rest, Skip, unguarded
from todoke_scheduler.domain.waiting import due_after
from todoke_shared.campaigns.program import Instruction, Program
from todoke_shared.campaigns.steps import Ask, If, Send, Split, Wait


@dataclass(slots=True)
class _Walk:
    """A run while it moves: where it is by now, and what it has had done since somebody came to look."""

    run: Enrolment
    program: Program
    person: Person
    now: datetime
    decide: Decide
    position: int
    due_at: datetime
    is_done: bool = False
    rests: bool = False
    effects: list[Effect] = field(default_factory=list)


def advance(
    run: Enrolment, program: Program, person: Person, now: datetime, decide: Decide = unguarded
) -> tuple[Enrolment, list[Effect]]:
    """Do what is due by `now`. The run as it then stands (active: wake it at its `due_at`), and what it wants done."""
    if run.status != "active":
        return run, []
    walk = _Walk(run, program, person, now, decide, run.position, run.due_at)
    while True:
        instruction = program.at(walk.position)
        if _has_ended(walk, instruction):
            return walk.run.at(walk.position, walk.due_at, "ended"), walk.effects
        if walk.rests or walk.due_at > now:
            return walk.run.at(walk.position, walk.due_at, "active"), walk.effects
        if walk.is_done or instruction is None:
            return walk.run.at(walk.position, walk.due_at, "done"), walk.effects
        _do(walk, instruction)


def answered(run: Enrolment, program: Program, question: str, at: datetime) -> Enrolment:
    """The run once the person has answered a question at `at`: on its way again, if it was waiting for that then."""
    match program.at(run.position) if run.status == "active" else None:
        case Instruction(kind="answer", step=Ask(ask=asked, within=within), next=behind) if asked == question:
            if run.due_at - within <= at < run.due_at and not run.has_ended_by(at):
                return run.at(behind, at, "active")
    return run


def _has_ended(walk: _Walk, instruction: Instruction | None) -> bool:
    if walk.run.ends_at is None:
        return False
    waits_for_answer = instruction is not None and instruction.kind == "answer"
    return walk.run.has_ended_by(walk.now if waits_for_answer else max(walk.now, walk.due_at))


def _do(walk: _Walk, instruction: Instruction) -> None:
    step, place = instruction.step, instruction.place
    match instruction.kind:  # and not the step's type: it is asked at every timer, and pydantic makes that slow
        case "wait":
            wait = cast(Wait, step).wait
            walk.due_at, sentence = due_after(wait, walk.run, walk.due_at, walk.program.campaign.tz, walk.person)
            _go_on(walk, instruction.next, sentence, place)
        case "if":
            way = "then" if walk.person.holds(cast(If, step).condition) else "else"
            _go_on(walk, instruction.ways[way], words.took_way(way), place)
        case "split":
            split = cast(Split, step)
            name = split.name or place
            way = arm(walk.run.campaign, name, split.shares, walk.run.person)
            walk.run = replace(walk.run, arms={**walk.run.arms, name: way})
            _go_on(walk, instruction.ways[way], words.took_arm(name, way), place)
        case "stop":
            walk.is_done = True
            _go_on(walk, instruction.next, words.STOPPED, place)
        case "answer":
            _go_on(walk, instruction.next, words.NO_ANSWER, place)
        case "send" if not _is_wanted(cast(Send, step), walk.person):
            _go_on(walk, instruction.next, words.CONDITION_DOES_NOT_HOLD, place)
        case _:
            _act(walk, instruction, action_of(step, walk.position, walk.due_at))


def _is_wanted(step: Send, person: Person) -> bool:
    return step.when is None or step.condition is None or person.holds(step.condition)


def _go_on(walk: _Walk, position: int, sentence: str | None, place: str) -> None:
    walk.position = position
    if sentence is not None:
        walk.effects.append(Noted(sentence, place))


def _act(walk: _Walk, instruction: Instruction, action: Action) -> None:
    """Have something done, unless its guard is against it."""
    match walk.decide(action, walk.run, walk.effects):
        case Go():
            walk.effects.append(action)
            walk.position = instruction.next
            if instruction.kind == "ask":
                walk.due_at = later(walk.due_at, cast(Ask, instruction.step).within)
        case Skip(why):
            _go_on(walk, _behind(walk.program, instruction), why, instruction.place)
        case Hold(until, why, late) if until > walk.now:
            walk.due_at = until
            if late:
                walk.run = walk.run.noting(**{SPREAD: action.step})
            _go_on(walk, walk.position, why, instruction.place)
        case Rest(until):
            walk.effects.append(LookAgain(until))
            walk.rests = True
        case Hold(until):
            raise ValueError(f"a guard holds a step until {until}, which is not after {walk.now}")


def _behind(program: Program, instruction: Instruction) -> int:
    """Where to go on when something was not done: an answer to a question that was not put does not come."""
    answer = program.at(instruction.next) if instruction.kind == "ask" else None
    return instruction.next if answer is None else answer.next
