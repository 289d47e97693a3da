"""Single values of a person: registers, friendship, the cart: what `is`, `at_least`, `has` and `known` are asked of."""

from collections.abc import Callable
from typing import Any

from todoke_shared.conditions.attributes import ANSWER_PREFIX, CONSENT_PREFIX, EVENT_PREFIX, PROFILE_PREFIX
from todoke_shared.conditions.model import Compare, Operand
from todoke_shared.conditions.predicate import test_of
from todoke_shared.conditions.regions import REGIONS, spellings
from todoke_shared.people import PersonState
from todoke_shared.people.conditions.compiled import Compiled, Query, never, value_sql
from todoke_shared.people.conditions.moment import Moment


def of_value(condition: Compare, account: str | None) -> Compiled:
    """A plain attribute. `account`: whose friend `friend` means; None: any account's."""
    name = condition.attribute
    if make := _OWN.get(name):
        return make(condition)
    if name == "friend":
        return _friend(condition, account)
    for prefix, below in _BELOW.items():
        if name.startswith(prefix):
            return below(condition, name.removeprefix(prefix))
    return _profile(condition, name)


def _profile(condition: Compare, name: str) -> Compiled:
    test = test_of(condition.operator, condition.operand)

    def holds(state: PersonState, _: Moment) -> bool:
        register = state.profile.get(name)
        return test(None if register is None else register.value)

    return _compiled(condition, holds, f"profile.{name}", lambda query: _register_sql(query, "profile", name))


def _consent(condition: Compare, purpose: str) -> Compiled:
    test = test_of(condition.operator, condition.operand)

    def holds(state: PersonState, _: Moment) -> bool:
        register = state.consents.get(purpose)
        return test(None if register is None else register.value)

    return _compiled(condition, holds, "consents", lambda query: _register_sql(query, "consents", purpose))


def _answer(condition: Compare, question: str) -> Compiled:
    test = test_of(condition.operator, condition.operand)

    def holds(state: PersonState, _: Moment) -> bool:
        register = state.answers.get(question)
        return test(None if register is None else register.value)

    return _compiled(condition, holds, "answers", lambda query: _register_sql(query, "answers", question))


def _points(condition: Compare) -> Compiled:
    test = test_of(condition.operator, condition.operand)

    def holds(state: PersonState, _: Moment) -> bool:
        return test(None if state.points is None else state.points.value)

    return _compiled(condition, holds, "points", lambda query: f"({query.state}->'points'->'value')")


def _prefecture(condition: Compare) -> Compiled:
    if condition.operator == "known":
        return _profile(condition, "prefecture")
    operand = condition.operand
    names = operand if isinstance(operand, tuple) else (operand,)
    if condition.attribute == "region":
        names = tuple(prefecture for region in names for prefecture in REGIONS[str(region)])
    written: Operand = tuple(spelling for name in names for spelling in spellings(str(name)))
    return _profile(Compare("prefecture", "one_of", written), "prefecture")


def _friend(condition: Compare, account: str | None) -> Compiled:
    test = test_of(condition.operator, condition.operand)

    def fact(state: PersonState) -> bool | None:
        known = [
            status.friend
            for key, status in state.friendships.items()
            if account is None or key.partition(":")[0] == account
        ]
        return any(known) if known else None

    def value(query: Query) -> str:
        mine = "true" if account is None else f"split_part(f.key, ':', 1) = {query.text(account)}"
        rows = f"jsonb_each({query.state}->'friendships') AS f (key, told)"
        return f"to_jsonb((SELECT bool_or((f.told->>'friend')::bool) FROM {rows} WHERE {mine}))"  # noqa: S608

    return _compiled(condition, lambda state, _: test(fact(state)), "friend", value)


def _cart_items(condition: Compare) -> Compiled:
    test = test_of(condition.operator, condition.operand)

    def fact(state: PersonState) -> int:
        return sum([line.quantity > 0 for line in state.cart.lines.values()])

    return _compiled(
        condition, lambda state, _: test(fact(state)), "cart", lambda query: _CART_ITEMS.replace("{state}", query.state)
    )


_CART_ITEMS = """to_jsonb((
    SELECT count(*) FROM (
        SELECT DISTINCT ON (l.product) (l.line->>'at')::timestamptz AS at, (l.line->>'quantity')::numeric AS quantity,
               n.snapshot_at, n.closed_at
          FROM (SELECT o.lines, max(o.snapshot_at) OVER () AS snapshot_at, max(o.closed_at) OVER () AS closed_at
                  FROM (SELECT c.cart->'lines' AS lines, (c.cart->>'snapshot_at')::timestamptz AS snapshot_at,
                               (c.cart->>'closed_at')::timestamptz AS closed_at,
                               rank() OVER (ORDER BY (c.cart->>'changed_at')::timestamptz DESC) AS place
                          FROM jsonb_each({state}->'carts') AS c (id, cart)
                         WHERE (c.cart->>'changed_at')::timestamptz
                             > coalesce((c.cart->>'closed_at')::timestamptz, '-infinity')) AS o
                 WHERE o.place = 1) AS n,
               jsonb_each(n.lines) AS l (product, line)
         ORDER BY l.product, at DESC, quantity DESC) AS i
     WHERE i.quantity > 0 AND i.at >= coalesce(i.snapshot_at, '-infinity') AND i.at > coalesce(i.closed_at, '-infinity')
))"""
"""As `state.cart`: the open cart that was changed last; several of one instant are one."""


def _ordered(condition: Compare) -> Compiled:
    test = test_of(condition.operator, condition.operand)
    return _compiled(
        condition,
        lambda state, _: test(state.last_order_at is not None),
        "last_order_at",
        lambda query: f"to_jsonb(({query.state}->>'last_order_at') IS NOT NULL)",
    )


def _event(condition: Compare, path: str) -> Compiled:
    test, parts = test_of(condition.operator, condition.operand), path.split(".")

    def holds(_: PersonState, moment: Moment) -> bool:
        value: Any = moment.event
        for part in parts:
            if not isinstance(value, dict):
                return test(None)
            value = value.get(part)
        return test(value)

    def to_sql(_: Query) -> str:
        raise ValueError(f"`{condition.attribute}` is an event's; no query can ask about it")

    return Compiled(holds, never, frozenset({"event"}), to_sql)


def _register_sql(query: Query, registers: str, name: str) -> str:
    return f"({query.state}->'{registers}'->{query.text(name)}->'value')"


def _compiled(
    condition: Compare, holds: Callable[[PersonState, Moment], bool], reads: str, value: Callable[[Query], str]
) -> Compiled:
    def to_sql(query: Query) -> str:
        return value_sql(query, value(query), condition.operator, condition.operand)

    return Compiled(holds, never, frozenset({reads}), to_sql)


_OWN: dict[str, Callable[[Compare], Compiled]] = {
    "points": _points,
    "prefecture": _prefecture,
    "region": _prefecture,
    "cart.items": _cart_items,
    "orders.ever": _ordered,
}
_BELOW: dict[str, Callable[[Compare, str], Compiled]] = {
    EVENT_PREFIX: _event,
    PROFILE_PREFIX: _profile,
    CONSENT_PREFIX: _consent,
    ANSWER_PREFIX: _answer,
}
