"""The rooms that have tables, in the order in which they are migrated: a room may read views of those before it."""

from todoke_dispatcher.main import MIGRATIONS as DISPATCHER
from todoke_ingest.main import MIGRATIONS as INGEST
from todoke_scheduler.main import MIGRATIONS as SCHEDULER
from todoke_segmenter.main import MIGRATIONS as SEGMENTER
from todoke_shared.postgres.grants import grant
from todoke_shared.postgres.migrate import migrate
from todoke_shared.postgres.platform import MIGRATIONS as PLATFORM

ROOMS = (PLATFORM, INGEST, SEGMENTER, SCHEDULER, DISPATCHER)


async def migrate_rooms(dsn: str) -> None:
    """Bring every room's schema up to date, and what each service may see of the others'. Safe to repeat."""
    await migrate(dsn, ROOMS)
    await grant(dsn)
