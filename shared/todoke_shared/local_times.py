"""Local times -> instants, by a zone's own calendar.

A local time that clocks leave out (summer time begins) is the first instant after the gap; one that they show twice is
the first of the two.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo


@lru_cache(16_384)
def at_local(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC) at which clocks in the zone show `local`, a naive time."""
    # PEP 495: where clocks leave a time out, fold 1 is the earlier instant; where they show it twice, the later one.
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first if first <= second else _end_of_gap(second, first, zone)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, to the second, at which the offset is the one of `after`."""
    offset = after.astimezone(zone).utcoffset()
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
