"""Wires ingest, once: settings -> clock and producer -> doors -> HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from todoke_ingest.adapters.deadline import PublisherInTime
from todoke_ingest.app import Doorway, build_app
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.settings import IngestSettings
from todoke_shared.accounts import Config, load_config
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.postgres.fleet_clock import RESAMPLE_SECONDS, open_clock, sample_clock
from todoke_shared.postgres.migrate import Migrations
from todoke_shared.postgres.pool import open_pool
from todoke_shared.service import serve
from todoke_shared.telemetry.logs import set_up_logs
from todoke_shared.telemetry.loops import Loops

logger = logging.getLogger("todoke.ingest")
NAME = "ingest"
MIGRATIONS = Migrations(NAME, Path(__file__).parent / "migrations")


def create_app(settings: IngestSettings) -> Doorway:
    """The app, on PostgreSQL's clock and Kafka. ValueError when the configuration file is wrong."""
    config = load_config(settings.config)
    if settings.config is None:
        logger.warning("TODOKE_CONFIG is not set: the webhook door trusts the LINE simulator's secret and no other")
    return build_app(settings, lambda: open_intake(settings, config))


@asynccontextmanager
async def open_intake(settings: IngestSettings, config: Config) -> AsyncIterator[Intake]:
    """The door on a pool (for the clock alone: ingest has no tables) and a producer; closed in turn, flushed first.

    Raises OSError, KafkaError or asyncpg.PostgresError when one of them is not there, to be tried again.
    """
    pool = await open_pool(settings.postgres_dsn, application="ingest", schema="ingest", size=2)
    publisher = KafkaPublisher(settings.kafka_bootstrap_servers, client_id="todoke-ingest")
    loops = Loops()
    try:
        clock = await open_clock(pool)
        await publisher.start()

        async def follow_clock() -> None:
            clock.resample(await sample_clock(pool))
            await asyncio.sleep(RESAMPLE_SECONDS)

        loops.start("clock", follow_clock)
        logger.info("ingest is ready")
        yield Intake(PublisherInTime(publisher, settings.acknowledge_seconds), clock, config, pool)
    finally:
        await loops.stop()
        await publisher.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await pool.close()


def run() -> None:
    """Serve the doors until SIGTERM or SIGINT."""
    settings = IngestSettings()
    set_up_logs("ingest", settings.log_level)
    serve(create_app(settings), settings, settings.ingest_port)
