"""A broadcast's next ids, read while those before them are carried out: PostgreSQL works while we do.

May block: on PostgreSQL. What was read ahead is of use only to the broadcast and the place that it was read for.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from todoke_scheduler.adapters.broadcasts import Asked, Chunk, read_chunk
from todoke_scheduler.domain.broadcasts import LAST, Broadcast, Stretch
from todoke_shared.postgres.stream import Connection

FRESH_SECONDS = 1.0
"""An audience that was read longer ago is read again."""


@dataclass(frozen=True, slots=True)
class _Ahead:
    """A stretch of a broadcast that is read before its turn."""

    broadcast: UUID
    version: int | None
    stretch: Stretch
    since: float
    reading: "asyncio.Task[Chunk]"

    def is_for(self, broadcast: Broadcast, stretch: Stretch) -> bool:
        """Whether that is what comes now, and is still how it is."""
        same = (self.broadcast, self.version, self.stretch) == (broadcast.id, broadcast.version, stretch)
        return same and time.monotonic() - self.since <= FRESH_SECONDS


class ReadingAhead:
    """Reads chunks, one ahead where no rest lies between."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._ahead: _Ahead | None = None

    async def read(
        self, connection: Connection, broadcast: Broadcast, stretch: Stretch, asked: Asked, now: datetime
    ) -> Chunk:
        """The next ids of a broadcast, and who of them is in its audience now."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.is_for(broadcast, stretch):
            chunk = await ahead.reading
        else:
            chunk = await read_chunk(connection, stretch, asked, now)
        if broadcast.rate is None and stretch.up_to == LAST != chunk.end:
            behind = replace(stretch, after=chunk.end)
            reading = asyncio.create_task(self._read(behind, asked, now))
            reading.add_done_callback(_heard)
            self._ahead = _Ahead(broadcast.id, broadcast.version, behind, time.monotonic(), reading)
        return chunk

    async def _read(self, stretch: Stretch, asked: Asked, now: datetime) -> Chunk:
        async with self._pool.acquire() as connection:
            return await read_chunk(connection, stretch, asked, now)


def _heard(reading: "asyncio.Task[Chunk]") -> None:
    """Whoever waits for it hears of its failure; if nobody does, nobody has to."""
    if not reading.cancelled():
        reading.exception()
