"""What a LINE user takes back while it still waits in the spool never reaches Kafka.

May block: for SECONDS. May lose: the event of the unsent message, on purpose (LINE asks to delete what is unsent:
https://developers.line.biz/en/docs/messaging-api/receiving-messages/#processing-on-receipt-of-unsend-event).
"""

import asyncio
import logging
from collections.abc import Sequence

import asyncpg

from todoke_shared.contracts.topics import LINE_EVENTS
from todoke_shared.errors import for_the_log
from todoke_shared.postgres.queries import load_queries

_SQL = load_queries("todoke_ingest.adapters", "unsent.sql")
SECONDS = 1.0
"""LINE waits two for its 200."""

logger = logging.getLogger("todoke.ingest")


async def forget_unsent(pool: "asyncpg.Pool[asyncpg.Record]", people: Sequence[bytes], messages: Sequence[str]) -> None:
    """Delete spooled LINE events of these people (their records' keys) that hold these messages.

    With PostgreSQL away it says so and holds up nobody.
    """
    topics = [LINE_EVENTS.name, LINE_EVENTS.dead_letters]
    ids = [f'"{message}"'.encode() for message in messages]
    try:
        async with asyncio.timeout(SECONDS):
            await pool.execute(_SQL["forget_unsent"], topics, ids, people)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        logger.warning("an unsent message may lie in the spool until Kafka takes it (%s)", for_the_log(error))
