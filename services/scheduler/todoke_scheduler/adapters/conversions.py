"""Goals in PostgreSQL: those that were reached, and those that were heard of."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg

from todoke_scheduler.domain.goals import Conversion, Heard
from todoke_shared.clock import Clock
from todoke_shared.postgres.queries import load_queries
from todoke_shared.postgres.stream import Connection

_SQL = load_queries("todoke_scheduler.adapters", "conversions.sql")
KEPT = timedelta(days=7)
"""So long after a goal an entry may be heard of: as long as its topic keeps it."""
FORGET_SECONDS = 60.0


async def save_conversions(connection: Connection, conversions: Sequence[tuple[str, Conversion]]) -> None:
    """Count goals, each with its campaign; one that is counted already stays so."""
    if conversions:
        await connection.execute(
            _SQL["save_conversions"],
            [one.enrolment for _, one in conversions],
            [one.trigger for _, one in conversions],
            [campaign for campaign, _ in conversions],
            [one.at for _, one in conversions],
            [one.amount for _, one in conversions],
            [one.is_holdout for _, one in conversions],
        )


async def goals_heard(connection: Connection, campaigns: Sequence[str], people: Sequence[UUID]) -> tuple[Heard, ...]:
    """The goals of these people in these campaigns that are remembered."""
    rows = await connection.fetch(_SQL["goals_heard"], campaigns, people)
    return tuple(Heard(*row) for row in rows)


async def save_heard(connection: Connection, heard: Sequence[Heard]) -> None:
    """Remember goals for a while."""
    if heard:
        await connection.execute(
            _SQL["save_heard"],
            [one.id for one in heard],
            [one.campaign for one in heard],
            [one.person for one in heard],
            [one.key for one in heard],
            [one.goal for one in heard],
            [one.at for one in heard],
            [one.amount for one in heard],
        )


async def forget_heard(pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock) -> None:
    """Forget goals that no entry will ask for, some at a time; then rest."""
    forgotten = await pool.execute(_SQL["forget_heard"], clock.now() - KEPT)
    await asyncio.sleep(1 if forgotten != "DELETE 0" else FORGET_SECONDS)
