"""What stands behind an attribute's name -> its condition, kind by kind."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from todoke_shared.conditions.attributes import NUMERIC, OPERATORS, WORDS, Kind
from todoke_shared.conditions.errors import ConditionError, Path, did_you_mean
from todoke_shared.conditions.model import All, Compare, Condition, Count, InDays, Month, Operator, Since
from todoke_shared.conditions.operands import read_number, read_operand, read_scalar, read_text
from todoke_shared.conditions.periods import MOST_DAYS_AHEAD, MOST_DAYS_BACK, parse_days, parse_period

_COUNTED: tuple[Kind, ...] = ("count", "product", "store", "expiring")
_OPERATORS: tuple[Operator, ...] = get_args(Operator)
_INSTEAD: dict[Kind, str] = {
    "texts": "{{has: {}}}",
    "tags": "{{has: {}}}",
    "coupon": "{{has: {}}}",
    "product": "{{product: {}, at_least: 1}}",
    "store": "{{store: {}, at_least: 1}}",
    "instant": "{{within: 30d}}",
    "birthday": "{{month: this}}",
    "date": "{{in_days: {{at_least: 0, at_most: 7}}}}",
}
"""Kinds that no plain value says anything about, and what to write."""

Value = TypeVar("Value")


def read_body(name: str, kind: Kind, body: Any, path: Path) -> Condition:
    """The condition that `name: body` is. ConditionError names the place and the remedy."""
    if not isinstance(body, Mapping):
        return _plain(name, kind, body, path)
    if not body:
        raise ConditionError(path, "say what the attribute must be")
    for word in body:
        _check_word(name, kind, word, (*path, word))
    if kind in _COUNTED:
        return _count(name, kind, body, path)
    parts = tuple(_part(name, kind, word, operand, (*path, word)) for word, operand in body.items())
    return parts[0] if len(parts) == 1 else All(parts)


def _plain(name: str, kind: Kind, body: Any, path: Path) -> Condition:
    value = read_scalar(body, path)
    if kind in _INSTEAD:
        raise ConditionError(path, f"write `{name}: {_INSTEAD[kind].format(value)}`")
    operand = read_operand(kind, "is", value, path)
    return Count(name, "is", operand) if kind in _COUNTED else Compare(name, "is", operand)


def _check_word(name: str, kind: Kind, word: Any, path: Path) -> None:
    words = (*OPERATORS[kind], *WORDS.get(kind, ()))
    if word in words:
        return
    instead = f"use one of {', '.join(words)}"
    if word in _OPERATORS:
        raise ConditionError(path, f"`{name}` takes no `{word}`; {instead}")
    hint = get_close_matches(str(word), words, n=1)
    raise ConditionError(path, f"unknown operator `{word}`; {instead}" + did_you_mean(hint[0] if hint else None))


def _part(name: str, kind: Kind, word: Any, operand: Any, path: Path) -> Condition:
    match word:
        case "within" | "before":
            return Since(name, word, _tried(parse_period, operand, path))
        case "month":
            return Month(name, _month(operand, path))
        case "in_days":
            return _in_days(name, operand, path)
    return Compare(name, word, read_operand(kind, word, operand, path))


def _month(operand: Any, path: Path) -> Any:
    if operand == "this" or (isinstance(operand, int) and not isinstance(operand, bool) and 1 <= operand <= 12):
        return operand
    raise ConditionError(path, "`month` takes 1 to 12, or `this` for the present one")


def _in_days(name: str, body: Any, path: Path) -> Condition:
    if not isinstance(body, Mapping):
        return InDays(name, "is", read_number(body, path, "write a number of days, or `{at_least: 0, at_most: 7}`"))
    if not body:
        raise ConditionError(path, "say how many days, for example `{at_least: 0, at_most: 7}`")
    parts = []
    for word, operand in body.items():
        if word not in OPERATORS["count"]:
            raise ConditionError(
                (*path, word), f"unknown operator `{word}`; use one of {', '.join(OPERATORS['count'])}"
            )
        parts.append(InDays(name, word, read_operand("count", word, operand, (*path, word))))
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def _count(name: str, kind: Kind, body: Mapping[str, Any], path: Path) -> Condition:
    days: int | None = None
    if "within" in body:
        most = MOST_DAYS_AHEAD if kind == "expiring" else MOST_DAYS_BACK
        days = _tried(lambda text: parse_days(text, most), body["within"], (*path, "within"))
    products = _things(name, kind, body, path) if kind in ("product", "store") else ()
    operators = [word for word in body if word in OPERATORS[kind]]
    parts = tuple(
        Count(name, operator, read_operand(kind, operator, body[operator], (*path, operator)), days, products)
        for operator in operators
    )
    if not parts:  # `orders: {within: 30d}` asks whether there are any
        return Count(name, NUMERIC[0], 1, days, products)
    return parts[0] if len(parts) == 1 else All(parts)


def _things(name: str, thing: str, body: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """The products, or stores, that are meant: an id, or a list of them, by the word for one `thing`."""
    if thing not in body:
        raise ConditionError(path, f"say which {thing}: `{name}: {{{thing}: its-id}}`")
    told, path = body[thing], (*path, thing)
    if isinstance(told, list | tuple):
        if not told:
            raise ConditionError(path, f"`{thing}` takes a {thing}'s id, or a list of them")
        return tuple(dict.fromkeys(read_text(item, (*path, index)) for index, item in enumerate(told)))
    return (read_text(told, path),)


def _tried(read: Callable[[object], Value], text: object, path: Path) -> Value:
    try:
        return read(text)
    except ValueError as error:
        raise ConditionError(path, str(error)) from None
