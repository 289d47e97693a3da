"""Wires the scheduler: settings -> adapters -> app."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from faststream.kafka import KafkaBroker
from starlette.applications import Starlette

from todoke_scheduler.adapters.clicks import Clicks
from todoke_scheduler.adapters.conversions import forget_heard
from todoke_scheduler.adapters.sends import forget_sent
from todoke_scheduler.adapters.timers import drop_days_over
from todoke_scheduler.broadcasting import Broadcaster
from todoke_scheduler.handlers import CLAIM, Scheduler
from todoke_scheduler.settings import SchedulerSettings
from todoke_shared.accounts import Config, read_config
from todoke_shared.campaigns.catalogue import RELOAD_SECONDS, CampaignCatalogue
from todoke_shared.contracts.topics import CUSTOMER_TRIGGERS, EC_EVENTS, LANES, OUTCOMES
from todoke_shared.kafka.catching_up import CatchingUp
from todoke_shared.kafka.consume import Consumption
from todoke_shared.kafka.records import BatchHandler
from todoke_shared.kafka.topics import end_offsets
from todoke_shared.postgres.migrate import Migrations
from todoke_shared.postgres.stream import purge_inbox
from todoke_shared.service import Room, consuming, new_broker, open_room, serve, telling_of_the_configuration
from todoke_shared.telemetry.health import Readiness, health_routes
from todoke_shared.telemetry.logs import set_up_logs

NAME = "scheduler"
MIGRATIONS = Migrations(NAME, Path(__file__).parent / "migrations")
POLL_SECONDS = 0.1
"""How soon a timer is found that another process has set; our own next one is waited for exactly."""
SIDE_BY_SIDE = 2
"""Claims at once when there is a backlog: PostgreSQL works for one while we work on the other."""
DROP_SECONDS = 60.0
"""How often partitions of days that are over are looked for; a replay passes a day in less."""
SHORTEST_REST_SECONDS = 0.005
"""A due timer that another scheduler holds is looked for again no sooner."""


def declare(broker: KafkaBroker, triggers: BatchHandler, outcomes: BatchHandler) -> Consumption:
    """What the scheduler reads and writes: for the running service, and for AsyncAPI."""
    consumption = Consumption(broker, group=f"todoke-{NAME}")
    consumption.subscribe([CUSTOMER_TRIGGERS], triggers)
    consumption.subscribe([OUTCOMES], outcomes, lane="outcomes")
    for topic in (*LANES.values(), EC_EVENTS):
        broker.publisher(topic.name, schema=topic.payload, title=topic.name, description=topic.purpose)
    return consumption


def create_app(settings: SchedulerSettings) -> Starlette:
    """The service as an ASGI app: health outside, consumption and timers in its lifespan."""
    readiness = Readiness()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with open_room(settings, NAME, readiness) as room:
            scheduler = await _open_scheduler(room, read_config(settings.config))
            await _follow_timers(room, scheduler, settings.kafka_bootstrap_servers)
            room.loops.start("inbox", lambda: purge_inbox(room.pool))
            room.loops.start("sends", lambda: forget_sent(room.pool, room.clock))
            room.loops.start("goals", lambda: forget_heard(room.pool, room.clock))
            clicks = Clicks(room.pool, cluster=room.cluster)
            broker = new_broker(settings, NAME)
            async with consuming(broker, declare(broker, scheduler.take_triggers, clicks.take_outcomes), room):
                yield

    return Starlette(routes=health_routes(readiness), lifespan=lifespan)


async def _open_scheduler(room: Room, config: Config) -> Scheduler:
    """It knows what is published, learns what will be, and carries out broadcasts beside what it is given."""
    catalogue = CampaignCatalogue(room.pool)
    shops = {name: account.shop for name, account in config.accounts.items()}
    scheduler = Scheduler(
        room.pool,
        room.clock,
        catalogue,
        cluster=room.cluster,
        wake=room.relay.wake,
        shops=config.shops,
        shop_of={} if config.trial else shops,
    )

    async def learn() -> None:
        await catalogue.refresh()
        await scheduler.refresh_segments()

    async def reload() -> None:
        await asyncio.sleep(RELOAD_SECONDS)
        await learn()

    await learn()
    broadcaster = Broadcaster(room.pool, room.clock, catalogue, scheduler, wake=room.relay.wake, shops=shops)
    room.loops.start("campaigns", reload)
    room.loops.start("broadcast-plans", broadcaster.plan_all)
    room.loops.start("broadcasts", broadcaster.go_on_with_all)
    return scheduler


async def _follow_timers(room: Room, scheduler: Scheduler, bootstrap_servers: str) -> None:
    """Fire what is due, once the triggers that lie in the topic now have been taken: an exit may be among them."""
    ends = await end_offsets(bootstrap_servers, CUSTOMER_TRIGGERS)
    catching_up = CatchingUp(room.pool, cluster=room.cluster, topic=CUSTOMER_TRIGGERS.name, ends=ends)

    async def work_off() -> None:
        while await scheduler.fire_due() == CLAIM:
            pass

    async def fire() -> None:
        if not await catching_up.is_done():
            await asyncio.sleep(POLL_SECONDS)
            return
        fired = await scheduler.fire_due()
        if fired == CLAIM:
            await asyncio.gather(*(work_off() for _ in range(SIDE_BY_SIDE)))
        elif not fired:
            due = await scheduler.next_due()
            wait = POLL_SECONDS if due is None else room.clock.seconds_until(due)
            await asyncio.sleep(min(max(wait, SHORTEST_REST_SECONDS), POLL_SECONDS))

    async def drop_days() -> None:
        await drop_days_over(room.pool, room.clock.now())
        await asyncio.sleep(DROP_SECONDS)

    room.loops.start("timers", fire)
    room.loops.start("timer-days", drop_days)


def run() -> None:
    """Run until told to stop."""
    with telling_of_the_configuration():
        settings = SchedulerSettings()
    set_up_logs(NAME, settings.log_level)
    serve(create_app(settings), settings, settings.scheduler_port)
