"""Fields that are read where they can be read, and are nothing where they cannot: none of them refuses an event.

A shop's record of a customer comes from many hands. That one of its fields is not what we would make of it must not
cost the others, and an event that was good before a room learnt to read it stays good.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, WrapValidator

from todoke_shared.contracts.envelope import Instant

MAX_TEXTS = 100
"""Of a list: more tags or interests than any shop gives to one person."""
LONGEST = 255
"""Characters of an id, a code or a tag."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _or_nothing(value: object, read: Callable[[object], Any]) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple):
        return None
    return tuple(dict.fromkeys(text[:LONGEST] for text in value if isinstance(text, str) and text))[:MAX_TEXTS]


def _truths(value: object) -> dict[str, bool] | None:
    if not isinstance(value, dict):
        return None
    return {name: truth for name, truth in value.items() if isinstance(truth, bool) and isinstance(name, str) and name}


def _day(value: object) -> str | None:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        return None


def _name(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value[:LONGEST] if isinstance(value, str) and value else None


_Count = Annotated[int, Field(ge=-(10**12), le=10**12)]

Texts = Annotated[tuple[str, ...] | None, BeforeValidator(_texts)]
"""The texts of a list, each once, at most 100."""
Truths = Annotated[dict[str, bool] | None, BeforeValidator(_truths)]
"""An object's entries that are true or false."""
Day = Annotated[str | None, BeforeValidator(_day)]
"""A date that the calendar has, `YYYY-MM-DD`."""
Text = Annotated[str | None, BeforeValidator(_name)]
"""An id, a code or a name: text, or a whole number as text."""
Truth = Annotated[bool | None, WrapValidator(_or_nothing)]
Count = Annotated[_Count | None, WrapValidator(_or_nothing)]
"""A whole number of points."""
Moment = Annotated[Instant | None, WrapValidator(_or_nothing)]
"""A time with its offset."""
