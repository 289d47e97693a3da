"""Time slots: the exclusive right to send one request each, evenly spaced (RELIABILITY: rate limit).

The generic cell rate algorithm (ITU-T I.371): `tat`, the theoretical arrival time, is where the next slot begins.
`adapters/channels.sql` does the same in one statement, so that any number of dispatchers share one sequence of slots;
a connected test holds the two together. Times are whole microseconds since 1970, in which both calculate exactly.

Why no 1-s window holds more than the limit: a slot is used at its instant or up to SLOT_LIFE later, never after. So
what is sent in a window of 1 s has its slots in a stretch of 1 s + SLOT_LIFE, and the spacing puts at most `limit` into
that. The price is below 4% of the limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SLOT_LIFE = timedelta(milliseconds=40)
"""How late a slot may still be used: what a busy event loop needs, and little enough to keep 96% of the limit."""
HORIZON = timedelta(milliseconds=250)
"""How far ahead slots are given out: a transactional message waits no longer behind claimed marketing."""
FURTHEST = timedelta(seconds=3)
"""No slot of whatever rate begins further ahead than HORIZON, and the next one follows within a second and a little;
clocks of a fleet differ by less than the rest. A `tat` beyond it is of a clock that has been set back since: followed,
nothing would go out until the clock was there again."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_AND_LIFE_US = 1_040_000


def to_us(instant: datetime) -> int:
    """Whole microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_us(us: int) -> datetime:
    """The instant of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=us)


def spacing_us(per_second: int) -> int:
    """Microseconds between slots, rounded up, so that no stretch of 1 s + SLOT_LIFE holds more than `per_second`."""
    return -(-_SECOND_AND_LIFE_US // per_second)


@dataclass(frozen=True, slots=True)
class Slots:
    """`count` slots from `first` on, `spacing` apart; all in microseconds."""

    first: int
    count: int
    spacing: int

    def instants(self) -> Sequence[datetime]:
        """When each slot begins."""
        return [from_us(self.first + index * self.spacing) for index in range(self.count)]


def take_slots(tat: int, now: int, wanted: int, spacing: int) -> tuple[int, Slots]:
    """Up to `wanted` slots that begin before now + HORIZON, and the `tat` behind them.

    The first may begin now however far the next one is: a rate of one a second has its slot, too.
    """
    start = min(max(tat, now), now + FURTHEST // timedelta(microseconds=1))
    ahead = now + HORIZON // timedelta(microseconds=1) - start
    granted = min(wanted, max(0, -(-ahead // spacing)))
    return start + granted * spacing, Slots(start, granted, spacing)


def is_past(slot: datetime, wall: datetime) -> bool:
    """Whether a slot is over: using it now could put too many requests into one second."""
    return wall > slot + SLOT_LIFE
