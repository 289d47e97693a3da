"""Migrations: plain numbered SQL per room, applied by pogo-core, under one lock for the whole installation.

The tables of `postgres.stream` (consumed positions, inbox, outbox) stand in each room's first migration.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

_LOCK = 0x70D0CE
"""An arbitrary advisory lock: two `todoke migrate` at once take turns."""


@dataclass(frozen=True)
class Migrations:
    """A room's schema and the folder of its migrations."""

    schema: str
    folder: Path


async def migrate(dsn: str, rooms: Iterable[Migrations]) -> None:
    """Bring each room's schema up to date, in the order given. Safe to repeat.

    Raises pogo_core.error.BadMigrationError naming the file that failed; what was applied before it stays.
    """
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        for room in rooms:
            await _migrate_room(connection, room)
    finally:
        await connection.close()


async def _migrate_room(connection: "asyncpg.Connection[asyncpg.Record]", room: Migrations) -> None:
    from pogo_core.util.migrate import apply  # noqa: PLC0415 - services name their migrations and never migrate

    logger = logging.getLogger("todoke.migrate")
    logger.setLevel(logging.ERROR)  # pogo logs each file as a warning; what the operator needs is a failure
    await connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{room.schema}"')
    await connection.execute(f'SET search_path TO "{room.schema}"')
    await apply(connection, room.folder, schema_name=room.schema, logger=logger)
