"""What a LINE user takes back is deleted where it could still lie: state and triggers never hold it (`carried`)."""

from collections.abc import Sequence

from todoke_shared.contracts.topics import LINE_EVENTS
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_segmenter.adapters", "unsent.sql")


async def forget_unsent(connection: Connection, messages: Sequence[str]) -> None:
    """Delete the dead letters that hold these messages, before they leave, or where they were set aside."""
    if messages:
        ids = [f'"{message}"'.encode() for message in messages]
        await connection.execute(_SQL["forget_unsent"], LINE_EVENTS.dead_letters, ids)
