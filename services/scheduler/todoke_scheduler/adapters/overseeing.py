"""What an operator sees of campaigns, and holds: who is where in them, and which are paused."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from todoke_shared.campaigns.catalogue import RELOAD_SECONDS
from todoke_shared.campaigns.words import nearest
from todoke_shared.conditions.errors import did_you_mean
from todoke_shared.postgres.fleet_clock import sample_clock
from todoke_shared.postgres.queries import load_queries

KNOWN_EVERYWHERE = timedelta(seconds=2 * RELOAD_SECONDS)
"""By then every scheduler knows that a campaign goes on; one that did not would let its runs rest again."""

_SQL = load_queries("todoke_scheduler.adapters", "overseeing.sql")


@dataclass(frozen=True)
class Listed:
    """A campaign in force, and how many runs it has in each state, over all its versions.

    `entered` is all of them; `active`, `done` and `ended` (early) are those that get messages, `holdout` the others.
    """

    campaign: str
    name: str
    version: int
    paused_since: datetime | None
    entered: int
    active: int
    done: int
    ended: int
    holdout: int


@dataclass(frozen=True)
class Waiting:
    """How many people's runs stand at a position of a version's program."""

    campaign: str
    version: int
    position: int
    people: int


async def list_campaigns(pool: "asyncpg.Pool[asyncpg.Record]") -> list[Listed]:
    """The campaigns in force, by name."""
    return [Listed(**dict(row)) for row in await pool.fetch(_SQL["list_campaigns"])]


async def waiting_at(pool: "asyncpg.Pool[asyncpg.Record]", campaign: str | None = None) -> list[Waiting]:
    """Where people are, in the order of campaigns, versions and positions; in all campaigns, or in one."""
    return [Waiting(**dict(row)) for row in await pool.fetch(_SQL["waiting_at"], campaign)]


async def pause(pool: "asyncpg.Pool[asyncpg.Record]", campaign: str) -> bool:
    """Pause a campaign; False when it was paused already. ValueError when none of this name is published."""
    await _must_be_published(pool, campaign)
    return await pool.fetchval(_SQL["pause"], campaign) is not None


async def resume(pool: "asyncpg.Pool[asyncpg.Record]", campaign: str) -> bool:
    """Let a paused campaign go on, at once; False when it was not paused.

    ValueError when none of this name is published.
    """
    await _must_be_published(pool, campaign)
    wake_at = (await sample_clock(pool)).now + KNOWN_EVERYWHERE
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(_SQL["resume"], campaign) is None:
            return False
        await connection.execute(_SQL["hold_day"], wake_at)
        await connection.execute(_SQL["wake"], campaign, wake_at)
    return True


async def _must_be_published(pool: "asyncpg.Pool[asyncpg.Record]", campaign: str) -> None:
    names: Iterable[str] = [row["campaign"] for row in await pool.fetch(_SQL["names_in_force"])]
    if campaign not in names:
        raise ValueError(
            f"no campaign `{campaign}` is published{did_you_mean(nearest(campaign, names))}; "
            "`todoke campaigns list` shows all"
        )
