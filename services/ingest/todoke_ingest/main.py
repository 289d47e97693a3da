"""Wires ingest, once: settings -> clock and producer -> doors -> HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from todoke_ingest.adapters.durable import DurablePublisher
from todoke_ingest.adapters.idempotency import purge
from todoke_ingest.adapters.keys import KeyRing
from todoke_ingest.adapters.redirects import Redirects
from todoke_ingest.adapters.spool import PostgresSpool
from todoke_ingest.app import Doorway, build_app
from todoke_ingest.handlers.intake import Intake
from todoke_ingest.settings import IngestSettings
from todoke_shared.accounts import Config, load_config
from todoke_shared.errors import SlowDownError
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.relay import Relay
from todoke_shared.postgres.fleet_clock import follow_clock, open_clock
from todoke_shared.postgres.migrate import Migrations
from todoke_shared.postgres.pool import open_pool
from todoke_shared.service import serve, telling_of_the_configuration
from todoke_shared.telemetry.logs import set_up_logs
from todoke_shared.telemetry.loops import Loops

logger = logging.getLogger("todoke.ingest")
NAME = "ingest"
POOL_SIZE = 8
GREET_SECONDS = 5.0
MIGRATIONS = Migrations(NAME, Path(__file__).parent / "migrations")


def create_app(settings: IngestSettings) -> Doorway:
    """The app, on PostgreSQL's clock and Kafka. ConfigError when the configuration file is wrong."""
    config = load_config(settings.config)
    if settings.config is None:
        logger.warning("TODOKE_CONFIG is not set: the webhook door trusts the LINE simulator's secret and no other")
    if not settings.keys_required:
        logger.warning("the doors take events without a key; TODOKE_KEYS=required asks for one")
    return build_app(settings, lambda: open_intake(settings, config))


@asynccontextmanager
async def open_intake(settings: IngestSettings, config: Config) -> AsyncIterator[Intake]:
    """The intake on a pool and a producer; closed in turn, flushed first.

    It opens without Kafka, whose absence the spool bridges. Raises OSError or asyncpg.PostgresError when PostgreSQL is
    not there, to be tried again.
    """
    pool = await open_pool(settings.postgres_dsn, application=NAME, schema=NAME, size=POOL_SIZE)
    kafka = KafkaPublisher(settings.kafka_bootstrap_servers, client_id=f"todoke-{NAME}")
    relay = Relay(pool, NAME, kafka)
    spool = PostgresSpool(pool, relay, limit=settings.spool_bytes)
    publisher = DurablePublisher(kafka, spool, seconds=settings.acknowledge_seconds)
    keys = KeyRing(required=settings.keys_required)
    redirects = Redirects.on(pool, publisher)
    loops, fetching = Loops(), Loops()
    try:
        clock = await open_clock(pool)
        await keys.refresh(pool)
        await publisher.look_behind()
        await _greet(kafka)
        loops.start("clock", lambda: follow_clock(clock, pool))
        loops.start("keys", lambda: keys.follow(pool))
        loops.start("idempotency", lambda: purge(pool))
        loops.start("spool", publisher.follow_spool)
        redirects.start()
        intake = Intake(publisher, clock, config, pool, keys, redirects, lambda: spool.is_half_full)
        if any(shop.eccube or shop.makeshop for shop in config.shops.values()):
            _start_fetching(intake, fetching)
        logger.info("ingest is ready")
        yield intake
    finally:
        await fetching.stop()  # what publishes stops before what is flushed
        await redirects.stop()
        await publisher.flush()
        await loops.stop()
        await relay.release()
        await kafka.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await pool.close()


def _start_fetching(intake: Intake, loops: Loops) -> None:
    from todoke_ingest.handlers.fetching import fetching_loops  # noqa: PLC0415 - its HTTP client is for these shops alone

    for name, fetch in fetching_loops(intake).items():
        loops.start(name, fetch)


async def _greet(kafka: KafkaPublisher) -> None:
    """Connect before the first event comes, which would else wait for it; and tell when nobody is there."""
    try:
        async with asyncio.timeout(GREET_SECONDS):
            await kafka.ready()
    except (SlowDownError, TimeoutError):
        logger.warning("Kafka does not answer; until it does, events go into the spool")


def run() -> None:
    """Serve the doors until SIGTERM or SIGINT."""
    with telling_of_the_configuration():
        settings = IngestSettings()
    set_up_logs("ingest", settings.log_level)
    with telling_of_the_configuration():
        app = create_app(settings)
    serve(app, settings, settings.ingest_port)
