"""PostgreSQL and Kafka: those that the environment names, else embedded ones, and a plain word about the difference."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from todoke_local.embedded import EmbeddedKafka, EmbeddedPostgres
from todoke_local.rooms import migrate_rooms
from todoke_local.settings import LocalSettings
from todoke_shared.kafka.topics import create_topics


@dataclass(frozen=True)
class Parts:
    """Where PostgreSQL and Kafka are. `notes`: what the user should know of them."""

    postgres_dsn: str
    kafka_bootstrap_servers: str
    notes: tuple[str, ...]


@asynccontextmanager
async def open_parts(settings: LocalSettings, *, keep: Path | None) -> AsyncIterator[Parts]:
    """Start what the environment does not name, migrate, and create the topics.

    `keep`: where an embedded PostgreSQL keeps its data; None for one that ends without trace.
    """
    notes: list[str] = []
    async with AsyncExitStack() as stack:
        dsn = settings.postgres_dsn
        if dsn is None:
            dsn = (await stack.enter_async_context(EmbeddedPostgres(keep))).dsn
            kept = f"kept in {keep}" if keep else "gone when this ends"
            notes.append(f"PostgreSQL: embedded, {kept} (set TODOKE_POSTGRES_DSN for your own)")
        bootstrap = settings.kafka_bootstrap_servers
        if bootstrap is None:
            bootstrap = (await stack.enter_async_context(EmbeddedKafka())).bootstrap_servers
            notes.append(
                "Kafka: embedded, in memory; what is in flight is gone when this ends"
                " (set TODOKE_KAFKA_BOOTSTRAP_SERVERS for your own)"
            )
        else:
            await create_topics(bootstrap, replication=settings.kafka_replication)
        await migrate_rooms(dsn)
        yield Parts(dsn, bootstrap, tuple(notes))
