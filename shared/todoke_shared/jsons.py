"""JSON in and out: pydantic's own parser and msgspec's encoder, both far faster than the standard library's."""

from typing import Any

import msgspec
from pydantic_core import from_json

_ENCODER = msgspec.json.Encoder()


def dumps(value: Any) -> bytes:
    """UTF-8 JSON. Datetimes are RFC 3339, UUIDs their canonical text."""
    return _ENCODER.encode(value)


def dumps_text(value: Any) -> str:
    """The same as text, for PostgreSQL's jsonb."""
    return _ENCODER.encode(value).decode()


def loads(text: str | bytes) -> Any:
    """A JSON value. ValueError when it is none, or holds NaN or Infinity, which JSON has not."""
    return from_json(text, allow_inf_nan=False)
