"""What people were sent, as caps count it."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from todoke_scheduler.domain.guards import Sent
from todoke_shared.clock import Clock
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "sends.sql")
KEPT = timedelta(days=366)
"""No cap counts further back."""
FORGET_SECONDS = 3600.0


async def lock_sent(connection: Connection, people: Collection[UUID], since: datetime) -> dict[UUID, list[Sent]]:
    """What these people were sent since then. Whoever else counts for one of them waits until we are done."""
    found: dict[UUID, list[Sent]] = defaultdict(list)
    if people:
        ids = sorted(people)
        await connection.fetch(_SQL["take_turns"], ids)
        for row in await connection.fetch(_SQL["sent_since"], ids, since):
            found[row["person_id"]].append(Sent(row["campaign"], row["lane"], row["at"]))
    return found


async def save_sent(connection: Connection, sent: Sequence[tuple[UUID, str, Sent]]) -> None:
    """Remember what goes out now: person, account and the rest of each."""
    if sent:
        await connection.execute(
            _SQL["save_sent"],
            [person for person, _, _ in sent],
            [one.at for _, _, one in sent],
            [one.campaign for _, _, one in sent],
            [account for _, account, _ in sent],
            [one.lane for _, _, one in sent],
        )


async def forget_sent(pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> None:
    """Forget what no cap can count any more; then rest."""
    await pool.execute(_SQL["forget_sent"], clock.now() - KEPT)
    await asyncio.sleep(FORGET_SECONDS)
