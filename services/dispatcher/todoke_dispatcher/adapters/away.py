"""What the ledger needs when LINE, or the right to ask it, comes back. On the caller's connection."""

from datetime import datetime

from todoke_dispatcher.domain.breaker import MOST_HURRIED
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "away.sql")


async def hurry(connection: Connection, account: str, wall: datetime) -> None:
    """Let what waits out a pause, since LINE gave it no clear answer, be due now."""
    await connection.execute(_SQL["hurry_multicasts"], account, wall, MOST_HURRIED)
    await connection.execute(_SQL["hurry_deliveries"], account, wall, MOST_HURRIED)
