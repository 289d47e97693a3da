"""Plain YAML values -> a condition. Errors say where, what, and what to write instead."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from todoke_shared.conditions.attributes import is_known, nearest
from todoke_shared.conditions.model import All, Any_, Compare, Condition, Not, Operator, Scalar

_OPERATORS: tuple[Operator, ...] = get_args(Operator)
_NUMERIC = ("at_least", "at_most", "more_than", "less_than")
_MAX_DEPTH = 20
"""Deeper than any condition a person would write, shallow enough for any stack."""


class ConditionError(ValueError):
    """A condition that cannot be read. `path` leads from the condition's root to the place."""

    def __init__(self, path: tuple[str | int, ...], reason: str) -> None:
        super().__init__(reason)
        self.path = path


def parse_condition(value: Any, path: tuple[str | int, ...] = ()) -> Condition:
    """Read a condition. ConditionError names the place and the remedy."""
    if len(path) > _MAX_DEPTH:
        raise ConditionError(path, "this condition is nested too deeply; split it into segments")
    if not isinstance(value, Mapping) or not value:
        raise ConditionError(path, "write a condition as a mapping, for example `cart.items: {at_least: 1}`")
    parts = tuple(_parse_entry(key, body, (*path, key)) for key, body in value.items())
    return parts[0] if len(parts) == 1 else All(parts)


def _parse_entry(key: Any, body: Any, path: tuple[str | int, ...]) -> Condition:
    if key in ("all", "any"):
        if not isinstance(body, Sequence) or isinstance(body, str) or not body:
            raise ConditionError(path, f"`{key}` takes a list of conditions")
        parts = tuple(parse_condition(part, (*path, index)) for index, part in enumerate(body))
        return All(parts) if key == "all" else Any_(parts)
    if key == "not":
        return Not(parse_condition(body, path))
    if not isinstance(key, str) or not is_known(key):
        hint = nearest(str(key))
        raise ConditionError(path, f"unknown attribute `{key}`" + (f"; did you mean `{hint}`?" if hint else ""))
    return _parse_comparison(key, body, path)


def _parse_comparison(attribute: str, body: Any, path: tuple[str | int, ...]) -> Condition:
    if not isinstance(body, Mapping):
        return Compare(attribute, "is", _scalar(body, path))
    parts = tuple(_compare(attribute, name, operand, (*path, name)) for name, operand in body.items())
    if not parts:
        raise ConditionError(path, "say what the attribute must be")
    return parts[0] if len(parts) == 1 else All(parts)


def _compare(attribute: str, name: Any, operand: Any, path: tuple[str | int, ...]) -> Compare:
    if name not in _OPERATORS:
        raise ConditionError(path, f"unknown operator `{name}`; use one of {', '.join(_OPERATORS)}")
    if name == "one_of":
        if not isinstance(operand, Sequence) or isinstance(operand, str):
            raise ConditionError(path, "`one_of` takes a list of values")
        return Compare(attribute, "one_of", tuple(_scalar(item, path) for item in operand))
    if name in _NUMERIC and (isinstance(operand, bool) or not isinstance(operand, int | float)):
        raise ConditionError(path, f"`{name}` takes a number")
    if name == "known" and not isinstance(operand, bool):
        raise ConditionError(path, "`known` takes true or false")
    return Compare(attribute, name, _scalar(operand, path))


def _scalar(value: Any, path: tuple[str | int, ...]) -> Scalar:
    if value is None:
        raise ConditionError(path, "a value is missing here; to ask whether one is known, write `{known: false}`")
    if not isinstance(value, str | int | float | bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise ConditionError(path, "write a plain value here: a text, a number, true or false")
    return value
