"""When an event says that it happened, held to the same rules at every way in: the doors and the topic itself."""

import re
from datetime import datetime, timedelta

from todoke_shared.errors import BadMessageError

MAX_AHEAD = timedelta(minutes=15)
"""A clock further ahead than this is broken; its events would overrule truer ones for as long as it is."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_PLAIN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)", re.ASCII)
"""What any reader of the topic understands; the other spellings of RFC 3339 are for somebody to write anew."""


def check_time_text(time: object) -> bool:
    """Whether any reader understands the text as it is. BadMessageError when it is no RFC 3339 timestamp at all."""
    # pydantic would also read 1767225600, and "1767225600", as an instant: a guess that a producer never meant.
    if isinstance(time, str):
        if _PLAIN.fullmatch(time):
            return True
        if _RFC3339.fullmatch(time):
            return False
    raise BadMessageError("must be an RFC 3339 timestamp such as 2026-01-31T09:00:00+09:00", field="time")


def check_not_ahead(time: datetime, now: datetime) -> None:
    """BadMessageError when `time` lies more than MAX_AHEAD after `now`, the shop's time."""
    if time - now > MAX_AHEAD:
        raise BadMessageError("is more than 15 minutes in the future; check the clock of the producer", field="time")
