"""What the variables of a campaign's messages hold, by how people enter it.

Known from where each is made: events from the contracts' models and examples, the cart as the segmenter publishes it,
the person as `customer.updated` may tell of them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path as File
from typing import Any, get_args, get_origin, get_type_hints

import todoke_shared.contracts
from todoke_segmenter.domain.happening import from_line_event
from todoke_shared.campaigns.entering import SEGMENT_EVENTS
from todoke_shared.campaigns.model import Ask, Campaign, Coupon, walk
from todoke_shared.contracts.ec_events import DATA_MODELS, EVENT_TYPES, EventData
from todoke_shared.contracts.lenient import Count, Day, Moment, Text, Texts, Truth
from todoke_shared.contracts.line_events import LineEvent
from todoke_shared.jsons import loads

EXAMPLES = File(todoke_shared.contracts.__file__).parent / "examples"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")
_LINE = "line."


@dataclass(frozen=True)
class Known:
    """A value. `open`: it may have other fields too. `sure`: it is there for everybody. `examples`: as it may be."""

    kind: str = "text"
    fields: Mapping[str, "Known"] = field(default_factory=dict)
    item: "Known | None" = None
    open: bool = False
    sure: bool = False
    examples: tuple[Any, ...] = ()


def _map(fields: Mapping[str, Known], *, open_: bool = False, sure: bool = True) -> Known:
    return Known("map", fields, open=open_, sure=sure)


_CART = Known(
    "list",
    sure=True,
    item=_map(
        {
            "product_id": Known(sure=True, examples=("tea-001",)),
            "name": Known(sure=True),
            "quantity": Known("number", sure=True, examples=(2,)),
            "price": Known("number", examples=(1980,)),
        }
    ),
)
_PRODUCTS = Known(
    "list",
    sure=True,
    item=_map(
        {
            "product_id": Known(sure=True, examples=("tea-001",)),
            "name": Known(),
            "price": Known("number", examples=(1980,)),
            "url": Known("url"),
            "image_url": Known("url"),
            "category": Known(examples=("日本茶",)),
            "stock": Known("number", examples=(12,)),
        }
    ),
)
_PERSON = _map(
    {
        "name": Known(),
        "gender": Known(examples=("female",)),
        "birthday": Known("date", examples=("1990-11-21",)),
        "birthday_month": Known("month", examples=(11,)),
        "prefecture": Known(examples=("神奈川県",)),
        "city": Known(examples=("横浜市青葉区",)),
        "job": Known(examples=("会社員",)),
        "language": Known(examples=("ja",)),
        "tier": Known(examples=("ゴールド",)),
        "interests": Known("list", item=Known(examples=("日本茶",))),
        "worries": Known("list", item=Known(examples=("乾燥",))),
        "tags": Known("list", sure=True, item=Known(examples=("vip",))),
        "points": Known("number"),
        "points_expiring": Known("number"),
        "points_expire_on": Known("date", examples=("2026-12-31",)),
    },
    open_=True,
)
NEVER_TOLD = frozenset({"email", "phone", "email_sha256", "phone_sha256"})
"""Attributes of a person that the scheduler keeps out of messages."""


def vocabulary(campaign: Campaign) -> dict[str, Known]:
    """Each variable that this campaign's messages may read."""
    steps = [step for _, step in walk(campaign.steps)]
    answers = {one.ask: Known(examples=(max(one.answers, key=len),)) for one in steps if isinstance(one, Ask)}
    known = {
        "person": _PERSON,
        "cart": _CART,
        "products": _PRODUCTS,
        "answers": _map(answers, open_=True),
        "today": Known("date", sure=True, examples=("2026-11-21",)),
    }
    if any(isinstance(one, Coupon) for one in steps):
        known["coupon"] = _map({"code": Known(sure=True, examples=("SPRING-2026-K7QX9M",))})
    if campaign.enter.kind in ("event", "call"):
        known["event"] = _event(campaign)
    return known


def _event(campaign: Campaign) -> Known:
    if campaign.enter.kind == "call":
        return _map({}, open_=True)
    several = [_event_of(type_) for type_ in sorted(campaign.enter.event_types)]
    found = several[0]
    for other in several[1:]:
        found = _either(found, other)
    return found


@lru_cache(maxsize=256)
def _event_of(type_: str) -> Known:
    """The `event` of an event of this type."""
    if type_ in SEGMENT_EVENTS:
        return _map({"segment": Known(sure=True, examples=("sleepers",))})
    if type_.startswith(_LINE):
        return _line_event(type_.removeprefix(_LINE))
    told = [replace(_of_value(data), open=True) for data in _examples(type_)]
    model = DATA_MODELS.get(type_, EventData)
    found = _of_model(model)
    for one in told:
        found = _merged(found, one)
    return replace(found, open=True, sure=True)


def _examples(type_: str) -> Iterable[dict[str, Any]]:
    if type_ not in EVENT_TYPES and not type_.startswith("custom."):
        return
    for file in sorted((EXAMPLES / "ec.events.v1").glob("*.json")):
        event = loads(file.read_bytes())
        if event["type"] == type_:
            yield event["data"]


def _line_event(kind: str) -> Known:
    """What of LINE's event is carried: nothing that a person wrote."""
    found = _map({})
    for file in sorted((EXAMPLES / "line.events.v1").glob("*.json")):
        event = LineEvent.model_validate_json(file.read_bytes())
        happening = from_line_event(event) if event.type == kind else None
        if happening is not None:
            found = _merged(found, _sure(_of_value(happening.carried)))
    return found


_BY_HINT: tuple[tuple[Any, Known], ...] = (
    (Count, Known("number")),
    (Day, Known("date")),
    (Moment, Known("instant")),
    (Truth, Known("flag")),
    (Texts, Known("list", item=Known())),
    (Text, Known()),
)


@lru_cache(maxsize=64)
def _of_model(model: type[EventData]) -> Known:
    hints = get_type_hints(model, include_extras=True)
    fields = {
        name: replace(_of_hint(hints[name], name), sure=info.is_required()) for name, info in model.model_fields.items()
    }
    return _map(fields, open_=True)


def _of_hint(hint: Any, name: str) -> Known:
    for lenient, known in _BY_HINT:
        if hint == lenient:
            return known
    if isinstance(hint, type) and issubclass(hint, EventData):
        return _of_model(hint)
    plain = get_args(hint)
    if get_origin(hint) is tuple:
        return Known("list", item=_of_hint(plain[0], name))
    if {int, float} & {hint, *plain}:
        return Known("number")
    return Known("url" if name.endswith("url") else "text")


def _of_value(value: Any) -> Known:
    match value:
        case dict():
            return _map({key: _of_value(inner) for key, inner in value.items()}, sure=False)
        case list():
            item = _of_value(value[0]) if value else None
            for one in value[1:]:
                item = _merged(item, _of_value(one)) if item else _of_value(one)
            return Known("list", item=item)
    return Known(_kind(value), examples=(value,))


def _kind(value: object) -> str:
    kind = "text"
    match value:
        case bool():
            kind = "flag"
        case int() | float():
            kind = "number"
        case str() if _INSTANT.match(value):
            kind = "instant"
        case str() if _DATE.fullmatch(value):
            kind = "date"
        case str() if value.startswith("https://"):
            kind = "url"
    return kind


def _sure(known: Known) -> Known:
    return replace(known, sure=True, fields={name: _sure(inner) for name, inner in known.fields.items()})


def _merged(one: Known, other: Known) -> Known:
    """Two pictures of the same: what either knows, and as sure as the first is."""
    fields = dict(one.fields)
    for name, inner in other.fields.items():
        fields[name] = _merged(fields[name], inner) if name in fields else inner
    item = one.item or other.item
    if one.item and other.item:
        item = _merged(one.item, other.item)
    return replace(
        one,
        fields=fields,
        item=item,
        open=one.open or other.open,
        examples=one.examples or other.examples,
    )


def _either(one: Known, other: Known) -> Known:
    """One of two events: sure is only what both are sure of."""
    fields = {
        name: replace(known, sure=known.sure and (twin := other.fields.get(name)) is not None and twin.sure)
        for name, known in _merged(one, other).fields.items()
    }
    return replace(_merged(one, other), fields=fields)
