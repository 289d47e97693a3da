"""A condition -> yes or no, for whoever `facts` tells of; and what each operator means."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from operator import ge, gt, le, lt
from typing import Any

from todoke_shared.conditions.model import All, Any_, Compare, Condition, Not, Operand, Operator

Facts = Callable[[str], Any]
"""What is true of a person: an attribute's value by its name, None when it is not known."""

Test = Callable[[Any], bool]
"""Whether a value is as an operator wants it. None, a value that is not known, never is, but for `known: false`."""

_EXACT = 2.0**53
_BOUNDS: dict[Operator, Callable[[Any, Any], bool]] = {"at_least": le, "at_most": ge, "more_than": lt, "less_than": gt}
"""Operators by how an operand is to be compared with a number."""
_NUMBERS = frozenset({int, float})
"""True and false are none."""


def holds(condition: Condition, facts: Facts) -> bool:
    """Whether the condition holds of the person that `facts` tells of.

    TypeError for what facts cannot tell: counts, recency, dates and segments need a person's whole state.
    """
    match condition:
        case All(parts):
            return all(holds(part, facts) for part in parts)
        case Any_(parts):
            return any(holds(part, facts) for part in parts)
        case Not(part):
            return not holds(part, facts)
        case Compare(attribute, operator, operand):
            return test_of(operator, operand)(facts(attribute))
        case _:
            raise TypeError(f"{condition} asks for more than facts; compile it for a person's state")


def test_of(operator: Operator, operand: Operand) -> Test:
    """An operator and its operand as a function, the quickest there is."""
    return _TESTS[operator](operand)


def number_test_of(operator: Operator, operand: Any) -> Test:
    """The same for what is sure to be a whole number, as a count is: in half the time."""
    compare = _BOUNDS.get(operator)
    return test_of(operator, operand) if compare is None else partial(compare, exact(operand))


def exact(number: float) -> int | float:
    """The number that its digits name, as PostgreSQL reads them: beyond 2**53 a float is another one."""
    return int(Decimal(repr(number))) if type(number) is float and abs(number) >= _EXACT else number


def _known(operand: Any) -> Test:
    return (lambda value: value is not None) if operand else (lambda value: value is None)


def _is(operand: Any) -> Test:
    # Python holds True == 1; a marketer who writes `friend: 1` did not mean that.
    if isinstance(operand, bool):
        return lambda value: value is operand
    if isinstance(operand, str):
        return lambda value: bool(value == operand)
    bound = exact(operand)
    return lambda value: exact(value) == bound if type(value) in _NUMBERS else False


def _one_of(operand: Any) -> Test:
    if all(isinstance(item, str) for item in operand):
        texts = frozenset(operand)
        return lambda value: type(value) is str and value in texts
    tests = tuple(map(_is, operand))
    return lambda value: any(test(value) for test in tests)


def _at_least(operand: Any) -> Test:
    bound = exact(operand)
    return lambda value: exact(value) >= bound if type(value) in _NUMBERS else False


def _at_most(operand: Any) -> Test:
    bound = exact(operand)
    return lambda value: exact(value) <= bound if type(value) in _NUMBERS else False


def _more_than(operand: Any) -> Test:
    bound = exact(operand)
    return lambda value: exact(value) > bound if type(value) in _NUMBERS else False


def _less_than(operand: Any) -> Test:
    bound = exact(operand)
    return lambda value: exact(value) < bound if type(value) in _NUMBERS else False


def _has(operand: Any) -> Test:
    # One text is as a list of it: shops tell `interests` in both ways.
    return lambda value: operand in value if type(value) is list else bool(value == operand)


def _has_any(operand: Any) -> Test:
    texts = frozenset(operand)
    return lambda value: (
        any(item in texts for item in value) if type(value) is list else type(value) is str and value in texts
    )


def _has_all(operand: Any) -> Test:
    texts = frozenset(operand)
    return lambda value: texts.issubset(value) if type(value) is list else type(value) is str and texts <= {value}


_TESTS: dict[Operator, Callable[[Any], Test]] = {
    "is": _is,
    "one_of": _one_of,
    "known": _known,
    "at_least": _at_least,
    "at_most": _at_most,
    "more_than": _more_than,
    "less_than": _less_than,
    "has": _has,
    "has_any": _has_any,
    "has_all": _has_all,
}
