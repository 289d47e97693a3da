"""The parts of a state: which of them a condition reads, and which of them an event changed.

Finer than the fields: a segment of those who bought one product is not asked again when another is looked at.
"""

from collections.abc import Mapping
from typing import TypeVar

from msgspec.structs import astuple

from todoke_shared.conditions import All, Any_, Compare, Condition, Count, Not
from todoke_shared.conditions.attributes import ANSWER_PREFIX, CONSENT_PREFIX
from todoke_shared.people import PersonState
from todoke_shared.people.conditions import compile_condition
from todoke_shared.people.conditions.compiled import CLOCK
from todoke_shared.people.days import Day, Days

Name = TypeVar("Name", str, int)

_FIELDS = PersonState.__struct_fields__
_DAYS = Day.__struct_fields__
_DAY_PARTS = tuple(f"days.{name}" for name in _DAYS)
_NO_DAY = Day()
_BY_NAME = frozenset({"profile", "tags", "consents", "answers", "products", "stores"})
"""Fields whose every entry is a part of its own. `tags` and its like without a name: any of them."""
_WHOLE = {
    "points": "points",
    "expiring": "expiring",
    "coupons": "coupons",
    "subscriptions": "subscriptions",
    "carts": "cart",
    "carts_closed_at": "cart",
    "friendships": "friend",
    "first_seen_at": "first_seen_at",
    "last_seen_at": "last_seen_at",
    "first_order_at": "first_order_at",
    "last_order_at": "last_order_at",
    "last_visit_at": "last_visit_at",
    "last_return_at": "last_return_at",
    "last_click_at": "last_click_at",
    "registered_at": "registered_at",
}
"""Fields of the state -> the part, as a compiled condition's `reads` calls it."""


def parts_read(condition: Condition) -> frozenset[str]:  # noqa: PLR0911 - one for each kind
    """The parts that a condition's answer depends on. It must have no `segment` in it."""
    match condition:
        case All(parts) | Any_(parts):
            return frozenset().union(*map(parts_read, parts))
        case Not(part):
            return parts_read(part)
        case Count(attribute="bought" | "viewed", products=products):
            return frozenset(f"products.{product}" for product in products)
        case Count(attribute="visited_store", products=stores):
            return frozenset(f"stores.{store}" for store in stores)
        case Count(attribute=attribute) if attribute in _DAYS:
            return frozenset({f"days.{attribute}"})
        case Compare(attribute="tags", operator="has" | "has_any" | "has_all", operand=operand):
            return frozenset(f"tags.{tag}" for tag in (operand if isinstance(operand, tuple) else (operand,)))
        case Compare(attribute=attribute) if attribute.startswith(ANSWER_PREFIX):
            return frozenset({f"answers.{attribute.removeprefix(ANSWER_PREFIX)}"})
        case Compare(attribute=attribute) if attribute.startswith(CONSENT_PREFIX):
            return frozenset({f"consents.{attribute.removeprefix(CONSENT_PREFIX)}"})
        case _:
            return compile_condition(condition).reads - {CLOCK}


def parts_changed(before: PersonState, after: PersonState) -> set[str]:
    """The parts in which two states of a person differ. What an event leaves alone is the very same object in both."""
    changed: set[str] = set()
    for field, old, new in zip(_FIELDS, astuple(before), astuple(after), strict=True):
        if old is new:
            continue
        if field in _BY_NAME:
            if names := _differing(old, new):
                changed.add(field)
                changed.update([f"{field}.{name}" for name in names])
        elif field == "days":
            _count_days(old, new, changed)
        elif field == "before":
            _count(old, new, changed)
        elif old != new and field in _WHOLE:
            changed.add(_WHOLE[field])
    return changed


def _differing(old: Mapping[Name, object], new: Mapping[Name, object]) -> list[Name]:
    known = old.get
    names = [name for name, value in new.items() if known(name) is not value and known(name) != value]
    if not old.keys() <= new.keys():
        names += old.keys() - new.keys()
    return names


def _count_days(olds: Days, news: Days, changed: set[str]) -> None:
    for day in _differing(olds, news):
        _count(olds.get(day, _NO_DAY), news.get(day, _NO_DAY), changed)


def _count(old: Day, new: Day, changed: set[str]) -> None:
    both = zip(_DAY_PARTS, astuple(old), astuple(new), strict=True)
    changed.update([part for part, one, other in both if one != other])
