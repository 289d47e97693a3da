"""JSON as every room behind this door can hold it.

Read leniently, then checked value by value, so that one bad value refuses its own event and not the batch around it.
Only what leaves no JSON value at all (a syntax error, more than 200 levels) refuses the whole body.
"""

import math
from collections.abc import Iterable

from pydantic_core import from_json

from todoke_ingest.domain.refusals import RequestRefusedError
from todoke_shared.contracts.envelope import field_path
from todoke_shared.errors import BadMessageError

MAX_DEPTH = 64
"""Far beyond any shop's event, and well below the 200 levels at which the rooms behind could no longer parse it."""
MAX_EVENT_BYTES = 256 * 1024
"""A cart of 500 items fits many times; two copies of it (record and dead letter) fit Kafka's own limit of 1 MB."""

_INT64 = range(-(2**63), 2**63)
_LONGEST_PATH = 200

JsonPath = tuple[int | str, ...]


def read_json(body: bytes) -> object:
    """Any JSON value, NaN and Infinity still in it for `check_json` to name. RequestRefusedError (400) otherwise."""
    try:
        return from_json(body, allow_inf_nan=True)
    except ValueError as error:
        # The parser's words name a place ("at line 1 column 5") and never the text found there.
        raise RequestRefusedError(400, f"is not JSON: {error}") from None


def check_json(value: dict[str, object]) -> None:
    """BadMessageError naming the first value that JSON, PostgreSQL or a reader in another language cannot hold."""
    waiting: list[tuple[object, JsonPath]] = [(value, ())]
    while waiting:
        container, path = waiting.pop()
        if len(path) >= MAX_DEPTH:
            raise BadMessageError(f"is nested deeper than {MAX_DEPTH} levels; flatten it", field=_name(path))
        for part, child in _children(container):
            if isinstance(part, str) and "\x00" in part:
                raise BadMessageError("has a field whose name contains the character U+0000", field=_name(path))
            if isinstance(child, dict | list):
                waiting.append((child, (*path, part)))
            elif reason := _complaint(child):
                raise BadMessageError(reason, field=_name((*path, part)))


def _children(container: object) -> Iterable[tuple[int | str, object]]:
    if isinstance(container, dict):
        return container.items()
    return enumerate(container) if isinstance(container, list) else ()


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
