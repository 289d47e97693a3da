"""The rooms that have tables, in the order in which they are migrated: a room may read views of those before it."""

from pathlib import Path

import todoke_dispatcher
import todoke_ingest
import todoke_scheduler
import todoke_segmenter
from todoke_shared.postgres.grants import grant
from todoke_shared.postgres.migrate import Migrations, migrate
from todoke_shared.postgres.platform import MIGRATIONS as PLATFORM

# As each service's `main` names them, which would import the whole service for the name of a folder.
ROOMS = (
    PLATFORM,
    *(
        Migrations(package.__name__.removeprefix("todoke_"), Path(*package.__path__) / "migrations")
        for package in (todoke_ingest, todoke_segmenter, todoke_scheduler, todoke_dispatcher)
    ),
)


async def migrate_rooms(dsn: str) -> None:
    """Bring every room's schema up to date, and what each service may see of the others'. Safe to repeat."""
    await migrate(dsn, ROOMS)
    await grant(dsn)
