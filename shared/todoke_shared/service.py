"""What every service opens first and closes last. Each service's `main.py` wires its own parts inside.

Stopping (RELIABILITY: shutdown): not ready -> no new batch -> the batch in hand ends -> consumer -> loops ->
producer -> pool.
"""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

import asyncpg
import uvicorn
from aiokafka.errors import KafkaError
from starlette.types import ASGIApp
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from todoke_shared.clock import SampledClock
from todoke_shared.config_errors import ConfigError
from todoke_shared.connections import EndingConnection
from todoke_shared.errors import SlowDownError, for_the_log
from todoke_shared.kafka.publish import KafkaPublisher
from todoke_shared.kafka.relay import Relay
from todoke_shared.kafka.topics import cluster_id
from todoke_shared.postgres.fleet_clock import follow_clock, open_clock
from todoke_shared.postgres.pool import open_pool
from todoke_shared.settings import Settings
from todoke_shared.telemetry.health import Readiness
from todoke_shared.telemetry.loops import Loops

if TYPE_CHECKING:  # ingest consumes nothing, and does without FastStream
    from faststream.kafka import KafkaBroker

    from todoke_shared.kafka.consume import Consumption

logger = logging.getLogger("todoke.service")
T = TypeVar("T")

STARTUP_FAILED = 3
"""uvicorn's own exit code for it."""
BATCH_SECONDS = 6.0
POOL_SECONDS = 2.0
"""A stop fits into the 25 s that an orchestrator gives: the batch in hand 6, the dispatcher's requests to LINE 12,
the producer 3, the pool 2."""

_NOT_THERE = (SlowDownError, OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


@dataclass
class Room:
    """A running service's parts: its pool, the fleet's clock, the producer, the outbox relay and its loops."""

    name: str
    pool: "asyncpg.Pool[asyncpg.Record]"
    clock: SampledClock
    cluster: str
    publisher: KafkaPublisher
    relay: Relay
    readiness: Readiness
    loops: Loops = field(default_factory=Loops)


@asynccontextmanager
async def open_room(settings: Settings, name: str, readiness: Readiness) -> AsyncIterator[Room]:
    """Open the parts that all services share; the schema is the service's name. Waits for PostgreSQL and Kafka."""
    pool = await _until_there("PostgreSQL", lambda: open_pool(settings.postgres_dsn, application=name, schema=name))
    bootstrap = settings.kafka_bootstrap_servers
    publisher = KafkaPublisher(bootstrap, client_id=f"todoke-{name}")
    try:
        cluster = await _until_there("Kafka", lambda: cluster_id(bootstrap))
        await _until_there("Kafka", publisher.start)
        clock = await _until_there("PostgreSQL", lambda: open_clock(pool))
        relay = Relay(pool, name, publisher)
        room = Room(name, pool, clock, cluster, publisher, relay, readiness)

        room.loops.start("clock", lambda: follow_clock(clock, pool))
        room.loops.start("relay", relay.run_once)
        try:
            yield room
        finally:
            await room.loops.stop()
            await relay.release()
    finally:
        await publisher.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(POOL_SECONDS):
                await pool.close()


@asynccontextmanager
async def consuming(broker: "KafkaBroker", consumption: "Consumption", room: Room) -> AsyncIterator[None]:
    """Consume from here on; on leaving, end the batch in hand and leave the group."""
    await broker.start()
    room.readiness.ready = True
    logger.info("%s is ready", room.name)
    try:
        yield
    finally:
        room.readiness.ready = False
        consumption.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(BATCH_SECONDS):
                await consumption.end()
        await broker.stop()


def spare_the_collector() -> None:
    """What has been imported stays: looking through it again and again cost a fifth of the segmenter's time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 1000)


def new_broker(settings: Settings, name: str) -> "KafkaBroker":
    """A FastStream broker for consuming. Topics are made by `todoke migrate`, not by first use."""
    from faststream.kafka import KafkaBroker  # noqa: PLC0415 - as above

    return KafkaBroker(
        settings.kafka_bootstrap_servers,
        client_id=f"todoke-{name}",
        apply_types=False,  # batches reach the handler as they were read
        allow_auto_create_topics=False,
        graceful_timeout=BATCH_SECONDS,
        logger=logging.getLogger("faststream"),  # kept to errors; it tells of fetches that fail
    )


@contextmanager
def telling_of_the_configuration() -> Iterator[None]:
    """A mistake in the configuration, file or environment, ends the process with one line on standard error, and 1."""
    try:
        yield
    except ConfigError as error:
        sys.exit(f"todoke: {error}")


class _Server(uvicorn.Server):
    """uvicorn waits for the end of a startup before it stops; ours may wait for Kafka for ever."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.started:
            super().handle_exit(sig, frame)
            return
        try:
            # Not here: whatever line of the startup is being carried out would take the exit for its own failure.
            asyncio.get_running_loop().call_soon_threadsafe(sys.exit, 0)
        except RuntimeError:  # no loop runs yet
            sys.exit(0)


def server_config(app: ASGIApp, settings: Settings, port: int) -> uvicorn.Config:
    """How a service is served: on connections that end, and over HTTP alone."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=port,
        log_level="error",  # its warnings are a line for each request that is no HTTP, from whoever sends them
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="on",
        http=EndingConnection,
        ws="none",
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def serve(app: ASGIApp, settings: Settings, port: int) -> None:
    """Run an app until SIGTERM or SIGINT, then let it drain."""
    # uvicorn raises the signal again once it has drained; an orderly end is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    spare_the_collector()
    server = _Server(server_config(app, settings, port))
    server.run()
    if not server.started:
        sys.exit(STARTUP_FAILED)  # uvicorn has said why


async def _until_there(what: str, connect: Callable[[], Awaitable[T]]) -> T:
    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        logger.warning("waiting for %s (%s)", what, for_the_log(error) if error else "no answer")

    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(_NOT_THERE), wait=wait_random_exponential(max=5), before_sleep=tell
    ):
        with attempt:
            return await connect()
    raise AssertionError("tenacity tries without end")
