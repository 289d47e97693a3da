"""Last-writer-wins registers by event time: what was told last counts, whenever it arrives.

At most so many of a kind are kept, the newest. A register that has gone has that many newer ones before it, and they
only grow newer: so the bound, too, is the same for every order of the events.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec

Value = str | int | float | bool | list[str] | None
"""None: told to be unknown."""


class Register(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A value since `at`, and who told it."""

    at: datetime
    value: Value = None
    source: str = ""


class Subscription(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`value` is "active" or "cancelled"; an active one goes on at `renews_at`."""

    at: datetime
    value: str
    source: str = ""
    renews_at: datetime | None = None


class _Told(Protocol):
    @property
    def at(self) -> datetime: ...
    @property
    def source(self) -> str: ...
    @property
    def value(self) -> Any: ...


R = TypeVar("R", bound=_Told)


def newer(a: R, b: R) -> R:
    """The one told last; in one instant by source, then by what it says: by nothing that depends on who came first."""
    if a.at != b.at:
        return a if a.at > b.at else b
    return max(a, b, key=_within_an_instant)


def _within_an_instant(register: _Told) -> tuple[str, bytes]:
    return register.source, msgspec.json.encode(register)


def put(known: dict[str, R], told: Mapping[str, R], most: int) -> dict[str, R]:
    """What is known once this was told too; the very same dict where it changes nothing."""
    news = {name: register for name, register in told.items() if _is_news(known.get(name), register)}
    return newest({**known, **news}, most) if news else known


def _is_news(known: R | None, told: R) -> bool:
    return known is None or newer(known, told) is told


def newest(registers: dict[str, R], most: int) -> dict[str, R]:
    """At most so many, those told last."""
    if len(registers) <= most:
        return registers
    kept = sorted(registers, key=lambda name: (registers[name].at, name))[-most:]
    return {name: registers[name] for name in kept}
