"""A condition as a value: a tree of frozen nodes. What each attribute takes is in `attributes`."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Operator = Literal[
    "is", "at_least", "at_most", "more_than", "less_than", "one_of", "known", "has", "has_any", "has_all"
]

Scalar = str | int | float | bool
Operand = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True)
class All:
    """Every part holds; with no parts, it holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Any_:  # noqa: N801 - the language's own word; `Any` is typing's
    """At least one part holds; with no parts, it does not."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: "Condition"


@dataclass(frozen=True)
class Compare:
    """An attribute held against a value. An attribute that is not known satisfies only `known: false`."""

    attribute: str
    operator: Operator
    operand: Operand


@dataclass(frozen=True)
class Count:
    """How often, or how much, held against a number: of the last `days` days (None: ever), of these `products`.

    For `visited_store` those are stores. For `points.expiring` the days are those to come; for `amount` the number is
    in yen.
    """

    attribute: str
    operator: Operator
    operand: Operand
    days: int | None = None
    products: tuple[str, ...] = ()


@dataclass(frozen=True)
class Since:
    """The instant is known, and less than `period` ago (`within`), or that long ago or longer (`before`)."""

    attribute: str
    side: Literal["within", "before"]
    period: timedelta


@dataclass(frozen=True)
class Month:
    """The birthday is in this month, 1 to 12, or in the present one."""

    attribute: str
    month: int | Literal["this"]


@dataclass(frozen=True)
class InDays:
    """How many days there are from today to a date (to a birthday: its next coming), held against a number."""

    attribute: str
    operator: Operator
    operand: Operand


@dataclass(frozen=True)
class Segment:
    """What another segment asks for."""

    name: str


Condition = All | Any_ | Not | Compare | Count | Since | Month | InDays | Segment
