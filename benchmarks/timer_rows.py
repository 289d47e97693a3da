"""Runs and timers by the million, and the people they are about, put there by SQL as if they had entered long ago."""

from datetime import timedelta
from hashlib import md5
from uuid import UUID

import asyncpg

from benchmarks.rooms import Pool

PEOPLE = 1_000_000
CHUNK = 250_000

_PEOPLE = """
INSERT INTO segmenter.people (person_id, shop, state, facts)
SELECT md5('person' || i)::uuid, 'main', '{}', jsonb_build_object('cart', jsonb_build_array(
       jsonb_build_object('product_id', 'tea-' || i, 'name', 'お茶 ' || i, 'quantity', 1, 'price', 980)))
  FROM generate_series(0, $1::int - 1) AS i
"""
_FRIENDS = """
INSERT INTO segmenter.friend_status (account, user_id, shop, person_id, is_friend, changed_at)
SELECT 'main', 'U' || md5('user' || i), 'main', md5('person' || i)::uuid, true, now()
  FROM generate_series(0, $1::int - 1) AS i
"""
_RUNS = """
WITH runs AS (
    INSERT INTO scheduler.enrolments (enrolment_id, campaign, version, shop, person_id, key, started_at, due_at,
                                      position, status, context)
    SELECT md5('run' || i)::uuid, 'benchmark', 1, 'main', md5('person' || i % $3)::uuid, '',
           due - interval '1 hour', due, 1, 'active',
           jsonb_build_object('event', jsonb_build_object('item', jsonb_build_object('product_id', 'tea-' || i)))
      FROM (SELECT i, now() + $4::interval + (i - $1::int) * $5::interval AS due
              FROM generate_series($1::int, $2::int - 1) AS i) AS each
    RETURNING due_at, enrolment_id, position
)
INSERT INTO scheduler.timers (due_at, enrolment, position) SELECT * FROM runs
"""
_DAYS = """
SELECT scheduler.hold_timer_days(ARRAY(
    SELECT generate_series((now() + $1::interval)::date, (now() + $2::interval)::date, interval '1 day')::date))
"""
_SIZE = """
SELECT pg_size_pretty(sum(pg_table_size(relid))) AS heap, pg_size_pretty(sum(pg_indexes_size(relid))) AS index
  FROM pg_partition_tree('scheduler.timers') WHERE isleaf
"""


class TimerRows:
    """Adds runs, each with the timer of the first cart reminder, on a connection whose calls may take minutes."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", people: int) -> None:
        self.connection = connection
        self._people = people
        self._next = 0

    async def add_people(self) -> None:
        """Friends, all of them, with a cart."""
        await self.connection.execute(_PEOPLE, self._people)
        await self.connection.execute(_FRIENDS, self._people)

    def people_ids(self, number: int) -> list[UUID]:
        """The first of them."""
        return [UUID(md5(b"person%d" % index, usedforsecurity=False).hexdigest()) for index in range(number)]

    async def add(self, number: int, *, start: timedelta, step: timedelta) -> None:
        """So many more runs: the first is due `start` from now, and each `step` after the one before."""
        await self.connection.execute(_DAYS, start, start + step * number)
        end = self._next + number
        while self._next < end:
            chunk = min(CHUNK, end - self._next)
            await self.connection.execute(_RUNS, self._next, self._next + chunk, self._people, start, step)
            start += step * chunk
            self._next += chunk


async def timers_size(pool: Pool) -> tuple[str, str]:
    """What the pending timers and their indexes take."""
    row = await pool.fetchrow(_SIZE)
    return (row["heap"], row["index"]) if row else ("", "")
