"""Two releases side by side, as a rolling deployment has them: the older one must not save what it cannot read whole.

The first segmenter of a release that adds to the state raises the number in `state_layout`. From then on a segmenter
that knows less takes no batch: it commits nothing, says in `/readyz` why, and its partitions wait until it is replaced.
"""

import asyncio
import logging

import asyncpg

from todoke_shared.errors import SlowDownError
from todoke_shared.people import LAYOUT
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection
from todoke_shared.telemetry.health import Readiness

logger = logging.getLogger("todoke.layout")

_SQL = load_queries("todoke_segmenter.adapters", "layout.sql")
WATCH_SECONDS = 2.0


class NewerLayoutError(SlowDownError):
    """A newer release has begun to write: this one must take no more."""

    def __init__(self, layout: int) -> None:
        super().__init__(
            f"a newer release writes the state (layout {layout}, this one knows {LAYOUT}); deploy that release here too"
        )


async def check_layout(connection: Connection) -> None:
    """Within a transaction, before anything is saved. NewerLayoutError where this release knows too little."""
    _check(await connection.fetchval(_SQL["layout_in_use"]))


async def claim_layout(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    """Begin to write this release's layout, once older batches have ended. Waits while a newer one is in use."""
    while True:
        try:
            return await _claim(pool)
        except NewerLayoutError as error:
            logger.error("not started: %s", error)
        except (asyncpg.QueryCanceledError, TimeoutError):
            logger.warning("not started yet: a batch of an older release is still open")
        await asyncio.sleep(WATCH_SECONDS)


async def _claim(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    async with pool.acquire() as connection, connection.transaction():
        layout = await connection.fetchval(_SQL["known_layout"])
        if layout < LAYOUT:
            await connection.execute(_SQL["queue"])
            layout = await connection.fetchval(_SQL["raise_layout"], LAYOUT)
        _check(layout)


async def watch_layout(pool: "asyncpg.Pool[asyncpg.Record]", readiness: Readiness) -> None:
    """Say in readiness whether a newer release is in charge; then rest."""
    async with pool.acquire() as connection:
        try:
            await check_layout(connection)
        except NewerLayoutError as error:
            readiness.held = str(error)
        else:
            readiness.held = None
    await asyncio.sleep(WATCH_SECONDS)


def _check(layout: int) -> None:
    if layout > LAYOUT:
        raise NewerLayoutError(layout)
