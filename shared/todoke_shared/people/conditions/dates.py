"""Dates as the state has them: texts `YYYY-MM-DD`, told by a shop, that may be no dates at all.

Who was born on February 29 has a birthday on March 1 in common years, and grows a year older on that day.
"""

import re
from datetime import date
from functools import lru_cache
from typing import Any

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LONG_MONTHS, _SHORT_MONTHS = "0[13578]|1[02]", "0[469]|11"
_LEAP_YEAR = "[0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00"
_PATTERN = (
    f"([0-9]{{4}}-(({_LONG_MONTHS})-(0[1-9]|[12][0-9]|3[01])|({_SHORT_MONTHS})-(0[1-9]|[12][0-9]|30)"
    f"|02-(0[1-9]|1[0-9]|2[0-8]))|({_LEAP_YEAR})-02-29)"
)
VALID_DATE = f"'^(?!0000){_PATTERN}$'"
"""PostgreSQL's regular expression for what `date_of` reads: a cast of anything else would end the query."""

EARLIEST, LATEST = "0000-00-00", "9999-99-99"
"""Before and after every date, as texts."""


@lru_cache(16_384)
def _read(text: str) -> date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def date_of(value: Any) -> date | None:
    """The date that a value of the profile names; None when it names none."""
    return _read(value) if type(value) is str else None


def iso(day: int) -> str:
    """A day of the calendar as text; EARLIEST or LATEST beyond it."""
    if day < 1:
        return EARLIEST
    return date.fromordinal(day).isoformat() if day <= date.max.toordinal() else LATEST


def is_leap(year: int) -> bool:
    """Whether the year has a February 29."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def birthday_in(born: date, year: int) -> date:
    """The day in a year on which somebody has a birthday."""
    if born.month == 2 and born.day == 29 and not is_leap(year):
        return date(year, 3, 1)
    return date(year, born.month, born.day)


def years_since(born: date, today: date) -> int:
    """The age in years; negative before the birth."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
