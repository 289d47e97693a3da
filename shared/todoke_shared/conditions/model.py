"""A condition as a value: a tree of frozen nodes."""

from dataclasses import dataclass
from typing import Literal

Operator = Literal["is", "at_least", "at_most", "more_than", "less_than", "one_of", "known"]

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


Condition = All | Any_ | Not | Compare
