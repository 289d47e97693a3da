"""What an operator sees of the channels."""

from dataclasses import dataclass
from datetime import datetime

from todoke_dispatcher.domain.quota import Parked, month_of
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_dispatcher.adapters", "operating.sql")


@dataclass(frozen=True)
class ListedChannel:
    """An account. `stopped`: LINE's words; `paused_until` (wall): LINE asked to slow down; two counts of messages."""

    account: str
    stopped: str | None
    paused_until: datetime | None
    parked: Parked | None
    held: int
    unknown: int


async def list_channels(connection: Connection, wall: datetime) -> list[ListedChannel]:
    """All that a dispatcher has ever been configured with."""
    rows = await connection.fetch(_SQL["listed_channels"], month_of(wall), wall)
    return [ListedChannel(**dict(row)) for row in rows]
