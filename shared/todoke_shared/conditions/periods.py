"""Periods as conditions write them: 90d, 2w, 36h, 30m."""

import re
from datetime import timedelta

MOST_DAYS_BACK = 400
"""A person's days are kept one by one for this long (the segmenter's state); what is older is one sum."""
MOST_DAYS_AHEAD = 3650
_LONGEST = timedelta(days=36_500)
"""A century: instants this long before or after any event's time can still be written as dates."""

_MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10_080}
_PERIOD = re.compile(r"(\d{1,8})\s*([mhdw])", re.ASCII)


def parse_period(text: object) -> timedelta:
    """`"36h"` -> a day and a half. ValueError says what to write."""
    match = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("write a period as a number and m, h, d or w, for example 36h, 30d or 2w")
    minutes = int(match[1]) * _MINUTES[match[2]]
    if not 0 < minutes <= _LONGEST / timedelta(minutes=1):
        raise ValueError(f"a period is at least 1m and at most {_LONGEST.days}d")
    return timedelta(minutes=minutes)


def parse_days(text: object, most: int) -> int:
    """`"2w"` -> 14: whole days of the calendar. ValueError says what to write."""
    match = _PERIOD.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in "dw":
        raise ValueError("write whole days as a number and d or w, for example 90d or 2w")
    days = int(match[1]) * _MINUTES[match[2]] // _MINUTES["d"]
    if not 0 < days <= most:
        raise ValueError(f"days can be counted over 1d to {most}d here")
    return days
