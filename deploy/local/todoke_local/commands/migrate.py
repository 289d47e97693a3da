"""`todoke migrate`: the database's schemas and Kafka's topics."""

import asyncio

from rich.console import Console

from todoke_local.rooms import ROOMS, migrate_rooms
from todoke_local.settings import LocalSettings
from todoke_shared.kafka.topics import create_topics


def migrate() -> None:
    """Bring PostgreSQL's schemas up to date and create missing Kafka topics. Safe to repeat, safe while running."""
    settings = LocalSettings()
    dsn = settings.need("postgres_dsn")
    console = Console()
    asyncio.run(migrate_rooms(dsn))
    console.print(f"PostgreSQL: {len(ROOMS)} schemas are up to date.")
    if settings.kafka_bootstrap_servers:
        made = asyncio.run(create_topics(settings.kafka_bootstrap_servers, replication=settings.kafka_replication))
        console.print(f"Kafka: {len(made)} topics created." if made else "Kafka: all topics are there.")
    else:
        console.print("Kafka: not named (TODOKE_KAFKA_BOOTSTRAP_SERVERS), no topics created.")
