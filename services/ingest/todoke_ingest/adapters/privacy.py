"""The requests of customers and shops for their data, as an operator sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from todoke_shared.postgres.queries import load_queries

_SQL = load_queries("todoke_ingest.adapters", "privacy.sql")


@dataclass(frozen=True, slots=True)
class ListedRequest:
    """A request: what (`kind`, Shopify's topic), of whom (None: the whole shop), and by when (30 days, UTC)."""

    shop: str
    id: str
    kind: str
    subject: str | None
    received_at: datetime
    due_at: datetime
    done_at: datetime | None


async def list_requests(pool: "asyncpg.Pool[asyncpg.Record]", *, done: bool = False) -> Sequence[ListedRequest]:
    """What is still to be done, most pressing first; with `done` everything."""
    return [ListedRequest(**row) for row in await pool.fetch(_SQL["list_requests"], done)]


async def finish_request(pool: "asyncpg.Pool[asyncpg.Record]", request_id: str) -> ListedRequest:
    """Note that a request has been carried out; the first such instant stays. LookupError when there is none."""
    row = await pool.fetchrow(_SQL["finish_request"], request_id)
    if row is None:
        raise LookupError("there is no such request; `todoke privacy list --all` shows all of them")
    return ListedRequest(**row)
