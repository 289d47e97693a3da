"""What a shop tells of a customer -> registers. What cannot be one is left out, and what is too long is cut."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from todoke_shared.conditions.regions import prefecture
from todoke_shared.contracts.ec_events import CustomerTold
from todoke_shared.people.registers import Register, Value

LONGEST_NAME = 64
LONGEST_TEXT = 500
MAX_LIST = 50
LONGEST_IN_LIST = 100
_LARGEST = 10**15
"""Beyond it a float no longer tells two neighbours apart, and no attribute of a person is as large."""

_ELSEWHERE = frozenset({"order_id", "cart_id", "identifiers", "tags", "consents", "points"})
"""These have a place of their own in the state, or none."""
_READ = ("birthday", "accepts_marketing")
"""These are attributes as the contract reads them: whoever asks for an age finds a date."""

MARKETING = "marketing"


def attributes(data: CustomerTold, raw: Mapping[str, Any], at: datetime, source: str) -> dict[str, Register]:
    """The attributes that an event tells. `raw` is the same data as it came; null there says "no longer known"."""
    told: dict[str, Register] = {}
    for name in sorted(raw):
        value = raw[name]
        if name in _READ:
            value = getattr(data, name)
            readable = value is not None or raw[name] is None
        elif name == "prefecture":
            value, readable = _canonical_prefecture(value), is_value(value)
        elif name == "registered_at":
            value, readable = _utc_text(data.registered_at), data.registered_at is not None
        else:
            readable = bool(name) and name not in _ELSEWHERE and is_value(value)
        if readable:
            told[name[:LONGEST_NAME]] = Register(at, cut(value), source)
    return told


def consents(data: CustomerTold, at: datetime, source: str) -> dict[str, Register]:
    """To which purposes the customer has agreed, or no longer agrees."""
    told = {purpose[:LONGEST_NAME]: truth for purpose, truth in (data.consents or {}).items()}
    if data.accepts_marketing is not None:
        told[MARKETING] = data.accepts_marketing
    return {purpose: Register(at, truth, source) for purpose, truth in told.items()}


def is_value(value: object) -> bool:
    """Whether a register can hold it: a text, a number, true or false, a list of texts, or nothing."""
    if isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, float):
        return abs(value) <= _LARGEST
    return value is None or isinstance(value, str | int)


def cut(value: Any) -> Value:
    """The value, as long as one may be."""
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, list):
        return [item[:LONGEST_IN_LIST] for item in value[:MAX_LIST]]
    known: int | float | bool | None = value
    return known


def _canonical_prefecture(value: object) -> object:
    """東京都 for Tokyo, tokyo-to, JP-13 or 13, by the table that conditions use; what that does not know, as told."""
    named = isinstance(value, str | int) and not isinstance(value, bool)
    return prefecture(str(value)) or value if named else value


def _utc_text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()
