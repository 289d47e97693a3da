"""What waits to be fetched, in PostgreSQL. No transaction outlives a statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from todoke_ingest.domain.notices import Action, Notice
from todoke_shared.postgres.queries import load_queries

_SQL = load_queries("todoke_ingest.adapters", "fetches.sql")
_ACTIONS: dict[str, Action] = {"created": "created", "updated": "updated", "deleted": "deleted"}


@dataclass(frozen=True, slots=True)
class Due:
    """A row taken on a lease. `notices` says which notices it stands for."""

    notice: Notice
    received_at: datetime
    notices: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Fetches:
    """One shop's rows on one platform. Raises asyncpg.PostgresError, OSError or TimeoutError."""

    pool: "asyncpg.Pool[asyncpg.Record]"
    platform: str
    shop: str

    async def note(self, notices: Sequence[Notice], received_at: datetime, due_at: datetime) -> None:
        """Store notices, one per entity; durable when it returns."""
        await self.pool.execute(
            _SQL["note"],
            self.platform,
            self.shop,
            received_at,
            due_at,
            [notice.entity for notice in notices],
            [notice.entity_id for notice in notices],
            [notice.action for notice in notices],
        )

    async def claim(self, now: datetime, lease_until: datetime, limit: int) -> list[Due]:
        """Up to `limit` rows that are due, this fetcher's own until `lease_until`."""
        rows = await self.pool.fetch(_SQL["claim"], self.platform, self.shop, now, lease_until, limit)
        return [
            Due(
                Notice(row["entity"], row["entity_id"], _ACTIONS[row["action"]]),
                row["received_at"],
                row["notices"],
                row["attempts"],
            )
            for row in rows
        ]

    async def waiting(self) -> int:
        """How many rows there are, due or not."""
        rows: int = await self.pool.fetchval(_SQL["waiting"], self.platform, self.shop)
        return rows

    async def finish(self, due: Due) -> None:
        """Done with, unless a notice arrived since: then it is looked at again when that one says."""
        if not await self.pool.fetchval(_SQL["finish"], *self._key(due.notice), due.notices):
            await self.put_off(due, due.received_at)

    async def put_off(self, due: Due, until: datetime) -> None:
        """Look again at `until`, unless a notice arrived since: that one's time stands."""
        await self.pool.execute(_SQL["put_off"], *self._key(due.notice), due.notices, until)

    async def told_of(self, notice: Notice) -> frozenset[str]:
        """The facts told of an entity so far."""
        return frozenset(await self.pool.fetchval(_SQL["told_of"], *self._key(notice)) or ())

    async def remember_told(self, notice: Notice, facts: frozenset[str]) -> None:
        """These have been told, for good."""
        await self.pool.execute(_SQL["remember_told"], *self._key(notice), sorted(facts))

    def _key(self, notice: Notice) -> tuple[str, str, str, str]:
        return self.platform, self.shop, notice.entity, notice.entity_id
