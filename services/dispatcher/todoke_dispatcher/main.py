"""Wires the dispatcher: settings -> adapters -> app."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from faststream.kafka import KafkaBroker
from starlette.applications import Starlette

from todoke_dispatcher.adapters.line import LineClient, open_line_of
from todoke_dispatcher.adapters.token_sources import check_keys
from todoke_dispatcher.dispatcher import Dispatcher
from todoke_dispatcher.overseeing import Overseer
from todoke_dispatcher.pump import pumping
from todoke_dispatcher.reconciling import Reconciler
from todoke_dispatcher.settings import HTTP_TIMEOUT_SECONDS, DispatcherSettings
from todoke_dispatcher.watching import keeping_watch
from todoke_shared.accounts import Config, load_config, read_config
from todoke_shared.campaigns.catalogue import CampaignCatalogue
from todoke_shared.contracts.requests import Lane
from todoke_shared.contracts.topics import LANES, LINE_EVENTS, OUTCOMES
from todoke_shared.kafka.consume import Consumption
from todoke_shared.kafka.records import BatchHandler
from todoke_shared.postgres.migrate import Migrations
from todoke_shared.service import Room, consuming, new_broker, open_room, serve, telling_of_the_configuration
from todoke_shared.telemetry.health import Readiness, health_routes
from todoke_shared.telemetry.logs import set_up_logs

NAME = "dispatcher"
MIGRATIONS = Migrations(NAME, Path(__file__).parent / "migrations")


def declare(broker: KafkaBroker, take: Callable[[Lane], BatchHandler], take_line_events: BatchHandler) -> Consumption:
    """What the dispatcher reads and writes: for the running service, and for AsyncAPI.

    Each lane is a consumer group of its own, so that a backlog of marketing delays no shipping notice; LINE's events
    are one, too, since a reply token is over in a minute.
    """
    consumption = Consumption(broker, group=f"todoke-{NAME}")
    for lane, topic in LANES.items():
        consumption.subscribe([topic], take(lane), lane=lane)
    consumption.subscribe([LINE_EVENTS], take_line_events, lane="replies")
    broker.publisher(OUTCOMES.name, schema=OUTCOMES.model, title=OUTCOMES.name, description=OUTCOMES.purpose)
    return consumption


def create_app(settings: DispatcherSettings) -> Starlette:
    """The service as an ASGI app: health outside, consumption and sending in its lifespan.

    ConfigError when the file of accounts cannot be read, lacks a secret, or names a key that cannot sign.
    """
    readiness = Readiness()
    config = _configuration(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with open_room(settings, NAME, readiness) as room, _running(settings, config, room):
            yield

    return Starlette(routes=health_routes(readiness), lifespan=lifespan)


@asynccontextmanager
async def _running(settings: DispatcherSettings, config: Config, room: Room) -> AsyncIterator[None]:
    """Takes requests, sends and keeps watch until the block ends; what was claimed by then is sent and recorded."""
    async with _open_line(settings, config, room) as line:
        dispatcher = Dispatcher(
            room.pool,
            room.clock,
            cluster=room.cluster,
            catalogue=CampaignCatalogue(room.pool),
            line=line,
            config=config,
            settings=settings,
            wake_relay=room.relay.wake,
        )
        broker = new_broker(settings, NAME)
        consumption = declare(broker, dispatcher.take_requests, dispatcher.take_line_events)
        async with (
            pumping(dispatcher, settings.max_in_flight),
            keeping_watch(
                Reconciler(room.pool, room.clock, line, config.accounts, random.random),
                Overseer(room.pool, room.clock, dispatcher.books),
            ),
            consuming(broker, consumption, room),
        ):
            yield


def _configuration(settings: DispatcherSettings) -> Config:
    """Accounts with their secrets, and shops without any of theirs."""
    config = load_config(settings.config, shops=False)
    check_keys(config.accounts)
    return config.model_copy(update={"shops": read_config(settings.config).shops})


def _open_line(settings: DispatcherSettings, config: Config, room: Room) -> AbstractAsyncContextManager[LineClient]:
    return open_line_of(
        settings.line_api_url,
        config.accounts,
        connections=settings.max_in_flight,
        timeout_seconds=HTTP_TIMEOUT_SECONDS,
        wall=room.clock.wall,
    )


def run() -> None:
    """Run until told to stop."""
    with telling_of_the_configuration():
        settings = DispatcherSettings()
    set_up_logs(NAME, settings.log_level)
    with telling_of_the_configuration():
        app = create_app(settings)
    serve(app, settings, settings.dispatcher_port)
