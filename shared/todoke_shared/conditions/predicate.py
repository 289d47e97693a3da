"""A condition -> yes or no, for one person."""

from collections.abc import Callable
from typing import Any

from todoke_shared.conditions.model import All, Any_, Compare, Condition, Not, Operator

Facts = Callable[[str], Any]
"""What is true of a person: an attribute's value by its name, None when it is not known."""

_TESTS: dict[Operator, Callable[[Any, Any], bool]] = {
    "is": lambda value, operand: _alike(value, operand) and bool(value == operand),
    "one_of": lambda value, operand: any(_alike(value, item) and value == item for item in operand),
    "at_least": lambda value, operand: _is_number(value) and value >= operand,
    "at_most": lambda value, operand: _is_number(value) and value <= operand,
    "more_than": lambda value, operand: _is_number(value) and value > operand,
    "less_than": lambda value, operand: _is_number(value) and value < operand,
}


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether the condition holds of the person that `facts` tells of."""
    match condition:
        case All(parts):
            return all(holds(part, facts) for part in parts)
        case Any_(parts):
            return any(holds(part, facts) for part in parts)
        case Not(part):
            return not holds(part, facts)
        case Compare(attribute, "known", operand):
            return (facts(attribute) is not None) is operand
        case Compare(attribute, operator, operand):
            value = facts(attribute)
            return value is not None and _TESTS[operator](value, operand)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _alike(value: Any, operand: Any) -> bool:
    # Python holds True == 1; a marketer who writes `friend: 1` did not mean that.
    return isinstance(value, bool) == isinstance(operand, bool)
