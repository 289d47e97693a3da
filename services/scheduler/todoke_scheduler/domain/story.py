"""What `todoke explain PERSON CAMPAIGN` tells: a run's decisions and deliveries in the order in which they happened."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from todoke_scheduler.domain import words
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.campaigns.durations import format_duration
from todoke_shared.campaigns.model import OnDate, OnDay, UntilTime, UntilWeekday
from todoke_shared.campaigns.program import Instruction, Program
from todoke_shared.campaigns.steps import Ask, Coupon, Emit, RichMenu, Send, Split, Tag, Wait
from todoke_shared.campaigns.waits import WEEKDAYS, WaitFor


@dataclass(frozen=True, slots=True)
class Logged:
    """A line of the decision log; `place` is the step's, None where it is about no step."""

    at: datetime
    place: str | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that was asked for at `at`, by its name, and how its delivery stands."""

    at: datetime
    message: str
    state: str
    reason: str | None = None


def story(
    run: Enrolment, program: Program, decisions: Iterable[Logged], deliveries: Iterable[Delivered], now: datetime
) -> list[str]:
    """A run in sentences, each with its local time, the oldest first; at the end, how it stands."""
    zone = program.campaign.tz
    places = {instruction.place: instruction for instruction in program.instructions}
    told = [(one.at, _decision(one, places)) for one in decisions]
    told += [(one.at, _delivery(one)) for one in deliveries]
    told.sort(key=lambda line: line[0])
    lines = [(run.started_at, words.came_in(run.version)), *told]
    return [f"{words.instant(at, zone)}  {sentence}" for at, sentence in lines] + _standing(run, program, now)


def refused(decisions: Iterable[Logged], zone: ZoneInfo) -> list[str]:
    """Why somebody without a run has none, in sentences."""
    lines = [f"{words.instant(one.at, zone)}  {one.sentence}" for one in sorted(decisions, key=lambda one: one.at)]
    return lines or [words.NEVER_ENTERED]


def describe(instruction: Instruction) -> str:
    """A step in short, with its place: `send first (steps[1])`."""
    return f"{_step(instruction)} ({instruction.place})"


def _decision(one: Logged, places: dict[str, Instruction]) -> str:
    if one.place is None:
        return one.sentence
    instruction = places.get(one.place)
    return f"{one.place if instruction is None else describe(instruction)}: {one.sentence}"


def _delivery(one: Delivered) -> str:
    state = words.DELIVERIES.get(one.state, one.state)
    return f"message {one.message}: {state}" + (f" ({one.reason})" if one.reason else "")


def _standing(run: Enrolment, program: Program, now: datetime) -> list[str]:
    zone = program.campaign.tz
    due = words.instant(run.due_at, zone)
    if run.status == "done":
        return [f"{due}  {words.WENT_THROUGH}"]
    if run.status == "ended" or run.has_ended_by(now):
        return [f"{words.instant(run.ends_at or run.due_at, zone)}  {words.ended(run.end_reason)}"]
    instruction = program.at(run.position)
    lines = [_next(instruction, due, is_overdue=run.due_at <= now)]
    if run.ends_at is not None:
        lines.append(words.ends_at_latest(run.end_reason, words.instant(run.ends_at, zone)))
    return lines


def _next(instruction: Instruction | None, due: str, *, is_overdue: bool) -> str:
    step = words.NEXT_IS_THE_END if instruction is None else describe(instruction)
    if is_overdue:
        return words.overdue(step, due)
    if instruction is not None and instruction.kind == "answer" and isinstance(instruction.step, Ask):
        return words.waits_for_answer(f"{instruction.step.ask} ({instruction.place})", due)
    return words.next_step(step, due)


def _step(instruction: Instruction) -> str:
    kind: str = "ask" if instruction.kind == "answer" else instruction.kind
    what: str | None = None
    match instruction.step:
        case Wait(wait=wait):
            what = _wait(wait)
        case Send(send=name) | Ask(ask=name) | Coupon(coupon=name) | Emit(type=name):
            what = name
        case Tag(tag=name, on=on):
            kind, what = "tag" if on else "untag", name
        case Split(name=name):
            what = name
        case RichMenu(menu=menu):
            what = menu or "none"
    return f"{kind} {what}" if what else kind


def _wait(wait: WaitFor) -> str:
    match wait:
        case timedelta():
            return format_duration(wait)
        case UntilTime(time=at):
            return f"until {at:%H:%M}"
        case UntilWeekday(weekday=weekday, time=at):
            return f"until {WEEKDAYS[weekday]} {at:%H:%M}"
        case OnDay(days=days, at=at):
            return f"until day {days}, {at:%H:%M}"
        case OnDate(date=name, offset_days=days, at=at):
            return f"until {name}" + (f" {days:+}d" if days else "") + (f", {at:%H:%M}" if at else "")
