"""Values as Segment's libraries send them (each language has its own idea of a number) and as ours read them."""

import hashlib
import math
import re
import unicodedata
from collections.abc import Mapping

from todoke_ingest.domain.personal_data import identifier_without_address, without_contacts

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NO_WORD = re.compile(r"[\W_]+")
_LONGEST_KEY = 255
_LONGEST_NAME = 200
_MOST_NORMALISED = 500
"""Characters of a name: Unicode's normal form takes time with the square of a run of combining marks."""
_LARGEST_EXACT = 2**53
"""Beyond it a float is no longer the integer that it was read from."""
_RUN_KEYS = ("order_id", "cart_id")
"""Campaigns keep their runs apart by these, so that the vocabulary wants texts of at most 255 characters."""


def text_of(value: object) -> str | None:
    """A text that is not blank, or a whole number as one: ids come as either."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return (value.strip() or None) if isinstance(value, str) else None


def id_of(value: object) -> str | None:
    """As `text_of`, when it is short enough for an id; an e-mail address in it is hashed, so that ids stay apart."""
    text = text_of(value)
    name = identifier_without_address(text) if text else ""
    return name if 1 <= len(name) <= _LONGEST_KEY else None


def number_of(value: object) -> float | None:
    """A finite number of at least 0, also from a text such as "1,980"; a whole one as an integer."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value.replace(",", "")) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number) or number < 0:
        return None
    return int(number) if number.is_integer() and number < _LARGEST_EXACT else number


def object_of(value: object) -> Mapping[str, object]:
    """A JSON object. Anything else is an empty one: PHP writes an empty object as `[]`."""
    return value if isinstance(value, dict) else {}


def snake(name: str) -> str:
    """`Order Completed`, `orderCompleted` -> `order_completed`; `カート 放棄` -> `カート_放棄`. At most 200 characters.

    What is cut, and what holds no letter at all, is told apart by a digest.
    """
    plain = unicodedata.normalize("NFKC", name[:_MOST_NORMALISED])
    words = _NO_WORD.sub("_", _CAMEL.sub("_", plain)).strip("_").lower()
    if words and len(words) <= _LONGEST_NAME and len(name) <= _MOST_NORMALISED:
        return words
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{words[: _LONGEST_NAME - 13]}_{digest}" if words else digest


def carried(properties: Mapping[str, object]) -> dict[str, object]:
    """What a message tells beside what we have a word for, without contacts; `order_id` and `cart_id` as texts."""
    clean = without_contacts({name: value for name, value in properties.items() if name not in _RUN_KEYS})
    data = dict(object_of(clean))
    for name in _RUN_KEYS:
        if key := id_of(properties.get(name)):
            data[name] = key
    return data
