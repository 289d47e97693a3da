"""A condition in its three forms, and the two that every kind of comparison is made of: values and numbers in SQL."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from todoke_shared.conditions.model import Operand, Operator
from todoke_shared.people import PersonState
from todoke_shared.people.conditions.moment import Moment
from todoke_shared.people.conditions.numbers import Bound

CLOCK = "clock"
"""Read by whatever can change with no event."""


class Query:
    """Collects the parameters of a query. What it gives stands in the text; operands never do."""

    def __init__(self, moment: Moment, state: str, first: int) -> None:
        self.moment = moment
        self.state = state
        self.parameters: list[object] = []
        self._first = first

    def put(self, value: object, type_: str) -> str:
        """A parameter, as the query's text names it."""
        self.parameters.append(value)
        return f"${self._first + len(self.parameters) - 1}::{type_}"

    def text(self, value: str) -> str:
        """A text; NULL for one that PostgreSQL cannot hold, and that therefore nobody has."""
        return self.put(value if _can_be_stored(value) else None, "text")

    def texts(self, values: Iterable[str]) -> str:
        """A list of texts, likewise."""
        return self.put([value if _can_be_stored(value) else None for value in values], "text[]")

    def json(self, value: Any) -> str:
        """A plain value as jsonb, likewise. It is sent as text, whatever a connection makes of jsonb."""
        return self.put(_json(value), "text::jsonb")

    def jsons(self, values: Iterable[Any]) -> str:
        """A list of plain values, likewise."""
        return self.put(list(map(_json, values)), "text[]::jsonb[]")


@dataclass(frozen=True)
class Sql:
    """An expression that is true or false, never NULL, and the values of its parameters, in order."""

    text: str
    parameters: tuple[object, ...]


@dataclass(frozen=True)
class Compiled:
    """`holds`: whether the condition holds of a person at a moment.

    `next_change`: the earliest instant (UTC) after the moment at which the answer can change with no event, or None.
    `reads`: the parts of the state that the answer depends on: `profile.NAME`, `tags`, `consents`, `answers`, `points`,
    `expiring`, `coupons`, `subscriptions`, `cart`, `friend`, `days`, `products`, an instant's field such as
    `last_order_at`; `event` for an event's own data; CLOCK when time alone can change the answer.
    `to_sql` writes the condition as an SQL expression that is true or false, never NULL. ValueError for `event.…`.
    `bound`: all that the condition asks, where it holds a number against a bound that others hold it against too.
    """

    holds: Callable[[PersonState, Moment], bool]
    next_change: Callable[[PersonState, Moment], datetime | None]
    reads: frozenset[str]
    to_sql: Callable[[Query], str]
    bound: Bound | None = None

    def sql(self, moment: Moment, state: str = "state", first: int = 1) -> Sql:
        """The condition at a moment as SQL over a row of `people`.

        `state`: the SQL expression of the state's jsonb (ours, never an operand: it stands in the text). `first`: the
        number of the first parameter.
        """
        query = Query(moment, state, first)
        text = self.to_sql(query)
        return Sql(text, tuple(query.parameters))


def never(_: PersonState, __: Moment) -> None:
    """The next change of what only events change."""
    return


_SIGNS: dict[Operator, str] = {"is": "=", "at_least": ">=", "at_most": "<=", "more_than": ">", "less_than": "<"}


def value_sql(query: Query, value: str, operator: Operator, operand: Any) -> str:
    """A jsonb `value` (an SQL expression; NULL or JSON's null: not known) held against an operand."""
    if operator == "known":
        return f"({'' if operand else 'NOT '}coalesce(jsonb_typeof({value}) <> 'null', false))"
    return f"coalesce({_compared(query, value, operator, operand)}, false)"


def _compared(query: Query, value: str, operator: Operator, operand: Any) -> str:
    match operator:
        case "is":
            return f"{value} = {query.json(operand)}"
        case "one_of":
            return f"{value} = ANY({query.jsons(operand)})"
        case "has":
            return f"{value} ? {query.text(operand)}"
        case "has_any":
            return f"{value} ?| {query.texts(operand)}"
        case "has_all":
            storable = "true" if all(map(_can_be_stored, operand)) else "false"  # ?& passes over a NULL
            return f"{storable} AND jsonb_typeof({value}) IN ('array', 'string') AND {value} ?& {query.texts(operand)}"
        case _:
            return f"jsonb_typeof({value}) = 'number' AND {value} {_SIGNS[operator]} {query.json(operand)}"


def number_sql(query: Query, number: str, operator: Operator, operand: Operand) -> str:
    """A numeric `number` (an SQL expression, never NULL) held against an operand."""
    if isinstance(operand, tuple):
        return f"({number} = ANY({query.put([_decimal(item) for item in operand], 'numeric[]')}))"
    return f"({number} {_SIGNS[operator]} {query.put(_decimal(operand), 'numeric')})"


def threshold_sql(operator: Operator, operand: Any, reaches: Callable[[int], str]) -> str:
    """A whole number held against an operand, where `reaches(n)` is the SQL of "it is n or more"."""
    match operator:
        case "at_least":
            return reaches(math.ceil(operand))
        case "more_than":
            return reaches(math.floor(operand) + 1)
        case "at_most":
            return f"(NOT {reaches(math.floor(operand) + 1)})"
        case "less_than":
            return f"(NOT {reaches(math.ceil(operand))})"
        case "one_of":
            return any_sql([threshold_sql("is", item, reaches) for item in operand])
        case _:
            whole = math.floor(operand)
            return f"({reaches(whole)} AND NOT {reaches(whole + 1)})" if whole == operand else "false"


def all_sql(parts: list[str]) -> str:
    """All of these."""
    return f"({' AND '.join(parts)})" if parts else "true"


def any_sql(parts: list[str]) -> str:
    """Any of these."""
    return f"({' OR '.join(parts)})" if parts else "false"


def _decimal(number: Any) -> Decimal:
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


def _json(value: Any) -> str | None:
    return json.dumps(value) if not isinstance(value, str) or _can_be_stored(value) else None


def _can_be_stored(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)
