"""Parts of a campaign in a few words, for diagrams and remarks."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from todoke_shared.campaigns.durations import format_duration
from todoke_shared.campaigns.entering import AgainAfter, Enter, EventRule, Every, Goal, Once, PerField, Schedule
from todoke_shared.campaigns.steps import Ask, Coupon, Emit, If, RichMenu, Send, Set, Split, Step, Stop, Tag, Wait
from todoke_shared.campaigns.waits import WEEKDAYS, OnDate, OnDay, UntilTime, UntilWeekday


def condition_words(when: Mapping[str, Any] | None) -> str:
    """A condition on one line, much as it is written: `points: {at_least: 500}`."""
    return ", ".join(f"{key}: {_value(value)}" for key, value in (when or {}).items())


def rule_words(rule: EventRule) -> str:
    """What an exit or a goal waits for."""
    words = " / ".join(rule.on) + (f" {rule.segment}" if rule.segment else "")
    words += f" within {format_duration(rule.within)}" if isinstance(rule, Goal) else ""
    return words + _if(rule.when)


def enter_words(enter: Enter) -> list[str]:
    """How people come in, a line for each thing that is said of it."""
    lines = [_way_in(enter)]
    if enter.keyword:
        lines.append("says " + " / ".join(enter.keyword))
    if enter.postback:
        lines.append(f"taps {enter.postback}")
    if enter.when:
        lines.append(f"if {condition_words(enter.when)}")
    if enter.per != "person":
        lines.append(f"per {enter.per.field if isinstance(enter.per, PerField) else enter.per}")
    again = enter.again
    lines.append(f"again {f'after {format_duration(again.after)}' if isinstance(again, AgainAfter) else again}")
    return lines


def step_words(step: Step) -> str:
    """What a step does; nothing of the steps within it."""
    match step:
        case Wait(wait=wait):
            return f"wait {_wait(wait)}"
        case Send(send=message, when=when):
            return f"send {message}{_if(when)}"
        case Ask(ask=question, answers=answers):
            return f"ask {question}: {' / '.join(answers)}"
        case If(when=when):
            return f"if {condition_words(when)}"
        case Split(name=name):
            return f"split {name or ''}".rstrip()
    return _act_words(step)


def _act_words(step: Coupon | Tag | Set | RichMenu | Emit | Stop) -> str:
    match step:
        case Coupon(coupon=pool):
            return f"coupon {pool}"
        case Tag(tag=tag, on=on):
            return f"{'tag' if on else 'untag'} {tag}"
        case Set(values=values):
            return f"set {condition_words(values)}"
        case RichMenu(menu=menu):
            return f"rich menu {menu or 'none'}"
        case Emit(type=type_):
            return f"emit {type_}"
    return "stop"


def _way_in(enter: Enter) -> str:
    if enter.schedule is not None:
        return _schedule(enter.schedule) + (f", {enter.rate} a second" if enter.rate else "")
    if enter.date is not None:
        return f"{enter.date}{_offset(enter.offset_days or 0)} at {enter.at:%H:%M}"
    return " / ".join(enter.on) + (f" {enter.segment}" if enter.segment else "")


def _schedule(schedule: Schedule) -> str:
    match schedule:
        case Once(at=at):
            return f"at {at:%Y-%m-%d %H:%M}"
        case Every(every=every, at=time, on=on):
            return f"every {every}{f' on {on}' if on else ''} at {time:%H:%M}"


def _wait(wait: timedelta | UntilTime | UntilWeekday | OnDay | OnDate) -> str:
    match wait:
        case timedelta():
            return format_duration(wait)
        case UntilTime(time=time):
            return f"until {time:%H:%M}"
        case UntilWeekday(weekday=weekday, time=time):
            return f"until {WEEKDAYS[weekday]} {time:%H:%M}"
        case OnDay(days=days, at=time):
            return f"until day {days} at {time:%H:%M}"
        case OnDate(date=name, offset_days=days, at=at):
            return f"until {name}{_offset(days)}{f' at {at:%H:%M}' if at else ''}"


def _offset(days: int) -> str:
    return f" {days:+}d" if days else ""


def _if(when: Mapping[str, Any] | None) -> str:
    return f" if {condition_words(when)}" if when else ""


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + condition_words(value) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
