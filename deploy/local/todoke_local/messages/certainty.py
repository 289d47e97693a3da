"""What is known of everybody to whom a message goes: by how they enter, and by the conditions on the way to it."""

from collections.abc import Iterator, Mapping
from typing import Any

from todoke_local.messages.reads import ITEM, Path
from todoke_shared.campaigns.model import Ask, Campaign, If, Send, Step
from todoke_shared.campaigns.steps import branches_of
from todoke_shared.conditions import All, Any_, Compare, Condition, parse_condition
from todoke_shared.conditions.attributes import ANSWER_PREFIX, DATE_PREFIX, EVENT_PREFIX, PROFILE_PREFIX
from todoke_shared.conditions.model import Count, InDays, Month

_AT_LEAST_ONE = {"at_least": 1, "more_than": 0, "is": 1}
_EXPIRING = (("person", "points_expiring"), ("person", "points_expire_on"))
_BIRTHDAY = (("person", "birthday"), ("person", "birthday_month"))
_PREFIXES: Mapping[str, Path] = {
    EVENT_PREFIX: ("event",),
    PROFILE_PREFIX: ("person",),
    DATE_PREFIX: ("person",),
    ANSWER_PREFIX: ("answers",),
}


def certain_of(campaign: Campaign) -> dict[str, frozenset[Path]]:
    """By message: what everybody has who gets it. Of one that no step sends: what everybody has who comes in."""
    entering = frozenset(_of_entry(campaign))
    found: dict[str, frozenset[Path]] = {}
    for name, known in _sent(campaign.steps, entering):
        found[name] = found[name] & known if name in found else known
    return {name: found.get(name, entering) for name in campaign.messages}


def _of_entry(campaign: Campaign) -> Iterator[Path]:
    enter = campaign.enter
    if enter.date is not None:
        yield from _BIRTHDAY if enter.date == "birthday" else (("person", enter.date.removeprefix(DATE_PREFIX)),)
    yield from _of_condition(enter.when)


def _sent(steps: tuple[Step, ...], known: frozenset[Path]) -> Iterator[tuple[str, frozenset[Path]]]:
    for step in steps:
        match step:
            case Send(send=name, when=when):
                yield name, known | frozenset(_of_condition(when))
            case Ask(message=name):
                yield name, known
            case If(when=when):
                for way, inner in branches_of(step).items():
                    yield from _sent(inner, known | frozenset(_of_condition(when)) if way == "then" else known)
            case _:
                for inner in branches_of(step).values():
                    yield from _sent(inner, known)


def _of_condition(when: dict[str, Any] | None) -> frozenset[Path]:
    return frozenset() if when is None else _held(parse_condition(when))


def _held(condition: Condition) -> frozenset[Path]:
    """What is known where a condition holds: to hold a value against something, it must be there."""
    found: frozenset[Path] = frozenset()
    match condition:
        case All(parts):
            found = found.union(*map(_held, parts))
        case Any_(parts) if parts:
            found = frozenset.intersection(*map(_held, parts))
        case Compare("cart.items", operator, operand):
            least = _AT_LEAST_ONE.get(operator)
            if least is not None and isinstance(operand, int | float) and operand >= least:
                found = frozenset({("cart", ITEM)})
        case Compare(_, "known", False):
            pass
        case Compare(attribute) | InDays(attribute) | Month(attribute):
            found = _read(attribute)
        case Count("points.expiring"):
            found = frozenset(_EXPIRING)
    return found


def _read(attribute: str) -> frozenset[Path]:
    if attribute == "birthday":
        return frozenset(_BIRTHDAY)
    for prefix, path in _PREFIXES.items():
        if attribute.startswith(prefix):
            name = attribute.removeprefix(prefix)
            return frozenset({(*path, *(name.split(".") if prefix == EVENT_PREFIX else (name,)))})
    return frozenset({("person", attribute)})
