"""The schema in which a state is rebuilt: the segmenter's own tables once more, and the plan of the rebuild."""

from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import asyncpg
import msgspec

from todoke_shared.jsons import dumps_text
from todoke_shared.postgres.migrate import Migrations, migrate
from todoke_shared.postgres.queries import load_queries

SCHEMA = "segmenter_rebuild"
_MIGRATIONS = Migrations(SCHEMA, Path(__file__).parents[1] / "migrations")
_SQL = load_queries("todoke_segmenter.rebuilding", "scratch.sql")

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


class Plan(msgspec.Struct, frozen=True):
    """With what a rebuild began; whoever goes on with it must find the same.

    `begins`: the oldest record of each `topic/partition` then. `complete_since`: whoever is known from later on has all
    their events in the topics; None: everybody has.
    """

    cluster: str
    release: str
    migrations: tuple[str, ...]
    campaigns: dict[str, int]
    segments: int
    begins: dict[str, int]
    complete_since: datetime | None

    def check(self, now: "Plan") -> None:
        """ValueError, naming it, when something is not as it was."""
        for name in ("cluster", "release", "migrations", "campaigns", "segments"):
            if getattr(self, name) != getattr(now, name):
                raise ValueError(
                    f"an interrupted rebuild began with another state of: {name}. Start over with --restart"
                )


async def published(live: Connection) -> tuple[dict[str, int], int]:
    """The campaigns in force, by version, and the last publication of segments."""
    campaigns = {row["campaign"]: row["version"] for row in await live.fetch(_SQL["campaigns"])}
    revision: int = await live.fetchval(_SQL["segments_revision"])
    return campaigns, revision


def release() -> tuple[str, tuple[str, ...]]:
    """What folds: the version of this release and its migrations."""
    return version("todoke-segmenter"), tuple(sorted(file.stem for file in _MIGRATIONS.folder.glob("*.sql")))


async def earlier_plan(connection: Connection) -> Plan | None:
    """The plan of a rebuild that was interrupted."""
    if await connection.fetchval("SELECT to_regclass($1) IS NULL", f"{SCHEMA}.plan"):
        return None
    text = await connection.fetchval(_SQL["read_plan"])
    return None if text is None else msgspec.json.decode(text, type=Plan)


async def make_scratch(dsn: str, connection: Connection, plan: Plan) -> None:
    """A fresh schema with the live one's segments, in place of any other. The plan comes last: with it, it is whole."""
    await drop_scratch(connection)
    await migrate(dsn, [_MIGRATIONS])
    await connection.execute(_SQL["copy_segments"])
    await connection.execute(_SQL["create_plan"])
    await connection.execute(_SQL["keep_plan"], dumps_text(plan))


async def drop_scratch(connection: Connection) -> None:
    """Leave nothing of a rebuild behind. Harmless when there is nothing."""
    async with connection.transaction():
        await connection.execute(_SQL["drop"])
        if not await connection.fetchval("SELECT to_regclass('public._pogo_migration') IS NULL"):
            await connection.execute(_SQL["forget_migrations"], SCHEMA)
