"""After an absence: first hear what has happened, then do what is due.

Timers that came due while the scheduler was away must not fire before it has read the exits that were waiting for it
in the topic: a customer who bought meanwhile would be reminded of a cart that is gone. Nor may the segmenter's clock
put somebody to sleep whose order waits in the topic.
"""

import logging
import time
from collections.abc import Mapping

import asyncpg

logger = logging.getLogger("todoke.catching-up")

LONGEST_HOLD_SECONDS = 300.0
"""After this, what is due is done all the same: a position that never comes (a database restored) must not stop it."""

_BEHIND = """
SELECT count(*) FROM unnest($3::int[], $4::bigint[]) AS e (partition, end_offset)
  LEFT JOIN consumed c ON c.cluster = $1 AND c.topic = $2 AND c.partition = e.partition
 WHERE e.end_offset > coalesce(c.next_offset, 0)
"""


class CatchingUp:
    """Whether what lay in a topic when the service started has been taken, by whichever instance of it."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", *, cluster: str, topic: str, ends: Mapping[int, int]
    ) -> None:
        self._pool = pool
        self._place = (cluster, topic)
        self._ends = {partition: end for partition, end in ends.items() if end > 0}
        self._until = time.monotonic() + LONGEST_HOLD_SECONDS

    async def is_done(self) -> bool:
        """Cheap once it is."""
        if not self._ends:
            return True
        behind = await self._pool.fetchval(_BEHIND, *self._place, list(self._ends), list(self._ends.values()))
        if behind and time.monotonic() > self._until:
            logger.error(
                "%d partitions of %s were not taken in time; what is due is done all the same", behind, self._place[1]
            )
        elif behind:
            return False
        self._ends = {}
        return True
