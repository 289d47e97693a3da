"""The simulator's clock: a given clock that can be moved forward."""

from collections.abc import Callable
from datetime import UTC, datetime


class AdvancingClock:
    """Unix time in seconds (UTC) from ``source``, plus what ``POST /sim/clock`` has added."""

    def __init__(self, source: Callable[[], float]) -> None:
        self._source = source
        self._ahead = 0.0

    def now(self) -> float:
        """Unix time in seconds."""
        return self._source() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move forward. Time never runs back: rate limits and key lifetimes rely on it."""
        if seconds < 0:
            raise ValueError("advanceSeconds must be 0 or more: the clock only moves forward")
        self._ahead += seconds

    def restart(self) -> None:
        """Drop what was added."""
        self._ahead = 0.0


def iso(seconds: float) -> str:
    """ISO 8601 in UTC with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()
