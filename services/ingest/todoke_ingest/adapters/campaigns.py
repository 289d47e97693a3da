"""Which campaigns are in force, as the scheduler publishes them.

May block: on PostgreSQL, for its call timeout. May lose: nothing. While it is away nobody can tell; then every name is
as good as another, and the scheduler's dead letter says which was none.
"""

import logging

import asyncpg

from todoke_shared.postgres.queries import load_queries

logger = logging.getLogger("todoke.campaigns")

_SQL = load_queries("todoke_ingest.adapters", "campaigns.sql")
_AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


async def may_be_in_force(pool: "asyncpg.Pool[asyncpg.Record] | None", campaign: str) -> bool:
    """False when no campaign of this name is in force."""
    if pool is None:
        return True
    try:
        found: bool = await pool.fetchval(_SQL["is_in_force"], campaign)
    except _AWAY as error:
        logger.warning("whether a campaign is in force could not be asked: %s", type(error).__name__)
        return True
    return found
