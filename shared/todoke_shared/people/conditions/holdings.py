"""What a person has several of: tags, coupons, subscriptions, points that expire."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from todoke_shared.conditions.model import Compare, Count, Operator
from todoke_shared.conditions.predicate import test_of
from todoke_shared.people import PersonState
from todoke_shared.people.conditions.compiled import CLOCK, Compiled, Query, never, number_sql
from todoke_shared.people.conditions.dates import LATEST, VALID_DATE, date_of, iso
from todoke_shared.people.conditions.moment import Moment
from todoke_shared.people.conditions.numbers import course_of, day_of_change

Mine = Callable[[PersonState, Moment, str], bool]
"""Whether a person has the thing of this name at a moment."""

_FOREVER = 10**7
"""A span of days longer than the calendar."""


def of_tags(condition: Compare) -> Compiled:
    """The tags that are on the person now."""

    def mine(state: PersonState, _: Moment, tag: str) -> bool:
        register = state.tags.get(tag)
        return register is not None and register.value is True

    holds = _has(condition, mine, lambda state: state.tags)
    return Compiled(
        holds,
        never,
        frozenset({"tags"}),
        lambda query: _has_sql(query, condition, "tags", lambda told: f"coalesce({told}->'value' = 'true', false)"),
    )


def of_coupons(condition: Compare) -> Compiled:
    """The coupons held: not used, and not expired yet."""

    def mine(state: PersonState, moment: Moment, code: str) -> bool:
        coupon = state.coupons.get(code)
        if coupon is None or coupon.redeemed_at is not None:
            return False
        return coupon.expires_at is None or coupon.expires_at > moment.now

    holds = _has(condition, mine, lambda state: state.coupons)

    def next_change(state: PersonState, moment: Moment) -> datetime | None:
        answer = holds(state, moment)
        ends = {coupon.expires_at for coupon in state.coupons.values() if coupon.expires_at is not None}
        for end in sorted(end for end in ends if end > moment.now):
            if holds(state, Moment(end, moment.zone, moment.date, moment.today)) is not answer:
                return end.astimezone(UTC)
        return None

    def to_sql(query: Query) -> str:
        now = query.put(query.moment.now, "timestamptz")
        return _has_sql(
            query,
            condition,
            "coupons",
            lambda told: (
                f"coalesce({told}->>'redeemed_at' IS NULL AND jsonb_typeof({told}) = 'object' "
                f"AND coalesce(({told}->>'expires_at')::timestamptz > {now}, true), false)"
            ),
        )

    return Compiled(holds, next_change, frozenset({"coupons", CLOCK}), to_sql)


def of_subscriptions(condition: Compare) -> Compiled:
    """The state of any one of the subscriptions."""
    operator, operand = condition.operator, condition.operand
    test = test_of(operator, operand)

    def holds(state: PersonState, _: Moment) -> bool:
        if operator == "known":
            return bool(state.subscriptions) is operand
        return any(test(subscription.value) for subscription in state.subscriptions.values())

    def to_sql(query: Query) -> str:
        rows = f"SELECT FROM jsonb_each({query.state}->'subscriptions') AS s (id, told)"
        if operator == "known":
            return f"({'' if operand else 'NOT '}EXISTS ({rows}))"
        states = operand if isinstance(operand, tuple) else (operand,)
        return f"(EXISTS ({rows} WHERE s.told->>'value' = ANY({query.texts(map(str, states))})))"

    return Compiled(holds, never, frozenset({"subscriptions"}), to_sql)


def of_expiring(count: Count) -> Compiled:
    """Points that expire today or on one of the days to come; with `days`, on one of that many, today among them."""
    test = test_of(count.operator, count.operand)

    def last(today: int) -> int:
        return today + (_FOREVER if count.days is None else count.days) - 1

    def points(state: PersonState) -> Iterable[tuple[int, int]]:
        for text, register in state.expiring.items():
            day, value = date_of(text), register.value
            if day is not None and type(value) is int:
                yield day.toordinal(), value

    def holds(state: PersonState, moment: Moment) -> bool:
        today = moment.today
        until = last(today)
        return test(sum(value for day, value in points(state) if today <= day <= until))

    def next_change(state: PersonState, moment: Moment) -> datetime | None:
        ahead = last(0)
        spans = ((day - ahead, day + 1, value) for day, value in points(state))
        return moment.start_of(day_of_change(test, course_of(spans, moment.today)))

    def to_sql(query: Query) -> str:
        today = query.moment.today
        first, until = query.text(iso(today)), query.text(iso(last(today)) if count.days else LATEST)
        rows = f"jsonb_each({query.state}->'expiring') AS e (day, told)"
        fits = f"e.day ~ {VALID_DATE} AND (e.told->'value')::text ~ '^-?[0-9]+$'"
        between = f'e.day COLLATE "C" >= {first} AND e.day COLLATE "C" <= {until}'
        value = f"CASE WHEN {fits} THEN (e.told->'value')::numeric END"
        total = f"coalesce((SELECT sum({value}) FROM {rows} WHERE {between}), 0)"  # noqa: S608 - of our own words
        return number_sql(query, total, count.operator, count.operand)

    return Compiled(holds, next_change, frozenset({"expiring", CLOCK}), to_sql)


def _has(
    condition: Compare, mine: Mine, every: Callable[[PersonState], Iterable[str]]
) -> Callable[[PersonState, Moment], bool]:
    operand: Any = condition.operand
    match condition.operator:
        case "has":
            return lambda state, moment: mine(state, moment, operand)
        case "has_any":
            return lambda state, moment: any(mine(state, moment, name) for name in operand)
        case "has_all":
            return lambda state, moment: all(mine(state, moment, name) for name in operand)
        case _:
            return lambda state, moment: any(mine(state, moment, name) for name in every(state)) is operand


def _has_sql(query: Query, condition: Compare, field: str, mine: Callable[[str], str]) -> str:
    """`mine` is the SQL of whether what is told of one name counts: never NULL, and false for NULL."""
    all_ = f"{query.state}->'{field}'"
    operand: Any = condition.operand
    operator: Operator = condition.operator
    if operator == "has":
        return mine(f"({all_}->{query.text(operand)})")
    if operator == "known":
        rows = f"SELECT FROM jsonb_each({all_}) AS h (name, told) WHERE {mine('h.told')}"
        return f"({'' if operand else 'NOT '}EXISTS ({rows}))"
    rows = f"SELECT FROM unnest({query.texts(operand)}) AS w (name) WHERE"
    counts = mine(f"({all_}->w.name)")
    return f"(EXISTS ({rows} {counts}))" if operator == "has_any" else f"(NOT EXISTS ({rows} NOT {counts}))"
