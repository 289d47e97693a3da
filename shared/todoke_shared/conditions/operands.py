"""The values that attributes are held against, each as its kind has it."""

import datetime
import math
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from typing import Any

from todoke_shared.conditions import regions
from todoke_shared.conditions.attributes import GENDERS, NUMERIC, SUBSCRIPTION_STATES, Kind
from todoke_shared.conditions.errors import ConditionError, Path, did_you_mean
from todoke_shared.conditions.model import Operand, Operator, Scalar


def read_operand(kind: Kind, operator: Operator, operand: Any, path: Path) -> Operand:
    """What an operator takes. ConditionError at `path` when it is something else."""
    if operator in ("one_of", "has_any", "has_all"):
        if not isinstance(operand, Sequence) or isinstance(operand, str):
            raise ConditionError(path, f"`{operator}` takes a list of values")
        if not operand and operator != "one_of":
            raise ConditionError(path, f"`{operator}` takes a list of at least one value")
        read = read_text if operator != "one_of" else _READERS.get(kind, read_scalar)
        return tuple(read(item, path) for item in operand)
    if operator in NUMERIC:
        return read_number(operand, path, f"`{operator}` takes a number")
    if operator == "known":
        if not isinstance(operand, bool):
            raise ConditionError(path, "`known` takes true or false")
        return operand
    return read_text(operand, path) if operator == "has" else _READERS.get(kind, read_scalar)(operand, path)


def read_scalar(value: Any, path: Path) -> Scalar:
    """A plain value."""
    if value is None:
        raise ConditionError(path, "a value is missing here; to ask whether one is known, write `{known: false}`")
    if isinstance(value, datetime.date):
        raise ConditionError(path, "write a plain value here; put a date in quotes")
    if not isinstance(value, str | int | float | bool) or (isinstance(value, float) and not math.isfinite(value)):
        raise ConditionError(path, "write a plain value here: a text, a number, true or false")
    return value


def read_number(value: Any, path: Path, otherwise: str = "write a number here") -> int | float:
    """A number, and not true or false."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConditionError(path, otherwise)
    read_scalar(value, path)
    return value


def read_text(value: Any, path: Path) -> str:
    """A text."""
    scalar = read_scalar(value, path)
    if not isinstance(scalar, str):
        raise ConditionError(path, "write a text here; put a number, true or false in quotes")
    return scalar


def read_names(body: Any, path: Path, known: Collection[str] | None, what: str) -> tuple[str, ...]:
    """A name, or `{one_of: [names]}`; each of them `known`, where that is given."""
    if isinstance(body, dict) and set(body) == {"one_of"}:
        body, path = body["one_of"], (*path, "one_of")
        if not isinstance(body, Sequence) or isinstance(body, str) or not body:
            raise ConditionError(path, "`one_of` takes a list of names")
        return tuple(_name(item, (*path, index), known, what) for index, item in enumerate(body))
    return (_name(body, path, known, what),)


def _name(value: Any, path: Path, known: Collection[str] | None, what: str) -> str:
    if not isinstance(value, str):
        raise ConditionError(path, f"write the name of a {what} here, or `{{one_of: [names]}}`")
    return value if known is None else one_of_these(value, path, known, what)


def one_of_these(value: str, path: Path, known: Collection[str], what: str) -> str:
    """`value`, when it is known. ConditionError with the nearest that is."""
    if value in known:
        return value
    matches = get_close_matches(value, known, n=1, cutoff=0.5)
    hint = did_you_mean(matches[0] if matches else None) or f"; write its file, and `todoke {what}s publish` it first"
    raise ConditionError(path, f"unknown {what} `{value}`{hint}")


def _one_of_few(value: Any, path: Path, known: Collection[str], what: str) -> str:
    text = read_text(value, path)
    if text in known:
        return text
    matches = get_close_matches(text, known, n=1, cutoff=0.5)
    hint = did_you_mean(matches[0] if matches else None)
    raise ConditionError(path, f"unknown {what} `{text}`; use one of {', '.join(known)}{hint}")


def _flag(value: Any, path: Path) -> bool:
    if not isinstance(value, bool):
        raise ConditionError(path, "write true or false here")
    return value


def _prefecture(value: Any, path: Path) -> str:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else read_text(value, path)
    if found := regions.prefecture(text):
        return found
    hint = "region" if regions.region(text) else regions.nearest_prefecture(text)
    raise ConditionError(path, f"unknown prefecture `{text}`" + did_you_mean(hint))


def _region(value: Any, path: Path) -> str:
    text = read_text(value, path)
    if found := regions.region(text):
        return found
    hint = "prefecture" if regions.prefecture(text) else regions.nearest_region(text)
    raise ConditionError(path, f"unknown region `{text}`; use one of {', '.join(regions.REGIONS)}" + did_you_mean(hint))


_READERS: dict[Kind, Callable[[Any, Path], Scalar]] = {
    "text": read_text,
    "gender": lambda value, path: _one_of_few(value, path, GENDERS, "gender"),
    "subscription": lambda value, path: _one_of_few(value, path, SUBSCRIPTION_STATES, "state of a subscription"),
    "flag": _flag,
    "whole": read_number,
    "count": read_number,
    "product": read_number,
    "store": read_number,
    "expiring": read_number,
    "prefecture": _prefecture,
    "region": _region,
}
"""How each kind reads a plain value, where not every plain value will do."""
