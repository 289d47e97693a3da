"""The parts of a state: which of them a condition reads, and which of them an event changed.

Finer than the fields: a segment of those who bought one product is not asked again when another is looked at.
"""

from collections.abc import Iterator, Mapping
from operator import attrgetter
from typing import Any

from todoke_segmenter.domain.conditions import compile_condition
from todoke_segmenter.domain.conditions.compiled import CLOCK
from todoke_segmenter.domain.state import PersonState
from todoke_segmenter.domain.state.days import Day
from todoke_shared.conditions import All, Any_, Compare, Condition, Count, Not
from todoke_shared.conditions.attributes import ANSWER_PREFIX, CONSENT_PREFIX

_DAYS = ("visits", "product_views", "searches", "clicks", "orders", "returns", "amount")
_DAY_PARTS = tuple(f"days.{name}" for name in _DAYS)
_get_days = attrgetter(*_DAYS)
_NO_DAY = Day()
_BY_NAME = ("profile", "tags", "consents", "answers", "products", "stores")
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
_get_whole = attrgetter(*_WHOLE)
_WHOLE_PARTS = tuple(_WHOLE.values())


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
    """The parts in which two states of a person differ."""
    changed: set[str] = set()
    olds, news = _get_whole(before), _get_whole(after)
    if olds != news:
        changed.update(part for part, old, new in zip(_WHOLE_PARTS, olds, news, strict=True) if old != new)
    for field in _BY_NAME:
        old, new = getattr(before, field), getattr(after, field)
        if old is not new and (names := list(_differing(old, new))):
            changed.add(field)
            changed.update(f"{field}.{name}" for name in names)
    if before.days is not after.days or before.before is not after.before:
        _count_days(before, after, changed)
    return changed


def _differing(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> Iterator[Any]:
    for name, value in new.items():
        known = old.get(name)
        if known is not value and known != value:
            yield name
    if not old.keys() <= new.keys():
        yield from old.keys() - new.keys()


def _count_days(before: PersonState, after: PersonState, changed: set[str]) -> None:
    olds, news = before.days, after.days
    _count(before.before, after.before, changed)
    for day, new in news.items():
        _count(olds.get(day, _NO_DAY), new, changed)
    if not olds.keys() <= news.keys():
        for day in olds.keys() - news.keys():
            _count(olds[day], _NO_DAY, changed)


def _count(old: Day, new: Day, changed: set[str]) -> None:
    if old is not new and old != new:
        both = zip(_DAY_PARTS, _get_days(old), _get_days(new), strict=True)
        changed.update([part for part, one, other in both if one != other])
