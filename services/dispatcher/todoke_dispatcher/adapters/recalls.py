"""What the scheduler tells of cancelled broadcasts."""

from datetime import datetime

from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "recalls.sql")


async def recalls(connection: Connection) -> dict[str, datetime]:
    """By campaign, until when what it owed is no longer wanted."""
    return {row["campaign"]: row["recalled_at"] for row in await connection.fetch(_SQL["recalls"])}
