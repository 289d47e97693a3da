"""JSON values as every room can hold them: in PostgreSQL's jsonb, in a topic, and in another language's reader."""

import math
from collections.abc import Iterable

from todoke_shared.errors import BadMessageError

MAX_DEPTH = 64
"""Far beyond any shop's event, and well below the 200 levels that our parser takes."""

CARRIED_DEPTH = MAX_DEPTH + 4
"""Of records that carry an event's data further inside than the event had it."""

_INT64 = range(-(2**63), 2**63)
_LONGEST_PATH = 200

JsonPath = tuple[int | str, ...]


def check_json(value: object, deepest: int = MAX_DEPTH) -> None:
    """BadMessageError naming the first value that JSON, PostgreSQL or a reader in another language cannot hold."""
    waiting: list[tuple[object, JsonPath]] = [(value, ())]
    while waiting:
        container, path = waiting.pop()
        if len(path) >= deepest:
            raise BadMessageError(f"is nested deeper than {deepest} levels; flatten it", field=_name(path))
        for part, child in _children(container):
            if isinstance(part, str) and "\x00" in part:
                raise BadMessageError("has a field whose name contains the character U+0000", field=_name(path))
            if isinstance(child, dict | list | tuple):
                waiting.append((child, (*path, part)))
            elif reason := _complaint(child):
                raise BadMessageError(reason, field=_name((*path, part)))


def field_path(parts: Iterable[int | str]) -> str:
    """`("data", "items", 0, "product")` as a person writes it: `data.items[0].product`."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "(the whole record)"


def _children(container: object) -> Iterable[tuple[int | str, object]]:
    if isinstance(container, dict):
        return container.items()
    return enumerate(container) if isinstance(container, list | tuple) else ()


def _complaint(leaf: object) -> str | None:
    if isinstance(leaf, str):
        return "must not contain the character U+0000" if "\x00" in leaf else None
    if isinstance(leaf, float):
        return None if math.isfinite(leaf) else "must be a finite number; JSON has no NaN or Infinity"
    if isinstance(leaf, int):
        return None if leaf in _INT64 else "must be an integer of at most 64 bits; send larger ones as text"
    return None


def _name(path: JsonPath) -> str:
    return field_path(path).replace("\x00", "\N{REPLACEMENT CHARACTER}")[:_LONGEST_PATH]
