"""When something first or last happened: exact instants, to the microsecond."""

from datetime import UTC, datetime
from operator import attrgetter

from todoke_shared.conditions.model import Since
from todoke_shared.people import PersonState
from todoke_shared.people.conditions.compiled import CLOCK, Compiled, Query, never
from todoke_shared.people.conditions.moment import Moment

FIELDS = {
    name: f"{name}_at"
    for name in (
        "first_seen",
        "last_seen",
        "last_visit",
        "first_order",
        "last_order",
        "last_return",
        "last_click",
        "registered",
    )
}
"""Attributes -> fields of the state."""


def known(attribute: str, operand: object) -> Compiled:
    """Whether it ever happened."""
    field = FIELDS[attribute]
    get, wanted = attrgetter(field), bool(operand)
    return Compiled(
        lambda state, _: (get(state) is not None) is wanted,
        never,
        frozenset({field}),
        lambda query: f"({_field(query, field)} IS {'NOT ' if wanted else ''}NULL)",
    )


def since(condition: Since) -> Compiled:
    """`within` until the instant is `period` ago, `before` from then on: of a known instant always one of the two."""
    field, period, within = FIELDS[condition.attribute], condition.period, condition.side == "within"
    get = attrgetter(field)

    def holds(state: PersonState, moment: Moment) -> bool:
        at: datetime | None = get(state)
        return at is not None and (at > moment.now - period) is within

    def next_change(state: PersonState, moment: Moment) -> datetime | None:
        at: datetime | None = get(state)
        if at is None:
            return None
        try:
            change = (at + period).astimezone(UTC)
        except OverflowError:
            return None
        return change if change > moment.now else None

    def to_sql(query: Query) -> str:
        bound = query.put(query.moment.now - period, "timestamptz")
        return f"coalesce(({_field(query, field)})::timestamptz {'>' if within else '<='} {bound}, false)"

    return Compiled(holds, next_change, frozenset({field, CLOCK}), to_sql)


def _field(query: Query, field: str) -> str:
    return f"{query.state}->>'{field}'"
