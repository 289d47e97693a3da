"""Timers in PostgreSQL, a partition for each UTC day.

May block: on PostgreSQL. May lose: nothing; a timer goes in the transaction that does what it was set for. A claim
works on one day's partition by name, so that it costs the same however many days there are, and however many timers.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from uuid import UUID

import asyncpg

from todoke_scheduler.domain.calendar import LAST
from todoke_scheduler.domain.enrolment import Enrolment
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection
from todoke_shared.telemetry import metrics

_SQL = load_queries("todoke_scheduler.adapters", "timers.sql")

DAY = timedelta(days=1)
LOOK_BACK = timedelta(seconds=10)
"""Timers of transactions that commit late, or that fail and give them back, lie behind the newest that was claimed."""
CLAIM_LIFE = "5s"
"""Who has claimed and says nothing for longer is cut off or frozen: what they hold is somebody else's. Less than
LOOK_BACK, so that it is found at once."""
FULL_LOOK_SECONDS, LONGEST_SECONDS = 5.0, 30.0
"""How long one that lies further behind may wait, and may when full looks are dear."""
FULL_LOOK_SHARE = 200
"""A full look walks through what is dead and not yet vacuumed; it may take this part of the time, and no more."""
FARTHEST = timedelta(days=366)
"""Dates that people tell may lie anywhere, and each day would be a table: those of a year are enough."""
_NONE: Mapping[UUID, datetime] = {}
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Timer:
    """Look at this run at `due_at`, if it still stands at `position`."""

    due_at: datetime
    enrolment: UUID
    position: int


class DueTimers:
    """Claims due timers, and remembers how far: what is behind that is looked at only now and then."""

    def __init__(self) -> None:
        self._since = _FIRST
        self._full_look_at = 0.0

    async def claim(self, connection: Connection, now: datetime, limit: int) -> list[Timer]:
        """Take at most `limit` due timers for good, unless this transaction fails. The oldest first, nearly always."""
        started = time.monotonic()
        full = started >= self._full_look_at or now < self._since
        since = _FIRST if full else self._since
        timers = await _claim(connection, since, now, limit)
        took = time.monotonic() - started
        metrics.TIMER_CLAIM_SECONDS.observe(took)
        if full:
            self._full_look_at = started + min(max(FULL_LOOK_SECONDS, FULL_LOOK_SHARE * took), LONGEST_SECONDS)
        if timers:
            newest = max(timer.due_at for timer in timers)
            self._since = max(since, newest - LOOK_BACK)
        return timers

    def look_everywhere(self) -> None:
        """What was claimed is back: the transaction has failed."""
        self._full_look_at = 0.0

    def look_from(self, instant: datetime) -> None:
        """A timer is due then, whether or not that lies behind what was claimed: another may have given it back."""
        self._since = min(self._since, instant)


async def _claim(connection: Connection, since: datetime, now: datetime, limit: int) -> list[Timer]:
    timers: list[Timer] = []
    for row in await connection.fetch(_SQL["hold_days_due"], _day(since), _day(now), CLAIM_LIFE):
        claim = _of_day("claim_of_day", row["day"])
        rows = await connection.fetch(claim, since, now, limit - len(timers))
        timers += [Timer(*row) for row in rows]
        if len(timers) >= limit:
            break
    return timers


async def save_timers(
    connection: Connection,
    runs: Iterable[Enrolment],
    *,
    not_before: Mapping[UUID, datetime] = _NONE,
    at_the_latest: datetime = LAST,
) -> None:
    """Look again at each of these runs that is still active, when it is due, or `not_before` if that is later.

    `at_the_latest`: who is due beyond is looked at then, and found not to be due yet.
    Waits for whoever makes a day's partition at this moment: lock everything else first.
    """
    active = [run for run in runs if run.status == "active"]
    if active:
        due = [run.due_at for run in active]
        if not_before:
            due = [max(run.due_at, not_before.get(run.id, run.due_at)) for run in active]
        due = [min(each, at_the_latest) for each in due]
        await connection.execute(_SQL["hold_days"], sorted({_day(each) for each in due}))
        await connection.execute(_SQL["save_timers"], due, [run.id for run in active], [run.position for run in active])


async def next_due(pool: "asyncpg.Pool[asyncpg.Record]", *, by: datetime | None = None) -> datetime | None:
    """When the next timer is due, of those of `by`'s day and before; None when there is none."""
    days: Sequence[date] = [row["day"] for row in await pool.fetch(_SQL["days"])]
    for day in days:
        if by is not None and day > _day(by):
            break
        try:
            due: datetime | None = await pool.fetchval(_of_day("next_of_day", day))
        except asyncpg.UndefinedTableError:
            continue  # dropped since
        if due is not None:
            return due
    return None


async def drop_days_over(pool: "asyncpg.Pool[asyncpg.Record]", now: datetime) -> int:
    """Drop the empty partitions of days that have been over for a day, unless timers are in use, and count them."""
    dropped = 0
    for row in await pool.fetch(_SQL["days_over"], _day(now - DAY)):
        try:
            dropped += await pool.fetchval(_SQL["drop_day"], row["day"])
        except asyncpg.LockNotAvailableError:
            break  # next time; whoever writes a timer would wait for us meanwhile
    return dropped


def _day(instant: datetime) -> date:
    return instant.astimezone(UTC).date()


@lru_cache(maxsize=1000)
def _of_day(query: str, day: date) -> str:
    return _SQL[query].replace(" timers ", f" timers_{day:%Y%m%d} ")
