"""Durations as people write them: 90s, 30m, 1h, 7d."""

import re
from datetime import timedelta

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,6})\s*([smhd])")


def parse_duration(text: object) -> timedelta:
    """`"1h"` -> one hour. ValueError when it is not a number and one of s, m, h, d."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("write a duration as a number and s, m, h or d, for example 30m, 1h or 7d")
    return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


def format_duration(duration: timedelta) -> str:
    """One hour -> `"1h"`: the largest unit that says it exactly."""
    seconds = int(duration.total_seconds())
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"
