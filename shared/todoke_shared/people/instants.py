"""Firsts and lasts, of which either side may be unknown."""

from datetime import datetime


def latest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The later of two instants, or the one that is known."""
    if a is None or b is None:
        return a or b
    return max(a, b)


def earliest(a: datetime | None, b: datetime | None) -> datetime | None:
    """The earlier of two instants, or the one that is known."""
    if a is None or b is None:
        return a or b
    return min(a, b)
