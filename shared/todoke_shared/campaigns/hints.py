"""pydantic's complaints about a campaign in an author's words: the path as written, and the nearest known word."""

from collections.abc import Iterator, Mapping
from typing import Any

from todoke_shared.campaigns.entering import AgainAfter, Enter, EventRule, Every, Goal, Once, PerField
from todoke_shared.campaigns.limits import Budget, Cap, Late, QuietHours
from todoke_shared.campaigns.links import Links
from todoke_shared.campaigns.model import Campaign
from todoke_shared.campaigns.parts import Part
from todoke_shared.campaigns.steps import (
    STEP_WORDS,
    Ask,
    Coupon,
    Emit,
    If,
    Place,
    RichMenu,
    Send,
    Set,
    Split,
    Stop,
    Tag,
    Wait,
)
from todoke_shared.campaigns.waits import OnDate, OnDay, UntilTime, UntilWeekday
from todoke_shared.campaigns.words import nearest
from todoke_shared.complaints import plain_words, words_of_literal
from todoke_shared.conditions.errors import did_you_mean

_CAMPAIGN = "write a campaign as a mapping that starts with `campaign: its-name`"
_CONDITION = "write a condition as a mapping, for example `{friend: true}`"
_STEP_LIST = "write a list of steps here, for example `[send: its-name]`"
_OBJECT = "{type: text, text: こんにちは}"

_BY_TAG: dict[str, type[Part]] = {
    f"<{part.__name__}>": part
    for part in (
        *(Wait, Send, Ask, If, Split, Coupon, Tag, Set, RichMenu, Emit, Stop),
        *(UntilTime, UntilWeekday, OnDay, OnDate, Once, Every, PerField, AgainAfter),
    )
}
_BY_KEY: dict[str, type[Part]] = {
    "enter": Enter,
    "exit": EventRule,
    "goal": Goal,
    "quiet_hours": QuietHours,
    "caps": Cap,
    "budget": Budget,
    "late": Late,
    "links": Links,
}
_EXAMPLES = {
    "enter": "{on: order.placed}",
    "exit": "{on: order.placed}",
    "goal": "{on: order.placed, within: 14d}",
    "schedule": "{at: 2026-12-24 10:00}",
    "quiet_hours": '{from: "21:00", to: "09:00"}',
    "caps": "{messages: 1, within: 1d}",
    "budget": "{messages: 5000}",
    "late": "{after: 2h, then: skip}",
    "links": "{per: person}",
    "on": "order.placed",
    "keyword": "[クーポン, coupon]",
    "answers": "[はい, いいえ]",
    "messages": f"{{its-name: [{_OBJECT}]}}",
    "split": "{a: 50, b: 50}",
    "set": "{favourite: tea}",
}
"""What an author could have written where a mapping or a list of them belongs."""
_SHAPES = ("model_type", "model_attributes_type", "dict_type", "tuple_type")
_WRITTEN: dict[type[Part], tuple[str, ...]] = {
    UntilWeekday: ("until",),
    Tag: ("tag", "untag"),
    Split: ("split", "name"),
}
"""Where what an author writes is not what the model holds."""


def as_written(loc: Place) -> list[str | int]:
    """pydantic's path without what only pydantic knows of: kinds of steps, and the mapping of a split's branches."""
    found: list[str | int] = []
    last: str | int = ""
    for part in loc:
        if not (
            part in _BY_TAG or part in ("<word>", "<duration>", "[key]") or (part, last) == ("branches", "<Split>")
        ):
            found.append(part)
        last = part
    return found


def said(complaint: Any, document: object) -> Any:
    """The complaint with a hint, where its own words do not say what to write."""
    loc: Place = complaint["loc"]
    match complaint["type"]:
        case "extra_forbidden":
            return _reworded(complaint, _unread_key(loc, document))
        case "union_tag_invalid" if loc[-1:] != ("[key]",):
            return _reworded(complaint, _unknown_step(value_at(document, as_written(loc))))
        case "literal_error":
            hint = did_you_mean(nearest(str(complaint["input"]), words_of_literal(complaint.get("ctx") or {})))
            return _reworded(complaint, plain_words(complaint) + hint)
        case kind if kind in _SHAPES and (words := _shape(kind, as_written(loc))):
            return _reworded(complaint, words)
    return complaint


def without_echoes(complaints: list[Any]) -> Iterator[Any]:
    """pydantic leaves bad items out and then finds that there are too few: that is no second mistake."""
    places = [complaint["loc"] for complaint in complaints]
    for complaint in complaints:
        loc = complaint["loc"]
        echo = complaint["type"] == "too_short" and any(place != loc and place[: len(loc)] == loc for place in places)
        if not echo and complaint["type"] != "default_factory_not_called":
            yield complaint


def value_at(document: object, path: list[str | int]) -> object:
    """What stands at a path, None where nothing does."""
    value = document
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part) if part in value else (value if part == 0 else None)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _shape(kind: str, path: list[str | int]) -> str | None:
    """What to write where something else stands than the mapping or the list that belongs there."""
    match path:
        case []:
            return _CAMPAIGN
        case ["messages", _]:
            return f"write a list of LINE's message objects here, for example `[{_OBJECT}]`"
        case ["messages", _, int()]:
            return f"write a message object of LINE's as a mapping, for example `{_OBJECT}`"
        case ["steps", *_] if kind == "tuple_type" and path[-1] != "answers":
            return _STEP_LIST
        case [*_, "when" | "if"]:
            return _CONDITION
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    return f"write it as `{_EXAMPLES[key]}`" if key in _EXAMPLES else None


def _reworded(complaint: Any, words: str) -> Any:
    return {"type": "reworded", "loc": complaint["loc"], "msg": words}


def _unread_key(loc: Place, document: object) -> str:
    *owner, key = loc
    part = next((_BY_TAG[str(one)] for one in reversed(owner) if one in _BY_TAG), None)
    if part is None:
        part = _BY_KEY.get(str(owner[0]), Campaign) if owner else Campaign
    if key == "if":
        return "only `send` has a condition of its own; write `- if: {…}` and put this step under its `then:`"
    known = list(_WRITTEN.get(part, [field.alias or name for name, field in part.model_fields.items()]))
    if part is Split:
        shares = value_at(document, [*as_written(tuple(owner)), "split"])
        known += [str(name) for name in shares] if isinstance(shares, Mapping) else []
    return "nobody reads this key; check its spelling" + did_you_mean(nearest(str(key), known))


def _unknown_step(value: object) -> str:
    words = ", ".join(STEP_WORDS)
    if not isinstance(value, Mapping):
        return f"write a step as `wait: 1h` or `send: message-name`; its first word is one of {words}"
    named = [word for word in STEP_WORDS if word in value]
    if named:
        return f"`{named[0]}` and `{named[1]}` are two steps; begin each with a `-` of its own"
    hints = [hint for key in value if (hint := nearest(str(key), STEP_WORDS))]
    unknown = next((str(key) for key in value if nearest(str(key), STEP_WORDS)), str(next(iter(value), "")))
    return f"there is no step `{unknown}`; use one of {words}" + did_you_mean(hints[0] if hints else None)
