"""A log line that strangers could have written without end is written once a minute."""

import time
from collections.abc import Callable


class Seldom:
    """Keeps when each thing was last told. The keys are names of the configuration, so that they stay few."""

    def __init__(self, seconds: float = 60.0, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._told: dict[str, float] = {}

    def is_due(self, key: str) -> bool:
        """Whether to tell it now; if so, it counts as told."""
        now, told = self._now(), self._told.get(key)
        if told is not None and now - told < self._seconds:
            return False
        self._told[key] = now
        return True
