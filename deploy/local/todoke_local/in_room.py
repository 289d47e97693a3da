"""A command at work in one room's tables."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import asyncpg

from todoke_local.settings import LocalSettings
from todoke_shared.postgres.pool import open_pool

Done = TypeVar("Done")
Work: TypeAlias = Callable[["asyncpg.Pool[asyncpg.Record]"], Awaitable[Done]]


def in_room(room: str, work: Work[Done], *, command: str) -> Done:
    """What `work` gives, done on one connection to a room's schema; PostgreSQL shows it by the command's name.

    ValueError, with what to set, where no PostgreSQL is named.
    """
    dsn = LocalSettings().need("postgres_dsn")

    async def go() -> Done:
        async with await open_pool(dsn, application=command, schema=room, size=1) as pool:
            return await work(pool)

    return asyncio.run(go())
