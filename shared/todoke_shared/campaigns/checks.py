"""What is wrong in a campaign though each part of it can be read: steps never reached, circles, too many buttons.

Held against files, not against published versions: a rule that is new today must make no old campaign unreadable.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from todoke_shared.campaigns.durations import format_duration
from todoke_shared.campaigns.entering import Every, Once
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.parts import MOST_DAYS
from todoke_shared.campaigns.steps import (
    MOST_ANSWERS,
    Ask,
    Coupon,
    Emit,
    If,
    Place,
    Send,
    Set,
    Split,
    Step,
    Stop,
    Tag,
    Wait,
    branches_of,
    walk,
)
from todoke_shared.campaigns.waits import OnDate
from todoke_shared.conditions import ConditionError, parse_condition
from todoke_shared.conditions.attributes import EVENT_PREFIX

_LONGEST = timedelta(days=MOST_DAYS)
_NO_EVENT = "nobody's event starts this campaign, a {kind} does: ask about the person instead"

Complaint = tuple[Place, str]


def cross_mistakes(campaign: Campaign) -> Iterator[Complaint]:
    """Every mistake that shows only when parts are held against each other: its place, and what to write instead."""
    yield from _never_reached(campaign.steps, ("steps",))
    yield from _nothing_happens(campaign)
    yield from _too_long(campaign)
    yield from _circles(campaign)
    yield from _without_an_event(campaign)
    yield from _questions(campaign)
    yield from _coupons(campaign)
    yield from _never_in_force(campaign)


def _never_reached(steps: tuple[Step, ...], place: Place) -> Iterator[Complaint]:
    stopped = False
    for index, step in enumerate(steps):
        if stopped:
            yield (*place, index), "this is never reached: the run has stopped before it; take it out, or the `stop`"
            return
        for name, inner in branches_of(step).items():
            yield from _never_reached(inner, (*place, index, name))
        stopped = _stops(step)


def _stops(step: Step) -> bool:
    """Whether nobody gets past a step."""
    match step:
        case Stop():
            return True
        case If() | Split():
            return all(any(map(_stops, inner)) for inner in branches_of(step).values())
    return False


def _nothing_happens(campaign: Campaign) -> Iterator[Complaint]:
    if all(isinstance(step, Wait | Stop | If | Split) for _, step in walk(campaign.steps)):
        yield ("steps",), "nothing happens in this campaign; add a step that does something, for example `send: name`"


def _too_long(campaign: Campaign) -> Iterator[Complaint]:
    if campaign.expires is not None and campaign.expires > _LONGEST:
        yield (
            ("expires",),
            f"no message is of use for {format_duration(campaign.expires)}; write at most {_LONGEST.days}d",
        )
    for place, step in walk(campaign.steps):
        match step:
            case Wait(wait=timedelta() as wait) if wait > _LONGEST:
                yield (*place, "wait"), f"nobody waits for {format_duration(wait)}; write at most {_LONGEST.days}d"
            case Ask(within=within) if not timedelta(minutes=1) <= within <= _LONGEST:
                yield (*place, "within"), f"a question stays open for 1m to {_LONGEST.days}d"


def _circles(campaign: Campaign) -> Iterator[Complaint]:
    if campaign.enter.again not in ("always", "restart"):
        return
    for place, step in walk(campaign.steps):
        told = _tells(step)
        if told in campaign.enter.event_types:
            yield (
                place,
                f"this tells `{told}`, which starts this very campaign again, without end; "
                "enter by another event, or write `again: never`",
            )


def _tells(step: Step) -> str | None:
    """The event that a step brings about."""
    match step:
        case Emit(type=type_):
            return type_
        case Tag(on=on):
            return "custom.tag.added" if on else "custom.tag.removed"
        case Set():
            return "customer.updated"
    return None


def _without_an_event(campaign: Campaign) -> Iterator[Complaint]:
    """Where people come in by a date or a schedule, there is no event to ask about."""
    kind = campaign.enter.kind
    if kind not in ("date", "schedule"):
        return
    remedy = _NO_EVENT.format(kind=kind)
    yield from _asks_an_event(campaign.enter.when, ("enter", "when"), remedy)
    for place, step in walk(campaign.steps):
        match step:
            case Send(when=when) | If(when=when):
                yield from _asks_an_event(when, (*place, "if"), remedy)
            case Wait(wait=OnDate(date=name)) if name.startswith(EVENT_PREFIX):
                yield (*place, "wait", "date"), f"`{name}`: {remedy}"
    for name, index in _messages_that_say(campaign, "event"):
        yield ("messages", name, index), f"a template says `event`: {remedy}"


def _asks_an_event(when: dict[str, Any] | None, place: Place, remedy: str) -> Iterator[Complaint]:
    if when is None:
        return
    try:
        parse_condition(when, events=False)
    except ConditionError as error:
        for one in (error, *error.others):
            yield (*place, *one.path), f"`{one.path[-1]}`: {remedy}"


def _messages_that_say(campaign: Campaign, variable: str) -> Iterator[tuple[str, int]]:
    says = re.compile(r"\{[{%][^}]*(?<![\w.'\"])" + variable + r"\b(?!['\"])")
    for name, objects in campaign.messages.items():
        for index, one in enumerate(objects):
            if says.search(json.dumps(one, ensure_ascii=False)):
                yield name, index


def _questions(campaign: Campaign) -> Iterator[Complaint]:
    asked: dict[str, Ask] = {}
    for place, step in walk(campaign.steps):
        if not isinstance(step, Ask):
            continue
        first = asked.setdefault(step.ask, step)
        if first.answers != step.answers:
            yield (
                (*place, "answers"),
                f"`{step.ask}` is asked before with other answers; give this question another name",
            )
        own = _own_buttons(campaign.messages[step.message][-1])
        if own + len(step.answers) > MOST_ANSWERS:
            yield (
                (*place, "answers"),
                f"LINE shows at most {MOST_ANSWERS} buttons; here are {len(step.answers)} answers beside the "
                f"{own} that `{step.message}` has of its own",
            )


def _own_buttons(message: Mapping[str, Any]) -> int:
    quick = message.get("quickReply")
    items = quick.get("items") if isinstance(quick, Mapping) else None
    return len(items) if isinstance(items, list) else 0


def _coupons(campaign: Campaign) -> Iterator[Complaint]:
    steps: Iterable[Step] = (step for _, step in walk(campaign.steps))
    if any(isinstance(step, Coupon) for step in steps):
        return
    for name, index in _messages_that_say(campaign, "coupon"):
        yield ("messages", name, index), "a template says `coupon`, and no step assigns one; add `coupon: its-pool`"


def _never_in_force(campaign: Campaign) -> Iterator[Complaint]:
    match campaign.enter.schedule:
        case Once(at=at):
            if (campaign.starts and at < campaign.starts) or (campaign.ends and at > campaign.ends):
                yield ("enter", "schedule", "at"), "nobody would come in: this is outside `starts` and `ends`"
        case Every() if campaign.starts and campaign.ends and campaign.ends - campaign.starts < timedelta(days=1):
            yield ("enter", "schedule", "every"), "between `starts` and `ends` there is no full day; write `at: …` once"
