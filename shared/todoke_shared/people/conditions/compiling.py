"""A condition -> its three forms, once; whoever asks often keeps them."""

from todoke_shared.conditions import (
    All,
    Any_,
    Compare,
    Condition,
    Count,
    InDays,
    Month,
    Not,
    Segment,
    Since,
)
from todoke_shared.conditions.attributes import find
from todoke_shared.people.conditions import calendar, counting, holdings, instants
from todoke_shared.people.conditions.combining import all_of, any_of, not_
from todoke_shared.people.conditions.compiled import Compiled
from todoke_shared.people.conditions.values import of_value


def compile_condition(condition: Condition, account: str | None = None) -> Compiled:
    """The condition, ready to be asked. ValueError for a `segment` in it: `resolve` says what it asks for.

    `account`: the LINE account whose friend `friend` means; None: any of the shop's.
    """
    match condition:
        case All(parts):
            return all_of([compile_condition(part, account) for part in parts])
        case Any_(parts):
            return any_of([compile_condition(part, account) for part in parts])
        case Not(part):
            return not_(compile_condition(part, account))
        case Compare():
            return _comparison(condition, account)
        case Segment(name):
            raise ValueError(f"segment `{name}` is not resolved; call todoke_shared.conditions.resolve first")
        case _:
            return _leaf(condition)


def _leaf(condition: Count | Since | Month | InDays) -> Compiled:
    match condition:
        case Count():
            return _count(condition)
        case Since():
            return instants.since(condition)
        case Month():
            return calendar.of_month(condition)
        case InDays():
            return calendar.of_days_to(condition)


def _comparison(condition: Compare, account: str | None) -> Compiled:
    attribute = find(condition.attribute)
    match attribute.kind if attribute else None:
        case "tags":
            return holdings.of_tags(condition)
        case "coupon":
            return holdings.of_coupons(condition)
        case "subscription":
            return holdings.of_subscriptions(condition)
        case "instant":
            return instants.known(condition.attribute, condition.operand)
        case "birthday" | "date":
            return calendar.of_known_date(condition)
    return calendar.of_age(condition) if condition.attribute == "age" else of_value(condition, account)


def _count(condition: Count) -> Compiled:
    match condition.attribute:
        case "points.expiring":
            return holdings.of_expiring(condition)
        case "bought" | "viewed":
            return counting.of_products(condition)
        case "visited_store":
            return counting.of_stores(condition)
    return counting.of_days(condition)
